//! Where in a text its hint stands: the comments before the first token and after the last.

use super::lexer::{Lexed, Token};
use crate::sql::common::{HINT_MARK, Hint, read_hint};

/// The hint of the comments before the first token and after the last.
pub(super) fn find(sql: &str, lexed: &Lexed) -> Hint {
    let mut hint = Hint::default();
    if !sql.contains(HINT_MARK) {
        return hint;
    }
    let is_semicolon = |token: &Token| {
        usize::try_from(token.start).ok().and_then(|at| sql.as_bytes().get(at)) == Some(&b';')
            && token.end == token.start + 1
    };
    let first = lexed.tokens.first().map_or(u32::MAX, |token| token.start);
    let last = lexed.tokens.iter().rev().find(|token| !is_semicolon(token));
    let last = last.map_or(0, |token| token.end);
    for &(start, end) in
        lexed.comments.iter().filter(|(start, end)| *end <= first || *start >= last)
    {
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let comment = range.and_then(|(start, end)| sql.get(start..end)).unwrap_or_default();
        read_hint(comment, &mut hint);
    }
    hint
}
