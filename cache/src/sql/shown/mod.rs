//! A statement as people may see it: without its constants, and without anything that may be a secret.
//!
//! Read by a lexer of its own, since it has to hold for texts of which only the beginning is read, and for all that stands
//! in comments. It does not say what a text means: two texts that are shown alike may mean different things. Where it is not
//! sure, or where a value may stand in the place of a name (SET, CREATE USER, COPY …), only the command is shown.

mod commands;
mod lexer;
mod pieces;
mod pointed;
mod script;
#[cfg(test)]
mod tests;
mod words;

use self::{
    commands::{command, is_shown_whole},
    lexer::{Lexer, Token},
    pieces::Pieces,
    words::MAX_READ,
};
pub use self::{
    pointed::pointed_at,
    script::{Script, Statement},
    words::{Dialect, MAX_SHOWN},
};

/// The text without its constants, or its command alone. `is_understood` where the grammar takes it: of what it refuses
/// nobody knows what is a value.
pub fn shown(sql: &str, dialect: Dialect, is_understood: bool) -> String {
    let text = sql.get(..sql.floor_char_boundary(MAX_READ)).unwrap_or_default();
    is_understood
        .then(|| without_constants(text, text.len() < sql.len(), dialect))
        .flatten()
        .unwrap_or_else(|| command(text, dialect))
}

/// `None` where it is not sure what is a constant.
fn without_constants(text: &str, is_cut: bool, dialect: Dialect) -> Option<String> {
    let mut lexer = Lexer::new(text, is_cut, dialect);
    let mut pieces = Pieces::default();
    let mut verb = None;
    let mut is_whole = !is_cut;
    while let Some(token) = lexer.next()? {
        if verb.is_none() && token != Token::Sign("(") {
            verb = Some(matches!(token, Token::Word(word) if is_shown_whole(word, dialect)));
        }
        if verb == Some(false) {
            return None;
        }
        if token == Token::Sign(";") {
            is_whole = lexer.next()?.is_none() && !is_cut;
            break;
        }
        pieces.push(token, lexer.had_space(), lexer.is_before_number());
        if lexer.is_cut_here() {
            break;
        }
    }
    verb.map(|_shown| pieces.written(is_whole))
}
