//! What a Parse settles for good, and how we ask what that is.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::postgres::Kind;
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
    let [one] = statement.analysis.statements.as_slice() else { return false };
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

/// Asks what a statement is, behind what makes it. Of one that SQL makes the client hears no error but that of its text:
/// this is aside.
pub(crate) fn settle(
    backend: &mut Backend,
    statement: &Arc<Statement>,
    name: Bytes,
    is_aside: bool,
) {
    encode::frame(b'D', &[b"S", statement.name.as_bytes(), b"\0"], backend.framed.queue());
    let note = settling(statement, name, is_aside);
    backend.pipeline.sent(Sent::DescribeStatement, Asker::Proxy, Some(note));
}

pub(super) fn settling(statement: &Arc<Statement>, name: Bytes, is_aside: bool) -> Note {
    let (statement, types) = (Arc::clone(statement), Bytes::new());
    Note::Settle(Box::new(Settling { statement, name, is_aside, types }))
}
