//! Where tokens begin and end.

use super::super::lexer::{Token, TokenKind, Unreadable, lex};
use super::{Modes, PLAIN};

fn texts(sql: &str, modes: Modes) -> Vec<(TokenKind, &str)> {
    let lexed = lex(sql, modes).unwrap();
    let text =
        |token: &Token| (token.kind, sql.get(token.start as usize..token.end as usize).unwrap());
    lexed.tokens.iter().map(text).collect()
}

fn words(sql: &str) -> Vec<&str> {
    texts(sql, PLAIN).into_iter().map(|(_, text)| text).collect()
}

fn kinds(sql: &str) -> Vec<TokenKind> {
    texts(sql, PLAIN).into_iter().map(|(kind, _)| kind).collect()
}

#[test]
fn comments_are_no_tokens() {
    for sql in ["1 # x\n+ 2", "1 -- x\n+ 2", "1 --\n+ 2", "1 /* ' */+ 2", "1/**/+2 --"] {
        assert_eq!(words(sql), ["1", "+", "2"], "{sql}");
    }
}

#[test]
fn two_minus_signs_without_white_space_are_no_comment() {
    assert_eq!(words("1--2"), ["1", "-", "-", "2"]);
}

#[test]
fn quotes_escape_and_double_as_the_modes_say() {
    let ansi = Modes { ansi_quotes: true, ..PLAIN };
    let plain_backslash = Modes { no_backslash_escapes: true, ..PLAIN };
    assert_eq!(texts(r#""a'""b""#, PLAIN), [(TokenKind::Text, r#""a'""b""#)]);
    assert_eq!(texts(r#""a'""b""#, ansi), [(TokenKind::Name, r#""a'""b""#)]);
    assert_eq!(texts(r"'a\'b'", PLAIN), [(TokenKind::Text, r"'a\'b'")]);
    assert_eq!(
        texts(r"'a\' 'b'", plain_backslash),
        [(TokenKind::Text, r"'a\'"), (TokenKind::Text, "'b'")]
    );
    assert_eq!(texts(r"`a\` 1", PLAIN)[0], (TokenKind::Name, r"`a\`"));
    assert_eq!(lex("'a", PLAIN).err(), Some(Unreadable));
    assert_eq!(lex(r"'a\'", PLAIN).err(), Some(Unreadable));
}

#[test]
fn numbers_bits_and_names_that_begin_with_digits_are_told_apart() {
    use TokenKind::{Bits, National, Number, Word};
    assert_eq!(kinds("1 1.5 .5 1e5 1.5e-3 1."), [Number; 6]);
    assert_eq!(kinds("0x1F 0b01 x'1f' X'1F' b'1'"), [Bits; 5]);
    assert_eq!(kinds("1a 0xG 0b2 1e $a 0X1F"), [Word; 6]);
    assert_eq!(kinds("n'a' N'b'"), [National; 2]);
    assert_eq!(words("t.1a"), ["t", ".", "1a"]);
    assert_eq!(words("t.5"), ["t", ".", "5"]);
    assert_eq!(kinds("t.5")[2], Word);
    assert_eq!(words("1.5.5"), ["1.5", ".5"]);
}

#[test]
fn variables_keep_their_names() {
    use TokenKind::{SystemMark, UserVariable, Word};
    assert_eq!(words("@a.b:=@`x y`"), ["@a.b", ":=", "@`x y`"]);
    assert_eq!(kinds("@'a' @\"b\" @c"), [UserVariable; 3]);
    assert_eq!(kinds("@@x"), [SystemMark, Word]);
    assert_eq!(words("@@session.x"), ["@@", "session", ".", "x"]);
}

#[test]
fn executable_comments_are_code() {
    for sql in ["/*!40101 SET x */", "/*! SET x */", "/*M!100100 SET x*/", "/*!SET x*/"] {
        assert_eq!(words(sql), ["SET", "x"], "{sql}");
        let lexed = lex(sql, PLAIN).unwrap();
        assert!(lexed.has_conditional && lexed.tokens.iter().all(|t| t.is_conditional));
    }
    assert_eq!(lex("/*! a", PLAIN).err(), Some(Unreadable));
    assert_eq!(lex("/*! a /*! b */ */", PLAIN).err(), Some(Unreadable));
    assert_eq!(lex("/* a", PLAIN).err(), Some(Unreadable));
}

#[test]
fn what_other_servers_read_otherwise_is_refused() {
    for sql in ["SELECT $$a$$", "SELECT $t$ a $t$", "SELECT \0", "# a\0b\nSELECT"] {
        assert_eq!(lex(sql, PLAIN).err(), Some(Unreadable), "{sql}");
    }
}
