//! Errors of ours in the place of a message of the extended protocol.

use bytes::{Bytes, BytesMut};
use protocol::postgres::{
    encode,
    pipeline::{Asker, Request as Sent},
};
use serving::error::ClientError;

use super::super::{
    backend::{Backend, Note},
    wire_error,
};

/// Gives the client an error in the place where its request stands: the backend is sent something that
/// must fail, so that it too aborts the transaction and skips to `Sync`.
pub(super) fn refuse_in_place(backend: &mut Backend, error: ClientError) {
    let mut frame = BytesMut::new();
    wire_error::put(error, &mut frame);
    fail(backend, Asker::Client, Note::Refuse(frame.freeze()));
}

/// Refuses what a statement of other rows, or of other constants, would answer.
pub(super) fn refuse_plan(backend: &mut Backend) {
    let error = Bytes::from_static(wire_error::PLAN_CHANGED);
    fail(backend, Asker::Client, Note::Refuse(error));
}

/// Sends a Parse that no server takes.
pub(crate) fn fail(backend: &mut Backend, asker: Asker, note: Note) {
    // It drops the unnamed statement before it fails.
    backend.prepared.forget_unnamed();
    encode::frame(b'P', &[b"\0jumpgate refuses\0\0\0"], backend.framed.queue());
    backend.pipeline.sent(Sent::Parse, asker, Some(note));
}
