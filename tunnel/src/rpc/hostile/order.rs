//! Calls of what is not there, and messages out of turn.

use bytes::BytesMut;
use capnp_rpc::rpc_capnp::call;

use super::{
    super::{
        Answered, Asked, Client, RpcError, Server,
        tests::{registered, registration},
        tunnelrpc_capnp::register_results,
    },
    messages::{bootstrap, call, finish, offered, returned, said, wire},
};

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
