//! The tracker against a backend that answers by PostgreSQL's rules, at a pace the fuzzer chooses.
//!
//! Three properties: a busy backend is never called idle; what the backend owed is never called a
//! desync, and goes to whoever asked; and whatever either side sends, nothing panics. The model is
//! written apart from the one in the crate's own tests, so that a misreading in one shows against
//! the other.

#![no_main]

use std::collections::VecDeque;

use libfuzzer_sys::fuzz_target;
use protocol::postgres::{
    frame::BackendTag,
    pipeline::{Asker, Pipeline, Request},
};

fuzz_target!(|bytes: &[u8]| match bytes.split_first() {
    Some((0, frames)) => chaos(frames),
    Some((_, moves)) => Play::default().run(moves),
    None => {}
});

/// Frames in both directions that obey no rule.
fn chaos(frames: &[u8]) {
    let mut pipeline = Pipeline::<u8>::default();
    for frame in frames.chunks_exact(2) {
        let [kind, argument] = *frame else { return };
        match kind % 8 {
            0 | 1 => pipeline.sent(request(argument), Asker::Client, Some(argument)),
            2 => pipeline.sent(request(argument), Asker::Proxy, None),
            3 => pipeline.answer_locally(b"1", Some(argument)),
            4 => pipeline.probe(),
            5 => {
                let status = [b'I', b'T', b'E', b'?'][usize::from(argument % 4)];
                if pipeline.received(BackendTag::ReadyForQuery, Some(status)).is_err() {
                    return;
                }
            }
            _ => {
                if pipeline.received(BackendTag::from(argument), None).is_err() {
                    return;
                }
            }
        }
        while pipeline.due().is_some() {}
        assert!(!pipeline.is_idle() || !pipeline.owes());
        assert!(pipeline.depth() <= frames.len());
    }
}

fn request(byte: u8) -> Request {
    const ALL: [Request; 12] = [
        Request::Parse,
        Request::Bind,
        Request::DescribeStatement,
        Request::DescribePortal,
        Request::Execute,
        Request::Close,
        Request::Flush,
        Request::Sync,
        Request::Query,
        Request::FunctionCall,
        Request::CopyData,
        Request::CopyEnd,
    ];
    ALL[usize::from(byte) % ALL.len()]
}

/// How the statement of a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Works,
    Fails,
    CopiesIn,
    CopiesOut,
    Begins,
    Commits,
    /// No statement in a query, more rows to come in a portal.
    Empty,
}

fn fate(byte: u8) -> Fate {
    match byte % 16 {
        0 | 1 => Fate::Fails,
        2 | 3 => Fate::CopiesIn,
        4 => Fate::CopiesOut,
        5 => Fate::Begins,
        6 => Fate::Commits,
        7 => Fate::Empty,
        _ => Fate::Works,
    }
}

#[derive(Clone, Copy, Debug)]
struct Said {
    request: Request,
    fate: Fate,
    asker: Asker,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    tag: u8,
    status: Option<u8>,
    asker: Asker,
}

/// `PostgresMain`, as far as it decides what is answered.
#[derive(Debug)]
struct Backend {
    input: VecDeque<Said>,
    output: VecDeque<Answer>,
    transaction: u8,
    skipping: bool,
    /// The request that a COPY FROM STDIN reads for.
    copying: Option<Said>,
    /// The extended protocol has been used since the last `Sync`.
    implicit: bool,
}

impl Default for Backend {
    fn default() -> Self {
        Self {
            input: VecDeque::new(),
            output: VecDeque::new(),
            transaction: b'I',
            skipping: false,
            copying: None,
            implicit: false,
        }
    }
}

impl Backend {
    fn step(&mut self) {
        let Some(said) = self.input.pop_front() else { return };
        match (self.copying, said.request) {
            (Some(copy), _) => self.read_copy(copy, said),
            (None, Request::Sync) => {
                (self.skipping, self.implicit) = (false, false);
                self.ready(said.asker);
            }
            (None, Request::Flush | Request::CopyData | Request::CopyEnd) => {}
            (None, _) if self.skipping => {}
            (None, Request::Query | Request::FunctionCall) => self.simple(said),
            (None, _) => self.extended(said),
        }
    }

    fn simple(&mut self, said: Said) {
        self.implicit = false;
        match (said.request, said.fate) {
            (_, Fate::Fails) => return self.fail(said, false),
            (Request::FunctionCall, _) => self.say("V", said),
            (_, Fate::CopiesIn) => {
                self.copying = Some(said);
                return self.say("G", said);
            }
            (_, Fate::CopiesOut) => self.say("HddcC", said),
            (_, Fate::Begins) => {
                if self.transaction == b'I' {
                    self.transaction = b'T';
                }
                self.say("C", said);
            }
            (_, Fate::Commits) => {
                self.transaction = b'I';
                self.say("C", said);
            }
            (_, Fate::Empty) => self.say("I", said),
            (_, Fate::Works) => self.say("TDDCTC", said),
        }
        self.ready(said.asker);
    }

    fn extended(&mut self, said: Said) {
        if said.fate == Fate::Fails {
            return self.fail(said, true);
        }
        self.implicit = true;
        match (said.request, said.fate) {
            (Request::Parse, _) => self.say("1", said),
            (Request::Bind, _) => self.say("2", said),
            (Request::Close, _) => self.say("3", said),
            (Request::DescribeStatement, Fate::Empty) => self.say("tn", said),
            (Request::DescribeStatement, _) => self.say("tT", said),
            (Request::DescribePortal, Fate::Empty) => self.say("n", said),
            (Request::DescribePortal, _) => self.say("T", said),
            (_, Fate::CopiesIn) => {
                self.copying = Some(said);
                self.say("G", said);
            }
            (_, Fate::CopiesOut) => self.say("HdcC", said),
            (_, Fate::Empty) => self.say("Ds", said),
            (_, Fate::Begins) if self.transaction == b'I' => {
                self.transaction = b'T';
                self.say("C", said);
            }
            _ => self.say("DC", said),
        }
    }

