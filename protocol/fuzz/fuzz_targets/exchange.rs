//! The tracker of MySQL replies against a backend that answers by the server's rules, at a pace the fuzzer chooses.
//!
//! Three properties: a backend that still has something to say, or a transaction or cursor open, is never
//! called idle; what it owed is never called a desync; and whatever it sends, nothing panics. The model is
//! written apart from the one in the crate's own tests, so that a misreading in one shows against the other.

#![no_main]

use std::collections::{BTreeSet, VecDeque};

use libfuzzer_sys::fuzz_target;
use protocol::mysql::{
    capabilities::CapabilityFlags,
    exchange::{CommandKind, Desync, Exchange, Needs, Seen},
    packet::MAX_PAYLOAD,
};

fuzz_target!(|bytes: &[u8]| match bytes {
    [0, capabilities, moves @ ..] => chaos(*capabilities, moves),
    [_, capabilities, moves @ ..] => {
        let mut play = Play::new(*capabilities);
        play.run(&mut moves.iter().copied());
    }
    _ => {}
});

fn agreed(byte: u8) -> CapabilityFlags {
    let mut capabilities = CapabilityFlags::CLIENT_PROTOCOL_41;
    capabilities.set(CapabilityFlags::CLIENT_DEPRECATE_EOF, byte & 1 != 0);
    capabilities.set(CapabilityFlags::CLIENT_SESSION_TRACK, byte & 2 != 0);
    capabilities.set(CapabilityFlags::CLIENT_LOCAL_FILES, byte & 4 != 0);
    capabilities
}

fn command(byte: u8) -> CommandKind {
    let statement = u32::from(byte / 16 % 4);
    match byte % 16 {
        0 | 1 => CommandKind::Query,
        2 => CommandKind::Prepare,
        3 | 4 => CommandKind::Execute { statement, cursor: false },
        5 | 6 => CommandKind::Execute { statement, cursor: true },
        7 | 8 => CommandKind::Fetch { statement },
        9 => CommandKind::StatementReset { statement },
        10 => CommandKind::StatementClose { statement },
        11 => CommandKind::FieldList,
        12 => CommandKind::ResetConnection,
        13 => CommandKind::Simple,
        14 => CommandKind::Statistics,
        _ => CommandKind::Silent,
    }
}

/// What `relay` does with a payload: it gives no more than was asked for.
fn hear<'a>(exchange: &mut Exchange, len: usize, payload: &'a [u8]) -> Result<Seen<'a>, Desync> {
    let given = match payload.first() {
        Some(first) if exchange.needs(len, *first) == Needs::FirstByte => &payload[..1],
        _ => payload,
    };
    exchange.received(len, given)
}

/// Commands and payloads that obey no rule.
fn chaos(capabilities: u8, mut moves: &[u8]) {
    let mut exchange = Exchange::new(agreed(capabilities));
    while let [kind, argument, rest @ ..] = moves {
        moves = rest;
        let before = exchange.owed();
        match kind % 4 {
            0 => exchange.sent(command(*argument)),
            1 if *argument == 0 => exchange.settle(),
            1 => exchange.file_sent(),
            kind => {
                let (payload, rest) = moves.split_at(moves.len().min(usize::from(argument % 32)));
                moves = rest;
                let len = if kind == 2 { payload.len() } else { MAX_PAYLOAD };
                let heard = hear(&mut exchange, len, payload);
                assert!(heard.is_ok() || exchange.is_lost());
                assert!(exchange.owed() <= before);
            }
        }
        assert!(!exchange.is_idle() || exchange.is_ready());
        assert!(!exchange.is_ready() || exchange.owed() == 0);
        assert!(!exchange.is_lost() || !exchange.is_ready());
    }
}

/// A payload, and what is true of the session once it is out.
struct Said {
    len: usize,
    bytes: Vec<u8>,
    then: Then,
}

enum Then {
    More,
    File,
    /// The reply is complete.
    Done {
        status: Option<u16>,
        cursor: Cursor,
        failed_to_run: bool,
    },
}

enum Cursor {
    Same,
    Open(u32),
    Closed(u32),
    AllClosed,
}

const IN_TRANS: u16 = 1;
const MORE: u16 = 8;
const CURSOR_EXISTS: u16 = 64;
const LAST_ROW_SENT: u16 = 128;
const PS_OUT_PARAMS: u16 = 0x1000;
const STATE_CHANGED: u16 = 0x4000;

struct Play {
    capabilities: CapabilityFlags,
    exchange: Exchange,
    /// What the backend will say, a reply for each command; empty for commands without one.
    replies: VecDeque<(CommandKind, VecDeque<Said>)>,
    in_transaction: bool,
    in_doubt: bool,
    cursors: BTreeSet<u32>,
}

