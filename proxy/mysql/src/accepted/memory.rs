//! What was accepted, by what was asked for. Plain values: when one may be used is not known here.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::super::settings::Settings;

/// The most of either that are remembered.
const MAX_ACCEPTED: u64 = 1000;

/// Of one account.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(super) settings: moka::sync::Cache<Asked, After>,
}

/// What a client asks for, and all that decides what comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) what: What,
    pub(super) settings: Settings,
    pub(super) schema: Option<Arc<str>>,
    /// What sessions begin with.
    pub(super) generation: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// A text that sets.
    Set(Bytes),
    /// To go to this schema, where so many changes of the catalog have been seen.
    Schema(Arc<str>, u64),
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct After {
    pub(super) settings: Settings,
    pub(super) schema: Option<Arc<str>>,
    /// What of it was told to a client that wants to be told what is usual.
    pub(super) told: Bytes,
}

impl Accepted {
    /// Nothing yet, and nothing for longer than this.
    pub(crate) fn new(max_age: Duration) -> Self {
        let settings = moka::sync::Cache::builder();
        let settings = settings.max_capacity(MAX_ACCEPTED).time_to_live(max_age).build();
        Self { settings }
    }
}
