//! Our tokens as sqlparser's.
//!
//! Where a token ends is decided already, so nothing of sqlparser's tokenizer and of its idea of
//! MySQL's quotes and comments matters. Values of texts do not matter either, but for the format of a STR_TO_DATE.

use sqlparser::tokenizer::Token;

use super::super::lexer::TokenKind;
use super::super::tokens::Tokens;
use super::variable;

/// The tokens of a statement; none where one has no counterpart.
pub(super) fn tokens(tokens: Tokens<'_>) -> Option<Vec<Token>> {
    let keeps_texts = (0..tokens.len()).any(|at| tokens.is(at, FORMATTED));
    let mut converted = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        at += charset_len(tokens, at);
        match variable::constant_len(tokens, at) {
            Some(len) => {
                // As constant as a text.
                converted.push(Token::SingleQuotedString(String::new()));
                at += len;
            }
            None if keeps_texts && tokens.kind(at) == Some(TokenKind::Text) => {
                converted.push(Token::SingleQuotedString(tokens.value(at)));
                at += 1;
            }
            None => {
                converted.push(token(tokens, at)?);
                at += 1;
            }
        }
    }
    Some(converted)
}

/// The length of the `CHARSET utf8mb4` of `CAST(… AS CHAR CHARSET utf8mb4)`, which sqlparser does not
/// know. Nothing else can stand so before a closing parenthesis.
fn charset_len(tokens: Tokens<'_>, at: usize) -> usize {
    let follows_type = at.checked_sub(1).is_some_and(|before| {
        tokens.is_one_of(before, &["CHAR", "CHARACTER"]) || tokens.is_symbol(before, ")")
    });
    let words = match (tokens.is(at, "CHARSET"), tokens.are(at, &["CHARACTER", "SET"])) {
        (true, _) => 1,
        (_, true) => 2,
        (false, false) => return 0,
    };
    let is_name = tokens.name_part(at + words).is_some();
    if follows_type && is_name && tokens.is_symbol(at + words + 1, ")") { words + 1 } else { 0 }
}

fn token(tokens: Tokens<'_>, at: usize) -> Option<Token> {
    let text = tokens.text(at);
    Some(match tokens.kind(at)? {
        // After a dot a keyword is a name like any other.
        TokenKind::Word if tokens.keyword(at).is_none() => Token::make_word(text, Some('`')),
        // The operator; sqlparser knows the function only.
        TokenKind::Word if tokens.is(at, "MOD") && !tokens.is_symbol(at + 1, "(") => Token::Mod,
        // As constant, and its parser copies all that stands before it, once for each that follows.
        TokenKind::Word if tokens.is(at, "DIV") => Token::Div,
        // Units of several fields, which sqlparser does not know; it only matters whether the date is one of them.
        TokenKind::Word if tokens.is_one_of(at, &UNITS_OF_TIME) => Token::make_word("HOUR", None),
        TokenKind::Word if tokens.is_one_of(at, &UNITS_OF_DATES) => Token::make_word("DAY", None),
        TokenKind::Word => Token::make_word(text, None),
        TokenKind::Name => Token::make_word(&tokens.name_part(at)?, Some('`')),
        TokenKind::Text => Token::SingleQuotedString(String::new()),
        TokenKind::National => Token::NationalStringLiteral(String::new()),
        TokenKind::Bits => Token::HexStringLiteral(String::new()),
        TokenKind::Number => Token::Number(text.to_owned(), false),
        TokenKind::Parameter => Token::Placeholder("?".to_owned()),
        TokenKind::Symbol => symbol(text)?,
        TokenKind::UserVariable | TokenKind::SystemMark => return None,
    })
}

fn symbol(text: &str) -> Option<Token> {
    Some(match text {
        "," => Token::Comma,
        "." => Token::Period,
        "(" => Token::LParen,
        ")" => Token::RParen,
        "*" => Token::Mul,
        "=" => Token::Eq,
        "<=>" => Token::Spaceship,
        "<>" | "!=" => Token::Neq,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "+" => Token::Plus,
        "-" => Token::Minus,
        "/" => Token::Div,
        "%" => Token::Mod,
        "||" => Token::StringConcat,
        "&&" => Token::Overlap,
        "&" => Token::Ampersand,
        "|" => Token::Pipe,
        "^" => Token::Caret,
        "~" => Token::Tilde,
        "!" => Token::ExclamationMark,
        "<<" => Token::ShiftLeft,
        ">>" => Token::ShiftRight,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        // The semicolon that ends a statement is not among its tokens.
        _ => return None,
    })
}

/// The function whose result is of a type that a text says.
pub(in super::super) const FORMATTED: &str = "STR_TO_DATE";

const UNITS_OF_TIME: [&str; 6] = [
    "HOUR_MICROSECOND",
    "HOUR_MINUTE",
    "HOUR_SECOND",
    "MINUTE_MICROSECOND",
    "MINUTE_SECOND",
    "SECOND_MICROSECOND",
];
const UNITS_OF_DATES: [&str; 5] =
    ["DAY_HOUR", "DAY_MICROSECOND", "DAY_MINUTE", "DAY_SECOND", "YEAR_MONTH"];
