//! The words of MySQL's transcripts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use cache::sql::mysql::CatalogQuery;
use origin::net::{Framed, Stream};
use protocol::mysql::{
    auth,
    capabilities::{CapabilityFlags, ColumnType, MariaDbFlags, StatusFlags},
    handshake::{self, Greeting, HandshakeResponse},
    packet,
    reply::{self, ColumnDef, ErrPacket, OkPacket, PrepareOk},
};
use serving::{
    activity::Who,
    config::{Config, Engine},
    context::Common,
    script::{Arrival, Beginning, Side, Words},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    time::timeout,
};

use super::super::{Context, handshake::Client, session::Session};

/// What both sides of the proxy agree to.
const CAPABILITIES: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_CONNECT_WITH_DB)
    .union(CapabilityFlags::CLIENT_CONNECT_ATTRS)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_SESSION_TRACK);
/// What a server begins with that is another one.
const VERSION: &str = "version";
/// The longest packet here.
const LIMIT: usize = 1 << 20;

/// A proxy for MySQL.
pub(super) struct MySql {
    pub(super) context: Arc<Context>,
}

impl Words for MySql {
    const ENGINE: Engine = Engine::MySql;

    fn new(config: &Config, common: Arc<Common>) -> Self {
        Self { context: Context::new(config, common) }
    }

    async fn serve(self: Arc<Self>, name: String, stream: DuplexStream) {
        let database = self.context.directory.find("app").unwrap().open();
        let mut capabilities = CAPABILITIES - CapabilityFlags::CLIENT_SESSION_TRACK;
        capabilities.set(CapabilityFlags::CLIENT_FOUND_ROWS, name.starts_with('F'));
        let place = self.context.common.place(&database.config, "u").unwrap();
        let client = Client {
            place,
            framed: Framed::new(Stream::Duplex(stream)),
            capabilities,
            extended: MariaDbFlags::empty(),
            collation: 45,
            user: String::from("u"),
            thread: self.context.threads.issue().serve(&database),
            seen: database.metrics.enter(Who::new("u", None), None),
            database,
            schema: None,
            scramble: [0; 20],
        };
        let limit = Duration::from_secs(30);
        let session = Session::new(client, Arc::clone(&self.context), limit);
        // How it ended, its client has heard.
        drop(Box::new(session).run().await);
    }

    async fn cancel(self: Arc<Self>, _name: String) {
        panic!("a MySQL client has no cancel request");
    }

    async fn accept(stream: DuplexStream, numbers: &AtomicU32, beginning: Beginning) -> Arrival {
        let server = Server { stream, input: BytesMut::new() };
        log_in(server, numbers, beginning).await.unwrap_or(Arrival::Other)
    }

    fn say(from: Side, message: &str, out: &mut BytesMut) {
        let (word, rest) = message.split_once(' ').unwrap_or((message, ""));
        match from {
            Side::Client => say_client(word, rest, out),
            Side::Backend => say_backend(word, rest, out),
        }
    }

    fn hear(by: Side, input: &mut BytesMut) -> Option<String> {
        match by {
            Side::Backend => {
                packet::take(input, LIMIT).unwrap().map(|one| hear_client(&one.payload))
            }
            Side::Client => hear_backend(input),
        }
    }
}

/// One connection as the database has it.
struct Server {
    stream: DuplexStream,
    input: BytesMut,
}

impl Server {
    async fn says(&mut self, out: &[u8]) -> Option<()> {
        self.stream.write_all(out).await.ok()
    }

