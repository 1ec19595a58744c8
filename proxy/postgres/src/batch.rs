//! What a client has said and no backend has heard yet.
//!
//! Extended-protocol messages are held until `Sync` or `Flush` shows what the client wants: only then can it
//! be known that the answer is in the cache, or that no backend is needed at all.

use std::sync::Arc;

use bytes::Bytes;
use cache::{Fill, sql::postgres::Analysis};
use protocol::postgres::{
    encode,
    frame::FrontendTag,
    message::{Bind, Execute, Parse, Target},
};
use serving::observe::CacheStatus;
use tokio::time::Instant;

use super::{described::Place, names::Names, plan::Text, prepared::Statement};

/// More than this is not held: it goes to a backend as it comes.
const MAX_BYTES: usize = 1 << 20;
/// Three times Parse, Bind, Describe, Execute and a Sync: most batches are no longer.
const USUAL_FRAMES: usize = 13;
/// More messages than this are not held.
const MAX_FRAMES: usize = 4096;

/// One message of the client.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) tag: FrontendTag,
    pub(crate) body: Bytes,
    /// What its text says, where that was read ahead.
    pub(crate) analysis: Option<Arc<Analysis>>,
}

impl Frame {
    pub(crate) const fn new(tag: FrontendTag, body: Bytes) -> Self {
        Self { tag, body, analysis: None }
    }
}

/// Messages since the last `Sync`, `Flush` or simple query.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    frames: Vec<Frame>,
    bytes: usize,
}

impl Batch {
    /// Whether one more message may be held.
    pub(crate) fn has_room_for(&self, frame: &Frame) -> bool {
        let bytes = self.bytes.saturating_add(frame.body.len());
        bytes <= MAX_BYTES && self.frames.len() < MAX_FRAMES
    }

    /// Holds one more message.
    pub(crate) fn push(&mut self, frame: Frame) {
        self.bytes = self.bytes.saturating_add(frame.body.len());
        if self.frames.capacity() == 0 {
            self.frames.reserve(USUAL_FRAMES);
        }
        self.frames.push(frame);
    }

    /// Takes all that is held.
    pub(crate) fn take(&mut self) -> Vec<Frame> {
        self.bytes = 0;
        std::mem::take(&mut self.frames)
    }

    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

/// Messages that go to a backend, with what was found out when it was asked who answers them.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) frames: Vec<Frame>,
    /// Of the one statement that they run.
    pub(crate) judged: Option<Judged>,
    /// What keeps the reply.
    pub(crate) fill: Option<Fill>,
    /// Where to remember what the one statement is that they prepare.
    pub(crate) describes: Option<Place>,
}

/// A statement that is about to run.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) text: Text,
    /// Why the cache does not answer it.
    pub(crate) status: CacheStatus,
    /// When it came.
    pub(crate) came: Instant,
}

impl Outgoing {
    /// Messages of which nothing is known.
    pub(crate) fn of(frames: Vec<Frame>) -> Self {
        Self { frames, judged: None, fill: None, describes: None }
    }
}

/// The statement that a batch is about.
#[derive(Debug)]
pub(crate) enum Subject<'a> {
    /// It is prepared in the batch.
    New(Parse<'a>),
    /// It was prepared before.
    Known(Arc<Statement>),
}

/// A batch that the cache may be able to answer.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a message that is there or not, or a part of one"
)]
pub(crate) struct Request<'a> {
    pub(crate) subject: Subject<'a>,
    /// What the text of a new one says, where that was read ahead.
    pub(crate) analysis: Option<&'a Arc<Analysis>>,
    /// What runs; `None` when the batch only wants a description.
    pub(crate) bind: Option<Bind<'a>>,
    pub(crate) describes_statement: bool,
    pub(crate) describes_portal: bool,
    /// So many rows are wanted and no more, as some drivers say where there are none.
    pub(crate) is_limited: bool,
}

