//! The statements of the differential test, as bytes to send and the points at which a reply ends.
//!
//! Nothing in it may differ from one server process to the next by right: no pids, no clocks, no table made by the
//! case itself in a result (its OID would show), no `application_name`.

mod copies;
mod pipelines;
mod portals;
mod reads;
mod sessions;
mod statements;

use e2e::wire::say;

/// One conversation on a connection of its own.
#[derive(Debug)]
pub(crate) struct Case {
    /// What a failure is reported under.
    pub(crate) name: String,
    /// In this order.
    pub(crate) steps: Vec<Step>,
    /// Whether it changes nothing, so that a second run must give the same bytes.
    pub(crate) repeatable: bool,
}

/// Bytes to send, and where their reply ends.
#[derive(Debug)]
pub(crate) struct Step {
    /// What is sent, in one write.
    pub(crate) send: Vec<u8>,
    /// What is read before the next step.
    pub(crate) end: End,
}

/// Where a reply ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// At this many ReadyForQuery.
    Ready(usize),
    /// At the first frame of this type.
    Tag(u8),
}

/// Messages whose reply ends with one ReadyForQuery.
pub(crate) fn step(messages: &[Vec<u8>]) -> Step {
    Step { send: messages.concat(), end: End::Ready(1) }
}

/// Messages whose reply ends elsewhere.
pub(crate) fn step_until(messages: &[Vec<u8>], end: End) -> Step {
    Step { send: messages.concat(), end }
}

/// A sequence of simple queries.
pub(crate) fn session(statements: &[&str]) -> Vec<Step> {
    statements.iter().map(|sql| step(&[say::query(sql)])).collect()
}

/// A name, and what is said.
type Conversation = (&'static str, Vec<Step>);

/// The whole corpus.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = reads::cases();
    let sessions = sessions::SESSIONS.iter().map(|(name, statements)| (*name, session(statements)));
    let others =
        [copies::copies(), pipelines::pipelines(), portals::portals(), statements::statements()];
    // Not repeated on the warm cache: most of them write.
    let case =
        |(name, steps): Conversation| Case { name: name.to_owned(), steps, repeatable: false };
    cases.extend(sessions.chain(others.into_iter().flatten()).map(case));
    cases
}
