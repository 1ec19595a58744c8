//! Places in a text that a backend was given in other words than its client's: errors speak of them.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use cache::sql::postgres::prepared_text;
use protocol::postgres::{frame::BackendTag, message};

use super::backend::{Backend, Note};

/// What stands in the place of what, in the order of the text, in characters.
#[derive(Debug, Default)]
pub(crate) struct Places(Vec<Place>);

#[derive(Debug)]
struct Place {
    /// Behind so many of the first text.
    at: usize,
    /// So many of the first text are gone.
    removed: usize,
    /// So many stand there.
    put: usize,
}

impl Places {
    /// Those of edits of a text, in its order, which do not overlap.
    pub(crate) fn of<'e>(
        text: &str,
        edits: impl Iterator<Item = (&'e Range<usize>, &'e str)>,
    ) -> Self {
        let count = |range: Range<usize>| text.get(range).unwrap_or_default().chars().count();
        let (mut at, mut counted, mut places) = (0, 0, Self::default());
        for (span, put) in edits {
            at += count(counted..span.start);
            let removed = count(span.clone());
            places.put(at, removed, put.chars().count());
            (at, counted) = (at + removed, span.end);
        }
        places
    }

    /// Adds one that is behind all others.
    pub(crate) fn put(&mut self, at: usize, removed: usize, put: usize) {
        self.0.push(Place { at, removed, put });
    }

    /// Where in the first text a position of the second is, both from 1 as the server counts.
    pub(crate) fn back(&self, mut position: usize) -> usize {
        for place in &self.0 {
            if position <= place.at {
                break;
            }
            position = match position.checked_sub(place.put) {
                Some(behind) if behind > place.at => behind + place.removed,
                // It points into what was put there.
                _ => place.at + usize::from(place.removed > 0),
            };
        }
        position
    }
}

/// An error or notice with the position that it has in the client's own text; `None` where it is the same.
pub(crate) fn moved(backend: &mut Backend, tag: BackendTag, body: &[u8]) -> Option<Bytes> {
    if !matches!(tag, BackendTag::ErrorResponse | BackendTag::NoticeResponse) {
        return None;
    }
    let note = backend.pipeline.current()?;
    let told = std::str::from_utf8(message::error_field(body, b'P')?).ok()?;
    let told = told.parse::<usize>().ok()?;
    let position = match note {
        Note::Query { added, places, .. } => {
            // The renaming came last.
            let position = places.back(told);
            added.as_ref().map_or(position, |added| added.places().back(position))
        }
        // Its client knows a longer text, of which only the statement was parsed once more.
        Note::Prepare(statement) => told + before_statement(statement.by_sql.as_deref()?)?,
        _ => return None,
    };
    (position != told).then(|| at_position(body, position))
}

/// How many characters of a PREPARE stand before the statement.
fn before_statement(text: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(text).ok()?;
    Some(text.get(..prepared_text(text)?.start)?.chars().count())
}

/// An error or notice with another position.
fn at_position(body: &[u8], position: usize) -> Bytes {
    let mut fields = BytesMut::new();
    for field in body.split(|byte| *byte == 0).filter(|field| !field.is_empty()) {
        match field.first() {
            Some(b'P') => fields.extend_from_slice(format!("P{position}").as_bytes()),
            _ => fields.extend_from_slice(field),
        }
        fields.extend_from_slice(b"\0");
    }
    fields.extend_from_slice(b"\0");
    fields.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_led_back_to_the_first_text() {
        // é is two bytes and one character.
        let first = "é AB cd EF";
        let edits = [(3..5, "\"longer\""), (9..9, "\n;more"), (9..11, "e")];
        let places = Places::of(first, edits.iter().map(|(span, put)| (span, *put)));
        let second = "é \"longer\" cd \n;moree";
        let position = |text: &str, part: &str| {
            let (before, _) = text.split_once(part).expect("there");
            before.chars().count() + 1
        };
        for (there, here) in
            [("é", "é"), ("\"longer", "AB"), ("nger", "AB"), (" cd", " cd"), ("cd", "cd")]
        {
            assert_eq!(places.back(position(second, there)), position(first, here), "{there}");
        }
        assert_eq!(places.back(position(second, "more")), 8, "what stood before it");
        assert_eq!(places.back(second.chars().count()), position(first, "EF"));
    }

    #[test]
    fn an_error_is_told_with_another_position_and_nothing_else() {
        let body = b"SERROR\0C42703\0P66\0Rx\0\0";
        assert_eq!(at_position(body, 7), &b"SERROR\0C42703\0P7\0Rx\0\0"[..]);
    }
}
