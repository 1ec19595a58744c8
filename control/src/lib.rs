//! What a fleet of Jumpgate is told: configs, how they are checked, and where they are kept.
//!
//! A config comes as a [`Draft`], from a section of a file or from a request, whatever it is written in. [`Draft::check`] holds
//! every rule about configs and makes a [`Config`] of it. A [`Store`] keeps configs and says when they have changed. This crate
//! knows neither proxy nor tunnel: who serves a config takes it from here as plain values.

pub mod api;
pub mod dashboard;
pub mod database;
mod draft;
pub mod fleet;
pub mod history;
pub mod import;
mod ingress;
mod kept;
pub mod live;
mod mistake;
mod model;
mod moment;
pub mod nodes;
pub mod plane;
pub mod resources;
pub mod seal;
mod store;
pub mod view;

pub use self::{
    draft::{
        CachingDraft, CaptureDraft, Draft, MtlsDraft, OriginDraft, PoolDraft, RuleDraft, UserDraft,
    },
    mistake::{Mistake, Mistakes},
    model::{
        Access, Caching, CachingRule, Capture, Compression, Config, Hashes, HostPort,
        InTransactions, Life, Login, Mtls, Origin, Password, Pool, PoolMode, RoundTrips, Salting,
        Scheme, Secret, SessionAttrs, SslMode, Table, User, Way,
    },
    moment::Moment,
    store::{Revision, Snapshot, Store, StoreError},
};
