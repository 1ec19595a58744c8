//! What an engine brings to a transcript: its words, and how its sessions begin.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU32},
};

use bytes::BytesMut;
use tokio::io::DuplexStream;

use crate::{
    config::{Config, Engine},
    context::Common,
};

/// The words of an engine, and how its sessions begin.
pub trait Words: Sized + Send + Sync + 'static {
    /// Whose words these are.
    const ENGINE: Engine;

    /// The engine's own context of a proxy with this config.
    fn new(config: &Config, common: Arc<Common>) -> Self;

    /// Serves a client from its login to its end.
    fn serve(
        self: Arc<Self>,
        name: String,
        stream: DuplexStream,
    ) -> impl Future<Output = ()> + Send + 'static;

    /// Asks for the end of what a client runs, on a connection of its own.
    fn cancel(self: Arc<Self>, name: String) -> impl Future<Output = ()> + Send + 'static;

    /// Plays the database up to the end of a login. Backends take the next number.
    fn accept(
        end: DuplexStream,
        numbers: &AtomicU32,
        beginning: Beginning,
    ) -> impl Future<Output = Arrival> + Send;

    /// The bytes of a message.
    fn say(from: Side, message: &str, out: &mut BytesMut);

    /// Takes a message that was sent to this side, if all of it is there.
    fn hear(by: Side, input: &mut BytesMut) -> Option<String>;
}

/// What sessions begin with, by name.
pub type Beginning = BTreeMap<String, String>;

/// Which side of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client's.
    Client,
    /// The database's.
    Backend,
}

/// What a connection to the origin turned out to be.
#[derive(Debug)]
pub enum Arrival {
    /// One that serves clients, with its number.
    Backend(u32, DuplexStream),
    /// One that ends what this backend runs.
    Kill(u32, DuplexStream),
    /// One that asks whether this backend is there.
    Question(u32, DuplexStream),
    /// Neither.
    Other,
}
