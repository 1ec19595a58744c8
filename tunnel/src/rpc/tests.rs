//! The bytes of the registration, and both ends against each other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut as _, Bytes, BytesMut};
use proptest::prelude::*;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::frame::MAX_CONFIGURATION_LEN;
use super::*;
use crate::token::TunnelId;

const FEATURES: [&str; 5] = [
    "allow_remote_config",
    "serialized_headers",
    "support_datagram_v2",
    "support_quic_eof",
    "management_logs",
];

pub(super) fn registration() -> Register {
    Register {
        account_tag: "0123456789abcdef0123456789abcdef".to_owned(),
        secret: Zeroizing::new(b"hunter2, the secret of a tunnel.".to_vec()),
        tunnel: TunnelId::from_bytes([0x11; 16]),
        conn_index: 3,
        connector: Uuid::from_bytes([0x22; 16]),
        features: FEATURES.map(str::to_owned).to_vec(),
        version: "2026.8.2".to_owned(),
        arch: "linux_amd64".to_owned(),
        origin_local_ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        replace_existing: true,
        compression_quality: 2,
        num_previous_attempts: 9,
    }
}

fn details() -> Details {
    Details {
        uuid: Uuid::from_bytes(*b"0123456789abcdef"),
        location: "jumpgate".to_owned(),
        is_remotely_managed: true,
    }
}

/// Bytes from hexadecimal words with whatever space between them.
fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    hex::decode(digits).expect("hexadecimal")
}

/// What a connector asks first, as bytes; the second is a call on the answer to the first.
fn opening() -> (Client, BytesMut) {
    let mut client = Client::new();
    client.register(&registration());
    let wire = BytesMut::from(client.take_output());
    (client, wire)
}

/// A server that has been asked to register with question 1.
fn asked() -> (Server, Question, Box<Register>) {
    let (_client, mut wire) = opening();
    let mut server = Server::new();
    let asked = server.next(&mut wire).expect("valid").expect("complete");
    let Asked::Register(question, register) = asked else { panic!("{asked:?}") };
    assert!(wire.is_empty());
    (server, question, register)
}

/// Carries what `server` says to `client` and gives the answers.
fn answers(server: &mut Server, client: &mut Client) -> Vec<Answered> {
    let mut wire = BytesMut::from(server.take_output());
    let mut answers = Vec::new();
    while let Some(answered) = client.next(&mut wire).expect("valid") {
        answers.push(answered);
    }
    assert!(wire.is_empty());
    answers
}

/// Carries what `client` says to `server` and gives the questions.
fn questions(client: &mut Client, server: &mut Server) -> Vec<Asked> {
    let mut wire = BytesMut::from(client.take_output());
    let mut questions = Vec::new();
    while let Some(asked) = server.next(&mut wire).expect("valid") {
        questions.push(asked);
    }
    assert!(wire.is_empty());
    questions
}

