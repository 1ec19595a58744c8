//! A line of a text, and a caret below a word of it, as `psql` shows where an error is.

use std::ops::Range;

/// How much of a line is shown before a word and behind its beginning, in characters.
const AROUND: usize = 60;

/// The line, and the caret.
pub(super) fn pointer(text: &str, at: Range<usize>) -> [String; 2] {
    let before = text.get(..at.start).unwrap_or_default();
    let behind = text.get(at.start..).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let before: Vec<char> = before.rsplit('\n').next().unwrap_or_default().chars().collect();
    let behind = behind.split('\n').next().unwrap_or_default();
    let from = before.len().saturating_sub(AROUND);
    let cut = if from > 0 { "…" } else { "" };
    let before = before.get(from..).unwrap_or_default().iter();
    let mut shown = format!("  LINE {line}: {cut}");
    // One character each, whatever it was.
    let plain = |it: char| if it.is_control() { ' ' } else { it };
    shown.extend(before.copied().map(plain));
    let caret = format!("{}^", " ".repeat(shown.chars().count()));
    shown.extend(behind.chars().take(AROUND).map(plain));
    if behind.chars().nth(AROUND).is_some() {
        shown.push('…');
    }
    [shown.trim_end().to_owned(), caret]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_below_the_word() {
        let text = "SELECT 'ä',\r\n\trandom()\r\nFROM t";
        let at = text.find("random").unwrap();
        let [line, caret] = pointer(text, at..at + 6);
        assert_eq!((&*line, &*caret), ("  LINE 2:  random()", "           ^"));
        let [line, caret] = pointer("SELECT 'ä', now()", 13..16);
        assert_eq!((&*line, &*caret), ("  LINE 1: SELECT 'ä', now()", "                      ^"));
    }

    #[test]
    fn of_a_long_line_what_is_around_the_word_is_shown() {
        let text = format!("SELECT {}now(), {}", "1, ".repeat(100), "2, ".repeat(100));
        let [line, caret] = pointer(&text, 307..310);
        assert!(line.starts_with("  LINE 1: …1, ") && line.ends_with('…'), "{line}");
        assert_eq!(line.chars().skip(caret.chars().count() - 1).take(3).collect::<String>(), "now");
    }
}
