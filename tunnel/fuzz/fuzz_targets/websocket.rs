//! WebSocket frames from a peer, to both roles.
//!
//! Nothing panics, there is no more data than bytes, and what a frame means does not depend on how the bytes
//! were cut.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| tunnel::fuzzing::websocket(input.1, input.0.into()));