impl Request<'_> {
    /// The text of its statement.
    pub(crate) fn query(&self) -> &[u8] {
        match &self.subject {
            Subject::New(parse) => parse.query,
            Subject::Known(statement) => statement.source.query(),
        }
    }

    /// Text and types, as on the wire.
    pub(crate) fn source(&self) -> &[u8] {
        match &self.subject {
            Subject::New(parse) => parse.rest,
            Subject::Known(statement) => statement.source.as_bytes(),
        }
    }

    /// What it is told of a statement without parameters, whose rows are described by this message.
    pub(crate) fn description(&self, rows: &[u8]) -> Bytes {
        let of_statement = [encode::NO_PARAMETERS, rows];
        let of_statement = of_statement.into_iter().filter(|_| self.describes_statement);
        let of_portal = Some(rows).filter(|_| self.describes_portal);
        of_statement.chain(of_portal).flatten().copied().collect()
    }

    /// The types that it fixed, as on the wire.
    pub(crate) fn types(&self) -> &[u8] {
        match &self.subject {
            Subject::New(parse) => parse.types,
            Subject::Known(statement) => statement.source.types(),
        }
    }
}

/// How a well-formed request goes on.
#[derive(PartialEq, Eq)]
enum Stage {
    Start,
    Parsed,
    Bound,
    Executed,
}

impl Stage {
    /// Whether a request that has come so far is whole with this message at its end.
    fn is_whole(&self, end: FrontendTag) -> bool {
        match self {
            Self::Executed => end == FrontendTag::Sync,
            Self::Start | Self::Parsed => matches!(end, FrontendTag::Sync | FrontendTag::Flush),
            Self::Bound => false,
        }
    }
}

