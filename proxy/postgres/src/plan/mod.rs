//! What a request needs: an answer of our own, the cache, or a backend.
//!
//! Pure: no I/O, no clock. That nothing is cached in a transaction or on a pinned session is written once, in
//! [`Text::verdict`].
//!
//! * [`text`]: what is known of a text, and the verdict on it.
//! * [`keys`]: under which keys replies are kept.
//! * [`reading`]: whether texts mean what the parse says they mean.
//! * [`values`]: what a text says with the values of its parameters.
//! * [`edits`]: a text with our names for prepared statements.

mod edits;
mod keys;
mod reading;
mod text;
mod values;

pub(crate) use serving::verdict::{Cacheable, Standing, not_found};

pub(crate) use self::{
    edits::{Edit, edited, executes, execution, quoted, renamed},
    keys::{description_key, extended_key, session_key, simple_key},
    reading::{decides_reading, is_always_readable, is_readable, is_repeatable, is_standard},
    text::{Text, heads_for_temp, is_harmless, names_temp, only_draws, opens_block},
    values::with_values,
};
