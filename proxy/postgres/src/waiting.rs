//! A block of which no backend has heard: what its client has said in it so far, and what a backend is told of that.
//!
//! A savepoint in which nothing ran is nothing to the server: what releases it, or goes back to it, takes it along. One that is
//! still open is made by the backend that opens the block, in front of what ran in it.

use std::{borrow::Cow, iter};

use cache::sql::postgres::Kind;

use super::block::Begun;

/// With more savepoints than that a block is opened.
const MOST_POINTS: usize = 16;
/// `NAMEDATALEN` - 1: a longer name is cut by the server, with a notice.
const MAX_NAME: usize = 63;
/// What takes a snapshot and shows nothing.
const SNAPSHOT: &str = "SELECT WHERE false";

/// A block of which no backend has heard.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) begun: Begun,
    /// The names of its savepoints, in order. A name may be there more than once: the last hides the others.
    points: Vec<Box<str>>,
    /// Something was answered that takes a snapshot at the server, so that it is too late to say how the block is isolated.
    has_read: bool,
}

impl Waiting {
    /// One in which nothing was said yet.
    pub(crate) fn new(begun: Begun) -> Self {
        Self { begun, points: Vec::new(), has_read: false }
    }

    /// The same block once more, behind its end.
    pub(crate) fn chained(self) -> Self {
        Self::new(self.begun)
    }

    /// Makes a savepoint, releases one or goes back to one, and returns what that is called. `None` where the server must
    /// say what it says: of a name that is not there, or that it reads in another way.
    pub(crate) fn point(&mut self, kind: &Kind) -> Option<&'static str> {
        match kind {
            Kind::Savepoint(name) => {
                let is_plain = name.is_ascii() && name.len() < MAX_NAME;
                if !is_plain || self.points.len() >= MOST_POINTS {
                    return None;
                }
                self.points.push(name.as_str().into());
                Some("SAVEPOINT")
            }
            Kind::Release(name) => {
                let at = self.find(name)?;
                self.points.truncate(at);
                Some("RELEASE")
            }
            Kind::RollbackTo(name) => {
                let at = self.find(name)?;
                self.points.truncate(at + 1);
                Some("ROLLBACK")
            }
            _ => None,
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.points.iter().rposition(|known| **known == *name)
    }

    /// The names of its savepoints, in order.
    pub(crate) fn points(&self) -> impl Iterator<Item = &str> {
        self.points.iter().map(|name| &**name)
    }

    /// Its client was answered what takes a snapshot at the server.
    pub(crate) fn reads(&mut self) {
        self.has_read = true;
    }

    /// What the backend is told that opens the block, in front of a statement that takes a snapshot itself, or of another.
    pub(crate) fn statements(&self, reads: bool) -> impl Iterator<Item = Cow<'_, str>> {
        let point = |name: &str| Cow::Owned(format!("SAVEPOINT \"{}\"", name.replace('"', "\"\"")));
        let snapshot = (self.has_read && !reads).then_some(Cow::Borrowed(SNAPSHOT));
        iter::once(Cow::Borrowed(&*self.begun.sql)).chain(self.points().map(point)).chain(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block;

    fn begun() -> Waiting {
        Waiting::new(block::begun(b"begin").expect("one"))
    }

    fn told(waiting: &Waiting, reads: bool) -> String {
        waiting.statements(reads).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn savepoints_in_which_nothing_ran_annul_each_other() {
        let (make, release) =
            (|it: &str| Kind::Savepoint(it.into()), |it: &str| Kind::Release(it.into()));
        let back = |it: &str| Kind::RollbackTo(it.into());
        let mut waiting = begun();
        for (kind, tag, expected) in [
            (make("a"), Some("SAVEPOINT"), "begin; SAVEPOINT \"a\""),
            (make("B \"c"), Some("SAVEPOINT"), "begin; SAVEPOINT \"a\"; SAVEPOINT \"B \"\"c\""),
            (back("B \"c"), Some("ROLLBACK"), "begin; SAVEPOINT \"a\"; SAVEPOINT \"B \"\"c\""),
            (release("A"), None, "begin; SAVEPOINT \"a\"; SAVEPOINT \"B \"\"c\""),
            (back("a"), Some("ROLLBACK"), "begin; SAVEPOINT \"a\""),
            (release("B \"c"), None, "begin; SAVEPOINT \"a\""),
            (make("a"), Some("SAVEPOINT"), "begin; SAVEPOINT \"a\"; SAVEPOINT \"a\""),
            (release("a"), Some("RELEASE"), "begin; SAVEPOINT \"a\""),
            (release("a"), Some("RELEASE"), "begin"),
            (back("a"), None, "begin"),
            (make(&"n".repeat(63)), None, "begin"),
            (make("\u{e9}"), None, "begin"),
            (Kind::Commit, None, "begin"),
        ] {
            assert_eq!(waiting.point(&kind), tag, "{kind:?}");
            assert_eq!(told(&waiting, false), expected, "{kind:?}");
        }
    }

    #[test]
    fn so_many_savepoints_are_kept_and_no_more() {
        let mut waiting = begun();
        let made = (0..20).filter(|_| waiting.point(&Kind::Savepoint("s".into())).is_some());
        assert_eq!(made.count(), MOST_POINTS);
    }

    #[test]
    fn a_snapshot_that_was_taken_for_the_client_is_taken_at_the_server() {
        let mut waiting = begun();
        waiting.reads();
        assert_eq!(told(&waiting, true), "begin");
        assert_eq!(told(&waiting, false), "begin; SELECT WHERE false");
        assert_eq!(told(&waiting.chained(), false), "begin");
    }
}
