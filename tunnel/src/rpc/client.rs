//! The connector's end: asks, and understands the answers.
//!
//! It says what `cloudflared` says, in the same order, so that any edge
//! that serves `cloudflared` serves this. It does not wait: the first call is sent along with the
//! question for the interface that it calls.

use std::fmt;

use bytes::{Bytes, BytesMut};
use capnp_rpc::rpc_capnp::{cap_descriptor, exception, message, message_target, payload, return_};

use super::{
    error::RpcError,
    frame::{self, Frame, MAX_CONFIGURATION_LEN},
    register::{Details, Register},
    text::shown,
    tunnelrpc_capnp::{
        CONFIGURE_METHOD, REGISTER_METHOD, REGISTRATION_INTERFACE, UNREGISTER_METHOD,
        configure_params, connection_response, nothing, register_params, register_results,
    },
};

/// The connector's end of the control stream.
///
/// ```text
///   Unknown ── first call ──► Promised ── its answer ──► Imported ── unregistered ──► Released
/// ```
///
/// Nothing is asked of a released interface.
#[derive(Default)]
pub(crate) struct Client {
    interface: Interface,
    /// The questions without an answer.
    asked: Vec<Question>,
    /// It may hold the tunnel's secret.
    output: BytesMut,
}

/// What the edge answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Streams may come from now on.
    Registered(Details),
    /// They will not; the edge closes the connection after this.
    Rejected {
        /// The edge's words.
        cause: String,
        /// Does the edge think that another attempt could fare better?
        should_retry: bool,
    },
    /// The edge has taken the ingress rules.
    Configured,
    /// The edge opens no more streams. What is still to be said is in the output.
    Unregistered,
    /// The edge could not answer a question, for this reason.
    Failed(String),
    /// The edge has nothing more to say, for this reason.
    Aborted(String),
}

impl Client {
    /// A client that has said nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Asks to serve a tunnel.
    pub(crate) fn register(&mut self, register: &Register) {
        self.call(Purpose::Register, |content| {
            register.write(content.init_as::<register_params::Builder<'_>>());
        });
    }

    /// Tells the edge of the connector's own ingress rules.
    ///
    /// # Errors
    ///
    /// [`RpcError::Length`] when they are longer than an edge takes.
    pub(crate) fn update_local_configuration(&mut self, json: &[u8]) -> Result<(), RpcError> {
        if json.len() > MAX_CONFIGURATION_LEN {
            return Err(RpcError::Length("configuration"));
        }
        self.call(Purpose::Configure, |content| {
            content.init_as::<configure_params::Builder<'_>>().set_config(json);
        });
        Ok(())
    }

    /// Says that the connector leaves. It says its farewell when the edge has answered.
    pub(crate) fn unregister(&mut self) {
        self.call(Purpose::Unregister, |content| {
            content.init_as::<nothing::Builder<'_>>();
        });
    }

    /// Takes messages off the front of `input` up to one that answers something; `None` asks for
    /// more bytes. Either way there may be output.
    ///
    /// # Errors
    ///
    /// [`RpcError`] when the edge broke the protocol; the connection must be closed.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Answered>, RpcError> {
        while let Some(frame) = frame::take(input)? {
            if let Some(answered) = self.read(&frame)? {
                return Ok(Some(answered));
            }
            if self.output.len() > MAX_OUTPUT_LEN {
                return Err(RpcError::TooManyQuestions);
            }
        }
        Ok(None)
    }

    /// What is to be written to the edge now.
    pub(crate) fn take_output(&mut self) -> Bytes {
        self.output.split().freeze()
    }

