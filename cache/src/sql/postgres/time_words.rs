//! Texts that mean another date or time each day.
//!
//! `'now'::timestamptz` is a constant to the grammar and the clock to the database. A text is checked
//! word by word as datetime.c (`ParseDateTime`) splits it, whatever type it may be cast to, so that
//! arrays and ranges of dates are covered.

/// Whether the text, read as a date or time, depends on the clock.
///
/// Sessions ask this of every text parameter. Prose that holds such a word is found too; it costs a
/// cached reply and no truth.
pub fn is_time_word(text: &[u8]) -> bool {
    text.split(|byte| !byte.is_ascii_alphabetic())
        .any(|word| WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

const WORDS: [&[u8]; 4] = [b"now", b"today", b"tomorrow", b"yesterday"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_clock_are_found_wherever_a_date_may_hold_them() {
        for text in [
            "now",
            " NOW ",
            "today 04:00",
            "tomorrow UTC",
            "today04:00",
            "{yesterday,now}",
            "[now,)",
        ] {
            assert!(is_time_word(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn other_texts_pass() {
        for text in ["", "2024-01-01", "epoch", "infinity", "nowhere", "snow", "knowing"] {
            assert!(!is_time_word(text.as_bytes()), "{text}");
        }
    }
}
