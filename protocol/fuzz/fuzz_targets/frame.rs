//! Bytes from a peer after startup: headers, and every view of a body.
//!
//! Nothing panics, nothing is allocated beyond what the input holds, and where a frame ends does
//! not depend on how the bytes were cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::postgres::{
    frame::{BackendTag, FrontendTag, Header},
    message::{Bind, Execute, Parse, Target, error_field, parameter_status, query_text},
};

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some(header)) = Header::peek(rest) {
        for cut in 0..5 {
            assert_eq!(Header::peek(&rest[..cut]), Ok(None), "a header of {cut} bytes");
        }
        let Some(frame) = rest.get(..header.frame_len()) else { break };
        let body = &frame[5..];
        assert_eq!(body.len(), header.body_len);
        from_a_client(FrontendTag::from(header.tag), body);
        from_a_backend(BackendTag::from(header.tag), body);
        rest = &rest[header.frame_len()..];
    }
});

fn from_a_client(tag: FrontendTag, body: &[u8]) {
    match tag {
        FrontendTag::Parse => {
            if let Ok(parse) = Parse::decode(body) {
                // The strings' NULs are all that is not in a field.
                let fields = parse.name.len() + parse.query.len() + parse.types.len();
                assert_eq!(fields + 2, body.len());
            }
        }
        FrontendTag::Bind => bind(body),
        FrontendTag::Describe | FrontendTag::Close => {
            if let Ok(Target::Statement(name) | Target::Portal(name)) = Target::decode(body) {
                assert_eq!(name.len() + 2, body.len());
            }
        }
        FrontendTag::Execute => {
            if let Ok(execute) = Execute::decode(body) {
                assert_eq!(execute.portal.len() + 5, body.len());
            }
        }
        FrontendTag::Query => {
            if let Ok(text) = query_text(body) {
                assert_eq!(text.len() + 1, body.len());
                assert!(!text.contains(&0));
            }
        }
        _ => {}
    }
}

fn bind(body: &[u8]) {
    let Ok(bind) = Bind::decode(body) else { return };
    let Ok(parameters) = bind.parameters() else { return };
    // Each value costs its four bytes of length at least.
    assert!(parameters.values.capacity() <= bind.rest.len() / 4);
    let held: usize = parameters.values.iter().flatten().map(|value| value.len()).sum();
    assert!(held + parameters.result_formats.len() <= bind.rest.len());
    for index in 0..=parameters.values.len() {
        parameters.is_text(index);
    }
}

fn from_a_backend(tag: BackendTag, body: &[u8]) {
    match tag {
        BackendTag::ParameterStatus => {
            if let Ok((name, value)) = parameter_status(body) {
                assert_eq!(name.len() + value.len() + 2, body.len());
            }
        }
        BackendTag::ErrorResponse | BackendTag::NoticeResponse => {
            for code in [b'S', b'C', b'M', 0] {
                if let Some(value) = error_field(body, code) {
                    assert!(value.len() < body.len());
                }
            }
        }
        _ => {}
    }
}
