//! The packets of a login: greeting, response, TLS request, AuthSwitch, `COM_CHANGE_USER`.
//!
//! All are payloads without their headers, and each is read and written here, because the proxy is a server to its
//! clients and a client to its backends. Optional fields are there when the capabilities say so; those
//! that the peer was not offered do not count ("parse_client_handshake_packet" in sql_authentication.cc).
//!
//! * `greeting`, `response`, `dialogue`: in the order of a login.
//! * `change_user`: logging in again.
//! * `attributes`, `fields`: what these have in common.

mod attributes;
mod change_user;
mod dialogue;
mod fields;
mod greeting;
mod response;
#[cfg(test)]
mod tests;

pub use self::{
    attributes::{attributes, encode_attribute},
    change_user::ChangeUser,
    dialogue::{AuthSwitch, auth_more_data, encode_auth_more_data},
    fields::SCRAMBLE_LEN,
    greeting::Greeting,
    response::{HandshakeResponse, ZSTD_LEVEL, encode_ssl_request, ssl_request, wants},
};
