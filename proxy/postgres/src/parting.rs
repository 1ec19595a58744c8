//! The end of a block that has only read: its client is told at once, and its backend hears of it meanwhile.
//!
//! At READ COMMITTED and REPEATABLE READ nothing can come of it that the client would have to hear: no commit fails that has
//! nothing to commit. The backend has left the session then, and is lent again when it has answered.

use std::{sync::Arc, time::Duration};

use origin::pool::Loan;
use serving::{activity::State, error::SessionError, hold::Hold, observe::Saved};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    adopt::own_query,
    block::{self, Begun, End, Isolation},
    client::Client,
    database::Database,
    idle,
    origin::Origin,
    session::Session,
    work::Work,
};

/// Longest time for the end of a block; then its backend is closed.
const END_TIMEOUT: Duration = Duration::from_secs(10);

impl Session {
    /// Sends the backend the end of a block that has only read, and lets it go. False where that must be waited for.
    pub(crate) fn parts(&mut self, query: &[u8], end: End) -> bool {
        let Self { client, hold } = self;
        let Hold::Held(work) = hold else { return false };
        if end.chains || !client.may_part(work) {
            return false;
        }
        let Ok(sql) = std::str::from_utf8(query) else { return false };
        let Some(is_in_doubt) = client.end.key.slot.try_point_away() else {
            // A cancel request is on its way, and must not reach the next client.
            return false;
        };
        let Some(work) = hold.take() else { return false };
        let heard = CancellationToken::new();
        client.parting = Some(heard.clone());
        client.database.metrics.saves(Saved::Commit);
        client.seen.is(State::Idle, Instant::now());
        let is_kept = !is_in_doubt && !work.loan.is_expired(Instant::now());
        let ended = end_apart(
            (work.loan, is_kept),
            sql.to_owned(),
            Arc::clone(&client.database),
            heard.drop_guard(),
        );
        client.context.common.tasks.spawn(ended);
        true
    }

    /// Before another backend is asked for what does more than read: what the client's last block has locked is free.
    pub(crate) async fn has_parted(&mut self, only_reads: bool) {
        let parting = &mut self.client.parting;
        if self.hold.is_free()
            && let Some(heard) = parting
            && (heard.is_cancelled() || !only_reads)
        {
            Box::pin(heard.cancelled()).await;
            *parting = None;
        }
    }
}

impl Client {
    /// A block begins at this backend. Its end may go unheard as long as it only reads.
    pub(crate) fn begins_at(&self, begun: &Begun, work: &mut Work) {
        let isolation = self.isolation(begun, work.loan.isolation);
        let may_part = self.database.config.round_trips.commit
            && isolation.is_some_and(|isolation| !isolation.may_refuse_reads());
        work.ledger.begins(may_part, isolation == Some(Isolation::Committed), &begun.modes);
    }

    /// Whether the backend has a block of the client's open in which the cache may answer as the backend would: it has done
    /// nothing but read, and each statement of it sees what is committed when that begins.
    pub(crate) fn reads_committed(&self, work: &Work) -> bool {
        work.ledger.sees_commits() && self.may_part(work)
    }

    /// A BEGIN of the client's goes to a backend that does nothing else for it.
    pub(crate) fn opens_itself(&self, work: &mut Work, query: &[u8]) {
        if let Some(begun) = block::begun(query)
            && !work.is_in_block()
            && self.facts.statements.last_under_way().is_none()
        {
            self.begins_at(&begun, work);
        }
    }

    /// Whether the backend has nothing to say but that the block is over, and takes nothing of the client's along.
    fn may_part(&self, work: &Work) -> bool {
        let loan = &work.loan;
        work.ledger.has_only_read()
            && work.is_at_rest()
            && !loan.pipeline.is_in_doubt()
            && loan.framed.input().is_empty()
            && !work.is_pinned()
            && !loan.is_touched
            && !loan.unfit
            && work.drawn.look().is_none()
            && work.half_set.is_empty()
            && work.changed_unseen().is_empty()
            && !idle::has_limit(loan)
            && !self.end.is_torn()
    }
}

/// Ends a block whose client has gone on. A backend that does not take it is closed.
async fn end_apart(
    (mut loan, is_kept): (Loan<Origin>, bool),
    sql: String,
    database: Arc<Database>,
    _heard: DropGuard,
) {
    match timeout(END_TIMEOUT, own_query(&mut loan, &sql)).await {
        Ok(Ok(Ok(()))) if is_kept && loan.is_idle() => {
            loan.framed.trim_buffers();
            loan.checkin();
        }
        Ok(Err(SessionError::BackendLost(_))) => database.doubt.raise(),
        _ => {}
    }
}
