//! Messages made by hand, and what is said to them.

use bytes::BytesMut;
use capnp_rpc::rpc_capnp::{call, message, return_};

use super::super::{
    Server, frame,
    tests::registration,
    tunnelrpc_capnp::{REGISTRATION_INTERFACE, nothing, register_params},
};

pub(super) fn wire(fill: impl FnOnce(message::Builder<'_>)) -> BytesMut {
    let mut wire = BytesMut::new();
    frame::append(&mut wire, fill);
    wire
}

pub(super) fn bootstrap(id: u32) -> BytesMut {
    wire(|message| message.init_bootstrap().set_question_id(id))
}

pub(super) fn finish(id: u32) -> BytesMut {
    wire(|message| message.init_finish().set_question_id(id))
}

/// A call of `unregister` on export 0, changed by `change`.
pub(super) fn call(id: u32, change: impl FnOnce(call::Builder<'_>)) -> BytesMut {
    wire(|message| {
        let mut call = message.init_call();
        call.set_question_id(id);
        call.set_interface_id(REGISTRATION_INTERFACE);
        call.set_method_id(1);
        call.reborrow().init_target().set_imported_cap(0);
        call.reborrow().init_params().init_content().init_as::<nothing::Builder<'_>>();
        change(call);
    })
}

/// A registration, changed by `change`.
pub(super) fn register(change: impl FnOnce(register_params::Builder<'_>)) -> BytesMut {
    call(1, |mut call| {
        call.set_method_id(0);
        let mut params =
            call.init_params().init_content().init_as::<register_params::Builder<'_>>();
        registration().write(params.reborrow());
        change(params);
    })
}

pub(super) fn returned(id: u32, fill: impl FnOnce(return_::Builder<'_>)) -> BytesMut {
    wire(|message| {
        let mut answer = message.init_return();
        answer.set_answer_id(id);
        fill(answer);
    })
}

/// A server that has offered its interface as the answer to question 0.
pub(super) fn offered() -> Server {
    let mut server = Server::new();
    assert!(server.next(&mut bootstrap(0)).expect("valid").is_none());
    let _offer = server.take_output();
    server
}

/// What kind of message is at the front, and for a Return of an exception its type and reason.
pub(super) fn said(mut output: BytesMut) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(frame) = frame::take(&mut output).expect("ours") {
        let reader = frame.reader().expect("ours");
        let message: message::Reader<'_> = reader.get_root().expect("ours");
        said.push(match message.which().expect("known") {
            message::Return(answer) => {
                let answer = answer.expect("ours");
                let id = answer.get_answer_id();
                match answer.which().expect("known") {
                    return_::Exception(exception) => {
                        let kind = exception.expect("ours").get_type().expect("known");
                        format!("return {id} {kind:?}")
                    }
                    _ => format!("return {id}"),
                }
            }
            message::Unimplemented(_) => "unimplemented".to_owned(),
            _ => "other".to_owned(),
        });
    }
    said
}