impl Play {
    fn new(capabilities: u8) -> Self {
        let capabilities = agreed(capabilities);
        Self {
            capabilities,
            exchange: Exchange::new(capabilities),
            replies: VecDeque::new(),
            in_transaction: false,
            in_doubt: false,
            cursors: BTreeSet::new(),
        }
    }

    fn has(&self, capability: CapabilityFlags) -> bool {
        self.capabilities.contains(capability)
    }

    fn run(&mut self, moves: &mut dyn Iterator<Item = u8>) {
        while let Some(byte) = moves.next() {
            if self.replies.is_empty() || byte % 4 == 0 && !self.has_file() {
                let command = command(moves.next().unwrap_or_default());
                self.exchange.sent(command);
                let reply = self.reply(command, moves);
                self.replies.push_back((command, reply));
                self.skip_silent();
            } else {
                self.say();
            }
            self.check();
        }
        while !self.replies.is_empty() {
            self.say();
            self.check();
        }
    }

    /// What is sent behind a command that asks for a file would become the file.
    fn has_file(&self) -> bool {
        self.replies
            .iter()
            .any(|(_, reply)| reply.iter().any(|said| matches!(said.then, Then::File)))
    }

    fn check(&self) {
        let idle = self.replies.is_empty()
            && !self.in_transaction
            && !self.in_doubt
            && self.cursors.is_empty();
        assert_eq!(self.exchange.is_ready(), self.replies.is_empty());
        assert_eq!(self.exchange.is_idle(), idle);
        assert_eq!(self.exchange.owed(), self.replies.len());
    }

    fn say(&mut self) {
        let Some((_, reply)) = self.replies.front_mut() else { return };
        let said = reply.pop_front().expect("commands without a reply do not wait");
        let seen = hear(&mut self.exchange, said.len, &said.bytes).expect("it was owed");
        match said.then {
            Then::More => assert!(reply.front().is_some()),
            Then::File => {
                assert!(matches!(seen, Seen::LocalInfile(b"f.csv")));
                self.exchange.file_sent();
            }
            Then::Done { status, cursor, failed_to_run } => {
                assert!(reply.is_empty());
                if let Some(status) = status {
                    self.in_transaction = status & IN_TRANS != 0;
                    self.in_doubt = false;
                }
                self.in_doubt |= failed_to_run;
                match cursor {
                    Cursor::Same => {}
                    Cursor::Open(id) => drop(self.cursors.insert(id)),
                    Cursor::Closed(id) => drop(self.cursors.remove(&id)),
                    Cursor::AllClosed => self.cursors.clear(),
                }
                self.replies.pop_front();
                self.skip_silent();
            }
        }
    }

    fn skip_silent(&mut self) {
        while let Some((command, reply)) = self.replies.front() {
            if !reply.is_empty() {
                return;
            }
            if let CommandKind::StatementClose { statement } = command {
                self.cursors.remove(statement);
            }
            self.replies.pop_front();
        }
    }

    fn reply(&self, command: CommandKind, moves: &mut dyn Iterator<Item = u8>) -> VecDeque<Said> {
        let mut next = || moves.next().unwrap_or_default();
        let mut reply = VecDeque::new();
        let how = next();
        let status = u16::from(how & 1) | 2;
        let fails = how >= 0xe0;
        match command {
            CommandKind::Silent | CommandKind::StatementClose { .. } => {}
            CommandKind::Query | CommandKind::Execute { .. } => {
                for _ in 0..next() % 4 {
                    self.result(command, status | MORE, next(), &mut reply);
                }
                if fails {
                    // A first result shows that the statement ran, which closed its old cursor.
                    let cursor = match command {
                        CommandKind::Execute { statement, .. } if !reply.is_empty() => {
                            Cursor::Closed(statement)
                        }
                        _ => Cursor::Same,
                    };
                    end(&mut reply, error(), None, cursor, true);
                } else {
                    self.result(command, status, next(), &mut reply);
                }
            }
            _ if fails => end(&mut reply, error(), None, Cursor::Same, false),
            CommandKind::Prepare => self.prepared(next() % 3, next() % 3, status, &mut reply),
            CommandKind::Fetch { statement } => {
                for _ in 0..next() % 4 {
                    more(&mut reply, b"\0\0abc");
                }
                let (flag, cursor) = if how & 2 == 0 {
                    (CURSOR_EXISTS, Cursor::Same)
                } else {
                    (LAST_ROW_SENT, Cursor::Closed(statement))
                };
                end(&mut reply, self.eof(status | flag), Some(status), cursor, false);
            }
            CommandKind::FieldList => {
                for _ in 0..next() % 4 {
                    more(&mut reply, b"\x03def");
                }
                end(&mut reply, self.eof(status), Some(status), Cursor::Same, false);
            }
            CommandKind::Statistics => end(&mut reply, b"Up".to_vec(), None, Cursor::Same, false),
            CommandKind::Simple if how & 2 == 0 => {
                end(&mut reply, self.eof(status), Some(status), Cursor::Same, false);
            }
            CommandKind::Simple => {
                end(&mut reply, self.ok(0, status), Some(status), Cursor::Same, false);
            }
            CommandKind::StatementReset { statement } => {
                let cursor = Cursor::Closed(statement);
                end(&mut reply, self.ok(0, status), Some(status), cursor, false);
            }
            CommandKind::ResetConnection => {
                end(&mut reply, self.ok(0, status), Some(status), Cursor::AllClosed, false);
            }
        }
        reply
    }

