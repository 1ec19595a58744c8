//! Which replies a backend still owes, and so when it may serve somebody else.
//!
//! A [`Pipeline`] is fed with every frame in both directions and performs no I/O. It is deliberately
//! strict: a frame that was not owed is a [`Desync`], and where the protocol itself leaves a doubt (a
//! `Sync` that the backend may or may not have ignored during COPY) the backend is not idle until a probe
//! has settled it.
//!
//! The order of events is that of `PostgresMain` in `postgres.c`: each request is answered in turn; after an
//! error in the extended protocol everything up to `Sync` is skipped; `Flush` and `Sync` are ignored while a
//! COPY reads (`CopyGetData` in `copyfromparse.c`).
//!
//! * `request`: what a backend is asked, and by whom.
//! * `owed`: the [`Pipeline`], and what can be asked of it.
//! * `sent`, `received`: what it is fed with.
//! * `step`: which frames make up the reply to which request.
//! * `reply`: what a frame turned out to be.

mod owed;
mod received;
mod reply;
mod request;
mod sent;
mod step;
#[cfg(test)]
mod tests;

pub use self::{
    owed::Pipeline,
    reply::{Desync, Received, TransactionStatus},
    request::{Asker, LocalReply, Request},
};
