//! Fields and pointers that are not what they should be, and bytes that are nothing.

use bytes::{BufMut as _, BytesMut};
use proptest::prelude::*;

use super::{
    super::{
        Client, RpcError, Server,
        frame::MAX_CONFIGURATION_LEN,
        tunnelrpc_capnp::{self, configure_params, register_params, register_results},
    },
    messages::{bootstrap, call, finish, offered, register, returned, wire},
};
use crate::fuzzing;

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
