//! Wire protocols without I/O: bytes in, values out.
pub mod postgres;
