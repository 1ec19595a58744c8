//! The words of PostgreSQL's transcripts.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut as _, BytesMut};
use cache::sql::postgres::{Classifier, Verdicts};
use origin::net::{Framed, Stream};
use parking_lot::Mutex;
use protocol::{
    postgres::{
        encode::{self, Severity},
        message,
        pipeline::TransactionStatus,
        startup::{self, FirstPacket},
    },
    reader::Reader,
};
use serving::{
    activity::Who,
    config::{Config, Engine},
    context::Common,
    script::{Arrival, Beginning, Side, Words, duration},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::super::{
    Context, adopt, handshake::LoggedIn, origin::take_frame, session::Session, settings::Settings,
};

/// What every backend reports when somebody logs in.
const REPORTED: [(&str, &str); 3] =
    [("TimeZone", "UTC"), ("standard_conforming_strings", "on"), ("server_version", "18.0")];

/// A proxy for PostgreSQL.
pub(super) struct Postgres {
    pub(super) context: Arc<Context>,
    keys: Mutex<HashMap<String, (u32, Vec<u8>)>>,
}

impl Words for Postgres {
    const ENGINE: Engine = Engine::Postgres;

    fn new(config: &Config, common: Arc<Common>) -> Self {
        let context = Context::new(config, common);
        // That there is nothing: nobody plays a reading of it.
        let catalog = Classifier::new(Arc::default(), &Verdicts::new(1 << 20));
        context.directory.find("app").unwrap().open().catalog.teach(catalog);
        Self { context, keys: Mutex::default() }
    }

    async fn serve(self: Arc<Self>, name: String, stream: DuplexStream) {
        let database = self.context.directory.find("app").unwrap().open();
        let mut framed = Framed::new(Stream::Duplex(stream));
        // No settings of its own, which every backend would be given first.
        let base = database.settings.intern(Arc::new(Settings::default()));
        let parameters = match adopt::welcome(&database, &base).await {
            Ok(parameters) => parameters,
            Err(refusal) => {
                refusal.put_fatal(framed.queue());
                framed.shutdown().await.unwrap();
                return;
            }
        };
        let key = self.context.cancel.issue(&database, false);
        self.keys.lock().insert(name, (key.process, key.secret.clone()));
        let statement_timeout = database.config.statement_timeout("u");
        let caching = database.config.caching.of_user("u");
        let seen = database.metrics.enter(Who::new("u", None), None);
        let client =
            LoggedIn { framed, database, key, base, parameters, statement_timeout, caching, seen };
        let limit = Duration::from_secs(30);
        let session = Session::of(Box::new(client), Arc::clone(&self.context), limit);
        // How it ended, its client has heard.
        drop(session.run().await);
    }

    async fn cancel(self: Arc<Self>, name: String) {
        let (process, secret) = self.keys.lock().get(&name).cloned().unwrap();
        self.context.cancel.deliver(process, &secret).await;
    }

    async fn accept(mut end: DuplexStream, numbers: &AtomicU32, beginning: Beginning) -> Arrival {
        let mut input = BytesMut::new();
        let first = loop {
            if let Some((first, used)) = startup::first_packet(&input).unwrap() {
                drop(input.split_to(used));
                break first;
            }
            if end.read_buf(&mut input).await.unwrap_or(0) == 0 {
                return Arrival::Other;
            }
        };
        let application = match first {
            FirstPacket::Cancel { process, .. } => return Arrival::Kill(process, end),
            FirstPacket::Startup(mut startup) => startup.parameters.remove("application_name"),
            _ => return Arrival::Other,
        };
        let application = application.unwrap_or_default();
        if application.ends_with(" catalog") {
            return Arrival::Other;
        }
        let is_question = application.ends_with(" question");
        let number = if is_question { 0 } else { numbers.fetch_add(1, Ordering::SeqCst) };
        let mut out = BytesMut::new();
        encode::authentication_ok(&mut out);
        for (name, value) in REPORTED {
            let value = beginning.get(name).map_or(value, String::as_str);
            encode::parameter_status(name, value, &mut out);
        }
        encode::backend_key_data(number, b"abcd", &mut out);
        encode::ready_for_query(TransactionStatus::Idle, &mut out);
        if end.write_all(&out).await.is_err() {
            return Arrival::Other;
        }
        loop {
            if let Some(asked) = Self::hear(Side::Backend, &mut input) {
                if !is_question {
                    let lasts = beginning.get("login").map_or(Duration::ZERO, |it| duration(it));
                    tokio::time::sleep(lasts).await;
                    // What it begins with.
                    let stored = beginning.get("stored").map_or("", String::as_str);
                    let mut out = BytesMut::new();
                    say_backend("Columns", "a", &mut out);
                    let row = format!("read committed;{stored}");
                    say_backend("Row", &row, &mut out);
                    say_backend("Complete", "SELECT 1", &mut out);
                    say_backend("Ready", "I", &mut out);
                    return match end.write_all(&out).await {
                        Ok(()) => Arrival::Backend(number, end),
                        Err(_) => Arrival::Other,
                    };
                }
                let number = asked.rsplit(' ').next().and_then(|number| number.parse().ok());
                return Arrival::Question(number.unwrap(), end);
            }
            if end.read_buf(&mut input).await.unwrap_or(0) == 0 {
                return Arrival::Other;
            }
        }
    }

    fn say(from: Side, message: &str, out: &mut BytesMut) {
        let (word, rest) = message.split_once(' ').unwrap_or((message, ""));
        match from {
            Side::Client => say_client(word, rest, out),
            Side::Backend => say_backend(word, rest, out),
        }
    }

    fn hear(by: Side, input: &mut BytesMut) -> Option<String> {
        let (tag, body) = take_frame(input, 1 << 24).unwrap()?;
        let said = match by {
            Side::Backend => hear_client(tag, &body),
            Side::Client => hear_backend(tag, &body),
        };
        Some(without_prefix(&said).trim_end().to_owned())
    }
}

/// The name `''` is none.
fn named(name: &str) -> &str {
    if name == "''" { "" } else { name }
}

fn say_client(word: &str, rest: &str, out: &mut BytesMut) {
    let mut put = |tag, parts: &[&[u8]]| encode::frame(tag, parts, out);
    let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
    match word {
        "Query" => put(b'Q', &[rest.as_bytes(), b"\0"]),
        "Parse" => put(b'P', &[named(first).as_bytes(), b"\0", second.as_bytes(), b"\0\0\0"]),
        "Bind" => put(b'B', &[b"\0", named(first).as_bytes(), b"\0\0\0\0\0\0\0"]),
        "Describe" => put(b'D', &[first.as_bytes(), named(second).as_bytes(), b"\0"]),
        "Close" => put(b'C', &[first.as_bytes(), named(second).as_bytes(), b"\0"]),
        "Execute" => put(b'E', &[b"\0\0\0\0\0"]),
        "Sync" => put(b'S', &[]),
        "Flush" => put(b'H', &[]),
        "Terminate" => put(b'X', &[]),
        "CopyData" => put(b'd', &[rest.as_bytes()]),
        "CopyDone" => put(b'c', &[]),
        _ => panic!("no client says {word}"),
    }
}

fn hear_client(tag: u8, body: &[u8]) -> String {
    let mut reader = Reader::new(body);
    let mut text = || match reader.cstr() {
        Ok(b"") => String::from("''"),
        Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Err(_) => String::from("?"),
    };
    match tag {
        b'Q' => {
            format!("Query {}", String::from_utf8_lossy(body.strip_suffix(b"\0").unwrap_or(body)))
        }
        b'P' => format!("Parse {} {}", text(), text()),
        b'B' => {
            text();
            format!("Bind {}", text())
        }
        b'D' | b'C' => {
            let what = text();
            let (what, name) = what.split_at(1);
            let word = if tag == b'D' { "Describe" } else { "Close" };
            format!("{word} {what} {}", if name.is_empty() { "''" } else { name })
        }
        b'E' => String::from("Execute"),
        b'S' => String::from("Sync"),
        b'H' => String::from("Flush"),
        b'X' => String::from("Terminate"),
        b'd' => format!("CopyData {}", String::from_utf8_lossy(body)),
        b'c' => String::from("CopyDone"),
        b'f' => String::from("CopyFail"),
        tag => format!("{}?", char::from(tag)),
    }
}

fn say_backend(word: &str, rest: &str, out: &mut BytesMut) {
    match word {
        // A cancel request is answered by closing the connection.
        "done" => {}
        "gone" => {
            say_backend("Complete", "SELECT 0", out);
            say_backend("Ready", "I", out);
        }
        "there" => {
            say_backend("Columns", "a", out);
            say_backend("Row", "1", out);
            say_backend("Complete", "SELECT 1", out);
            say_backend("Ready", "I", out);
        }
        "Ready" => out.put_slice(&[b'Z', 0, 0, 0, 5, rest.as_bytes()[0]]),
        "Error" => encode::error(Severity::Error, rest, "an error", out),
        "Fatal" => encode::error(Severity::Fatal, rest, "the end", out),
        "Notice" => {
            encode::frame(
                b'N',
                &[b"SNOTICE\0VNOTICE\0C", rest.as_bytes(), b"\0Ma notice\0\0"],
                out,
            );
        }
        "Parameter" => {
            let (name, value) = rest.split_once('=').unwrap();
            encode::parameter_status(name, value, out);
        }
        "Complete" => encode::frame(b'C', &[rest.as_bytes(), b"\0"], out),
        "Types" => {
            let types: Vec<u32> = rest.split_whitespace().map(|one| one.parse().unwrap()).collect();
            let count = u16::try_from(types.len()).unwrap().to_be_bytes();
            let types: Vec<u8> = types.iter().flat_map(|one| one.to_be_bytes()).collect();
            encode::frame(b't', &[&count, &types], out);
        }
        "Columns" => {
            let fixed = b"\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
            encode::frame(b'T', &[b"\0\x01", rest.as_bytes(), b"\0", fixed], out);
        }
        "Row" => {
            let length = u32::try_from(rest.len()).unwrap().to_be_bytes();
            encode::frame(b'D', &[b"\0\x01", &length, rest.as_bytes()], out);
        }
        "CopyIn" => encode::frame(b'G', &[b"\0\0\0"], out),
        word => {
            let (tag, _) = BARE.into_iter().find(|(_, bare)| *bare == word).unwrap_or_else(|| {
                panic!("no backend says {word}");
            });
            encode::frame(tag, &[], out);
        }
    }
}

/// Messages without a body.
const BARE: [(u8, &str); 6] = [
    (b'1', "ParseComplete"),
    (b'2', "BindComplete"),
    (b'3', "CloseComplete"),
    (b'I', "EmptyQueryResponse"),
    (b'n', "NoData"),
    (b's', "PortalSuspended"),
];

fn hear_backend(tag: u8, body: &[u8]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let first = |bytes: &[u8]| text(bytes.split(|byte| *byte == 0).next().unwrap_or_default());
    match tag {
        b'Z' => format!("Ready {}", text(body)),
        b'E' => {
            let is_fatal = message::error_field(body, b'V') == Some(b"FATAL");
            let code = text(message::error_field(body, b'C').unwrap_or_default());
            format!("{} {code}", if is_fatal { "Fatal" } else { "Error" })
        }
        b'N' => {
            format!("Notice {}", text(message::error_field(body, b'C').unwrap_or_default()))
        }
        b'S' => {
            let (name, value) = message::parameter_status(body).unwrap();
            format!("Parameter {name}={value}")
        }
        b'C' => format!("Complete {}", first(body)),
        b't' => {
            let types = body[2..].chunks(4).map(|one| u32::from_be_bytes(one.try_into().unwrap()));
            types.fold(String::from("Types"), |all, one| format!("{all} {one}"))
        }
        b'T' => format!("Columns {}", first(&body[2..])),
        b'D' => format!("Row {}", text(&body[6..])),
        b'G' => String::from("CopyIn"),
        tag => match BARE.into_iter().find(|(bare, _)| *bare == tag) {
            Some((_, word)) => word.to_owned(),
            None => format!("{}?", char::from(tag)),
        },
    }
}

/// With `~` for what of our names is random.
fn without_prefix(said: &str) -> String {
    const PREFIX: &str = "jumpgate_";
    match said.find(PREFIX) {
        Some(at) => {
            let part = |range| said.get(range).unwrap_or_default();
            format!("{}~{}", part(0..at), part(at + PREFIX.len() + 8..said.len()))
        }
        None => said.to_owned(),
    }
}