    /// One result; the last one has no MORE in its status.
    fn result(&self, command: CommandKind, status: u16, how: u8, reply: &mut VecDeque<Said>) {
        let is_last = status & MORE == 0;
        let (id, opens) = match command {
            CommandKind::Execute { statement, cursor } => (Some(statement), cursor && is_last),
            _ => (None, false),
        };
        let closed = id.map_or(Cursor::Same, Cursor::Closed);
        let files = self.has(CapabilityFlags::CLIENT_LOCAL_FILES);
        let (last, cursor) = match how % 4 {
            0 => (self.ok(0, status), closed),
            1 if files => {
                more(reply, b"\xfbf.csv");
                reply.back_mut().expect("just said").then = Then::File;
                (self.ok(0, status), closed)
            }
            _ => {
                let columns = how / 4 % 3 + 1;
                more(reply, &[columns]);
                (0..columns).for_each(|_| more(reply, b"\x03def"));
                if opens {
                    let last = self.eof(status | CURSOR_EXISTS);
                    return end(reply, last, Some(status), Cursor::Open(id.unwrap_or(0)), false);
                }
                // The row of a procedure's OUT parameters: its own end does not announce the OK.
                let out = id.is_some() && !is_last && how % 4 == 3;
                let is_old = !self.has(CapabilityFlags::CLIENT_DEPRECATE_EOF);
                if is_old {
                    more(reply, &self.eof(if out { status | PS_OUT_PARAMS } else { status }));
                }
                for row in 0..how / 32 {
                    match (id, row % 3) {
                        (Some(_), _) => more(reply, b"\0\0a"),
                        (None, 0) => more(reply, b"\xfb"),
                        (None, 1) => more(reply, b"\0"),
                        (None, _) => {
                            let bytes = b"\xfe\0\0\0\x01\0\0\0\0".to_vec();
                            reply.push_back(Said { len: MAX_PAYLOAD, bytes, then: Then::More });
                        }
                    }
                }
                let silent = out && is_old;
                (self.eof(if silent { status & !MORE } else { status }), closed)
            }
        };
        if is_last {
            end(reply, last, Some(status), cursor, false);
        } else {
            more(reply, &last);
        }
    }

    fn prepared(&self, params: u8, columns: u8, status: u16, reply: &mut VecDeque<Said>) {
        more(reply, &[0, 1, 0, 0, 0, columns, 0, params, 0, 0, 0, 0]);
        let mut heard = None;
        for definitions in [params, columns] {
            (0..definitions).for_each(|_| more(reply, b"\x03def"));
            if definitions > 0 && !self.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
                more(reply, &self.eof(status));
                heard = Some(status);
            }
        }
        let last = reply.back_mut().expect("just said");
        last.then = Then::Done { status: heard, cursor: Cursor::Same, failed_to_run: false };
    }

    fn ok(&self, header: u8, status: u16) -> Vec<u8> {
        let changed = self.has(CapabilityFlags::CLIENT_SESSION_TRACK) && status & IN_TRANS != 0;
        let status = if changed { status | STATE_CHANGED } else { status };
        let [low, high] = status.to_le_bytes();
        let mut bytes = vec![header, 1, 0, low, high, 0, 0];
        if changed {
            bytes.extend_from_slice(b"\0\x04\x02\x02\x011");
        }
        bytes
    }

    fn eof(&self, status: u16) -> Vec<u8> {
        if self.has(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            return self.ok(0xfe, status);
        }
        let [low, high] = status.to_le_bytes();
        vec![0xfe, 0, 0, low, high]
    }
}

fn error() -> Vec<u8> {
    b"\xff\x28\x04#42000no".to_vec()
}

fn more(reply: &mut VecDeque<Said>, bytes: &[u8]) {
    reply.push_back(Said { len: bytes.len(), bytes: bytes.to_vec(), then: Then::More });
}

fn end(
    reply: &mut VecDeque<Said>,
    bytes: Vec<u8>,
    status: Option<u16>,
    cursor: Cursor,
    failed_to_run: bool,
) {
    let then = Then::Done { status, cursor, failed_to_run };
    reply.push_back(Said { len: bytes.len(), bytes, then });
}
