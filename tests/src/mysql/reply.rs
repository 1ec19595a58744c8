//! What a server answered, as values that two servers can be compared by.
//!
//! Thread ids and the like stay inside the rows: the scenario must not ask for them where it compares.

use bytes::{Buf, Bytes};

/// One reply: a result set or OK for each statement, until one without MORE_RESULTS.
pub type Reply = Vec<Outcome>;

/// What one statement gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An OK packet.
    Ok(Done),
    /// An ERR packet.
    Err(Refusal),
    /// A result set.
    Rows(Rows),
    /// The server asked for this file; what follows is its answer to the file.
    File(String),
    /// COM_STATISTICS answers with a text.
    Text(String),
}

/// The end of a statement: OK packet, or EOF packet with only the flags and the warnings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Affected rows.
    pub affected: u64,
    /// The last insert id.
    pub insert_id: u64,
    /// Status flags.
    pub status: u16,
    /// How many warnings there are.
    pub warnings: u16,
    /// The text for people.
    pub info: String,
    /// The session's changes, undecoded.
    pub changes: Bytes,
}

/// An ERR packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error number.
    pub code: u16,
    /// The SQLSTATE, empty before the login.
    pub state: String,
    /// The text.
    pub message: String,
}

/// A result set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Status flags and warnings of the EOF after the columns, for a client without DEPRECATE_EOF.
    pub columns_end: Option<Done>,
    /// Its rows, as they came.
    pub rows: Vec<Bytes>,
    /// Whether the rows are binary.
    pub binary: bool,
    /// What ended it.
    pub end: Result<Done, Refusal>,
}

/// A column definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Schema, table, original table, name, original name.
    pub names: [String; 5],
    /// The collation.
    pub charset: u16,
    /// The longest value.
    pub length: u32,
    /// The type.
    pub kind: u8,
    /// The flags.
    pub flags: u16,
    /// Decimals.
    pub decimals: u8,
    /// What MariaDB's extended metadata says of the type; `None` where there is none.
    pub extended: Option<String>,
}

impl Column {
    /// The name that a driver shows.
    pub fn name(&self) -> &str {
        &self.names[3]
    }

    /// Reads a column definition.
    pub fn decode(mut body: Bytes) -> Self {
        assert_eq!(string(&mut body), "def", "the catalog of a column");
        let names = std::array::from_fn(|_| string(&mut body));
        // Twelve bytes and their length; a default value may stand behind them, in a list of fields.
        let is_plain =
            body.len() == 13 || (body[0] == 12 && body.get(13).is_some_and(|b| *b != 12));
        let extended = if is_plain { None } else { Some(string(&mut body)) };
        assert_eq!(lenenc(&mut body), Some(0x0c), "the length of the fixed part");
        let charset = body.get_u16_le();
        let length = body.get_u32_le();
        let kind = body.get_u8();
        let flags = body.get_u16_le();
        let decimals = body.get_u8();
        Self { names, charset, length, kind, flags, decimals, extended }
    }
}

impl Done {
    /// Reads an OK packet, with header 0x00 or 0xFE.
    pub fn decode(mut body: Bytes, session_track: bool) -> Self {
        body.advance(1);
        let affected = lenenc(&mut body).expect("affected rows");
        let insert_id = lenenc(&mut body).expect("an insert id");
        let status = body.get_u16_le();
        let warnings = body.get_u16_le();
        let (mut info, mut changes) = (String::new(), Bytes::new());
        // The manual says `string<EOF>` for a client without SESSION_TRACK; both servers send a length all the same
        // (sql/protocol_classic.cc net_send_ok).
        if body.has_remaining() {
            info = string(&mut body);
            if session_track && status & super::flags::status::STATE_CHANGED != 0 {
                changes = blob(&mut body).expect("a block of changes");
            }
            assert!(!body.has_remaining(), "nothing follows the changes: {body:?}");
        }
        Self { affected, insert_id, status, warnings, info, changes }
    }

    /// Reads an EOF packet.
    pub fn decode_eof(body: &Bytes) -> Self {
        assert_eq!(body.len(), 5, "an EOF packet: {body:?}");
        let mut body = body.slice(1..);
        let warnings = body.get_u16_le();
        let status = body.get_u16_le();
        Self { status, warnings, ..Self::default() }
    }

    /// Whether a status flag is set.
    pub fn has(&self, flag: u16) -> bool {
        self.status & flag != 0
    }

    /// The session's changes: type, and its texts.
    pub fn changes(&self) -> Vec<(u8, Vec<String>)> {
        let mut block = self.changes.clone();
        let mut changes = Vec::new();
        while block.has_remaining() {
            let kind = block.get_u8();
            let mut data = blob(&mut block).expect("a change has data");
            let mut texts = Vec::new();
            while data.has_remaining() {
                texts.push(string(&mut data));
            }
            changes.push((kind, texts));
        }
        changes
    }
}

