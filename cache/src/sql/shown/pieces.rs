//! What is shown of a text, piece by piece. Lists of constants, and rows that are alike, are as long as the application likes:
//! of each one is left.

use super::{
    lexer::Token,
    words::{MAX_SHOWN, MORE},
};

/// The pieces so far.
#[derive(Debug, Default)]
pub(super) struct Pieces<'t> {
    all: Vec<Piece<'t>>,
    /// Where the brackets that are open stand.
    open: Vec<usize>,
    /// There was space before what was left out.
    is_behind_space: bool,
}

#[derive(Clone, Copy, Debug)]
struct Piece<'t> {
    text: &'t str,
    is_value: bool,
    is_behind_space: bool,
    /// Of a closing bracket: where it was opened.
    opened: usize,
}

/// What is written for a constant.
const CONSTANT: &str = "?";

impl<'t> Pieces<'t> {
    /// Adds a token.
    pub(super) fn push(&mut self, token: Token<'t>, is_behind_space: bool, is_before_number: bool) {
        let is_item = self.last().is_some_and(|last| matches!(last, "(" | ","));
        let (text, is_value) = match token {
            Token::Constant => (CONSTANT, true),
            Token::Parameter(text) => (text, true),
            Token::Word(word) if is_truth(word) || is_item && is_nothing(word) => (CONSTANT, true),
            Token::Word(word) => (word, false),
            // The sign of a number in a list is part of it.
            Token::Sign("-" | "+") if is_item && is_before_number => {
                self.is_behind_space = is_behind_space;
                return;
            }
            Token::Sign(sign) => (sign, false),
        };
        if matches!(token, Token::Sign("," | ")")) {
            self.shorten_list();
        }
        let is_behind_space = std::mem::take(&mut self.is_behind_space) || is_behind_space;
        let piece = Piece { text, is_value, is_behind_space, opened: 0 };
        match token {
            Token::Sign("(") => self.open.push(self.all.len()),
            Token::Sign(")") => {
                let opened = self.open.pop().unwrap_or(self.all.len());
                self.all.push(Piece { opened, ..piece });
                self.shorten_rows(opened);
                return;
            }
            _ => {}
        }
        self.all.push(piece);
    }

    /// All of them, `is_whole` where they are all that there is.
    pub(super) fn written(&self, is_whole: bool) -> String {
        let mut out = String::new();
        for piece in &self.all {
            if piece.is_behind_space && !out.is_empty() {
                out.push(' ');
            }
            out.push_str(piece.text);
            if out.len() > MAX_SHOWN {
                break;
            }
        }
        let room = MAX_SHOWN - MORE.len() - 1;
        let is_too_long = out.len() > room;
        out.truncate(out.floor_char_boundary(room));
        if is_too_long || !is_whole {
            out.push(' ');
            out.push_str(MORE);
        }
        out
    }

    fn last(&self) -> Option<&'t str> {
        self.all.last().map(|piece| piece.text)
    }

    /// At the end of an item: what stands in a list of nothing but values is left out from the second on.
    fn shorten_list(&mut self) {
        let value = |piece: &Piece<'_>| piece.is_value;
        match self.all.as_slice() {
            [.., open, first, comma, last]
                if open.text == "(" && value(first) && comma.text == "," && value(last) =>
            {
                self.replace_last(MORE, true);
            }
            [.., first, comma, more, again, last]
                if value(first)
                    && comma.text == ","
                    && more.text == MORE
                    && again.text == ","
                    && value(last) =>
            {
                self.all.truncate(self.all.len() - 2);
            }
            _ => {}
        }
    }

    /// At the end of a row: it is left out if it looks like the one before.
    fn shorten_rows(&mut self, opened: usize) {
        let (before, row) = self.all.split_at(opened.min(self.all.len()));
        let (rows, is_second) = match before {
            [rows @ .., close, comma] if close.text == ")" && comma.text == "," => {
                (rows.len() + 1, true)
            }
            [rows @ .., close, comma, more, again]
                if close.text == ")"
                    && comma.text == ","
                    && more.text == MORE
                    && again.text == "," =>
            {
                (rows.len() + 1, false)
            }
            _ => return,
        };
        let Some(close) = before.get(rows - 1) else { return };
        let last = before.get(close.opened..rows).unwrap_or_default();
        let texts = |pieces: &[Piece<'t>]| pieces.iter().map(|it| it.text).collect::<Vec<_>>();
        if texts(last) != texts(row) {
            return;
        }
        if is_second {
            self.all.truncate(opened + 1);
            self.replace_last(MORE, false);
        } else {
            self.all.truncate(opened - 1);
        }
    }

    fn replace_last(&mut self, text: &'t str, is_value: bool) {
        if let Some(last) = self.all.last_mut() {
            (last.text, last.is_value) = (text, is_value);
        }
    }
}

fn is_truth(word: &str) -> bool {
    ["true", "false"].iter().any(|truth| word.eq_ignore_ascii_case(truth))
}

/// What may stand in the place of a value.
fn is_nothing(word: &str) -> bool {
    ["null", "default"].iter().any(|nothing| word.eq_ignore_ascii_case(nothing))
}
