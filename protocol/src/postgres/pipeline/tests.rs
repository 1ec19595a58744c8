//! Transcripts, and a model of a backend that the tracker is held against.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::{owed::Copy, *};
use crate::postgres::frame::BackendTag;

type Tracker = Pipeline<u32>;

fn hears(pipeline: &mut Tracker, frames: &str) -> Vec<Asker> {
    let mut frames = frames.chars().peekable();
    let mut heard = Vec::new();
    while let Some(tag) = frames.next() {
        let status = if tag == 'Z' { frames.next().map(|c| c as u8) } else { None };
        let received = pipeline.received(BackendTag::from(tag as u8), status);
        heard.push(received.expect("the backend owed this").to);
    }
    heard
}

fn says(pipeline: &mut Tracker, requests: &[Request]) {
    for &request in requests {
        pipeline.sent(request, Asker::Client, None);
    }
}

const BATCH: [Request; 5] =
    [Request::Parse, Request::Bind, Request::DescribePortal, Request::Execute, Request::Sync];

#[test]
fn an_open_transaction_keeps_its_backend() {
    let mut pipeline = Tracker::default();
    says(&mut pipeline, &[Request::Query]);
    hears(&mut pipeline, "CZT");
    assert!(pipeline.is_quiet() && !pipeline.is_idle());
    says(&mut pipeline, &[Request::Query]);
    hears(&mut pipeline, "CZI");
    assert!(pipeline.is_idle());
}

#[test]
fn several_syncs_in_flight_are_counted() {
    let mut pipeline = Tracker::default();
    says(&mut pipeline, &BATCH);
    says(&mut pipeline, &BATCH);
    hears(&mut pipeline, "12TDCZI");
    assert!(!pipeline.is_idle());
    hears(&mut pipeline, "12TDDCZI");
    assert!(pipeline.is_idle());
}

#[test]
fn flush_without_sync_keeps_the_backend() {
    let mut pipeline = Tracker::default();
    says(&mut pipeline, &[Request::Parse, Request::Flush]);
    hears(&mut pipeline, "1");
    assert!(!pipeline.is_idle());
    says(&mut pipeline, &[Request::Sync]);
    hears(&mut pipeline, "ZI");
    assert!(pipeline.is_idle());
}

#[test]
fn an_error_inside_a_pipeline_skips_to_its_own_sync_only() {
    let mut pipeline = Tracker::default();
    says(&mut pipeline, &BATCH);
    says(&mut pipeline, &BATCH);
    hears(&mut pipeline, "1EZI12TCZI");
    assert!(pipeline.is_idle());
}

#[test]
fn an_error_before_sync_was_sent_discards_what_follows() {
    let mut pipeline = Tracker::default();
    says(&mut pipeline, &[Request::Parse, Request::Flush]);
    hears(&mut pipeline, "E");
    assert!(pipeline.is_discarding());
    says(&mut pipeline, &[Request::Bind, Request::Query, Request::Sync]);
    hears(&mut pipeline, "ZI");
    assert!(pipeline.is_idle());
}

#[test]
fn local_replies_come_in_their_place_and_die_with_an_error() {
    let mut pipeline = Tracker::default();
    says(&mut pipeline, &[Request::Bind]);
    pipeline.answer_locally(b"1", None);
    assert_eq!(pipeline.due(), None);
    hears(&mut pipeline, "2");
    assert_eq!(pipeline.due(), Some(&b"1"[..]));
    says(&mut pipeline, &[Request::Bind]);
    pipeline.answer_locally(b"1", None);
    says(&mut pipeline, &[Request::Sync]);
    hears(&mut pipeline, "E");
    assert_eq!(pipeline.due(), None);
    hears(&mut pipeline, "ZI");
    assert!(pipeline.is_idle());
}

#[test]
fn replies_to_the_proxys_own_requests_are_told_apart() {
    let mut pipeline = Tracker::default();
    pipeline.sent(Request::Query, Asker::Proxy, Some(7));
    says(&mut pipeline, &[Request::Query]);
    assert_eq!(hears(&mut pipeline, "C"), [Asker::Proxy]);
    assert_eq!(
        pipeline.received(BackendTag::ReadyForQuery, Some(b'I')).expect("owed").done,
        Some(7)
    );
    assert_eq!(hears(&mut pipeline, "TDCZI"), [Asker::Client; 4]);
}