/// Reads a batch as one request on one statement: `[Parse] [Describe S] [Bind [Describe P] Execute] [Close]…`
/// (the Describe S may come behind the Bind) and `Sync`, or without a Bind also `Flush`. `None` for everything else, which
/// goes to a backend.
pub(crate) fn request<'a>(frames: &'a [Frame], known: &Names) -> Option<Request<'a>> {
    let mut stage = Stage::Start;
    let mut subject: Option<(&'a [u8], Subject<'a>)> = None;
    let (mut bind, mut analysis) = (None::<Bind<'a>>, None);
    let (mut describes_statement, mut describes_portal) = (false, false);
    let mut is_limited = false;
    let look_up = |name: &'a [u8]| known.get(name).map(|s| (name, Subject::Known(Arc::clone(s))));
    for frame in frames {
        match (frame.tag, &stage) {
            (FrontendTag::Parse, Stage::Start) if subject.is_none() => {
                let parse = Parse::decode(&frame.body).ok()?;
                if !parse.name.is_empty() && known.get(parse.name).is_some() {
                    return None;
                }
                subject = Some((parse.name, Subject::New(parse)));
                analysis = frame.analysis.as_ref();
                stage = Stage::Parsed;
            }
            (FrontendTag::Describe, Stage::Start | Stage::Parsed) if !describes_statement => {
                let Ok(Target::Statement(name)) = Target::decode(&frame.body) else { return None };
                let about = subject.take().or_else(|| look_up(name))?;
                if about.0 != name {
                    return None;
                }
                subject = Some(about);
                describes_statement = true;
            }
            (FrontendTag::Bind, Stage::Start | Stage::Parsed) => {
                let bound = Bind::decode(&frame.body).ok()?;
                let about = subject.take().or_else(|| look_up(bound.statement))?;
                if about.0 != bound.statement {
                    return None;
                }
                subject = Some(about);
                bind = Some(bound);
                stage = Stage::Bound;
            }
            (FrontendTag::Describe, Stage::Bound) if !describes_portal => {
                match Target::decode(&frame.body).ok()? {
                    Target::Portal(name) if bind.is_some_and(|bind| bind.portal == name) => {
                        describes_portal = true;
                    }
                    // Before the portal's, so that the descriptions have the same order as above.
                    Target::Statement(name)
                        if !describes_statement
                            && subject.as_ref().is_some_and(|about| about.0 == name) =>
                    {
                        describes_statement = true;
                    }
                    _ => return None,
                }
            }
            (FrontendTag::Execute, Stage::Bound) => {
                let execute = Execute::decode(&frame.body).ok()?;
                if bind.is_none_or(|bind| bind.portal != execute.portal) {
                    return None;
                }
                is_limited = execute.max_rows > 0;
                stage = Stage::Executed;
            }
            (FrontendTag::Close, Stage::Executed) => {
                Target::decode(&frame.body).ok()?;
            }
            (FrontendTag::Sync, Stage::Executed) => {}
            (FrontendTag::Sync | FrontendTag::Flush, Stage::Parsed) => {}
            (FrontendTag::Sync | FrontendTag::Flush, Stage::Start) if describes_statement => {}
            _ => return None,
        }
    }
    let (_, subject) = subject?;
    stage.is_whole(frames.last()?.tag).then_some(Request {
        subject,
        analysis,
        bind,
        describes_statement,
        describes_portal,
        is_limited,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(tag: FrontendTag, body: &'static [u8]) -> Frame {
        Frame::new(tag, Bytes::from_static(body))
    }

    fn node_pg() -> Vec<Frame> {
        vec![
            frame(FrontendTag::Parse, b"\0select 1\0\0\0"),
            frame(FrontendTag::Bind, b"\0\0\0\0\0\0\0\0"),
            frame(FrontendTag::Describe, b"P\0"),
            frame(FrontendTag::Execute, b"\0\0\0\0\0"),
            frame(FrontendTag::Sync, b""),
        ]
    }

    #[test]
    fn no_more_is_held_than_there_is_room_for() {
        let mut batch = Batch::default();
        let long = Frame::new(FrontendTag::Bind, vec![0; MAX_BYTES].into());
        assert!(batch.has_room_for(&long));
        batch.push(long);
        assert!(batch.has_room_for(&frame(FrontendTag::Sync, b"")));
        assert!(!batch.has_room_for(&frame(FrontendTag::Execute, b"\0")));
        assert_eq!(batch.take().len(), 1);
        for _ in 0..MAX_FRAMES {
            batch.push(frame(FrontendTag::Sync, b""));
        }
        assert!(!batch.has_room_for(&frame(FrontendTag::Sync, b"")));
    }

    #[test]
    fn one_statement_run_once_is_a_request() {
        let frames = node_pg();
        let request = request(&frames, &Names::default()).expect("a request");
        assert!(request.describes_portal && !request.describes_statement);
        assert!(matches!(request.subject, Subject::New(parse) if parse.query == b"select 1"));
    }

    #[test]
    fn a_statement_may_be_described_behind_its_bind_once() {
        let mut frames = node_pg();
        frames[2] = frame(FrontendTag::Describe, b"S\0");
        let request = request(&frames, &Names::default()).expect("a request, as query_typed's is");
        assert!(request.describes_statement && !request.describes_portal);
        frames.insert(3, frame(FrontendTag::Describe, b"P\0"));
        assert!(super::request(&frames, &Names::default()).is_some());
        frames.swap(2, 3);
        assert!(super::request(&frames, &Names::default()).is_none(), "another order of replies");
        frames.swap(2, 3);
        frames.insert(3, frame(FrontendTag::Describe, b"S\0"));
        assert!(super::request(&frames, &Names::default()).is_none());
        frames.truncate(2);
        frames.push(frame(FrontendTag::Describe, b"Sother\0"));
        frames.extend(node_pg().split_off(3));
        assert!(super::request(&frames, &Names::default()).is_none(), "of another statement");
    }

    #[test]
    fn a_parse_alone_asks_for_no_description() {
        let frames = [node_pg().remove(0), frame(FrontendTag::Sync, b"")];
        let request = request(&frames, &Names::default()).expect("a request, as PQprepare's is");
        assert!(request.bind.is_none() && !request.describes_statement);
        assert!(super::request(&frames[1..], &Names::default()).is_none());
    }

    #[test]
    fn a_description_alone_may_end_in_flush() {
        let frames = [
            frame(FrontendTag::Parse, b"s\0select 1\0\0\0"),
            frame(FrontendTag::Describe, b"Ss\0"),
            frame(FrontendTag::Flush, b""),
        ];
        let request = request(&frames, &Names::default()).expect("a request");
        assert!(request.bind.is_none() && request.describes_statement);
    }

    #[test]
    fn a_limit_of_rows_is_told() {
        let is_limited =
            |frames: &[Frame]| request(frames, &Names::default()).map(|it| it.is_limited);
        let mut frames = node_pg();
        assert_eq!(is_limited(&frames), Some(false));
        frames[3] = frame(FrontendTag::Execute, b"\0\0\0\0\x05");
        assert_eq!(is_limited(&frames), Some(true));
    }

    #[test]
    fn unknown_names_and_two_statements_go_to_a_backend() {
        assert!(request(&node_pg()[1..], &Names::default()).is_none());
        let twice = [node_pg(), node_pg()].concat();
        assert!(request(&twice, &Names::default()).is_none());
        let mut other_portal = node_pg();
        other_portal[2] = frame(FrontendTag::Describe, b"Px\0");
        assert!(request(&other_portal, &Names::default()).is_none());
        assert!(request(&node_pg()[..4], &Names::default()).is_none(), "no Sync yet");
    }
}
