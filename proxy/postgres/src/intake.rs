//! The client's messages as its bytes come: whole, or passed on in pieces where they are longer than what is held.

use bytes::Buf as _;
use protocol::{
    postgres::frame::{FrontendTag, HEADER_LEN, Header},
    reader::DecodeError,
};
use serving::{
    error::{ClientError, SessionError},
    hold::Hold,
};

use super::{batch::Frame, client_end::HIGH_WATER, session::Session};

/// The longest statement that is collected.
const MAX_STATEMENT: usize = 16 << 20;
/// The longest message of parameter values that is collected.
const MAX_VALUES: usize = 64 << 20;
/// The longest message without a statement or data in it.
const MAX_SMALL: usize = 64 * 1024;

/// What the client's next bytes came to.
pub(crate) enum Next {
    Frame(Frame),
    /// A message too long to be held begins.
    Long(Header),
    /// A piece of a long message has been passed on.
    Passed,
    /// Nothing more until it sends more.
    Wait,
}

impl Session {
    /// Takes the client's next message, or passes on a piece of one that is too long to be held.
    pub(crate) fn next_frame(&mut self) -> Result<Next, SessionError> {
        if self.client.end.passing.to_backend > 0 {
            return Ok(self.pass_to_backend());
        }
        let Some(header) =
            Header::peek(self.client.end.input()).map_err(SessionError::ClientProtocol)?
        else {
            return Ok(Next::Wait);
        };
        let tag = FrontendTag::from(header.tag);
        if tag == FrontendTag::CopyData && self.pass_copy_data() {
            return Ok(Next::Passed);
        }
        let limit = match tag {
            FrontendTag::Query | FrontendTag::Parse => MAX_STATEMENT,
            FrontendTag::Bind | FrontendTag::FunctionCall => MAX_VALUES,
            FrontendTag::CopyData => usize::MAX,
            _ => MAX_SMALL,
        };
        if header.body_len > limit {
            return Err(match tag {
                FrontendTag::Query
                | FrontendTag::Parse
                | FrontendTag::Bind
                | FrontendTag::FunctionCall => ClientError::StatementTooLong.into(),
                _ => SessionError::ClientProtocol(DecodeError::Value("message length")),
            });
        }
        if self.client.end.input().len() < header.frame_len() {
            if tag == FrontendTag::CopyData && self.client.end.input().len() >= HEADER_LEN {
                return Ok(Next::Long(header));
            }
            return Ok(Next::Wait);
        }
        let mut body = self.client.end.buffer().split_to(header.frame_len()).freeze();
        body.advance(HEADER_LEN);
        Ok(Next::Frame(Frame::new(tag, body)))
    }

    /// Begins to pass on a CopyData that is longer than what has come of it.
    pub(crate) async fn begin_passing(&mut self, header: Header) -> Result<(), SessionError> {
        if !self.client.end.batch.is_empty() {
            self.forward_batch().await?;
        }
        self.client.end.passing.to_backend = header.frame_len();
        Ok(())
    }

    /// Passes on all CopyData that is here, while the backend reads it. False when there is none that is whole.
    fn pass_copy_data(&mut self) -> bool {
        let end = &mut self.client.end;
        // Without a backend there is no COPY.
        let Hold::Held(work) = &mut self.hold else { return false };
        if !work.loan.pipeline.is_copying_in() || !end.batch.is_empty() {
            return false;
        }
        let input = end.buffer();
        let mut length = 0;
        while length < HIGH_WATER
            && let Ok(Some(header)) = Header::peek(input.get(length..).unwrap_or_default())
            && FrontendTag::from(header.tag) == FrontendTag::CopyData
            && length + header.frame_len() <= input.len()
        {
            length += header.frame_len();
        }
        work.loan.framed.queue().extend_from_slice(input.get(..length).unwrap_or_default());
        input.advance(length);
        length > 0
    }

    fn pass_to_backend(&mut self) -> Next {
        let end = &mut self.client.end;
        let length = end.input().len().min(end.passing.to_backend);
        if length == 0 {
            return Next::Wait;
        }
        let piece = end.buffer().split_to(length);
        end.passing.to_backend -= length;
        match &mut self.hold {
            Hold::Held(work) => work.loan.framed.queue().extend_from_slice(&piece),
            // There is no COPY, and PostgreSQL ignores what is left of one.
            Hold::Free => {}
        }
        Next::Passed
    }
}
