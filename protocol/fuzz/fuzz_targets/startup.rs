//! The first packet of a connection, from anyone who can reach the port.
//!
//! Nothing panics, no packet is longer than the limit, one that is not complete is never taken for
//! one that is, and what follows a packet does not change it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::postgres::startup::{
    FirstPacket, MAX_STARTUP_BYTES, PROTOCOL_3_0, PROTOCOL_3_2, first_packet,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some((packet, used))) = first_packet(bytes) else { return };
    assert!((8..=MAX_STARTUP_BYTES).contains(&used) && used <= bytes.len());
    for cut in 0..used {
        assert_eq!(first_packet(&bytes[..cut]), Ok(None), "{cut} of {used} bytes");
    }
    match &packet {
        FirstPacket::Ssl | FirstPacket::GssEnc => assert_eq!(used, 8),
        FirstPacket::Cancel { secret, .. } => assert!((4..=256).contains(&secret.len())),
        FirstPacket::OtherVersion(version) => assert_ne!(version >> 16, 3),
        FirstPacket::Startup(startup) => {
            assert_eq!(startup.version >> 16, 3);
            let (version, _told) = startup.negotiated();
            assert!(version == PROTOCOL_3_0 || version == PROTOCOL_3_2);
            assert!(!startup.parameters.contains_key(""));
            let held: usize = startup.parameters.iter().map(|(k, v)| k.len() + v.len()).sum();
            assert!(held < used);
        }
    }
    assert_eq!(first_packet(&bytes[..used]), Ok(Some((packet, used))));
});
