//! Numbers, and what begins as one.

use super::{Lexer, TokenKind, is_name_byte};

impl Lexer<'_> {
    /// A number, or a name that begins with a digit (`MY_LEX_NUMBER_IDENT`).
    pub(super) fn number(&mut self) -> TokenKind {
        if self.peek(0) == Some(b'0') && self.prefixed_bits() {
            return TokenKind::Bits;
        }
        self.digits();
        match self.peek(0) {
            Some(b'.') => self.real(),
            Some(b'e' | b'E') if self.has_exponent() => self.real(),
            Some(byte) if is_name_byte(byte) => {
                while self.peek(0).is_some_and(is_name_byte) {
                    self.at += 1;
                }
                TokenKind::Word
            }
            Some(_) | None => TokenKind::Number,
        }
    }

    /// What is left of a number from its point or its exponent on.
    pub(super) fn real(&mut self) -> TokenKind {
        if self.peek(0) == Some(b'.') {
            self.at += 1;
            self.digits();
        }
        if self.has_exponent() {
            self.at += if self.is_digit(1) { 1 } else { 2 };
            self.digits();
        }
        TokenKind::Number
    }

    fn has_exponent(&self) -> bool {
        matches!(self.peek(0), Some(b'e' | b'E'))
            && (self.is_digit(1) || matches!(self.peek(1), Some(b'+' | b'-')) && self.is_digit(2))
    }

    /// Takes `0x1F` or `0b01` if that is what stands here.
    fn prefixed_bits(&mut self) -> bool {
        let fits: fn(&u8) -> bool = match self.peek(1) {
            Some(b'x') => u8::is_ascii_hexdigit,
            Some(b'b') => |byte| matches!(byte, b'0' | b'1'),
            Some(_) | None => return false,
        };
        let rest = self.bytes.get(self.at + 2..).unwrap_or_default();
        let len = rest.iter().take_while(|byte| fits(byte)).count();
        let is_name = rest.get(len).is_some_and(|byte| is_name_byte(*byte));
        if len > 0 && !is_name {
            self.at += 2 + len;
        }
        len > 0 && !is_name
    }

    fn digits(&mut self) {
        while self.is_digit(0) {
            self.at += 1;
        }
    }
}
