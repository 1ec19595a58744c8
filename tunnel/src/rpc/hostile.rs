//! Peers that break the protocol, on purpose or not: nothing panics, nothing grows without bound.

use bytes::{BufMut as _, BytesMut};
use capnp_rpc::rpc_capnp::{call, message, return_};
use proptest::prelude::*;

use super::{
    frame::{self, MAX_CONFIGURATION_LEN},
    tests::{registered, registration},
    tunnelrpc_capnp::{
        REGISTRATION_INTERFACE, configure_params, nothing, register_params, register_results,
    },
    *,
};
use crate::fuzzing;

fn wire(fill: impl FnOnce(message::Builder<'_>)) -> BytesMut {
    let mut wire = BytesMut::new();
    frame::append(&mut wire, fill);
    wire
}

fn bootstrap(id: u32) -> BytesMut {
    wire(|message| message.init_bootstrap().set_question_id(id))
}

fn finish(id: u32) -> BytesMut {
    wire(|message| message.init_finish().set_question_id(id))
}

/// A call of `unregister` on export 0, changed by `change`.
fn call(id: u32, change: impl FnOnce(call::Builder<'_>)) -> BytesMut {
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
fn register(change: impl FnOnce(register_params::Builder<'_>)) -> BytesMut {
    call(1, |mut call| {
        call.set_method_id(0);
        let mut params =
            call.init_params().init_content().init_as::<register_params::Builder<'_>>();
        registration().write(params.reborrow());
        change(params);
    })
}

fn returned(id: u32, fill: impl FnOnce(return_::Builder<'_>)) -> BytesMut {
    wire(|message| {
        let mut answer = message.init_return();
        answer.set_answer_id(id);
        fill(answer);
    })
}

/// A server that has offered its interface as the answer to question 0.
fn offered() -> Server {
    let mut server = Server::new();
    assert!(server.next(&mut bootstrap(0)).expect("valid").is_none());
    let _offer = server.take_output();
    server
}

/// What kind of message is at the front, and for a Return of an exception its type and reason.
fn said(mut output: BytesMut) -> Vec<String> {
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

#[test]
fn a_call_of_what_is_not_there_gets_an_exception() {
    let promised = |question: u32| {
        move |call: call::Builder<'_>| {
            call.init_target().init_promised_answer().set_question_id(question);
        }
    };
    let inside = |call: call::Builder<'_>| {
        let answer = call.init_target().init_promised_answer();
        answer.init_transform(1).get(0).set_get_pointer_field(0);
    };
    for (name, mut input) in [
        ("interface", call(5, |mut call| call.set_interface_id(0xEA58_385C_6541_6035))),
        ("method", call(5, |mut call| call.set_method_id(3))),
        ("export", call(5, |call| call.init_target().set_imported_cap(1))),
        ("another answer", call(5, promised(4))),
        ("its own answer", call(5, promised(5))),
        ("something inside the answer", call(5, inside)),
        ("results elsewhere", call(5, |call| call.init_send_results_to().set_yourself(()))),
    ] {
        let mut server = offered();
        assert!(server.next(&mut input).expect(name).is_none(), "{name}");
        let output = BytesMut::from(server.take_output());
        assert_eq!(said(output), ["return 5 Unimplemented"], "{name}");
    }
}

#[test]
fn nothing_is_called_before_the_interface_was_asked_for() {
    let mut server = Server::new();
    assert!(server.next(&mut call(5, |_as_is| ())).expect("refused").is_none());
    assert_eq!(said(server.take_output().into()), ["return 5 Unimplemented"]);
}

#[test]
fn a_call_may_find_the_interface_by_its_number_or_by_the_question() {
    let by_question = |call: call::Builder<'_>| {
        let answer = call.init_target().init_promised_answer();
        answer.init_transform(1).get(0).set_noop(());
    };
    for mut input in [call(5, |_as_is| ()), call(5, by_question)] {
        let asked = offered().next(&mut input).expect("valid");
        assert!(matches!(asked, Some(Asked::Unregister(_))), "{asked:?}");
    }
    // The question is forgotten with its Finish, the interface is not.
    let mut server = offered();
    assert!(server.next(&mut finish(0)).expect("valid").is_none());
    assert!(server.next(&mut call(5, by_question)).expect("valid").is_none());
    assert_eq!(said(server.take_output().into()), ["return 5 Unimplemented"]);
    let asked = server.next(&mut call(6, |_as_is| ())).expect("valid");
    assert!(matches!(asked, Some(Asked::Unregister(_))), "{asked:?}");
}

#[test]
fn fields_of_a_wrong_length_are_refused() {
    let long = "x".repeat(129);
    let bytes = [0; 1025];
    for (name, mut input) in [
        ("tunnel id", register(|mut params| params.set_tunnel_id(&bytes[..15]))),
        ("tunnel id", register(|mut params| params.set_tunnel_id(&bytes[..17]))),
        ("tunnel id", register(|mut params| params.set_tunnel_id(&[]))),
        ("tunnel secret", register(|params| params.init_auth().set_tunnel_secret(&bytes))),
        ("account tag", register(|params| params.init_auth().set_account_tag(&long))),
        ("connector id", register(|params| params.init_options().init_client().set_version(""))),
        ("connector id", register(|params| params.init_options().set_replace_existing(true))),
        (
            "address",
            register(|params| {
                params.get_options().expect("set").set_origin_local_ip(&bytes[..5]);
            }),
        ),
        ("version", register(|params| client(params).set_version(&long))),
        ("architecture", register(|params| client(params).set_arch(&long))),
        (
            "list of features",
            register(|params| {
                client(params).init_features(65);
            }),
        ),
        (
            "list of features",
            register(|params| {
                client(params).init_features(8000);
            }),
        ),
        ("feature", register(|params| client(params).init_features(1).set(0, &long))),
        (
            "configuration",
            call(1, |mut call| {
                call.set_method_id(2);
                let params = call.init_params().init_content();
                let mut params = params.init_as::<configure_params::Builder<'_>>();
                params.set_config(&vec![0; MAX_CONFIGURATION_LEN + 1]);
            }),
        ),
    ] {
        let refused = offered().next(&mut input);
        assert!(matches!(refused, Err(RpcError::Length(field)) if field == name), "{refused:?}");
    }
}

fn client(params: register_params::Builder<'_>) -> tunnelrpc_capnp::client_info::Builder<'_> {
    params.get_options().expect("set").get_client().expect("set")
}

#[test]
fn pointers_that_lead_nowhere_are_refused() {
    let table = |words: &[u64]| {
        let mut wire = BytesMut::new();
        wire.put_u32_le(0);
        wire.put_u32_le(u32::try_from(words.len()).expect("few"));
        words.iter().for_each(|word| wire.put_u64_le(*word));
        wire
    };
    // A message whose kind is in the second word and whose body is what the third points to.
    let message = |kind: u64, body: &[u64]| {
        let mut words = vec![0x0001_0001_0000_0000, kind];
        words.extend(body);
        table(&words)
    };
    for (name, input) in [
        ("no words", table(&[])),
        ("a root out of bounds", table(&[0x0001_0001_0000_0040])),
        ("a root before the message", table(&[0x0001_0001_FFFF_FFF8])),
        ("a root that is a list", table(&[0x0000_0082_0000_0001, 0, 0])),
        ("a far pointer to no segment", table(&[0x0000_0007_0000_0002])),
        ("a far pointer out of bounds", table(&[0x0000_0000_7FFF_FFFA])),
        ("a far pointer to itself", table(&[0x0000_0000_0000_0002])),
        ("a double far pointer out of bounds", table(&[0x0000_0000_7FFF_FFFE])),
        ("an unknown kind of pointer", table(&[0x0000_0001_0000_0003])),
        ("a call out of bounds", message(2, &[0x0003_0003_0000_0400])),
        ("a call that is itself", message(2, &[0x0003_0003_FFFF_FFF8, 0])),
        (
            "a reason longer than the message",
            message(1, &[0x0001_0001_0000_0000, 0, 0xFFFF_FFFA_0000_0001]),
        ),
        (
            "a reason without end",
            message(1, &[0x0001_0001_0000_0000, 0, 0x0000_000A_0000_0001, 0x78]),
        ),
    ] {
        let refused = Server::new().next(&mut input.clone());
        assert!(refused.is_err(), "{name}: {refused:?}");
        assert!(Client::new().next(&mut input.clone()).is_err(), "{name}");
    }
}

#[test]
fn a_list_of_half_a_billion_empty_structs_costs_nothing() {
    // A call whose target's transform is a list of 2^29 - 1 structs without fields.
    let mut input = call(5, |call| {
        let mut answer = call.init_target().init_promised_answer();
        answer.reborrow().init_transform(1);
    });
    let tag = [4, 0, 0, 0, 1, 0, 0, 0];
    let place = input.windows(8).rposition(|word| word == tag).expect("the list's tag");
    input[place..place + 8].copy_from_slice(&[0xFC, 0xFF, 0xFF, 0x7F, 0, 0, 0, 0]);
    let mut server = offered();
    let outcome = server.next(&mut input);
    assert!(!matches!(outcome, Ok(Some(_))), "{outcome:?}");
}

#[test]
fn an_unknown_kind_of_message_is_handed_back() {
    for kind in [7_u8, 9, 10, 11, 12, 14, 200] {
        let mut input = bootstrap(0);
        input[16] = kind;
        let mut server = Server::new();
        assert!(server.next(&mut input).expect("tolerated").is_none());
        assert_eq!(said(server.take_output().into()), ["unimplemented"], "{kind}");
    }
}

#[test]
fn what_needs_no_answer_gets_none() {
    let mut server = offered();
    for mut input in [
        finish(77),
        wire(|message| message.init_release().set_reference_count(3)),
        wire(|message| message.init_resolve().set_promise_id(1)),
        wire(|message| message.init_disembargo().init_context().set_sender_loopback(1)),
        wire(|message| {
            message.init_unimplemented();
        }),
    ] {
        assert!(server.next(&mut input).expect("tolerated").is_none());
    }
    assert_eq!(said(server.take_output().into()), [""; 0]);
}

#[test]
fn questions_and_answers_out_of_order_are_refused() {
    let mut again = offered();
    assert!(matches!(again.next(&mut bootstrap(0)), Err(RpcError::Order)), "id in use");
    let mut unasked = offered();
    let refused = unasked.next(&mut returned(0, |answer| {
        answer.init_results();
    }));
    assert!(matches!(refused, Err(RpcError::Order)), "an answer to no question");
    let (mut client, _server) = registered();
    let refused = client.next(&mut returned(0, |answer| {
        answer.init_results();
    }));
    assert!(matches!(refused, Err(RpcError::Order)), "an answer to no question");
}

#[test]
fn a_question_finished_early_is_answered_and_forgotten() {
    let mut server = offered();
    let Ok(Some(Asked::Unregister(question))) = server.next(&mut call(1, |_as_is| ())) else {
        panic!("it is a call of unregister")
    };
    assert!(server.next(&mut finish(1)).expect("valid").is_none());
    let refused = server.next(&mut call(1, |_as_is| ()));
    assert!(matches!(refused, Err(RpcError::Order)), "the answer is owed");
    server.done(question);
    assert_eq!(said(server.take_output().into()), ["return 1"]);
    assert!(matches!(server.next(&mut call(1, |_as_is| ())), Ok(Some(Asked::Unregister(_)))));
}

#[test]
fn open_questions_are_bounded_and_so_is_what_waits_to_be_written() {
    let mut server = Server::new();
    let mut input: BytesMut = (0..17).flat_map(bootstrap).collect();
    assert!(matches!(server.next(&mut input), Err(RpcError::TooManyQuestions)));

    let mut server = Server::new();
    let mut input: BytesMut =
        (0..2000).flat_map(|id| [bootstrap(id), finish(id)]).flatten().collect();
    assert!(matches!(server.next(&mut input), Err(RpcError::TooManyQuestions)));

    let mut client = Client::new();
    let mut input: BytesMut = (0..2000).flat_map(bootstrap).collect();
    assert!(matches!(client.next(&mut input), Err(RpcError::TooManyQuestions)));
}

#[test]
fn a_connector_understands_what_an_edge_may_answer_instead() {
    let asking = || {
        let mut client = Client::new();
        client.register(&registration());
        client
    };
    let failed = returned(1, |answer| answer.init_exception().set_reason("no such method"));
    let aborted = wire(|message| message.init_abort().set_reason("x".repeat(5000)));
    let unknown = wire(|message| {
        message.init_unimplemented().init_call().set_question_id(1);
    });
    for (mut input, answered) in [
        (failed, Answered::Failed("no such method".to_owned())),
        (aborted, Answered::Aborted("x".repeat(1024))),
        (unknown, Answered::Failed("not implemented".to_owned())),
    ] {
        assert_eq!(asking().next(&mut input).expect("valid"), Some(answered));
    }
    let no_interface = returned(0, |answer| {
        answer.init_results();
    });
    let short_uuid = returned(1, |answer| {
        let results = answer.init_results().init_content();
        let response = results.init_as::<register_results::Builder<'_>>().init_result();
        response.init_result().init_connection_details().set_uuid(&[0; 15]);
    });
    let canceled = returned(1, |mut answer| answer.set_canceled(()));
    for mut input in [no_interface, short_uuid, canceled] {
        assert!(asking().next(&mut input).is_err());
    }
}

/// Valid messages with some bytes overwritten, so that more than the frame is looked at.
fn damaged() -> impl Strategy<Value = BytesMut> {
    let whole = prop_oneof![
        Just(register(|_as_is| ())),
        Just(call(1, |_as_is| ())),
        Just(bootstrap(3)),
        Just(finish(0)),
        Just(returned(1, |answer| answer.init_exception().set_reason("why"))),
        Just(returned(1, |answer| {
            let results = answer.init_results().init_content();
            let response = results.init_as::<register_results::Builder<'_>>().init_result();
            response.init_result().init_connection_details().set_uuid(&[0; 16]);
        })),
        Just(wire(|message| message.init_abort().set_reason("why"))),
    ];
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    (whole, damage).prop_map(|(mut wire, damage)| {
        for (place, byte) in damage {
            let place = place.index(wire.len());
            wire[place] = byte;
        }
        wire
    })
}

proptest! {
    #[test]
    fn no_bytes_harm_either_end(
        input in proptest::collection::vec(any::<u8>(), 0..2000), cut in 1..300_usize,
    ) {
        fuzzing::rpc(&input, cut);
    }

    #[test]
    fn no_damage_to_messages_harms_either_end(
        messages in proptest::collection::vec(damaged(), 1..6), cut in 1..600_usize,
    ) {
        fuzzing::rpc(&messages.concat(), cut);
    }
}
