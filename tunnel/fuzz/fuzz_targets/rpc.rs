//! Cap'n Proto on the control stream, from anyone who can reach an edge, or from whatever calls itself one.
//!
//! Neither end panics, nor owes or says more than its bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| tunnel::fuzzing::rpc(input.1, input.0.into()));
