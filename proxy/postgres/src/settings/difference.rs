//! The query that makes a backend what its session believes in.

use super::rights::Rights;

/// A query that turns a backend with some settings into one with others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) sql: String,
    /// Whose rights the session has changes on the way, so that nothing may run before it is known to have worked.
    pub(crate) touches_rights: bool,
}

/// A query in the making, and whose rights its next statement has.
pub(super) struct Writer {
    sql: String,
    rights: Rights,
    touches_rights: bool,
}

impl Writer {
    /// At a backend with these rights.
    pub(super) fn new(rights: Rights) -> Self {
        Self { sql: String::new(), rights, touches_rights: false }
    }

    /// A statement that is run with these rights, the login's own where there are none.
    pub(super) fn say(&mut self, under: Option<&Rights>, sql: &str) {
        match under {
            Some(rights) => self.switch(rights),
            None => self.switch(&Rights::default()),
        }
        self.put(sql);
    }

    /// Goes over to these rights.
    pub(super) fn switch(&mut self, rights: &Rights) {
        if self.rights == *rights {
            return;
        }
        self.touches_rights = true;
        let is_other_user = self.rights.user != rights.user;
        if is_other_user {
            // It takes the role along.
            self.put(rights.user.as_deref().unwrap_or("RESET SESSION AUTHORIZATION"));
            self.rights.role = None;
        }
        if self.rights.role != rights.role {
            self.put(rights.role.as_deref().unwrap_or("RESET ROLE"));
        }
        self.rights.clone_from(rights);
    }

    fn put(&mut self, sql: &str) {
        self.sql.push_str(sql);
        self.sql.push(';');
    }

    /// What was written, if anything.
    pub(super) fn finish(self) -> Option<Difference> {
        let Self { sql, touches_rights, .. } = self;
        (!sql.is_empty()).then_some(Difference { sql, touches_rights })
    }
}
