//! A command that a host refuses because it does not write any more: it is done once more where that is possible.
//!
//! What was refused so was not done in any part. What runs in a transaction, or on a connection that the session must keep, is
//! not moved: then the client hears the error.

use origin::config::OnHost;
use protocol::mysql::reply::ErrPacket;

use super::{relay::Relay, session::Session};

/// Whether the command under way is done once more, on whichever host writes.
#[derive(Debug, Default)]
pub(crate) enum Moving {
    /// Not as far as anybody knows.
    #[default]
    No,
    /// It was refused on this host, and the client has heard nothing of it.
    Due(OnHost),
    /// It was, and whatever comes of it is the client's.
    Done,
}

impl Session {
    /// Whether an error is kept from the client, because the command is done once more.
    pub(crate) fn moves(&mut self, error: &ErrPacket<'_>, relay: &Relay) -> bool {
        if !is_read_only(error) {
            return false;
        }
        let hosts = &self.database.config.origin.hosts;
        let Some(work) = self.hold.work() else { return false };
        let is_alone = !work.was_open
            && !work.holds_state()
            && work.statements.is_empty()
            && self.facts.begun.is_none()
            && self.facts.settings.is_autocommit()
            && self.facts.pins.is_empty();
        let may = is_alone
            && work.loan.on.has_others()
            && hosts.wanted.is_for_writing()
            && matches!(self.moving, Moving::No)
            && self.client.has_heard_nothing()
            && !relay.is_mute()
            && (!work.loan.on.is_in_use() || hosts.may_look());
        if may {
            tracing::debug!("a backend does not write");
            self.moving = Moving::Due(work.loan.on.clone());
        }
        may
    }

    /// Whether the command that has just been refused must be done once more: then the session has no backend, and it was
    /// looked for the host that writes.
    pub(crate) async fn has_moved(&mut self) -> bool {
        let Moving::Due(on) = &self.moving else { return false };
        let on = on.clone();
        self.moving = Moving::Done;
        self.part().await;
        self.database.finder.look_again(&on).await;
        true
    }
}

/// Whether a server says that it does not write: ER_OPTION_PREVENTS_STATEMENT, which names the option, and
/// ER_READ_ONLY_MODE. What the session's own transaction may not do is another error (1792).
fn is_read_only(error: &ErrPacket<'_>) -> bool {
    let names = |option: &[u8]| error.message.windows(option.len()).any(|part| part == option);
    match error.code {
        1290 => [&b"read-only"[..], b"read_only"].into_iter().any(names),
        1836 => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_write_is_told_from_a_transaction_that_does_not() {
        for (code, message, expected) in [
            (1290, "The MySQL server is running with the --read-only option so it cannot", true),
            (1290, "The MySQL server is running with the --super-read-only option so", true),
            (1290, "The MySQL server is running with the --secure-file-priv option so", false),
            (1836, "Running in read-only mode", true),
            (1792, "Cannot execute statement in a READ ONLY transaction.", false),
        ] {
            let error = ErrPacket { code, sqlstate: b"HY000", message: message.as_bytes() };
            assert_eq!(is_read_only(&error), expected, "{message}");
        }
    }
}
