//! A route as the document tells it.

use crate::resources::Scope;

/// What they are about, what their paths begin with, and the operations.
pub(super) type Group = (&'static str, &'static str, &'static [Operation]);

/// A method of a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    /// In lower case.
    pub(super) method: &'static str,
    /// Below that of its group.
    pub(super) path: &'static str,
    /// What it does.
    pub(super) summary: &'static str,
    /// The least that a token has to be for; none where none is needed.
    pub(super) scope: Option<Scope>,
    /// What can stand behind the `?`, besides a page's.
    pub(super) filters: &'static [&'static str],
    /// The schema of what is sent.
    pub(super) body: Option<&'static str>,
    /// What is answered with 200.
    pub(super) answer: Answer,
    /// Whether it is refused with 409, too.
    pub(super) can_conflict: bool,
}

/// What is answered with 200, by the name of its schema.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// It is always refused.
    Never,
    /// Null.
    Nothing,
    /// One.
    One(&'static str),
    /// A list as a whole.
    All(&'static str),
    /// A page of a list.
    Page(&'static str),
}

pub(super) const fn get(path: &'static str, summary: &'static str, answer: Answer) -> Operation {
    Operation {
        method: "get",
        path,
        summary,
        scope: Some(Scope::Read),
        filters: &[],
        body: None,
        answer,
        can_conflict: false,
    }
}

const fn change(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    answer: Answer,
) -> Operation {
    Operation { method, ..get(path, summary, answer).of_edit() }
}

pub(super) const fn post(path: &'static str, summary: &'static str, answer: Answer) -> Operation {
    change("post", path, summary, answer)
}

pub(super) const fn put(path: &'static str, summary: &'static str, answer: Answer) -> Operation {
    change("put", path, summary, answer)
}

pub(super) const fn patch(path: &'static str, summary: &'static str, answer: Answer) -> Operation {
    change("patch", path, summary, answer)
}

pub(super) const fn delete(path: &'static str, summary: &'static str, answer: Answer) -> Operation {
    change("delete", path, summary, answer)
}

impl Operation {
    pub(super) const fn of(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    pub(super) const fn of_edit(self) -> Self {
        self.of(Scope::Edit)
    }

    pub(super) const fn of_everybody(self) -> Self {
        Self { scope: None, ..self }
    }

    pub(super) const fn filters(self, filters: &'static [&'static str]) -> Self {
        Self { filters, ..self }
    }

    pub(super) const fn takes(self, schema: &'static str) -> Self {
        Self { body: Some(schema), ..self }
    }

    pub(super) const fn conflicts(self) -> Self {
        Self { can_conflict: true, ..self }
    }
}
