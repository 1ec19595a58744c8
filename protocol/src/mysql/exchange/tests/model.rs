//! A backend that answers commands in turn, and knows itself when it is idle.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;

/// One result of a reply.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Ok,
    Rows { columns: u16, rows: usize, huge: bool },
    File,
    Error,
}

/// What the backend does with one command.
#[derive(Clone, Debug)]
struct Planned {
    command: CommandKind,
    outcomes: Vec<Outcome>,
    counts: (u16, u16),
    in_transaction: bool,
    /// For a fetch: the cursor is at its end.
    is_last: bool,
}

#[derive(Debug)]
struct Payload {
    len: usize,
    bytes: Vec<u8>,
}

/// The backend.
#[derive(Debug)]
struct Backend {
    capabilities: CapabilityFlags,
    /// Commands that it read, with what is left of the reply to each.
    working: VecDeque<(Planned, VecDeque<Payload>)>,
    in_transaction: bool,
    told_of_it: bool,
    cursors: BTreeSet<u32>,
}

impl Backend {
    fn hears(&mut self, planned: Planned) {
        let reply = self.reply(&planned);
        self.working.push_back((planned, reply));
        self.finish();
    }

    /// Its next payload, if it has anything to say.
    fn says(&mut self) -> Option<Payload> {
        self.working.front_mut()?.1.pop_front()
    }

    /// Commands whose replies are complete take effect.
    fn finish(&mut self) {
        while self.working.front().is_some_and(|(_, reply)| reply.is_empty()) {
            let Some((planned, _)) = self.working.pop_front() else { return };
            self.effect(&planned);
        }
    }

    fn effect(&mut self, planned: &Planned) {
        let failed = planned.fails();
        match planned.command {
            CommandKind::StatementClose { statement } => {
                self.cursors.remove(&statement);
                return;
            }
            CommandKind::Silent => return,
            CommandKind::Statistics => return,
            CommandKind::Prepare => {
                // Only an EOF tells of the transaction.
                let (params, columns) = planned.counts;
                let any = params > 0 || columns > 0;
                if !failed && any && self.capabilities == OLD {
                    (self.in_transaction, self.told_of_it) = (planned.in_transaction, true);
                }
                return;
            }
            _ => {}
        }
        if failed {
            self.told_of_it &= !planned.runs();
            // A first result shows that the statement ran, which closed its old cursor.
            if let (CommandKind::Execute { statement, .. }, [_, _, ..]) =
                (planned.command, &planned.outcomes[..])
            {
                self.cursors.remove(&statement);
            }
            return;
        }
        (self.in_transaction, self.told_of_it) = (planned.in_transaction, true);
        match planned.command {
            CommandKind::ResetConnection => self.cursors.clear(),
            CommandKind::StatementReset { statement } => drop(self.cursors.remove(&statement)),
            CommandKind::Fetch { statement } if planned.is_last => {
                self.cursors.remove(&statement);
            }
            CommandKind::Execute { statement, .. } if planned.opens_cursor() => {
                self.cursors.insert(statement);
            }
            CommandKind::Execute { statement, .. } => drop(self.cursors.remove(&statement)),
            _ => {}
        }
    }

    fn is_idle(&self) -> bool {
        self.working.is_empty()
            && self.told_of_it
            && !self.in_transaction
            && self.cursors.is_empty()
    }

    fn reply(&self, planned: &Planned) -> VecDeque<Payload> {
        let mut reply = VecDeque::new();
        let mut say = |bytes: Vec<u8>| reply.push_back(Payload { len: bytes.len(), bytes });
        let status = if planned.in_transaction { IN_TRANS } else { AUTOCOMMIT };
        let is_old = self.capabilities == OLD;
        match planned.command {
            CommandKind::Silent | CommandKind::StatementClose { .. } => {}
            CommandKind::Query | CommandKind::Execute { .. } => self.results(planned, &mut reply),
            _ if planned.fails() => say(err()),
            CommandKind::Prepare => {
                let (params, columns) = planned.counts;
                say(prepared(params, columns));
                for definitions in [params, columns] {
                    (0..definitions).for_each(|_| say(column()));
                    if definitions > 0 && is_old {
                        say(eof(status));
                    }
                }
            }
            CommandKind::Fetch { .. } => {
                (0..planned.counts.0).for_each(|_| say(binary_row()));
                let cursor = if planned.is_last { LAST_ROW } else { CURSOR };
                say(self.end(status | cursor));
            }
            CommandKind::FieldList => {
                (0..planned.counts.0).for_each(|_| say(column()));
                say(self.end(status));
            }
            CommandKind::Statistics => say(b"Uptime: 1".to_vec()),
            CommandKind::Simple => say(if planned.is_last { self.end(status) } else { ok(status) }),
            CommandKind::StatementReset { .. } | CommandKind::ResetConnection => say(ok(status)),
        }
        reply
    }

    /// Any number of results; all but the last announce another.
    fn results(&self, planned: &Planned, reply: &mut VecDeque<Payload>) {
        let last_status = if planned.in_transaction { IN_TRANS } else { AUTOCOMMIT };
        let is_text = planned.command == CommandKind::Query;
        for (index, outcome) in planned.outcomes.iter().enumerate() {
            let is_last = index + 1 == planned.outcomes.len();
            let status = if is_last { last_status } else { last_status | MORE };
            let mut say = |bytes: Vec<u8>| reply.push_back(Payload { len: bytes.len(), bytes });
            match *outcome {
                Outcome::Ok => say(ok(status)),
                Outcome::File => {
                    say(b"\xfba.csv".to_vec());
                    say(ok(status));
                }
                Outcome::Error => {
                    say(err());
                    return;
                }
                Outcome::Rows { columns, rows, huge } => {
                    say(count(columns.into()));
                    (0..columns).for_each(|_| say(column()));
                    if is_last && planned.opens_cursor() {
                        say(self.end(status | CURSOR));
                        return;
                    }
                    if self.capabilities == OLD {
                        say(eof(status));
                    }
                    (0..rows).for_each(|_| say(if is_text { row() } else { binary_row() }));
                    if huge && is_text {
                        reply.push_back(Payload { len: MAX_PAYLOAD, bytes: vec![0xfe; 12] });
                    }
                    let mut say =
                        |bytes: Vec<u8>| reply.push_back(Payload { len: bytes.len(), bytes });
                    say(self.end(status));
                }
            }
        }
    }

