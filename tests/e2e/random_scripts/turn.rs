//! What a client of PostgreSQL sends in one write.

use std::fmt;

/// How scripts are made, and what is in the database before and after each.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) script: fn(u64) -> Vec<Turn>,
    /// Run before each, through who is to be seen.
    pub(super) fill: &'static [&'static str],
    /// What shows what a script has left.
    pub(super) left: &'static str,
}

/// What one client sends in one write.
#[derive(Clone)]
pub(super) struct Turn {
    pub(super) client: usize,
    pub(super) messages: Vec<Message>,
}

#[derive(Clone)]
pub(super) struct Message {
    shown: String,
    pub(super) bytes: Vec<u8>,
}

impl Turn {
    pub(super) fn of(client: usize) -> Self {
        Self { client, messages: Vec::new() }
    }

    pub(super) fn say(&mut self, shown: &str, bytes: &[u8]) {
        self.messages.push(Message { shown: shown.to_owned(), bytes: bytes.to_vec() });
    }

    /// How many ReadyForQuery it brings.
    pub(super) fn groups(&self) -> usize {
        self.messages
            .iter()
            .filter(|message| matches!(message.bytes.first(), Some(b'S' | b'Q')))
            .count()
    }

    /// Whether its client wants to know what a statement is before it goes on.
    pub(super) fn wants_description(&self) -> bool {
        let tag = |message: &Message| message.bytes.first().copied();
        matches!(&self.messages[..], [.., before, last]
            if tag(before) == Some(b'D') && tag(last) == Some(b'H'))
    }

    /// Whether there is anything to wait for.
    pub(super) fn is_answered(&self) -> bool {
        self.groups() > 0 || self.wants_description()
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}:", self.client)?;
        self.messages.iter().try_for_each(|message| write!(f, " [{}]", message.shown))
    }
}