    async fn hears(&mut self) -> Option<packet::Packet> {
        loop {
            if let Some(packet) = packet::take(&mut self.input, LIMIT).unwrap() {
                return Some(packet);
            }
            if self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The backend that a question is about.
    async fn hears_number(&mut self) -> Option<u32> {
        let said = hear_client(&self.hears().await?.payload);
        said.rsplit(' ').next()?.parse().ok()
    }

    async fn replies(&mut self, reply: &str) -> Option<()> {
        let mut out = BytesMut::new();
        MySql::say(Side::Backend, reply, &mut out);
        self.says(&out).await
    }
}

/// A login, and what a connection for the pool is asked then. `None` when it hung up.
async fn log_in(mut server: Server, numbers: &AtomicU32, beginning: Beginning) -> Option<Arrival> {
    let number = numbers.fetch_add(1, Ordering::SeqCst);
    let greeting = Greeting {
        version: beginning.get(VERSION).map_or("8.4.0", |version| version).to_owned().into(),
        thread_id: number,
        scramble: *b"0123456789abcdefghij",
        capabilities: CAPABILITIES
            | CapabilityFlags::CLIENT_FOUND_ROWS
            | CapabilityFlags::CLIENT_MULTI_STATEMENTS,
        extended: MariaDbFlags::empty(),
        collation: 45,
        status: StatusFlags::SERVER_STATUS_AUTOCOMMIT,
        plugin: Bytes::from_static(auth::NATIVE.as_bytes()),
    };
    let (mut payload, mut out) = (BytesMut::new(), BytesMut::new());
    greeting.encode(&mut payload);
    packet::put(&mut out, &mut 0, &payload);
    server.says(&out).await?;
    let response = server.hears().await?;
    let program = program_name(&response.payload);
    let (mut payload, mut out) = (BytesMut::new(), BytesMut::new());
    let ok = OkPacket { status: StatusFlags::SERVER_STATUS_AUTOCOMMIT, ..OkPacket::default() };
    ok.encode(0, CAPABILITIES, &mut payload);
    packet::put(&mut out, &mut response.last_sequence.wrapping_add(1), &payload);
    server.says(&out).await?;
    if program != "jumpgate/app" {
        // No backend: the number is free.
        numbers.fetch_sub(1, Ordering::SeqCst);
    }
    match program.rsplit(' ').next() {
        // It is read also where nothing is cached, and says that there is nothing. All is asked before one answer comes.
        Some("catalog") => {
            for _question in CatalogQuery::ALL {
                server.hears().await?;
            }
            for _question in CatalogQuery::ALL {
                server.replies("gone").await?;
            }
            server.hears().await?;
            return None;
        }
        Some("kill") => {
            let number = server.hears_number().await?;
            return Some(Arrival::Kill(number, server.stream));
        }
        Some("question") => {
            let number = server.hears_number().await?;
            return Some(Arrival::Question(number, server.stream));
        }
        _ => {}
    }
    loop {
        let said = hear_client(&server.hears().await?.payload);
        if said.starts_with("Query SHOW SESSION VARIABLES") {
            let rows = beginning.iter().map(|(name, value)| [name, value]);
            let rows = rows.map(|row| row.map(|cell| Some(cell.as_bytes()))).collect::<Vec<_>>();
            let rows = rows.iter().map(|row| &row[..]).collect::<Vec<_>>();
            let mut out = BytesMut::new();
            put_rows(&["Variable_name", "Value"], &rows, &mut out);
            server.says(&out).await?;
            server.hears().await?;
            server.replies("Rows 1").await?;
            // The collations are asked for in the same write by the first login, and what drivers will ask.
            drop(timeout(Duration::ZERO, server.stream.read_buf(&mut server.input)).await);
            while !server.input.is_empty() {
                match hear_client(&server.hears().await?.payload).contains("@@") {
                    true => server.replies("Err 1193").await?,
                    false => server.says(&collations()).await?,
                }
            }
            return Some(Arrival::Backend(number, server.stream));
        }
        let reply = if said.contains("sql_mode") { "Rows ANSI" } else { "OK" };
        server.replies(reply).await?;
    }
}

fn program_name(response: &[u8]) -> String {
    let response = HandshakeResponse::decode(response, CapabilityFlags::all()).unwrap();
    let mut attributes = handshake::attributes(response.attributes).map(Result::unwrap);
    let program = attributes.find(|(name, _)| *name == b"program_name").unwrap().1;
    String::from_utf8_lossy(program).into_owned()
}

/// One collation, whose id every client here logs in with.
fn collations() -> BytesMut {
    let cells: [Option<&[u8]>; 3] = [Some(b"45"), Some(b"utf8mb4"), Some(b"utf8mb4_general_ci")];
    let mut out = BytesMut::new();
    put_rows(&["id", "character_set_name", "collation_name"], &[&cells], &mut out);
    out
}

fn put_rows(columns: &[&str], rows: &[&[Option<&[u8]>]], out: &mut BytesMut) {
    put_rows_in(StatusFlags::empty(), columns, rows, out);
}

fn put_rows_in(
    flags: StatusFlags,
    columns: &[&str],
    rows: &[&[Option<&[u8]>]],
    out: &mut BytesMut,
) {
    let (mut payload, mut sequence) = (BytesMut::new(), 1);
    reply::encode_column_count(u32::try_from(columns.len()).unwrap(), &mut payload);
    packet::put(out, &mut sequence, &payload);
    for name in columns {
        payload.clear();
        ColumnDef::computed(name.as_bytes(), ColumnType::MYSQL_TYPE_VAR_STRING, 45, 256)
            .encode(&mut payload);
        packet::put(out, &mut sequence, &payload);
    }
    for row in rows {
        payload.clear();
        reply::encode_text_row(row.iter().copied(), &mut payload);
        packet::put(out, &mut sequence, &payload);
    }
    payload.clear();
    let status = StatusFlags::SERVER_STATUS_AUTOCOMMIT | flags;
    let end = OkPacket { status, ..OkPacket::default() };
    end.encode_rows_end(CAPABILITIES, &mut payload);
    packet::put(out, &mut sequence, &payload);
}

fn say_client(word: &str, rest: &str, out: &mut BytesMut) {
    if word == "Execute" {
        let id = rest.parse::<u32>().unwrap().to_le_bytes();
        return packet::put(out, &mut 0, &[&[0x17], &id[..], &[0, 1, 0, 0, 0]].concat());
    }
    let code = match word {
        "Quit" => 0x01,
        "Query" => 0x03,
        "Ping" => 0x0e,
        "Prepare" => 0x16,
        "Reset" => 0x1f,
        _ => panic!("no client says {word}"),
    };
    packet::put(out, &mut 0, &[&[code], rest.as_bytes()].concat());
}

fn hear_client(payload: &[u8]) -> String {
    let (code, rest) = payload.split_first().unwrap();
    let word = match code {
        0x01 => "Quit",
        0x02 => "InitDb",
        0x03 => "Query",
        0x0e => "Ping",
        0x16 => "Prepare",
        0x17 => {
            let id = u32::from_le_bytes(*rest.first_chunk().unwrap());
            return if id == u32::MAX { "Execute last".into() } else { format!("Execute {id}") };
        }
        0x19 => "Close",
        0x1b => "SetOption",
        0x1f => "Reset",
        _ => "?",
    };
    let rest = String::from_utf8_lossy(rest);
    if rest.is_empty() || word == "SetOption" { word.to_owned() } else { format!("{word} {rest}") }
}

fn say_backend(word: &str, rest: &str, out: &mut BytesMut) {
    let mut payload = BytesMut::new();
    match word {
        "OK" => {
            let mut status = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
            status.set(StatusFlags::SERVER_STATUS_IN_TRANS, rest == "trans");
            OkPacket { status, ..OkPacket::default() }.encode(0, CAPABILITIES, &mut payload);
            packet::put(out, &mut 1, &payload);
        }
        "Err" => {
            let (code, message) = (rest.parse().unwrap(), b"an error");
            ErrPacket { code, sqlstate: b"HY000", message }.encode(&mut payload);
            packet::put(out, &mut 1, &payload);
        }
        "Prepared" => {
            let statement = rest.parse().unwrap();
            PrepareOk { statement, columns: 0, params: 0, warnings: 0 }.encode(&mut payload);
            packet::put(out, &mut 1, &payload);
        }
        // The statement that was prepared last, where the server does not know what that is.
        "Unknown" => {
            let message =
                b"Unknown prepared statement handler (4294967295) given to mysqld_stmt_execute";
            ErrPacket { code: 1243, sqlstate: b"HY000", message }.encode(&mut payload);
            packet::put(out, &mut 1, &payload);
        }
        // As a server that says goodbye unasked.
        "Unasked" => {
            let (code, message) = (rest.parse().unwrap(), b"goodbye");
            ErrPacket { code, sqlstate: b"HY000", message }.encode(&mut payload);
            packet::put(out, &mut 0, &payload);
        }
        "Rows" => {
            let rows = rest.split(',').map(|cell| [Some(cell.as_bytes())]).collect::<Vec<_>>();
            let rows = rows.iter().map(|row| &row[..]).collect::<Vec<_>>();
            put_rows(&["a"], &rows, out);
        }
        // Rows within a transaction.
        "Read" => {
            let cells = [Some(rest.as_bytes())];
            put_rows_in(StatusFlags::SERVER_STATUS_IN_TRANS, &["a"], &[&cells], out);
        }
        "done" => say_backend("OK", "", out),
        "gone" => put_rows(&["a"], &[], out),
        "there" => say_backend("Rows", "1", out),
        _ => panic!("no backend says {word}"),
    }
}

/// Takes a whole reply.
fn hear_backend(input: &mut BytesMut) -> Option<String> {
    let mut rest = input.clone();
    let first = packet::take(&mut rest, LIMIT).unwrap()?.payload;
    let said = match first.first() {
        Some(0x00) if first.len() == PREPARED_LEN => {
            format!("Prepared {}", PrepareOk::decode(&first).unwrap().statement)
        }
        Some(0x00) => {
            let ok = OkPacket::decode(&first, CapabilityFlags::CLIENT_PROTOCOL_41).unwrap();
            let is_open = ok.status.contains(StatusFlags::SERVER_STATUS_IN_TRANS);
            String::from(if is_open { "OK trans" } else { "OK" })
        }
        Some(0xff) => format!("Err {}", ErrPacket::decode(&first).unwrap().code),
        Some(columns) => {
            for _ in 0..*columns {
                packet::take(&mut rest, LIMIT).unwrap()?;
            }
            let mut cells = Vec::new();
            loop {
                let row = packet::take(&mut rest, LIMIT).unwrap()?.payload;
                match row.first() {
                    Some(0xfe) => break format!("Rows {}", cells.join(",")).trim_end().to_owned(),
                    Some(0xff) => break format!("Err {}", ErrPacket::decode(&row).unwrap().code),
                    _ => {}
                }
                for cell in reply::text_row(&row) {
                    let cell = cell.unwrap().unwrap_or_default();
                    cells.push(String::from_utf8_lossy(cell).into_owned());
                }
            }
        }
        None => String::from("?"),
    };
    *input = rest;
    Some(said)
}

/// Of the answer to a COM_STMT_PREPARE.
const PREPARED_LEN: usize = 12;
