//! What origins have answered to what a client says about its own session: SET, SHOW, and texts that tidy it up.
//!
//! A session without a backend has nothing but its settings and statements, which are known here. So an answer hangs on the
//! settings that it has, on those that it began with, and on the text, which are its key; and what comes of it is known
//! without the origin, once an origin has answered the same before. It is asked by whoever says it first.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use cache::{
    Budget, Held, Key, Reply,
    sql::postgres::{Analysis, Effect, FunctionCall, Kind, StatementFacts},
};
use memchr::memmem;
use protocol::postgres::{frame::BackendTag, pipeline::TransactionStatus};
use serving::observe::Saved;
use tokio::time::Instant;

use super::parameters::Parameters;

/// A longer text is asked each time, and a longer answer.
const MAX_BYTES: usize = 4096;

/// What an answer needs in memory besides its bytes, about.
const OVERHEAD: usize = 500;

/// An answer.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) reply: Reply,
    /// The settings that it reported anew, as messages.
    pub(crate) statuses: Bytes,
    /// What its session was told of its settings with it.
    pub(crate) parameters: Parameters,
    /// When it was given.
    pub(crate) at: Instant,
    held: Held,
}

/// A bounded memory of answers, of all databases. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Sayings {
    known: moka::sync::Cache<Key, Arc<Said>>,
    /// That of all statements.
    budget: Budget,
}

impl Sayings {
    /// A memory of at most `capacity_bytes`, which count in the budget too.
    pub(crate) fn new(capacity_bytes: u64, budget: &Budget) -> Self {
        let weigher =
            |_key: &Key, said: &Arc<Said>| u32::try_from(said.held.bytes()).unwrap_or(u32::MAX);
        let known =
            moka::sync::Cache::builder().max_capacity(capacity_bytes).weigher(weigher).build();
        Self { known, budget: budget.clone() }
    }

    /// What was answered, if anybody said it before.
    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Said>> {
        self.known.get(key)
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.known.invalidate_all();
    }
}

/// An answer that is being gathered.
#[derive(Debug)]
pub(crate) struct Gather {
    key: Key,
    /// That of the backends whose answer it is.
    generation: u64,
    /// Where its session stands, before and behind it.
    pub(crate) stands: TransactionStatus,
    description: BytesMut,
    rows: BytesMut,
    complete: BytesMut,
    statuses: BytesMut,
}

impl Gather {
    /// Begins before the text is sent.
    pub(crate) fn new(key: Key, generation: u64, stands: TransactionStatus) -> Box<Self> {
        let (description, rows) = <_>::default();
        let (complete, statuses) = <_>::default();
        Box::new(Self { key, generation, stands, description, rows, complete, statuses })
    }

    /// Takes whole messages of one kind. `None` where the answer is none to keep.
    pub(crate) fn frame(mut self: Box<Self>, tag: BackendTag, frame: &[u8]) -> Option<Box<Self>> {
        use BackendTag::*;
        let to = match tag {
            ParseComplete | BindComplete => return Some(self),
            ParameterStatus => &mut self.statuses,
            CommandComplete => &mut self.complete,
            // Of a second statement, in its order.
            RowDescription | DataRow if !self.complete.is_empty() => &mut self.complete,
            ParameterDescription | RowDescription | NoData if self.rows.is_empty() => {
                &mut self.description
            }
            DataRow => &mut self.rows,
            _ => return None,
        };
        to.extend_from_slice(frame);
        (self.len() <= MAX_BYTES).then_some(self)
    }

    fn len(&self) -> usize {
        self.description.len() + self.rows.len() + self.complete.len() + self.statuses.len()
    }

    /// The answer is whole, and came from a backend of this generation. What its session was told of its settings.
    pub(crate) fn learn(self, sayings: &Sayings, generation: u64, parameters: &Parameters) {
        let bytes = self.len() + OVERHEAD;
        if self.complete.is_empty() || self.generation != generation || !sayings.budget.has(bytes) {
            return;
        }
        let rows = if self.rows.is_empty() { Vec::new() } else { vec![self.rows.freeze()] };
        let (description, complete) = (self.description.freeze(), self.complete.freeze());
        let said = Said {
            reply: Reply { description, rows, complete },
            statuses: self.statuses.freeze(),
            parameters: parameters.clone(),
            at: Instant::now(),
            held: sayings.budget.hold(bytes),
        };
        sayings.known.insert(self.key, Arc::new(said));
    }
}

