//! A door for `tunnel/fuzz` to what meets a peer's bytes first; for nothing else.
//!
//! Each function panics when a property does not hold.

use bytes::BytesMut;
use uuid::Uuid;

use crate::{
    rpc::{Asked, Client, Details, Register, Server},
    token::TunnelId,
    websocket::{Decoder, Event, FrameError, Role},
};

/// Both ends of the registration RPC hear the same bytes in pieces of `cut`: neither owes or says
/// more than its bounds, however often it is asked.
pub fn rpc(bytes: &[u8], cut: usize) {
    let (mut server, mut client) = (Server::new(), Client::new());
    client.register(&registration());
    let (mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new());
    let mut unanswered = 0;
    for piece in bytes.chunks(cut.max(1)) {
        to_server.extend_from_slice(piece);
        to_client.extend_from_slice(piece);
        while let Ok(Some(asked)) = server.next(&mut to_server) {
            unanswered += 1;
            match asked {
                Asked::Register(question, register) if register.replace_existing => {
                    server.registered(question, &details());
                }
                Asked::Register(question, _register) => server.rejected(question, "no", true),
                Asked::Unregister(question) => server.done(question),
                Asked::LocalConfiguration(question, _json) => drop(question),
                Asked::Aborted(_) => {}
            }
        }
        while let Ok(Some(_answered)) = client.next(&mut to_client) {}
        let said = server.take_output().len().max(client.take_output().len());
        assert!(said <= 128 * 1024 + 256 * unanswered, "{said} bytes");
    }
}

/// The meaning of a peer's frames does not depend on how their bytes were cut, and there is no
/// more data than bytes.
pub fn websocket(bytes: &[u8], cut: usize) {
    for role in [Role::Client, Role::Server] {
        let whole = decoded(role, bytes, bytes.len());
        assert!(whole.data.len() <= bytes.len());
        assert_eq!(whole, decoded(role, bytes, cut));
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Decoded {
    data: BytesMut,
    /// With the length of the data in front of it.
    control: Vec<(usize, Event)>,
    error: Option<FrameError>,
}

fn decoded(role: Role, bytes: &[u8], cut: usize) -> Decoded {
    let mut decoder = Decoder::new(role);
    let (mut decoded, mut input) = (Decoded::default(), BytesMut::new());
    for piece in bytes.chunks(cut.max(1)) {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(Event::Data(data))) => decoded.data.unsplit(data),
                Ok(Some(control)) => decoded.control.push((decoded.data.len(), control)),
                Ok(None) => break,
                Err(error) => return Decoded { error: Some(error), ..decoded },
            }
        }
    }
    decoded
}

fn registration() -> Register {
    Register {
        account_tag: "account".to_owned(),
        secret: vec![7; 32].into(),
        tunnel: TunnelId::from_bytes([1; 16]),
        conn_index: 0,
        connector: Uuid::from_bytes([2; 16]),
        features: vec!["feature".to_owned()],
        version: "1".to_owned(),
        arch: "linux".to_owned(),
        origin_local_ip: None,
        replace_existing: false,
        compression_quality: 0,
        num_previous_attempts: 0,
    }
}

fn details() -> Details {
    Details {
        uuid: Uuid::from_bytes([3; 16]),
        location: "here".to_owned(),
        is_remotely_managed: false,
    }
}
