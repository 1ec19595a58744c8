//! A config as somebody wrote it, in a file or a request: anything may be missing or wrong.

mod caching;
mod capture;
mod check;
mod hosts;
mod name;
mod origin;
mod password;
mod seconds;
#[cfg(test)]
mod tests;
mod written;

pub use self::written::{
    CachingDraft, CaptureDraft, Draft, MtlsDraft, OriginDraft, PoolDraft, RuleDraft, UserDraft,
};
