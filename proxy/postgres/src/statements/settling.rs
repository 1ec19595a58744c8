//! What a Parse settles for good, and how we ask what that is.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::postgres::{Analysis, Kind};
use protocol::postgres::{
    encode,
    frame::FrontendTag,
    message::Target,
    pipeline::{Asker, Request as Sent},
};

use super::super::{
    backend::{Backend, Note, Settling},
    batch::Frame,
    prepared::Statement,
};

/// Whether its Parse fixes types and rows: what the server only reads when it runs has none to fix.
pub(crate) fn is_settled_by_parse(statement: &Statement) -> bool {
    is_read_by_parse(&statement.analysis)
}

/// The same of what a text says.
pub(crate) fn is_read_by_parse(analysis: &Analysis) -> bool {
    let [one] = analysis.statements.as_slice() else { return false };
    matches!(
        one.kind,
        Kind::Select | Kind::Write | Kind::Explain { .. } | Kind::Code | Kind::Ddl | Kind::Unknown
    )
}

/// Whether a Describe of ours must follow the client's Parse: of a named statement always, of the unnamed one unless it is
/// used at once, as all drivers do that do not keep it. The client's own Describe serves as well.
pub(super) fn wants_settling(statement: &Statement, next: Option<&Frame>) -> bool {
    let next = next.map(|frame| (frame.tag, Target::decode(&frame.body)));
    let is_described = matches!(next, Some((FrontendTag::Describe, Ok(Target::Statement(_)))));
    let is_used = statement.is_unnamed()
        && next.is_none_or(|(tag, _)| !matches!(tag, FrontendTag::Sync | FrontendTag::Flush));
    is_settled_by_parse(statement) && !is_described && !is_used
}

/// Asks what a statement is, behind what makes it.
pub(crate) fn settle(backend: &mut Backend, settling: Settling) {
    let ours = settling.statement.name.as_bytes();
    encode::frame(b'D', &[b"S", ours, b"\0"], backend.framed.queue());
    let note = Note::Settle(Box::new(settling));
    backend.pipeline.sent(Sent::DescribeStatement, Asker::Proxy, Some(note));
}

impl Settling {
    /// Of a statement, by the client's name for it.
    pub(crate) fn of(statement: &Arc<Statement>, name: Bytes) -> Self {
        let (statement, types) = (Arc::clone(statement), Bytes::new());
        Self { statement, name, is_aside: false, types, place: None }
    }
}
