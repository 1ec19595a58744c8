//! Sessions by transcript: see [`serving::script`].
//!
//! A client says, and a backend hears: `Query select 1`, `Parse name text`, `Bind statement`, `Execute`, `Describe S name`,
//! `Close S name`, `Sync`, `Flush`, `Terminate`. A backend says, and a client hears: `Complete SELECT 1`, `Ready I`,
//! `Error 42601`, `Fatal 57P01`, `Notice 42622`, `Columns name`, `Types 23`, `Row value`, `Parameter TimeZone=UTC`, `CopyIn`, and others by their names
//! in the manual. An unnamed statement is `''`.

mod ages;
mod beginning;
mod blocks;
mod cancels;
mod described;
mod held;
mod lost;
mod passwords;
mod queue;
mod said;
mod waiting;
mod words;

use words::Postgres;

/// Plays a transcript with these lines of `[database.pool]`, and with [`AT_ONCE`].
async fn play(pool: &str, transcript: &str) {
    serving::script::play::<Postgres>(&format!("{pool}\n{AT_ONCE}"), transcript).await;
}

/// The backends hear of the beginning and the end of each block as their client says it.
const AT_ONCE: &str = "round_trips.begin = false\nround_trips.commit = false";
