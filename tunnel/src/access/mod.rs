//! Access: service tokens, who may pass with them, and what an origin is told of it.
//!
//! Nothing here listens or keeps time: [`crate::edge`] asks, with the time as an argument.
//!
//! * `token`: a service token as a client holds it.
//! * `shown`: the token that a request shows.
//! * `judge`: whether it lets the request pass.
//! * `assertion`: the signed word to the origin that it did.

mod assertion;
pub(crate) mod judge;
mod shown;
mod token;

pub(crate) use self::{assertion::Claims, token::check_client_id};
pub use self::{
    assertion::{AssertionError, SigningKeys},
    token::{InvalidToken, ServiceToken},
};

/// The header with the token's public half, in the spelling `cloudflared` sends.
pub const CLIENT_ID_HEADER: &str = "Cf-Access-Client-Id";

/// The header with the token's secret half.
pub const CLIENT_SECRET_HEADER: &str = "Cf-Access-Client-Secret";
