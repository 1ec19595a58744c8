//! Scripted sessions: a transcript plays clients and backends against real sessions, in memory and in virtual time.
//!
//! A line is who, an arrow, and messages between bars: `>` is what one says, `<` what one hears, each in its order.
//!
//! ```text
//!   C> Query select 1              client C says it; a client that is named for the first time logs in
//!   B1< Query select 1             the first backend that was opened hears it
//!   B1> Complete SELECT 1 | Ready I
//!   C< Complete SELECT 1 | Ready I
//!   C< nothing                     and nothing more, for as long as anybody has something to do
//!   B1> close                      hangs up; `B1< closed` hears that the other side did
//!   C> cancel                      a cancel request of the client's (PostgreSQL)
//!   K< B1                          a cancel request or KILL for the first backend has come
//!   K> done                        the oldest of these is answered
//!   Q< B1                          the origin is asked whether the first backend is there still; `Q> gone`, `Q> there`
//!   origin away                    hangs up on whoever dials, up to `origin back`; `origin mute` says nothing
//!   dials 3                        so many connections were dialled for since this was asked last
//!   begins TimeZone=Asia/Tokyo     what sessions begin with from now on, if they are logged in; `begins stored=x` is not told
//!   wait 5s                        time passes
//!   drain                          the process is asked to end
//! ```
//!
//! Words of the messages are the engines' own: see their `tests`. At the end everybody must have heard everything. A line
//! behind `#` is a comment. In names of prepared statements of ours the random part is `~`.

mod door;
mod end;
mod stage;
mod words;

pub use self::{
    stage::{Stage, duration, play},
    words::{Arrival, Beginning, Side, Words},
};
