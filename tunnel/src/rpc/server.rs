//! The edge's end: answers the connector's questions.
//!
//! It decides nothing: a registration comes out as a value, and whoever holds the [`Server`] says
//! what the answer is.

use bytes::{BufMut as _, Bytes, BytesMut};
use capnp_rpc::rpc_capnp::{
    call, exception, message, message_target, payload, promised_answer, return_,
};

use super::{
    error::RpcError,
    frame::{self, Frame, MAX_CONFIGURATION_LEN},
    register::{Details, Register},
    text::shown,
    tunnelrpc_capnp::{
        CONFIGURE_METHOD, REGISTER_METHOD, REGISTRATION_INTERFACE, UNREGISTER_METHOD,
        configure_params, nothing, register_params, register_results,
    },
};

/// The edge's end of the control stream.
///
/// ```text
///   Call ──► Asked ──── answered ───► Returned ── Finish ──► forgotten
///              └── Finish ──► Abandoned ── answered ─────────►
/// ```
#[derive(Debug, Default)]
pub(crate) struct Server {
    /// The questions that the connector may still refer to.
    open: Vec<Open>,
    /// Has the connector asked for the registration interface?
    is_exported: bool,
    output: BytesMut,
}

/// Something the connector wants. Each [`Question`] is to be answered once.
#[derive(Debug)]
pub(crate) enum Asked {
    /// To be answered with [`Server::registered`] or [`Server::rejected`].
    Register(Question, Box<Register>),
    /// The connector's own ingress rules as JSON. To be answered with [`Server::done`].
    LocalConfiguration(Question, Bytes),
    /// Open no more streams. To be answered with [`Server::done`].
    Unregister(Question),
    /// The connector has nothing more to say, for this reason. There is no answer.
    Aborted(String),
}

/// The right to answer once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the connector waits for an answer"]
pub(crate) struct Question(u32);

