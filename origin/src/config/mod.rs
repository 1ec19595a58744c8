//! What leads to an origin: which kind of database, the way, the login, how many connections. Plain, checked values.

mod engine;
mod password;
mod pool;
mod way;

pub use self::{
    engine::{ALPN_POSTGRES, Engine},
    password::OriginPassword,
    pool::{PoolConfig, PoolMode},
    way::{Dial, OriginConfig, OriginTls},
};
