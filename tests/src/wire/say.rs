//! The messages of a client, as bytes (PostgreSQL manual, "Message Formats").
//!
//! Sizes and contents are not checked: hostile scenarios use them too.

/// A message of a type: the length is added.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend_from_slice(&length(body.len() + 4));
    bytes.extend_from_slice(body);
    bytes
}

/// A message without a type, as before the login.
pub fn untyped(body: &[u8]) -> Vec<u8> {
    let mut bytes = length(body.len() + 4).to_vec();
    bytes.extend_from_slice(body);
    bytes
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).expect("a message is shorter than 4 GiB").to_be_bytes()
}

fn count(items: usize) -> [u8; 2] {
    u16::try_from(items).expect("at most 65535 items").to_be_bytes()
}

fn text(value: &str) -> Vec<u8> {
    [value.as_bytes(), b"\0"].concat()
}

fn formats(codes: &[u16]) -> Vec<u8> {
    let mut bytes = count(codes.len()).to_vec();
    bytes.extend(codes.iter().flat_map(|code| code.to_be_bytes()));
    bytes
}

/// StartupMessage.
pub fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend(text(name));
        body.extend(text(value));
    }
    body.push(0);
    untyped(&body)
}

/// SSLRequest.
pub fn ssl_request() -> Vec<u8> {
    untyped(&80_877_103_u32.to_be_bytes())
}

/// GSSENCRequest.
pub fn gssenc_request() -> Vec<u8> {
    untyped(&80_877_104_u32.to_be_bytes())
}

/// CancelRequest.
pub fn cancel(pid: u32, secret: &[u8]) -> Vec<u8> {
    let code = 80_877_102_u32.to_be_bytes();
    untyped(&[&code[..], &pid.to_be_bytes(), secret].concat())
}

/// SASLInitialResponse.
pub fn sasl_initial(mechanism: &str, data: &[u8]) -> Vec<u8> {
    message(b'p', &[&text(mechanism)[..], &length(data.len()), data].concat())
}

/// SASLResponse or PasswordMessage.
pub fn password(data: &[u8]) -> Vec<u8> {
    message(b'p', data)
}

/// Query.
pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &text(sql))
}

/// Parse.
pub fn parse(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let mut body = [text(name), text(sql), count(types.len()).to_vec()].concat();
    body.extend(types.iter().flat_map(|oid| oid.to_be_bytes()));
    message(b'P', &body)
}

/// Bind.
pub fn bind(
    portal: &str,
    statement: &str,
    sent: &[u16],
    values: &[Option<&[u8]>],
    wanted: &[u16],
) -> Vec<u8> {
    let mut body =
        [text(portal), text(statement), formats(sent), count(values.len()).to_vec()].concat();
    for value in values {
        match value {
            None => body.extend((-1_i32).to_be_bytes()),
            Some(bytes) => {
                body.extend(length(bytes.len()));
                body.extend_from_slice(bytes);
            }
        }
    }
    body.extend(formats(wanted));
    message(b'B', &body)
}

/// Describe: `b'S'` a statement, `b'P'` a portal.
pub fn describe(what: u8, name: &str) -> Vec<u8> {
    message(b'D', &[&[what][..], &text(name)].concat())
}

/// Execute; 0 is no limit.
pub fn execute(portal: &str, limit: u32) -> Vec<u8> {
    message(b'E', &[text(portal), limit.to_be_bytes().to_vec()].concat())
}

/// Close: `b'S'` a statement, `b'P'` a portal.
pub fn close(what: u8, name: &str) -> Vec<u8> {
    message(b'C', &[&[what][..], &text(name)].concat())
}

/// Sync.
pub fn sync() -> Vec<u8> {
    message(b'S', b"")
}

/// Flush.
pub fn flush() -> Vec<u8> {
    message(b'H', b"")
}

/// CopyData.
pub fn copy_data(data: &str) -> Vec<u8> {
    message(b'd', data.as_bytes())
}

/// CopyDone.
pub fn copy_done() -> Vec<u8> {
    message(b'c', b"")
}

/// CopyFail.
pub fn copy_fail(reason: &str) -> Vec<u8> {
    message(b'f', &text(reason))
}

/// Terminate.
pub fn terminate() -> Vec<u8> {
    message(b'X', b"")
}
