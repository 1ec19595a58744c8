//! The pool of origin connections: bb8's, and what bb8 does not promise.
//!
//! * **Order.** Waiters are served in order of arrival: a fair semaphore stands in front of bb8.
//! * **Drop closes, checkin returns.** A connection counts as broken until [`Loan::checkin`] has seen it, so a
//!   panic or a cancelled task can lose a connection but never hand a dirty one to the next client.
//! * **A way that ends is left.** A connection whose tunnel is about to end is not kept when it comes back.
//! * **A refusal is heard.** bb8 keeps a waiter waiting while connects fail; here the reason of a failed
//!   connect reaches those who wait, unless another connection may come back to serve them.
//! * **A failure is heeded.** An origin that refused us or could not be reached is not asked again at once
//!   (`refusal`); who comes meanwhile hears why without delay.
//! * **Warm.** What died while nobody looked is found and replaced before a client needs it (`warm`).
//!
//! What a connection speaks is [`Origin`]'s business; nothing here knows a protocol.

mod checkout;
mod doubt;
mod generation;
mod loan;
mod manager;
mod origin;
mod refusal;
#[cfg(test)]
mod tests;
mod warm;

pub use self::{
    checkout::{CheckoutError, Pool, PoolStatus},
    doubt::Doubt,
    generation::{Generation, Generations},
    loan::Loan,
    origin::{Origin, TRUSTED},
    warm::keep_warm,
};