    /// `CopyGetData`: `Flush` and `Sync` are ignored.
    fn read_copy(&mut self, copy: Said, said: Said) {
        let extended = copy.request == Request::Execute;
        match said.request {
            Request::CopyData | Request::CopyEnd if said.fate == Fate::Fails => {
                self.copying = None;
                self.fail(copy, extended);
            }
            Request::CopyEnd => {
                self.copying = None;
                self.say("C", copy);
                if !extended {
                    self.ready(copy.asker);
                }
            }
            _ => {}
        }
    }

    fn fail(&mut self, said: Said, extended: bool) {
        if self.transaction == b'T' {
            self.transaction = b'E';
        }
        self.say("E", said);
        if extended {
            self.skipping = true;
        } else {
            self.ready(said.asker);
        }
    }

    fn ready(&mut self, asker: Asker) {
        self.output.push_back(Answer { tag: b'Z', status: Some(self.transaction), asker });
    }

    fn say(&mut self, tags: &str, said: Said) {
        let asker = said.asker;
        self.output.extend(tags.bytes().map(|tag| Answer { tag, status: None, asker }));
    }

    fn is_idle(&self) -> bool {
        // The backend throws these away whenever it comes to them.
        let nothing = [Request::Flush, Request::CopyData, Request::CopyEnd];
        self.input.iter().all(|said| nothing.contains(&said.request))
            && self.output.is_empty()
            && self.copying.is_none()
            && !self.implicit
            && !self.skipping
            && self.transaction == b'I'
    }
}

/// A client, the tracker and the backend.
#[derive(Default)]
struct Play {
    pipeline: Pipeline<usize>,
    /// How many notes were attached, and the last that came back.
    notes: (usize, usize),
    backend: Backend,
    /// A COPY has been announced to the client and its end has not been seen.
    copy_seen: bool,
    /// A `Sync` was sent where a COPY may read it: from here on a desync may be the honest answer.
    muddled: bool,
}

impl Play {
    fn run(mut self, moves: &[u8]) {
        for play in moves.chunks_exact(2) {
            let [kind, argument] = *play else { return };
            match kind % 8 {
                0..=2 => self.say(request(kind / 8), fate(argument), Asker::Client),
                3 => self.say(request(kind / 8), fate(argument), Asker::Proxy),
                4 | 5 => self.backend.step(),
                6 if argument == 0 => self.notice(),
                _ => {
                    if !self.deliver() {
                        return;
                    }
                }
            }
            while self.pipeline.due().is_some() {}
            assert!(
                !self.pipeline.is_idle() || self.backend.is_idle(),
                "{:?} calls idle {:?}",
                self.pipeline,
                self.backend
            );
            if self.pipeline.is_in_doubt() {
                self.pipeline.probe();
                self.queue(Request::Query, Fate::Empty, Asker::Proxy);
            }
        }
    }

    /// Says only what a backend survives in the state that it may be in.
    fn say(&mut self, request: Request, fate: Fate, asker: Asker) {
        let copies = matches!(request, Request::CopyData | Request::CopyEnd | Request::Flush);
        if self.may_be_copying() {
            let sync = request == Request::Sync && !self.pipeline.is_copying_in();
            if !copies && !sync {
                return;
            }
            self.muddled |= sync;
        }
        self.notes.0 += 1;
        self.pipeline.sent(request, asker, Some(self.notes.0));
        self.queue(request, fate, asker);
    }

    fn queue(&mut self, request: Request, fate: Fate, asker: Asker) {
        self.backend.input.push_back(Said { request, fate, asker });
    }

    fn may_be_copying(&self) -> bool {
        self.copy_seen
            || self.backend.copying.is_some()
            || self.backend.output.iter().any(|answer| answer.tag == b'G')
            || self.backend.input.iter().any(|said| said.fate == Fate::CopiesIn)
    }

    /// What a backend may say at any time changes nothing.
    fn notice(&mut self) {
        for tag in *b"NSA" {
            let before = (self.pipeline.depth(), self.pipeline.is_idle());
            self.pipeline.received(BackendTag::from(tag), None).expect("always allowed");
            assert_eq!(before, (self.pipeline.depth(), self.pipeline.is_idle()));
        }
    }

    /// Whether the connection lives on.
    fn deliver(&mut self) -> bool {
        let Some(answer) = self.backend.output.pop_front() else { return true };
        match answer.tag {
            b'G' => self.copy_seen = true,
            b'C' | b'E' => self.copy_seen = false,
            _ => {}
        }
        match self.pipeline.received(BackendTag::from(answer.tag), answer.status) {
            Ok(received) => {
                // The client must hear of an error, also of one in what was slipped in for it.
                let error = answer.tag == b'E' && received.to == Asker::Client;
                assert!(
                    received.to == answer.asker || error || self.muddled,
                    "{answer:?}: {received:?}"
                );
                // A note comes back once at most, and in its turn.
                for note in received.done.into_iter().chain(received.failed).chain(received.dropped) {
                    assert!(note > self.notes.1 && note <= self.notes.0, "{note} {:?}", self.notes);
                    self.notes.1 = note;
                }
                true
            }
            Err(desync) => {
                assert!(self.muddled, "{answer:?}: {desync}");
                false
            }
        }
    }
}
