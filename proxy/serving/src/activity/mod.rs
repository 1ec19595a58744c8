//! What clients do: their statements by shape, who is there, and each minute's sums.
//!
//! * `times`: how many took how long, as a histogram that everybody may write at once.
//! * `shape`: what is counted of the statements of one shape.
//! * `shapes`: the shapes of a database, bounded.
//! * `live`: the clients that have logged in.
//! * `database`: all of it for one database.
//! * `client`: a client as its session counts for it.
//! * `minute`: sums of a minute, kept until somebody has taken them.
//! * `told`: all of it in the words in which it is told.
//!
//! Sessions write counters and their own client only; whoever asks pays for the rest.

mod client;
mod database;
mod live;
mod minute;
mod shape;
mod shapes;
mod times;
pub mod told;

pub(crate) use self::minute::{Counts, Failure};
pub use self::{
    client::Seen,
    database::{Activity, Shared},
    live::{Live, State, Who},
    minute::{Minute, Minutes, Taken},
    shape::{Counted, Shape},
    shapes::{Known, Shapes, Share},
    times::{BOUNDS, Timed, Times},
};