impl Server {
    /// A server that has heard nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes messages off the front of `input` up to one that asks something; `None` asks for
    /// more bytes. Either way there may be output.
    ///
    /// # Errors
    ///
    /// [`RpcError`] when the connector broke the protocol; the connection must be closed.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Asked>, RpcError> {
        while let Some(frame) = frame::take(input)? {
            if let Some(asked) = self.read(&frame)? {
                return Ok(Some(asked));
            }
            if self.output.len() > MAX_OUTPUT_LEN {
                return Err(RpcError::TooManyQuestions);
            }
        }
        Ok(None)
    }

    /// What is to be written to the connector now.
    pub(crate) fn take_output(&mut self) -> Bytes {
        self.output.split().freeze()
    }

    /// Says that streams may be opened on the connection from now on.
    pub(crate) fn registered(&mut self, question: Question, details: &Details) {
        self.answer(question, |content| {
            let response = content.init_as::<register_results::Builder<'_>>().init_result();
            details.write(response.init_result().init_connection_details());
        });
    }

    /// Says that the connection is not registered; it is to be closed after this (B3, 4).
    pub(crate) fn rejected(&mut self, question: Question, cause: &str, should_retry: bool) {
        self.answer(question, |content| {
            let response = content.init_as::<register_results::Builder<'_>>().init_result();
            let mut error = response.init_result().init_error();
            error.set_should_retry(should_retry);
            error.set_cause(cause);
        });
    }

    /// Says that what was asked is done.
    pub(crate) fn done(&mut self, question: Question) {
        self.answer(question, |content| {
            content.init_as::<nothing::Builder<'_>>();
        });
    }

    fn read(&mut self, frame: &Frame) -> Result<Option<Asked>, RpcError> {
        let reader = frame.reader()?;
        let message: message::Reader<'_> = reader.get_root()?;
        let Ok(kind) = message.which() else {
            self.unimplemented(|_empty| ());
            return Ok(None);
        };
        match kind {
            message::Bootstrap(asked) => self.bootstrap(asked?.get_question_id())?,
            message::Call(call) => return self.call(call?),
            message::Finish(finish) => self.finish(finish?.get_question_id()),
            message::Abort(reason) => {
                return Ok(Some(Asked::Aborted(shown(reason?.get_reason()?))));
            }
            message::Return(_) => return Err(RpcError::Order),
            // The one capability lives as long as the connection, and no call goes the other way.
            message::Release(_)
            | message::Resolve(_)
            | message::Disembargo(_)
            | message::Unimplemented(_) => {}
            message::Provide(asked) => {
                let id = asked?.get_question_id();
                self.unimplemented(|echo| echo.init_provide().set_question_id(id));
            }
            message::Accept(asked) => {
                let id = asked?.get_question_id();
                self.unimplemented(|echo| echo.init_accept().set_question_id(id));
            }
            message::Join(asked) => {
                let id = asked?.get_question_id();
                self.unimplemented(|echo| echo.init_join().set_question_id(id));
            }
            message::ObsoleteSave(_) | message::ObsoleteDelete(_) => {
                self.unimplemented(|_empty| ());
            }
        }
        Ok(None)
    }

    /// Answers with the capability of the registration interface, which is export 0.
    ///
    /// Written by hand: the schema compiler's types for a capability want a whole RPC system.
    fn bootstrap(&mut self, id: u32) -> Result<(), RpcError> {
        self.open(id, Stage::Bootstrapped)?;
        self.is_exported = true;
        self.output.put_slice(&BOOTSTRAP_RETURN_HEAD);
        self.output.put_u32_le(id);
        self.output.put_slice(&BOOTSTRAP_RETURN_TAIL);
        Ok(())
    }

    fn call(&mut self, call: call::Reader<'_>) -> Result<Option<Asked>, RpcError> {
        let id = call.get_question_id();
        self.open(id, Stage::Asked)?;
        let question = Question(id);
        let refusal = if !self.is_for_us(call.get_target()?)? {
            "there is no such capability"
        } else if call.get_interface_id() != REGISTRATION_INTERFACE {
            "the interface is not implemented"
        } else if !matches!(
            call.get_send_results_to().which(),
            Ok(call::send_results_to::Caller(()))
        ) {
            "results are sent to the caller only"
        } else {
            let params = call.get_params()?;
            match call.get_method_id() {
                REGISTER_METHOD => {
                    let params = content::<register_params::Reader<'_>>(params)?;
                    let register = Box::new(Register::read(params)?);
                    return Ok(Some(Asked::Register(question, register)));
                }
                UNREGISTER_METHOD => return Ok(Some(Asked::Unregister(question))),
                CONFIGURE_METHOD => {
                    let config = content::<configure_params::Reader<'_>>(params)?.get_config()?;
                    if config.len() > MAX_CONFIGURATION_LEN {
                        return Err(RpcError::Length("configuration"));
                    }
                    let config = Bytes::copy_from_slice(config);
                    return Ok(Some(Asked::LocalConfiguration(question, config)));
                }
                _ => "the method is not implemented",
            }
        };
        self.refuse(question, refusal);
        Ok(None)
    }

    /// Is this the registration interface, by its number or as the answer still to come?
    fn is_for_us(&self, target: message_target::Reader<'_>) -> Result<bool, RpcError> {
        Ok(match target.which() {
            Ok(message_target::ImportedCap(export)) => export == EXPORT && self.is_exported,
            Ok(message_target::PromisedAnswer(answer)) => {
                let answer = answer?;
                let of = answer.get_question_id();
                let is_bootstrap =
                    |open: &Open| open.id == of && matches!(open.stage, Stage::Bootstrapped);
                self.open.iter().any(is_bootstrap) && is_whole(answer)?
            }
            Err(_unknown) => false,
        })
    }

    fn open(&mut self, id: u32, stage: Stage) -> Result<(), RpcError> {
        if self.open.iter().any(|open| open.id == id) {
            return Err(RpcError::Order);
        }
        if self.open.len() >= MAX_QUESTIONS {
            return Err(RpcError::TooManyQuestions);
        }
        self.open.push(Open { id, stage });
        Ok(())
    }

    /// The connector will not refer to the question again; it may have lost interest before the
    /// answer, which is owed to it nevertheless.
    fn finish(&mut self, id: u32) {
        self.open.retain_mut(|open| {
            if open.id != id {
                return true;
            }
            let is_owed = matches!(open.stage, Stage::Asked | Stage::Abandoned);
            open.stage = Stage::Abandoned;
            is_owed
        });
    }

    fn answer(&mut self, question: Question, fill: impl FnOnce(capnp::any_pointer::Builder<'_>)) {
        self.respond(question, |answer| fill(answer.init_results().init_content()));
    }

    fn refuse(&mut self, question: Question, reason: &str) {
        self.respond(question, |answer| {
            let mut exception = answer.init_exception();
            exception.set_type(exception::Type::Unimplemented);
            exception.set_reason(reason);
        });
    }

    fn respond(&mut self, question: Question, fill: impl FnOnce(return_::Builder<'_>)) {
        let Question(id) = question;
        frame::append(&mut self.output, |message| {
            let mut answer = message.init_return();
            answer.set_answer_id(id);
            answer.set_release_param_caps(false);
            fill(answer);
        });
        self.open.retain_mut(|open| {
            if open.id != id {
                return true;
            }
            let is_abandoned = matches!(open.stage, Stage::Abandoned);
            open.stage = Stage::Returned;
            !is_abandoned
        });
    }

    /// Hands a message back, as little of it as tells the sender which it was.
    fn unimplemented(&mut self, fill: impl FnOnce(message::Builder<'_>)) {
        frame::append(&mut self.output, |message| fill(message.init_unimplemented()));
    }
}

/// A question that the connector may still refer to.
#[derive(Debug)]
struct Open {
    id: u32,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Answered at once with the capability.
    Bootstrapped,
    /// The holder of the [`Question`] owes the answer.
    Asked,
    /// The same, but the connector does not care any more.
    Abandoned,
    Returned,
}

/// The content of a call's parameters.
fn content<'a, T: capnp::traits::FromPointerReader<'a>>(
    params: payload::Reader<'a>,
) -> Result<T, RpcError> {
    Ok(params.get_content().get_as()?)
}

/// Is the answer itself meant, and not something inside it?
fn is_whole(answer: promised_answer::Reader<'_>) -> Result<bool, RpcError> {
    use promised_answer::op;
    let steps = answer.get_transform()?;
    Ok(steps.len() <= MAX_STEPS
        && steps.iter().all(|step| matches!(step.which(), Ok(op::Noop(())))))
}

/// The number of the one capability that the edge offers.
const EXPORT: u32 = 0;
/// Questions not yet answered and finished. Known connectors have two at a time.
const MAX_QUESTIONS: usize = 16;
/// Steps into an answer, all of which lead nowhere.
const MAX_STEPS: u32 = 4;
/// Output that waits to be written while the connector goes on asking.
const MAX_OUTPUT_LEN: usize = 64 * 1024;

/// `Return(results{content = capability 0, capTable = [senderHosted 0]})` up to the answer's id.
const BOOTSTRAP_RETURN_HEAD: [u8; 32] = [
    0, 0, 0, 0, 11, 0, 0, 0, // One segment of eleven words.
    0, 0, 0, 0, 1, 0, 1, 0, // The message: one word of data, one pointer.
    3, 0, 0, 0, 0, 0, 0, 0, // It is a Return.
    0, 0, 0, 0, 2, 0, 1, 0, // The Return: two words of data, one pointer.
];
/// The same from behind the answer's id.
const BOOTSTRAP_RETURN_TAIL: [u8; 60] = [
    1, 0, 0, 0, // No parameters to release; it is results.
    0, 0, 0, 0, 0, 0, 0, 0, //
    0, 0, 0, 0, 0, 0, 2, 0, // The payload: two pointers.
    3, 0, 0, 0, 0, 0, 0, 0, // The content: capability 0 of the table.
    1, 0, 0, 0, 0x17, 0, 0, 0, // The table: a list of structs, two words.
    4, 0, 0, 0, 1, 0, 1, 0, // One struct: one word of data, one pointer.
    1, 0, 0, 0, 0, 0, 0, 0, // Hosted by the sender, as export 0.
    0, 0, 0, 0, 0, 0, 0, 0, //
];