#[test]
fn a_copy_ignores_the_sync_sent_before_it_was_announced() {
    let mut pipeline = Tracker::default();
    says(&mut pipeline, &[Request::Bind, Request::Execute, Request::Sync]);
    hears(&mut pipeline, "2G");
    assert!(pipeline.is_copying_in());
    says(&mut pipeline, &[Request::CopyData, Request::CopyEnd, Request::Sync]);
    hears(&mut pipeline, "CZI");
    assert!(pipeline.is_idle());
}

#[test]
fn a_failed_copy_with_a_doubtful_sync_needs_a_probe() {
    let mut pipeline = Tracker::default();
    says(&mut pipeline, &[Request::Execute, Request::Sync]);
    hears(&mut pipeline, "G");
    says(&mut pipeline, &[Request::CopyData, Request::CopyEnd, Request::Sync]);
    hears(&mut pipeline, "EZI");
    assert!(pipeline.is_in_doubt() && !pipeline.is_idle());
    pipeline.probe();
    hears(&mut pipeline, "ZI");
    assert!(!pipeline.is_idle(), "that one belonged to the older Sync");
    assert_eq!(hears(&mut pipeline, "IZI"), [Asker::Proxy; 2]);
    assert!(pipeline.is_idle());
}

#[test]
fn what_was_not_owed_is_a_desync() {
    for frames in ["C", "1", "D", "ZI", "ZX", "G", "R", "W"] {
        let mut pipeline = Tracker::default();
        let mut bytes = frames.bytes();
        let tag = BackendTag::from(bytes.next().expect("a tag"));
        assert!(pipeline.received(tag, bytes.next()).is_err(), "{frames}");
    }
}

/// A backend that answers at its own pace, by the rules of `PostgresMain`.
#[derive(Default)]
struct Model {
    input: VecDeque<Said>,
    output: VecDeque<(u8, Option<u8>)>,
    status: TransactionStatus,
    skipping: bool,
    /// In a COPY: whether by the extended protocol.
    copying: Option<bool>,
    implicit: bool,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    request: Request,
    fate: Fate,
}

/// How the statement of this request will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Works,
    Fails,
    CopiesIn,
    Begins,
}

impl Model {
    fn step(&mut self) {
        let Some(said) = self.input.pop_front() else { return };
        if let Some(extended) = self.copying {
            return self.step_copy(extended, said);
        }
        if said.request == Request::Sync {
            self.skipping = false;
            self.implicit = false;
            return self.ready();
        }
        if self.skipping {
            return;
        }
        match said.request {
            Request::Query if said.fate == Fate::CopiesIn => self.begin_copy(false),
            Request::Execute if said.fate == Fate::CopiesIn => self.begin_copy(true),
            Request::Query => {
                self.implicit = false;
                match said.fate {
                    Fate::Fails => self.error(false),
                    Fate::Begins => {
                        self.status = TransactionStatus::InTransaction;
                        self.say(b"C");
                    }
                    Fate::Works | Fate::CopiesIn => {
                        self.status = TransactionStatus::Idle;
                        self.say(b"TDC");
                    }
                }
                if said.fate != Fate::Fails {
                    self.ready();
                }
            }
            Request::Flush | Request::CopyData | Request::CopyEnd => {}
            _ if said.fate == Fate::Fails => self.error(true),
            request => {
                self.implicit = true;
                self.say(match request {
                    Request::Parse => b"1",
                    Request::Bind => b"2",
                    Request::Close => b"3",
                    Request::DescribePortal => b"n",
                    Request::DescribeStatement => b"tT",
                    _ => b"DDC",
                });
            }
        }
    }

    fn step_copy(&mut self, extended: bool, said: Said) {
        match said.request {
            Request::CopyEnd if said.fate != Fate::Fails => {
                self.copying = None;
                self.say(b"C");
                if !extended {
                    self.ready();
                }
            }
            Request::CopyData | Request::CopyEnd if said.fate == Fate::Fails => {
                self.copying = None;
                self.error(extended);
            }
            _ => {}
        }
    }

    fn begin_copy(&mut self, extended: bool) {
        self.copying = Some(extended);
        self.implicit = extended;
        self.say(b"G");
    }

    fn error(&mut self, extended: bool) {
        if self.status == TransactionStatus::InTransaction {
            self.status = TransactionStatus::Failed;
        }
        self.say(b"E");
        if extended {
            self.skipping = true;
        } else {
            self.ready();
        }
    }

