//! Length-encoded numbers, and how long the values of the binary protocol are.
//!
//! Values are not interpreted: what is only passed on, compared or counted stays as it came.

use bytes::{BufMut, BytesMut};

use super::capabilities::ColumnType;
use crate::reader::{DecodeError, Reader};

/// Appends a length-encoded number in its shortest form.
pub fn put_lenenc(out: &mut BytesMut, value: u64) {
    let [a, b, c, ..] = value.to_le_bytes();
    match value {
        0..=250 => out.put_u8(a),
        251..=0xffff => out.put_slice(&[0xfc, a, b]),
        0x1_0000..=0xff_ffff => out.put_slice(&[0xfd, a, b, c]),
        _ => {
            out.put_u8(0xfe);
            out.put_u64_le(value);
        }
    }
}

/// Appends bytes behind their length-encoded length.
pub fn put_lenenc_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_lenenc(out, bytes.len().try_into().unwrap_or(u64::MAX));
    out.put_slice(bytes);
}

/// Appends bytes and a NUL. What follows a NUL inside `bytes` is left out, for it would be read as another field.
pub(super) fn put_cstr(out: &mut BytesMut, bytes: &[u8]) {
    out.put_slice(bytes.split(|byte| *byte == 0).next().unwrap_or_default());
    out.put_u8(0);
}

/// Takes one value of the binary protocol, with the length bytes that belong to it.
///
/// # Errors
///
/// When it is not all there, or is a date or time of an impossible length.
pub fn binary_value<'a>(
    reader: &mut Reader<'a>,
    kind: ColumnType,
) -> Result<&'a [u8], DecodeError> {
    let whole = reader.rest();
    let length = match kind {
        ColumnType::MYSQL_TYPE_NULL => 0,
        ColumnType::MYSQL_TYPE_TINY => 1,
        ColumnType::MYSQL_TYPE_SHORT | ColumnType::MYSQL_TYPE_YEAR => 2,
        ColumnType::MYSQL_TYPE_LONG
        | ColumnType::MYSQL_TYPE_INT24
        | ColumnType::MYSQL_TYPE_FLOAT => 4,
        ColumnType::MYSQL_TYPE_LONGLONG | ColumnType::MYSQL_TYPE_DOUBLE => 8,
        ColumnType::MYSQL_TYPE_DATE
        | ColumnType::MYSQL_TYPE_DATETIME
        | ColumnType::MYSQL_TYPE_TIMESTAMP => one_of(reader, &[0, 4, 7, 11])?,
        ColumnType::MYSQL_TYPE_TIME => one_of(reader, &[0, 8, 12])?,
        // Also what is not known: "default" in get_ps_param_len, sql/protocol_classic.cc.
        _ => reader.lenenc()?,
    };
    reader.bytes(usize::try_from(length).map_err(|_too_large| DecodeError::Truncated)?)?;
    let taken = whole.len().saturating_sub(reader.rest().len());
    Ok(whole.get(..taken).unwrap_or_default())
}

/// The length byte of a date or time: parts that are zero at the end are left out.
fn one_of(reader: &mut Reader<'_>, lengths: &[u8]) -> Result<u64, DecodeError> {
    let length = reader.u8()?;
    if lengths.contains(&length) {
        Ok(u64::from(length))
    } else {
        Err(DecodeError::Value("length of a date or time"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_is_as_long_as_its_type_and_length_say() {
        let check = |kind, bytes: &[u8], expect: usize| {
            let mut reader = Reader::new(bytes);
            assert_eq!(binary_value(&mut reader, kind), Ok(&bytes[..expect]), "{kind:?}");
            assert_eq!(reader.rest(), &bytes[expect..], "{kind:?}");
        };
        let eleven = [11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
        check(ColumnType::MYSQL_TYPE_NULL, &eleven, 0);
        check(ColumnType::MYSQL_TYPE_TINY, &eleven, 1);
        check(ColumnType::MYSQL_TYPE_SHORT, &eleven, 2);
        check(ColumnType::MYSQL_TYPE_YEAR, &eleven, 2);
        check(ColumnType::MYSQL_TYPE_LONG, &eleven, 4);
        check(ColumnType::MYSQL_TYPE_INT24, &eleven, 4);
        check(ColumnType::MYSQL_TYPE_FLOAT, &eleven, 4);
        check(ColumnType::MYSQL_TYPE_LONGLONG, &eleven, 8);
        check(ColumnType::MYSQL_TYPE_DOUBLE, &eleven, 8);
        for kind in [
            ColumnType::MYSQL_TYPE_DATE,
            ColumnType::MYSQL_TYPE_DATETIME,
            ColumnType::MYSQL_TYPE_TIMESTAMP,
        ] {
            check(kind, &eleven, 12);
            check(kind, b"\x07abcdefgh", 8);
            check(kind, b"\x04abcdefgh", 5);
            check(kind, b"\0abc", 1);
        }
        check(ColumnType::MYSQL_TYPE_TIME, &[&[12], &eleven[..]].concat(), 13);
        check(ColumnType::MYSQL_TYPE_TIME, b"\x08abcdefghi", 9);
        check(ColumnType::MYSQL_TYPE_TIME, b"\0abc", 1);
        check(ColumnType::MYSQL_TYPE_VAR_STRING, b"\x02abc", 3);
        check(ColumnType::MYSQL_TYPE_JSON, b"\xfc\x01\0abc", 4);
        check(ColumnType(99), b"\0", 1);
    }

    #[test]
    fn a_value_that_is_cut_or_impossible_is_an_error() {
        for (kind, bytes) in [
            (ColumnType::MYSQL_TYPE_TINY, &b""[..]),
            (ColumnType::MYSQL_TYPE_DOUBLE, b"1234567"),
            (ColumnType::MYSQL_TYPE_DATE, b""),
            (ColumnType::MYSQL_TYPE_DATE, b"\x04abc"),
            (ColumnType::MYSQL_TYPE_DATE, b"\x05abcdefg"),
            (ColumnType::MYSQL_TYPE_TIME, b"\x0babcdefghijk"),
            (ColumnType::MYSQL_TYPE_STRING, b"\x03ab"),
            (ColumnType::MYSQL_TYPE_STRING, b"\xfb"),
            (ColumnType::MYSQL_TYPE_STRING, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff"),
        ] {
            assert!(binary_value(&mut Reader::new(bytes), kind).is_err(), "{kind:?} {bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_length_encoded_number_is_read_as_it_was_written(
            value in prop_oneof![any::<u64>(), 0..600_u64, 0xff_fff0..0x100_0010_u64],
        ) {
            let mut out = BytesMut::new();
            put_lenenc(&mut out, value);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.lenenc(), Ok(value));
            prop_assert!(reader.rest().is_empty());
        }
    }
}