#[test]
fn the_edge_answers_with_the_bytes_that_cloudflared_takes() {
    let (mut server, question, _register) = asked();
    let bootstrapped = hex("00000000 0b000000  00000000 01000100  03000000 00000000
         00000000 02000100  00000000 01000000  00000000 00000000
         00000000 00000200  03000000 00000000  01000000 17000000  04000000 01000100
         01000000 00000000  00000000 00000000");
    assert_eq!(bootstrapped.len(), 96);
    assert_eq!(server.take_output(), bootstrapped);

    server.registered(question, &details());
    let registered = hex("00000000 12000000  00000000 01000100  03000000 00000000
         00000000 02000100  01000000 01000000  00000000 00000000
         00000000 00000200  04000000 00000100  00000000 00000000
         00000000 01000100  01000000 00000000
         00000000 01000200  01000000 00000000  05000000 82000000  09000000 4a000000
         30313233 34353637  38396162 63646566  6a756d70 67617465  00000000 00000000");
    assert_eq!(server.take_output(), registered);
}

#[test]
fn the_edge_says_that_it_is_done_with_an_empty_struct() {
    let (mut client, mut server) = registered();
    client.update_local_configuration(b"{}").expect("short");
    let mut asked = questions(&mut client, &mut server);
    let Some(Asked::LocalConfiguration(question, json)) = asked.pop() else { panic!("{asked:?}") };
    assert_eq!(json, &b"{}"[..]);
    server.done(question);
    let done = hex("00000000 08000000  00000000 01000100  03000000 00000000
         00000000 02000100  01000000 01000000  00000000 00000000
         00000000 00000200  fcffffff 00000000  00000000 00000000");
    assert_eq!(server.take_output(), done);
}

#[test]
fn the_edge_rejects_in_the_other_half_of_the_union() {
    let (mut server, question, _register) = asked();
    let _bootstrapped = server.take_output();
    server.rejected(question, "EDUPCONN", true);
    let rejected = hex("00000000 10000000  00000000 01000100  03000000 00000000
         00000000 02000100  01000000 01000000  00000000 00000000
         00000000 00000200  04000000 00000100  00000000 00000000
         00000000 01000100  00000000 00000000
         00000000 02000100  00000000 00000000  01000000 00000000  01000000 4a000000
         45445550 434f4e4e  00000000 00000000");
    assert_eq!(server.take_output(), rejected);
}

#[test]
fn the_connector_asks_for_the_interface_and_calls_it_at_once() {
    let (_client, wire) = opening();
    let bootstrap = hex("00000000 05000000  00000000 01000100  08000000 00000000
         00000000 01000100  00000000 00000000  00000000 00000000");
    assert_eq!(bootstrap.len(), 48);
    assert_eq!(wire[..48], bootstrap);
    // The call: question 1, method 0, interface, results to the caller; then target and payload.
    let call = &wire[48..];
    assert_eq!(call[8..24], hex("00000000 01000100  02000000 00000000"));
    assert_eq!(
        call[24..56],
        hex("00000000 03000300  01000000 00000000  9754e87f ec9516f7
         00000000 00000000")
    );
    // The target: a promised answer, and it is that to question 0.
    assert_eq!(call[80..104], hex("00000000 01000000  00000000 01000100  00000000 00000000"));
}

#[test]
fn a_registration_comes_back_as_it_was_told() {
    let (_server, _question, register) = asked();
    assert_eq!(*register, registration());
    for address in [None, Some(IpAddr::V6(Ipv6Addr::LOCALHOST))] {
        let told = Register { origin_local_ip: address, features: vec![], ..registration() };
        let mut client = Client::new();
        client.register(&told);
        let asked = questions(&mut client, &mut Server::new()).pop();
        let Some(Asked::Register(_question, heard)) = asked else { panic!("{asked:?}") };
        assert_eq!(*heard, told);
    }
}

#[test]
fn the_secret_is_not_in_the_debug_text() {
    let mut client = Client::new();
    client.register(&registration());
    let text = format!("{:?} {:?} {client:?}", registration(), asked());
    assert!(!text.contains("hunter2") && !text.contains("104, 117"), "{text}");
    assert!(text.contains("linux_amd64"));
}

/// Both ends after a registration, with nothing under way.
pub(super) fn registered() -> (Client, Server) {
    let mut client = Client::new();
    let mut server = Server::new();
    client.register(&registration());
    let asked = questions(&mut client, &mut server).pop();
    let Some(Asked::Register(question, _register)) = asked else { panic!("{asked:?}") };
    server.registered(question, &details());
    assert_eq!(answers(&mut server, &mut client), [Answered::Registered(details())]);
    assert!(questions(&mut client, &mut server).is_empty(), "only two Finish");
    (client, server)
}

#[test]
fn a_connection_lives_from_its_registration_to_its_farewell() {
    let (mut client, mut server) = registered();
    for round in 0..40 {
        let json = format!("{{\"round\":{round}}}");
        client.update_local_configuration(json.as_bytes()).expect("short");
        let asked = questions(&mut client, &mut server).pop();
        let Some(Asked::LocalConfiguration(question, heard)) = asked else { panic!("{asked:?}") };
        assert_eq!(heard, json);
        server.done(question);
        assert_eq!(answers(&mut server, &mut client), [Answered::Configured]);
    }
    client.unregister();
    let asked = questions(&mut client, &mut server).pop();
    let Some(Asked::Unregister(question)) = asked else { panic!("{asked:?}") };
    server.done(question);
    assert_eq!(answers(&mut server, &mut client), [Answered::Unregistered]);
    let last = questions(&mut client, &mut server).pop();
    let Some(Asked::Aborted(reason)) = last else { panic!("{last:?}") };
    assert_eq!(reason, "rpc: shutdown");
    client.unregister();
    assert_eq!(client.take_output(), Bytes::new(), "the interface is given back");
}

#[test]
fn the_farewell_is_finish_release_and_abort() {
    let (mut client, mut server) = registered();
    client.unregister();
    let asked = questions(&mut client, &mut server).pop();
    let Some(Asked::Unregister(question)) = asked else { panic!("{asked:?}") };
    server.done(question);
    assert_eq!(answers(&mut server, &mut client), [Answered::Unregistered]);
    let head = "00000000 01000100";
    let finish = hex(&format!(
        "00000000 04000000 {head} 04000000 00000000 00000000 01000000
         01000000 01000000"
    ));
    let release = hex(&format!(
        "00000000 04000000 {head} 06000000 00000000 00000000 01000000
         00000000 01000000"
    ));
    let wire = client.take_output();
    assert_eq!(wire[..40], finish, "of question 1, releaseResultCaps false");
    assert_eq!(wire[40..80], release, "of import 0, one reference");
    assert_eq!(wire[88..104], hex(&format!("{head} 01000000 00000000")), "and an Abort");
}

#[test]
fn a_farewell_answered_first_is_the_last_word() {
    let (mut client, mut wire) = opening();
    client.unregister();
    wire.extend_from_slice(&client.take_output());
    let mut server = Server::new();
    let mut says = Vec::new();
    while let Some(asked) = server.next(&mut wire).expect("valid") {
        let bootstrapped_or_nothing = server.take_output();
        match asked {
            Asked::Unregister(question) => server.done(question),
            asked => assert!(matches!(asked, Asked::Register(..)), "{asked:?}"),
        }
        says.push(bootstrapped_or_nothing);
    }
    assert_eq!(answers(&mut server, &mut client), [Answered::Unregistered]);
    let mut late = BytesMut::from(says.concat().as_slice());
    assert_eq!(client.next(&mut late).expect("valid"), None);
    let _last = client.take_output();
    client.unregister();
    assert_eq!(client.take_output(), Bytes::new(), "the interface stays released");
}

#[test]
fn a_rejection_arrives_with_its_words() {
    let (mut client, mut wire) = opening();
    let mut server = Server::new();
    let asked = server.next(&mut wire).expect("valid");
    let Some(Asked::Register(question, _register)) = asked else { panic!("{asked:?}") };
    server.rejected(question, "Unauthorized: no", false);
    let rejected = Answered::Rejected { cause: "Unauthorized: no".to_owned(), should_retry: false };
    assert_eq!(answers(&mut server, &mut client), [rejected]);
}

#[test]
fn a_long_configuration_arrives_and_a_longer_one_is_not_sent() {
    let (mut client, mut server) = registered();
    let json = vec![b' '; MAX_CONFIGURATION_LEN];
    client.update_local_configuration(&json).expect("just short enough");
    let asked = questions(&mut client, &mut server).pop();
    assert!(matches!(asked, Some(Asked::LocalConfiguration(_, heard)) if heard == json));
    let longer = client.update_local_configuration(&vec![b' '; MAX_CONFIGURATION_LEN + 1]);
    assert!(matches!(longer, Err(RpcError::Length("configuration"))));
}

#[test]
fn both_ends_understand_each_other_byte_by_byte() {
    let (mut client, wire) = opening();
    let mut server = Server::new();
    let mut input = BytesMut::new();
    let mut asked = Vec::new();
    for byte in wire {
        input.put_u8(byte);
        asked.extend(server.next(&mut input).expect("valid"));
    }
    let Some(Asked::Register(question, _register)) = asked.pop() else { panic!("{asked:?}") };
    server.registered(question, &details());
    let mut answered = Vec::new();
    for byte in server.take_output() {
        input.put_u8(byte);
        answered.extend(client.next(&mut input).expect("valid"));
    }
    assert_eq!(answered, [Answered::Registered(details())]);
}

/// A registration of any texts that an edge takes.
fn any_registration() -> impl Strategy<Value = Register> {
    let texts = ("[ -~]{0,128}", "\\PC{0,30}", "[a-z0-9_]{0,128}");
    let features = proptest::collection::vec("[a-z_0-9]{0,40}", 0..=64);
    let address = proptest::option::of(any::<Ipv6Addr>());
    let secret = proptest::collection::vec(any::<u8>(), 0..=1024);
    (texts, features, address, secret, any::<([u8; 16], [u8; 16], u8, bool, u8, u8)>()).prop_map(
        |((account_tag, version, arch), features, address, secret, rest)| {
            let (tunnel, connector, conn_index, replace_existing, quality, attempts) = rest;
            Register {
                account_tag,
                secret: Zeroizing::new(secret),
                tunnel: TunnelId::from_bytes(tunnel),
                conn_index,
                connector: Uuid::from_bytes(connector),
                features,
                version,
                arch,
                origin_local_ip: address.map(|address| IpAddr::V6(address).to_canonical()),
                replace_existing,
                compression_quality: quality,
                num_previous_attempts: attempts,
            }
        },
    )
}

proptest! {
    #[test]
    fn any_registration_comes_back_as_it_was_told(told in any_registration()) {
        let mut client = Client::new();
        client.register(&told);
        let asked = questions(&mut client, &mut Server::new()).pop();
        let Some(Asked::Register(_question, heard)) = asked else { panic!("{asked:?}") };
        prop_assert_eq!(*heard, told);
    }
}
