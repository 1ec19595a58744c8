//! Sessions by transcript: see [`serving::script`].
//!
//! A client says, and a backend hears: `Query select 1`, `Ping`, `Prepare text`, `Reset`, `Quit`. A backend says, and a client
//! hears, whole replies: `OK`, `OK trans`, `Err 1064`, `Rows 1,2` (one column). The client `F` asks for CLIENT_FOUND_ROWS.

mod ages;
mod along;
mod blocks;
mod lost;
mod passwords;
pub(super) mod peer;
mod queue;
mod values;
mod words;

use words::MySql;

/// Plays a transcript with these lines of `[database.pool]`.
async fn play(pool: &str, transcript: &str) {
    serving::script::play::<MySql>(pool, transcript).await;
}
