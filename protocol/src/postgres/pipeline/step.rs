//! Which frames make up the reply to which request.

use super::{owed::Copy, request::Request};
use crate::postgres::frame::BackendTag;

/// What a frame is to the request that is being answered.
pub(super) enum Step {
    /// Not a reply to this request.
    Wrong,
    /// Part of the reply.
    More,
    /// The end of the reply.
    Done,
    /// The end of one result: of the reply in the extended protocol, of one statement in a simple query.
    Result,
    /// The beginning of a COPY.
    Copy(Copy),
}

/// What a frame means as part of the reply to a request.
pub(super) fn step(request: Request, tag: BackendTag) -> Step {
    use BackendTag::*;
    match (request, tag) {
        (Request::Parse, ParseComplete)
        | (Request::Bind, BindComplete)
        | (Request::Close, CloseComplete)
        | (Request::DescribeStatement | Request::DescribePortal, RowDescription | NoData) => {
            Step::Done
        }
        (Request::DescribeStatement, ParameterDescription)
        | (Request::Query, RowDescription)
        | (Request::Query | Request::Execute, DataRow | CopyData | CopyDone)
        | (Request::FunctionCall, FunctionCallResponse) => Step::More,
        (Request::Query | Request::Execute, CopyInResponse) => Step::Copy(Copy::In),
        (Request::Query | Request::Execute, CopyOutResponse) => Step::Copy(Copy::Out),
        (Request::Query | Request::Execute, CommandComplete | EmptyQueryResponse)
        | (Request::Execute, PortalSuspended) => Step::Result,
        _ => Step::Wrong,
    }
}