/// What a text does, if it is only about a session that has nothing but settings and statements.
pub(crate) fn sort(query: &[u8], analysis: &Analysis) -> Option<Saved> {
    let [first, rest @ ..] = analysis.statements.as_slice() else { return None };
    let sort = sort_of(query, first)?;
    if query.len() > MAX_BYTES || !analysis.names.is_empty() {
        return None;
    }
    rest.iter().try_fold(sort, |all, one| match (all, sort_of(query, one)?) {
        (Saved::Reset, _) | (_, Saved::Reset) => Some(Saved::Reset),
        (Saved::Set, _) | (_, Saved::Set) => Some(Saved::Set),
        _ => Some(Saved::Show),
    })
}

fn sort_of(query: &[u8], one: &StatementFacts) -> Option<Saved> {
    let is_set = !one.effects.is_empty();
    match &one.kind {
        Kind::Set | Kind::Select if !one.effects.iter().all(is_followed) => None,
        Kind::Set if one.effects.contains(&Effect::ResetAll) => Some(Saved::Reset),
        Kind::Set => is_set.then_some(Saved::Set),
        Kind::Show(name) => is_steady(name).then_some(Saved::Show),
        Kind::Select => match asks_of_session(query, one)? {
            Saved::Show if is_set => Some(Saved::Set),
            other => Some(other),
        },
        Kind::Discard(_) | Kind::Deallocate(None) | Kind::Unlisten => Some(Saved::Reset),
        // CLOSE: there is no cursor, and what is said of ALL is no error.
        Kind::Cursor if one.may_release_pin => Some(Saved::Reset),
        _ => None,
    }
}

/// Whether what a statement leaves behind follows its client, and changes nobody's rights.
fn is_followed(effect: &Effect) -> bool {
    let is_right = |name: &str| matches!(name, "role" | "session_authorization");
    match effect {
        // Where the text does not say the value, the server reports it.
        Effect::Set { name, .. } | Effect::Reset { name } => !is_right(name),
        Effect::ResetAll => true,
        _ => false,
    }
}

/// Whether a setting's value hangs on the session and the server's configuration alone: not on what anybody has set on a
/// backend before (a name of an extension or application), and not on what the server is at the moment, which clients ask
/// to see it change.
fn is_steady(name: &str) -> bool {
    !name.contains('.')
        && !matches!(name, "all" | "in_hot_standby" | "transaction_read_only" | "seed")
}

/// What a SELECT does that reads nothing, and calls nothing but functions about its session.
fn asks_of_session(query: &[u8], one: &StatementFacts) -> Option<Saved> {
    let reads = &one.reads;
    let is_given = one.given.is_some();
    let is_plain = reads.relations.is_empty()
        && reads.operators.is_empty()
        && reads.types.is_empty()
        && reads.obstacles.is_empty()
        && reads.volatile.is_empty()
        && !reads.is_partial
        && !reads.functions.is_empty()
        && one.asked.is_empty();
    if !is_plain {
        return None;
    }
    let of_session = |call: &FunctionCall| of_session(query, call, is_given);
    reads.functions.iter().try_fold(Saved::Show, |all, call| match of_session(call)? {
        Saved::Reset => Some(Saved::Reset),
        _ => Some(all),
    })
}

