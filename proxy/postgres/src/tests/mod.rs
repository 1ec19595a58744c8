//! Sessions by transcript: see [`serving::script`].
//!
//! A client says, and a backend hears: `Query select 1`, `Parse name text`, `Bind statement`, `Execute`, `Describe S name`,
//! `Close S name`, `Sync`, `Flush`, `Terminate`. A backend says, and a client hears: `Complete SELECT 1`, `Ready I`,
//! `Error 42601`, `Fatal 57P01`, `Columns name`, `Row value`, `Parameter TimeZone=UTC`, `CopyIn`, and others by their names
//! in the manual. An unnamed statement is `''`.

mod ages;
mod beginning;
mod blocks;
mod cancels;
mod held;
mod lost;
mod passwords;
mod queue;
mod words;

use words::Postgres;

/// Plays a transcript with these lines of `[database.pool]`, in which the backends hear of each block as its client says it.
async fn play(pool: &str, transcript: &str) {
    let pool = format!("{pool}\nround_trips.begin = false\nround_trips.commit = false");
    serving::script::play::<Postgres>(&pool, transcript).await;
}
