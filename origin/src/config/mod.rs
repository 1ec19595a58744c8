//! What leads to an origin: which kind of database, the way, the login, how many connections. Plain, checked values.

mod dial;
mod engine;
mod hosts;
mod password;
mod pool;
mod way;

pub(crate) use self::hosts::{LOOK, Searched};
pub use self::{
    dial::{Dial, OriginTls},
    engine::{ALPN_POSTGRES, Engine},
    hosts::{Choice, Host, Hosts, OnHost, SessionAttrs, Whereabouts},
    password::OriginPassword,
    pool::{PoolConfig, PoolMode},
    way::OriginConfig,
};
