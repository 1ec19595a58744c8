//! How far a text was understood.

/// How far a text was understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parse {
    /// Completely.
    #[default]
    Full,
    /// Nested too deeply to walk: kinds, writes and effects are known, but nothing may be cached.
    Shallow,
    /// Not at all: the grammar refuses it. The origin will most likely refuse it too.
    Error,
    /// Not at all: longer than [`MAX_TEXT_BYTES`].
    Oversized,
}

/// A longer text is not parsed.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