    fn end(&self, status: StatusFlags) -> Vec<u8> {
        if self.capabilities == OLD { eof(status) } else { end(status) }
    }
}

impl Planned {
    fn runs(&self) -> bool {
        matches!(self.command, CommandKind::Query | CommandKind::Execute { .. })
    }

    fn fails(&self) -> bool {
        matches!(self.outcomes.last(), Some(Outcome::Error))
    }

    fn opens_cursor(&self) -> bool {
        matches!(self.command, CommandKind::Execute { cursor: true, .. })
            && matches!(self.outcomes.last(), Some(Outcome::Rows { .. }))
    }

    fn asks_for_a_file(&self) -> bool {
        self.runs() && self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::File))
    }
}

fn command() -> impl Strategy<Value = CommandKind> {
    let statement = 1_u32..4;
    prop_oneof![
        4 => Just(CommandKind::Query),
        1 => Just(CommandKind::Prepare),
        4 => (statement.clone(), any::<bool>())
            .prop_map(|(statement, cursor)| CommandKind::Execute { statement, cursor }),
        2 => statement.clone().prop_map(|statement| CommandKind::Fetch { statement }),
        1 => statement.clone().prop_map(|statement| CommandKind::StatementReset { statement }),
        1 => statement.prop_map(|statement| CommandKind::StatementClose { statement }),
        1 => Just(CommandKind::FieldList),
        1 => Just(CommandKind::ResetConnection),
        2 => Just(CommandKind::Simple),
        1 => Just(CommandKind::Statistics),
        1 => Just(CommandKind::Silent),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        2 => Just(Outcome::Ok),
        4 => (1_u16..4, 0_usize..4, any::<bool>())
            .prop_map(|(columns, rows, huge)| Outcome::Rows { columns, rows, huge }),
        1 => Just(Outcome::File),
    ]
}

fn planned(files: bool) -> impl Strategy<Value = Planned> {
    (
        command(),
        prop::collection::vec(outcome(), 1..4),
        (0_u16..3, 0_u16..3),
        prop::bool::weighted(0.2),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(move |(command, mut outcomes, counts, fails, in_transaction, is_last)| {
            if !files {
                outcomes.retain(|outcome| !matches!(outcome, Outcome::File));
            }
            if fails || outcomes.is_empty() {
                outcomes.push(Outcome::Error);
            }
            Planned { command, outcomes, counts, in_transaction, is_last }
        })
}

fn plays(
    capabilities: CapabilityFlags,
    plan: Vec<Planned>,
    mut ahead: impl Iterator<Item = bool>,
) -> Result<(), TestCaseError> {
    let mut exchange = Exchange::new(capabilities);
    let mut backend = Backend {
        capabilities,
        working: VecDeque::new(),
        in_transaction: false,
        told_of_it: true,
        cursors: BTreeSet::new(),
    };
    let mut plan = VecDeque::from(plan);
    loop {
        prop_assert_eq!(exchange.owed(), backend.working.len());
        prop_assert_eq!(exchange.is_ready(), backend.working.is_empty());
        prop_assert_eq!(exchange.is_idle(), backend.is_idle(), "{:?}", backend);
        let held = backend.working.iter().any(|(planned, _)| planned.asks_for_a_file());
        let sends = backend.working.is_empty() || !held && ahead.next().unwrap_or_default();
        match plan.pop_front() {
            Some(planned) if sends => {
                exchange.sent(planned.command);
                backend.hears(planned);
                continue;
            }
            Some(planned) => plan.push_front(planned),
            None => {}
        }
        let Some(Payload { len, bytes }) = backend.says() else { return Ok(()) };
        let first = bytes.first().copied().unwrap_or_default();
        let given =
            if exchange.needs(len, first) == Needs::Whole { &bytes[..] } else { &bytes[..1] };
        let seen = exchange.received(len, given);
        prop_assert!(seen.is_ok(), "{:?} for {:?}", seen, backend);
        if let Ok(Seen::LocalInfile(_)) = seen {
            prop_assert!(exchange.wants_file() && !exchange.is_ready());
            exchange.file_sent();
        }
        backend.finish();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_backend_is_called_idle_exactly_when_it_is(
        old in prop::collection::vec(planned(false), 1..12),
        new in prop::collection::vec(planned(true), 1..12),
        ahead in prop::collection::vec(any::<bool>(), 0..60),
    ) {
        plays(OLD, old, ahead.clone().into_iter())?;
        plays(NEW, new, ahead.into_iter())?;
    }

    #[test]
    fn no_payload_makes_a_backend_ready_before_its_time(
        command in command(),
        is_new: bool,
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20),
    ) {
        let mut exchange = after(if is_new { NEW } else { OLD }, command);
        for payload in payloads {
            let owed = exchange.owed();
            let was_lost = exchange.is_lost();
            let heard = hear(&mut exchange, &payload);
            prop_assert!(exchange.owed() <= owed && !exchange.is_idle() || exchange.owed() == 0);
            prop_assert!(!was_lost || heard.is_err() && !exchange.is_ready());
            prop_assert!(heard.is_ok() || exchange.is_lost());
        }
    }
}
