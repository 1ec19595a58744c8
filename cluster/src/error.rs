//! What goes wrong with the tier.

use redis::RedisError;

/// Why the tier did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TierError {
    /// The connection, or the server.
    #[error("{0}")]
    Server(#[from] RedisError),
    /// Another server process, or the same one after it forgot everything.
    #[error("the tier has begun anew")]
    Epoch,
    /// The node was silent for longer than its lease, and a write did not wait for it.
    #[error("the tier has given this node up, for it was silent")]
    Expelled,
    /// Fewer replicas than the config demands.
    #[error("only {0} replicas of the tier have what was said; [cluster] replicas wants more")]
    Replicas(u32),
    /// It may throw away what the promise depends on.
    #[error(
        "the tier's maxmemory-policy is {0}, by which it may forget what nodes agreed on: set it to noeviction or volatile-lru \
         (CONFIG SET maxmemory-policy volatile-lru)"
    )]
    Evicts(String),
    /// It is no primary.
    #[error("the tier's server is a replica: the URL must lead to the primary")]
    Replica,
    /// Nodes would not know how long to wait for each other.
    #[error("the other nodes have a lease of {0} ms: [cluster] lease must be the same on all")]
    Lease(String),
    /// It said what no script of ours says.
    #[error("the tier gave no sensible answer")]
    Nonsense,
}
