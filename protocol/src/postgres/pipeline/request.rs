//! What a backend is asked, and by whom.

/// A frame on its way to the backend, by what it will be answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Answered by ParseComplete.
    Parse,
    /// Answered by BindComplete.
    Bind,
    /// Answered by ParameterDescription, then RowDescription or NoData.
    DescribeStatement,
    /// Answered by RowDescription or NoData.
    DescribePortal,
    /// Answered by rows or COPY and an end.
    Execute,
    /// Answered by CloseComplete.
    Close,
    /// Not answered.
    Flush,
    /// Answered by ReadyForQuery.
    Sync,
    /// Answered by any number of results and ReadyForQuery.
    Query,
    /// Answered by FunctionCallResponse and ReadyForQuery.
    FunctionCall,
    /// Not answered.
    CopyData,
    /// `CopyDone` or `CopyFail`: not answered itself, it ends the reading of a COPY.
    CopyEnd,
}

/// Who asked, and so who gets the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The client; its frames go through.
    Client,
    /// The proxy, for its own ends; the client never sees the reply.
    Proxy,
}

/// A reply that the proxy gives itself, in its place among the backend's.
pub type LocalReply = &'static [u8];
