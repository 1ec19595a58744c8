//! What leads to an origin: which kind of database, the way, the login, how many connections. Plain, checked values.

mod engine;
mod pool;
mod way;

pub use self::{
    engine::{ALPN_POSTGRES, Engine},
    pool::{PoolConfig, PoolMode},
    way::{Dial, OriginConfig, OriginTls},
};
