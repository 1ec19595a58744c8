//! The packets of a MySQL login, from anyone who can reach the port, or from whatever calls itself an origin.
//!
//! Nothing panics, no field is longer than the packet, and what is written again is read as the same.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use protocol::mysql::{
    auth,
    capabilities::CapabilityFlags,
    handshake::{
        AuthSwitch, ChangeUser, Greeting, HandshakeResponse, attributes, auth_more_data,
        ssl_request,
    },
};

fuzz_target!(|input: (u32, &[u8])| {
    let (offered, bytes) = input;
    let offered = CapabilityFlags::from_bits_retain(offered);
    greeting(bytes);
    response(bytes, offered);
    change_user(bytes, offered);
    switch(bytes);
    if let Some(capabilities) = ssl_request(bytes) {
        assert!(bytes.len() == 32 && capabilities.contains(CapabilityFlags::CLIENT_SSL));
    }
    if let Some(data) = auth_more_data(bytes) {
        assert_eq!(data.len() + 1, bytes.len());
    }
    let pairs: Vec<_> = attributes(bytes).collect();
    let held: usize = pairs.iter().flatten().map(|(name, value)| name.len() + value.len()).sum();
    assert!(pairs.len() <= bytes.len() && held <= bytes.len());
});

fn greeting(bytes: &[u8]) {
    let Ok(greeting) = Greeting::decode(bytes) else { return };
    assert!(greeting.version.len() + greeting.plugin.len() < bytes.len());
    let mut out = BytesMut::new();
    greeting.encode(&mut out);
    assert_eq!(Greeting::decode(&out), Ok(greeting));
}

fn response(bytes: &[u8], offered: CapabilityFlags) {
    let Ok(response) = HandshakeResponse::decode(bytes, offered) else { return };
    assert!(offered.contains(response.capabilities));
    let database = response.database.unwrap_or_default();
    let plugin = response.plugin.unwrap_or_default();
    let held = response.user.len() + response.auth.len() + database.len() + plugin.len();
    assert!(held + response.attributes.len() <= bytes.len());
    proof(response.auth);
    let mut out = BytesMut::new();
    response.encode(&mut out);
    assert_eq!(HandshakeResponse::decode(&out, offered), Ok(response));
}

fn change_user(bytes: &[u8], capabilities: CapabilityFlags) {
    let Ok(change) = ChangeUser::decode(bytes, capabilities) else { return };
    proof(change.auth);
    let mut out = BytesMut::new();
    change.encode(capabilities, &mut out);
    assert_eq!(ChangeUser::decode(&out[1..], capabilities), Ok(change));
}

fn switch(bytes: &[u8]) {
    let Ok(switch) = AuthSwitch::decode(bytes) else { return };
    assert_eq!(switch.scramble().is_ok(), switch.data.len() == 20);
    let mut out = BytesMut::new();
    switch.encode(&mut out);
    assert_eq!(AuthSwitch::decode(&out), Ok(switch));
}

fn proof(response: &[u8]) {
    let nonce = b"a nonce of twenty by";
    assert!(!auth::verify_native(&auth::native_stored(b"secret"), nonce, response));
    assert!(!auth::verify_sha2(&auth::sha2_stored(b"secret"), nonce, response));
}
