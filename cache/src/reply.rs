//! A stored reply: opaque bytes in a neutral form.
//!
//! The session that fills it decides what the bytes mean and makes terminators and status bytes
//! fresh for the session that reads it; nothing here looks inside.

use bytes::Bytes;

/// What the origin said, without the framing that differs between sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The description of the columns.
    pub description: Bytes,
    /// The rows, in chunks of any size.
    pub rows: Vec<Bytes>,
    /// The tag that ends the reply.
    pub complete: Bytes,
}

impl Reply {
    /// What the reply costs in memory, in bytes.
    pub fn weight(&self) -> usize {
        let rows: usize = self.rows.iter().map(|row| row.len() + size_of::<Bytes>()).sum();
        size_of::<Self>() + self.description.len() + rows + self.complete.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_row_still_weighs_something() {
        let one = Reply { rows: vec![Bytes::new()], ..Reply::default() };
        assert!(one.weight() > Reply::default().weight());
    }
}