/// What one such function does. A parameter's value is known where it `is_given` to a setting: it is in what the text says
/// then.
fn of_session(query: &[u8], call: &FunctionCall, is_given: bool) -> Option<Saved> {
    if call.schema.as_deref().is_some_and(|schema| schema != "pg_catalog") {
        return None;
    }
    // As for SHOW, wherever the name of the setting is.
    let is_steady = || {
        let dots = query.iter().filter(|byte| **byte == b'.').count();
        let of_schema = memmem::find_iter(query, b"pg_catalog.").count();
        let has = |part: &[u8]| memmem::find(query, part).is_some();
        let is_told_apart =
            [&b"in_hot_standby"[..], b"transaction_read_only", b"||"].iter().all(|part| !has(part))
                && (is_given || !has(b"$"));
        dots == of_schema && is_told_apart
    };
    match (call.name.as_str(), call.arguments) {
        ("version" | "current_schema" | "current_database", Some(0)) => Some(Saved::Show),
        ("current_setting", Some(1 | 2)) | ("set_config", Some(3)) if is_steady() => {
            Some(Saved::Show)
        }
        ("pg_advisory_unlock_all", Some(0)) => Some(Saved::Reset),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use cache::{KeyBuilder, sql::postgres::analyse};
    use protocol::postgres::encode;

    use super::*;

    #[test]
    fn texts_about_the_session_are_told_from_all_others() {
        use Saved::*;
        for (sql, expected) in [
            ("set search_path to a, b", Some(Set)),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", Some(Set)),
            ("set time zone 'UTC'", Some(Set)),
            (
                "SET client_min_messages TO warning;SET TIME ZONE INTERVAL '+00:00' HOUR TO MINUTE",
                Some(Set),
            ),
            ("set a.b = 'c'", Some(Set)),
            ("reset search_path", Some(Set)),
            ("select set_config('search_path', 'a', false)", Some(Set)),
            ("select pg_catalog.set_config('search_path', 'a', false)", Some(Set)),
            ("show search_path", Some(Show)),
            ("show transaction isolation level", Some(Show)),
            ("select pg_catalog.version()", Some(Show)),
            ("select current_schema(), current_setting('search_path')", Some(Show)),
            ("reset all", Some(Reset)),
            ("discard all", Some(Reset)),
            ("deallocate all", Some(Reset)),
            ("unlisten *", Some(Reset)),
            ("close all", Some(Reset)),
            ("SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;", Some(Reset)),
            ("set search_path to a; show search_path", Some(Set)),
            ("set role a", None),
            ("set session authorization default", None),
            ("reset role", None),
            ("set local search_path to a", None),
            ("set transaction isolation level serializable", None),
            ("select set_config('a.b', 'c', false)", None),
            // As the server reports it; of another its values tell.
            ("select set_config('search_path', $1, false)", Some(Set)),
            ("select set_config('jit', $1, false)", None),
            ("select set_config('jit', $1 || '', false)", None),
            ("select current_setting('a.b')", None),
            ("select current_setting('a' || '.' || 'b')", None),
            ("select current_setting($1)", None),
            ("select other.version()", None),
            ("select version() from t", None),
            ("select now()", None),
            ("select current_user", None),
            ("select 1", None),
            ("select pg_advisory_lock(1)", None),
            ("show all", None),
            ("show a.b", None),
            ("show transaction_read_only", None),
            ("deallocate a", None),
            ("declare c cursor for select 1", None),
            ("listen a", None),
            ("begin", None),
            ("set search_path to a; select 1", None),
            ("", None),
        ] {
            assert_eq!(sort(sql.as_bytes(), &analyse(sql)), expected, "{sql}");
        }
    }

    fn key() -> Key {
        KeyBuilder::new("s").finish()
    }

    #[test]
    fn an_answer_is_gathered_in_its_order() {
        let sayings = Sayings::new(1 << 20, &Budget::new(1 << 20));
        let message = |tag: u8| {
            let mut frame = BytesMut::new();
            encode::frame(tag, &[&[tag]], &mut frame);
            frame
        };
        let mut gather = Some(Gather::new(key(), 1, TransactionStatus::Idle));
        for tag in *b"1t2TDCTDCS" {
            let frame = message(tag);
            gather = gather.and_then(|gather| gather.frame(BackendTag::from(tag), &frame));
        }
        gather.expect("whole").learn(&sayings, 1, &Parameters::default());
        let said = sayings.find(&key()).expect("known");
        assert_eq!(said.reply.description, [message(b't'), message(b'T')].concat());
        assert_eq!(said.reply.rows, [message(b'D').freeze()]);
        assert_eq!(said.reply.complete, [b'C', b'T', b'D', b'C'].map(message).concat());
        assert_eq!(said.statuses, message(b'S'));
        sayings.clear();
        assert!(sayings.find(&key()).is_none());
    }

    #[test]
    fn an_error_a_notice_and_what_is_long_are_not_kept() {
        for tag in *b"ENGI" {
            assert!(
                Gather::new(key(), 1, TransactionStatus::Idle)
                    .frame(BackendTag::from(tag), b"E")
                    .is_none()
            );
        }
        let long = vec![0; MAX_BYTES + 1];
        assert!(
            Gather::new(key(), 1, TransactionStatus::Idle)
                .frame(BackendTag::DataRow, &long)
                .is_none()
        );
        let sayings = Sayings::new(1 << 20, &Budget::new(1 << 20));
        let whole = || {
            Gather::new(key(), 1, TransactionStatus::Idle)
                .frame(BackendTag::CommandComplete, b"C")
                .expect("C")
        };
        whole().learn(&sayings, 2, &Parameters::default());
        assert!(sayings.find(&key()).is_none(), "from a backend of another kind");
    }
}