    /// Calls a method of the registration interface, and asks for that first if need be.
    fn call(&mut self, purpose: Purpose, fill: impl FnOnce(capnp::any_pointer::Builder<'_>)) {
        if self.interface == Interface::Released {
            return;
        }
        if self.interface == Interface::Unknown {
            let id = self.ask(Purpose::Bootstrap);
            self.interface = Interface::Promised(id);
            frame::append(&mut self.output, |message| {
                message.init_bootstrap().set_question_id(id);
            });
        }
        let id = self.ask(purpose);
        let interface = self.interface;
        frame::append(&mut self.output, |message| {
            let mut call = message.init_call();
            call.set_question_id(id);
            call.set_interface_id(REGISTRATION_INTERFACE);
            call.set_method_id(purpose.method());
            interface.write(call.reborrow().init_target());
            fill(call.init_params().init_content());
        });
    }

    /// Notes a question under the lowest free number. That of the interface keeps the first one
    /// to itself, so that calls have the numbers that they have with `cloudflared`.
    fn ask(&mut self, purpose: Purpose) -> u32 {
        let is_free = |id: &u32| self.asked.iter().all(|question| question.id != *id);
        let id = match purpose {
            Purpose::Bootstrap => BOOTSTRAP_QUESTION,
            Purpose::Register | Purpose::Configure | Purpose::Unregister => {
                (FIRST_CALL..u32::MAX).find(is_free).unwrap_or(u32::MAX)
            }
        };
        self.asked.push(Question { id, purpose });
        id
    }

    fn read(&mut self, frame: &Frame) -> Result<Option<Answered>, RpcError> {
        let reader = frame.reader()?;
        let message: message::Reader<'_> = reader.get_root()?;
        let Ok(kind) = message.which() else {
            frame::append(&mut self.output, |message| {
                message.init_unimplemented();
            });
            return Ok(None);
        };
        match kind {
            message::Return(answer) => self.returned(answer?),
            message::Abort(reason) => Ok(Some(Answered::Aborted(shown(reason?.get_reason()?)))),
            message::Unimplemented(ours) => self.not_understood(ours?),
            // This end offers nothing to call.
            message::Bootstrap(asked) => Ok(self.refuse(asked?.get_question_id())),
            message::Call(asked) => Ok(self.refuse(asked?.get_question_id())),
            message::Finish(_)
            | message::Release(_)
            | message::Resolve(_)
            | message::Disembargo(_) => Ok(None),
            message::Provide(_)
            | message::Accept(_)
            | message::Join(_)
            | message::ObsoleteSave(_)
            | message::ObsoleteDelete(_) => Err(RpcError::Order),
        }
    }

    fn returned(&mut self, answer: return_::Reader<'_>) -> Result<Option<Answered>, RpcError> {
        let id = answer.get_answer_id();
        let purpose = self.answered(id)?;
        if !answer.get_no_finish_needed() {
            frame::append(&mut self.output, |message| {
                let mut finish = message.init_finish();
                finish.set_question_id(id);
                // The interface is wanted longer than the question for it.
                finish.set_release_result_caps(false);
            });
        }
        match answer.which()? {
            return_::Results(results) => self.results(purpose, results?),
            return_::Exception(exception) => {
                Ok(Some(Answered::Failed(shown(exception?.get_reason()?))))
            }
            return_::Canceled(())
            | return_::ResultsSentElsewhere(())
            | return_::TakeFromOtherQuestion(_)
            | return_::AcceptFromThirdParty(_) => Err(RpcError::Order),
        }
    }

    fn results(
        &mut self,
        purpose: Purpose,
        results: payload::Reader<'_>,
    ) -> Result<Option<Answered>, RpcError> {
        Ok(Some(match purpose {
            Purpose::Bootstrap => {
                let import = import(results)?;
                // An edge may answer a farewell before the question for the interface.
                if matches!(self.interface, Interface::Promised(_)) {
                    self.interface = Interface::Imported(import);
                }
                return Ok(None);
            }
            Purpose::Register => {
                let results: register_results::Reader<'_> = results.get_content().get_as()?;
                verdict(results.get_result()?)?
            }
            Purpose::Configure => Answered::Configured,
            Purpose::Unregister => {
                self.farewell();
                Answered::Unregistered
            }
        }))
    }

    /// Gives the interface back and says that nothing follows.
    fn farewell(&mut self) {
        if let Interface::Imported(id) = self.interface {
            frame::append(&mut self.output, |message| {
                let mut release = message.init_release();
                release.set_id(id);
                release.set_reference_count(1);
            });
        }
        self.interface = Interface::Released;
        frame::append(&mut self.output, |message| {
            message.init_abort().set_reason("rpc: shutdown");
        });
    }

    /// The edge does not know a kind of message that was a question.
    fn not_understood(&mut self, ours: message::Reader<'_>) -> Result<Option<Answered>, RpcError> {
        let id = match ours.which() {
            Ok(message::Bootstrap(ours)) => ours?.get_question_id(),
            Ok(message::Call(ours)) => ours?.get_question_id(),
            Ok(_) | Err(_) => return Ok(None),
        };
        self.answered(id)?;
        Ok(Some(Answered::Failed("not implemented".to_owned())))
    }

    fn answered(&mut self, id: u32) -> Result<Purpose, RpcError> {
        let place = self.asked.iter().position(|question| question.id == id);
        place.map(|place| self.asked.swap_remove(place).purpose).ok_or(RpcError::Order)
    }

    fn refuse(&mut self, id: u32) -> Option<Answered> {
        frame::append(&mut self.output, |message| {
            let mut answer = message.init_return();
            answer.set_answer_id(id);
            answer.set_release_param_caps(false);
            let mut exception = answer.init_exception();
            exception.set_type(exception::Type::Unimplemented);
            exception.set_reason("a connector has nothing to call");
        });
        None
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("interface", &self.interface)
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

/// What is known of the edge's registration interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Interface {
    #[default]
    Unknown,
    /// It will be the answer to this question.
    Promised(u32),
    /// The edge's number for it.
    Imported(u32),
    Released,
}

impl Interface {
    fn write(self, mut target: message_target::Builder<'_>) {
        match self {
            Self::Promised(id) => target.init_promised_answer().set_question_id(id),
            Self::Imported(id) => target.set_imported_cap(id),
            // Nothing is asked before the question for it, nor after the farewell.
            Self::Unknown | Self::Released => {}
        }
    }
}

#[derive(Debug)]
struct Question {
    id: u32,
    purpose: Purpose,
}

#[derive(Clone, Copy, Debug)]
enum Purpose {
    Bootstrap,
    Register,
    Configure,
    Unregister,
}

impl Purpose {
    fn method(self) -> u16 {
        match self {
            Self::Bootstrap | Self::Register => REGISTER_METHOD,
            Self::Configure => CONFIGURE_METHOD,
            Self::Unregister => UNREGISTER_METHOD,
        }
    }
}

/// The edge's word on a registration.
fn verdict(response: connection_response::Reader<'_>) -> Result<Answered, RpcError> {
    use connection_response::result::Which;
    Ok(match response.get_result().which()? {
        Which::ConnectionDetails(details) => Answered::Registered(Details::read(details?)?),
        Which::Error(error) => {
            let error = error?;
            let cause = shown(error.get_cause()?);
            Answered::Rejected { cause, should_retry: error.get_should_retry() }
        }
    })
}

/// The number of the capability in an answer that is one: the first and only one it brings.
fn import(results: payload::Reader<'_>) -> Result<u32, RpcError> {
    let first = results.get_cap_table()?.try_get(0).ok_or(RpcError::Order)?;
    match first.which()? {
        cap_descriptor::SenderHosted(id) | cap_descriptor::SenderPromise(id) => Ok(id),
        cap_descriptor::None(())
        | cap_descriptor::ReceiverHosted(_)
        | cap_descriptor::ReceiverAnswer(_)
        | cap_descriptor::ThirdPartyHosted(_) => Err(RpcError::Order),
    }
}

const BOOTSTRAP_QUESTION: u32 = 0;
const FIRST_CALL: u32 = 1;
/// Output that waits to be written while the edge goes on asking.
const MAX_OUTPUT_LEN: usize = 64 * 1024;