impl Refusal {
    /// Reads an ERR packet.
    pub fn decode(body: &Bytes) -> Self {
        let mut body = body.slice(1..);
        let code = body.get_u16_le();
        let mut state = String::new();
        if body.first() == Some(&b'#') {
            body.advance(1);
            state = String::from_utf8_lossy(&body.split_to(5)).into_owned();
        }
        Self { code, state, message: String::from_utf8_lossy(&body).into_owned() }
    }
}

impl Rows {
    /// The values as texts; NULL is `None`.
    pub fn texts(&self) -> Vec<Vec<Option<String>>> {
        let row = |row: &Bytes| {
            if self.binary { binary_row(row.clone(), &self.columns) } else { text_row(row.clone()) }
        };
        self.rows.iter().map(row).collect()
    }
}

fn text_row(mut row: Bytes) -> Vec<Option<String>> {
    let mut values = Vec::new();
    while row.has_remaining() {
        values.push(blob(&mut row).map(|value| String::from_utf8_lossy(&value).into_owned()));
    }
    values
}

fn binary_row(mut row: Bytes, columns: &[Column]) -> Vec<Option<String>> {
    assert_eq!(row.get_u8(), 0, "the header of a binary row");
    let nulls = row.split_to((columns.len() + 2).div_ceil(8));
    let is_null = |number: usize| nulls[(number + 2) / 8] & (1 << ((number + 2) % 8)) != 0;
    let value = |(number, column)| (!is_null(number)).then(|| binary_value(&mut row, column));
    columns.iter().enumerate().map(value).collect()
}

fn binary_value(row: &mut Bytes, column: &Column) -> String {
    use super::flags::kind;
    let unsigned = column.flags & 32 != 0;
    match column.kind {
        kind::TINY if unsigned => row.get_u8().to_string(),
        kind::TINY => row.get_i8().to_string(),
        kind::SHORT | kind::YEAR if unsigned => row.get_u16_le().to_string(),
        kind::SHORT | kind::YEAR => row.get_i16_le().to_string(),
        kind::LONG | kind::INT24 if unsigned => row.get_u32_le().to_string(),
        kind::LONG | kind::INT24 => row.get_i32_le().to_string(),
        kind::LONGLONG if unsigned => row.get_u64_le().to_string(),
        kind::LONGLONG => row.get_i64_le().to_string(),
        kind::FLOAT => row.get_f32_le().to_string(),
        kind::DOUBLE => row.get_f64_le().to_string(),
        kind::DATE | kind::TIME | kind::DATETIME | kind::TIMESTAMP => {
            let length = usize::from(row.get_u8());
            format!("{:02x?}", row.split_to(length).as_ref())
        }
        _ => string(row),
    }
}

/// A length-encoded integer; `None` is the NULL of a text row.
pub fn lenenc(body: &mut Bytes) -> Option<u64> {
    Some(match body.get_u8() {
        0xfb => return None,
        0xfc => body.get_uint_le(2),
        0xfd => body.get_uint_le(3),
        0xfe => body.get_uint_le(8),
        0xff => panic!("0xFF is no length"),
        small => small.into(),
    })
}

/// Length-encoded bytes; `None` is the NULL of a text row.
pub fn blob(body: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(lenenc(body)?).expect("a length fits");
    assert!(length <= body.len(), "a length of {length} in {} bytes", body.len());
    Some(body.split_to(length))
}

fn string(body: &mut Bytes) -> String {
    String::from_utf8_lossy(&blob(body).expect("not NULL")).into_owned()
}

/// All rows of a reply as texts.
pub fn rows(reply: &[Outcome]) -> Vec<Vec<Option<String>>> {
    let sets = reply.iter().filter_map(|outcome| match outcome {
        Outcome::Rows(rows) => Some(rows.texts()),
        _ => None,
    });
    sets.flatten().collect()
}

/// The first error of a reply.
pub fn refusal(reply: &[Outcome]) -> Option<Refusal> {
    reply.iter().find_map(|outcome| match outcome {
        Outcome::Err(refusal) | Outcome::Rows(Rows { end: Err(refusal), .. }) => {
            Some(refusal.clone())
        }
        _ => None,
    })
}

/// The number of the first error, or 0.
pub fn code(reply: &[Outcome]) -> u16 {
    refusal(reply).map(|refusal| refusal.code).unwrap_or_default()
}

/// The text of the first error, or an empty one.
pub fn error(reply: &[Outcome]) -> String {
    refusal(reply).map(|refusal| refusal.message).unwrap_or_default()
}

/// The flags and counts that the last statement ended with; none of an error.
pub fn done(reply: &[Outcome]) -> Done {
    match reply.last() {
        Some(Outcome::Ok(done) | Outcome::Rows(Rows { end: Ok(done), .. })) => done.clone(),
        other => panic!("not a good end: {other:?}"),
    }
}