    fn ready(&mut self) {
        let status = match self.status {
            TransactionStatus::Idle => b'I',
            TransactionStatus::InTransaction => b'T',
            TransactionStatus::Failed => b'E',
        };
        self.output.push_back((b'Z', Some(status)));
    }

    fn say(&mut self, tags: &[u8]) {
        self.output.extend(tags.iter().map(|&tag| (tag, None)));
    }

    fn is_idle(&self) -> bool {
        let unread = self.input.iter().any(|said| {
            // The backend throws these away whenever it comes to them.
            !matches!(said.request, Request::Flush | Request::CopyData | Request::CopyEnd)
        });
        !unread
            && self.output.is_empty()
            && self.copying.is_none()
            && !self.implicit
            && !self.skipping
            && self.status == TransactionStatus::Idle
    }
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Say(Said),
    Think,
    Deliver,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    use Request::*;
    let request = prop::sample::select(vec![
        Parse,
        Bind,
        DescribePortal,
        DescribeStatement,
        Execute,
        Execute,
        Close,
        Flush,
        Sync,
        Sync,
        Sync,
        Query,
        Query,
        CopyData,
        CopyEnd,
        CopyEnd,
    ]);
    let fate = prop_oneof![
        5 => Just(Fate::Works), 2 => Just(Fate::Fails), 2 => Just(Fate::CopiesIn), 1 => Just(Fate::Begins)
    ];
    let one = prop_oneof![
        2 => (request, fate).prop_map(|(request, fate)| Move::Say(Said { request, fate })),
        2 => Just(Move::Think),
        3 => Just(Move::Deliver),
    ];
    prop::collection::vec(one, 1..120)
}

/// Requests that no backend survives in a COPY are not said there: it ends the connection. Neither is a
/// `Sync` before the end of an announced COPY: no driver does, and its meaning hangs on a race.
fn is_sensible(pipeline: &Tracker, model: &Model, request: Request) -> bool {
    let copying = may_be_copying(pipeline, model);
    let copies = matches!(request, Request::CopyData | Request::CopyEnd | Request::Flush);
    !copying || copies || (request == Request::Sync && pipeline.copy != Copy::In)
}

fn may_be_copying(pipeline: &Tracker, model: &Model) -> bool {
    model.copying.is_some()
        || pipeline.copy != Copy::None
        || model.input.iter().any(|said| said.fate == Fate::CopiesIn)
        // It began, and may be over by now, which we have not heard.
        || model.output.iter().any(|(tag, _)| *tag == b'G')
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// The property that the pool stands on.
    #[test]
    fn a_busy_backend_is_never_called_idle(moves in moves()) {
        let mut pipeline = Tracker::default();
        let mut model = Model::default();
        let mut muddled = false;
        for action in moves {
            match action {
                Move::Say(said) if is_sensible(&pipeline, &model, said.request) => {
                    muddled |= said.request == Request::Sync && may_be_copying(&pipeline, &model);
                    pipeline.sent(said.request, Asker::Client, None);
                    model.input.push_back(said);
                }
                Move::Say(_) => {}
                Move::Think => model.step(),
                Move::Deliver => if let Some((tag, status)) = model.output.pop_front() {
                    let received = pipeline.received(BackendTag::from(tag), status);
                    // A `Sync` inside a COPY may leave the two out of step; then the connection is closed.
                    prop_assert!(received.is_ok() || muddled, "{received:?}");
                    if received.is_err() {
                        break;
                    }
                }
            }
            prop_assert!(!pipeline.is_idle() || model.is_idle(), "{pipeline:?}");
        }
    }

    #[test]
    fn arbitrary_frames_never_panic(frames in prop::collection::vec((any::<bool>(), any::<u8>(), any::<u8>()), 0..200)) {
        let mut pipeline = Tracker::default();
        for (from_backend, tag, extra) in frames {
            if from_backend {
                if pipeline.received(BackendTag::from(tag), Some(extra)).is_err() {
                    break;
                }
            } else {
                let all = [Request::Parse, Request::Bind, Request::Execute, Request::Sync, Request::Query,
                    Request::CopyEnd, Request::Flush, Request::DescribeStatement, Request::FunctionCall];
                pipeline.sent(all[usize::from(tag) % all.len()], Asker::Client, None);
            }
            prop_assert!(!pipeline.is_idle() || !pipeline.owes());
        }
    }
}
