//! Moving bytes: the kinds of stream, the buffers around one, dialing and TLS.
//!
//! Nothing here knows a database protocol, but for [`compressed`], whose packets are MySQL's.

pub mod channel_binding;
pub mod compressed;
pub mod connect;
pub mod dial;
pub mod framed;
pub mod spare;
pub mod stream;
pub mod tls;
mod verify;

pub use connect::ConnectError;
pub use dial::{DialError, dial};
pub use framed::Framed;
pub use spare::Spare;
pub use stream::Stream;
