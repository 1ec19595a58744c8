//! A raw client of PostgreSQL's protocol version 3 that shows every byte the server sends.
//!
//! It understands only what it must to log in and to know where a reply ends; what a frame means is the scenario's
//! business. Messages to send are made by [`say`].

pub mod login;
pub mod say;

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Longest a scenario waits for one frame: far more than anything takes, so only a hang meets it.
const HANG: Duration = Duration::from_secs(30);

/// What a client must know to connect.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where to.
    pub address: SocketAddr,
    /// As whom.
    pub user: String,
    /// With which password.
    pub password: String,
    /// To which database.
    pub database: String,
}

impl Endpoint {
    /// The connection string.
    pub fn url(&self) -> String {
        let Self { address, user, password, database } = self;
        format!("postgres://{user}:{password}@{address}/{database}")
    }

    /// The connection string with another scheme.
    pub fn url_of(&self, scheme: &str) -> String {
        self.url().replacen("postgres", scheme, 1)
    }

    /// The same for another user.
    pub fn with_user(&self, user: &str, password: &str) -> Self {
        Self { user: user.into(), password: password.into(), ..self.clone() }
    }

    /// The same for another database.
    pub fn with_database(&self, database: &str) -> Self {
        Self { database: database.into(), ..self.clone() }
    }
}

/// One message from the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub tag: u8,
    /// What follows the length.
    pub body: Bytes,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.body.get(..400).unwrap_or(&self.body);
        write!(
            f,
            "{}[{}]{:?}",
            char::from(self.tag),
            self.body.len(),
            String::from_utf8_lossy(shown)
        )
    }
}

impl Frame {
    /// A field of an ErrorResponse or NoticeResponse: `b'C'` is the SQLSTATE, `b'M'` the text.
    pub fn field(&self, code: u8) -> String {
        let mut fields = self.body.split(|byte| *byte == 0).filter(|field| !field.is_empty());
        let found = fields.find(|field| field.first() == Some(&code));
        found
            .map(|field| String::from_utf8_lossy(field.get(1..).unwrap_or_default()).into_owned())
            .unwrap_or_default()
    }

    /// The columns of a DataRow.
    pub fn columns(&self) -> Vec<Option<Bytes>> {
        let mut body = self.body.clone();
        let count = body.get_u16();
        let column = |_| {
            let length = usize::try_from(body.get_i32()).ok()?;
            Some(body.copy_to_bytes(length))
        };
        (0..count).map(column).collect()
    }

    /// The body as text without the closing zero (CommandComplete, ParameterStatus).
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim_end_matches('\0').replace('\0', "=")
    }
}

/// The types of some frames as one string, such as `1T2DCZ`, runs of DataRow shown once.
pub fn tags(frames: &[Frame]) -> String {
    let mut tags: Vec<u8> = frames.iter().map(|frame| frame.tag).collect();
    tags.dedup_by(|next, last| *next == b'D' && *last == b'D');
    String::from_utf8_lossy(&tags).into_owned()
}

/// The SQLSTATE of the first ErrorResponse, or an empty text.
pub fn sqlstate(frames: &[Frame]) -> String {
    frames.iter().find(|frame| frame.tag == b'E').map(|frame| frame.field(b'C')).unwrap_or_default()
}

/// The text of the first ErrorResponse, or an empty text.
pub fn error(frames: &[Frame]) -> String {
    frames.iter().find(|frame| frame.tag == b'E').map(|frame| frame.field(b'M')).unwrap_or_default()
}

/// The rows of a reply in text form; NULL is `None`.
pub fn rows(frames: &[Frame]) -> Vec<Vec<Option<String>>> {
    let text =
        |column: Option<Bytes>| column.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let data = frames.iter().filter(|frame| frame.tag == b'D');
    data.map(|frame| frame.columns().into_iter().map(text).collect()).collect()
}

/// Anything that carries bytes.
pub trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Carrier for T {}

/// A connection, logged in or not.
pub struct Wire {
    carrier: Box<dyn Carrier>,
    buffer: BytesMut,
    /// What ParameterStatus said last.
    pub parameters: BTreeMap<String, String>,
    /// Process id and secret of BackendKeyData.
    pub key: Option<(u32, Bytes)>,
    /// Everything between authentication and the first ReadyForQuery.
    pub greeting: Vec<Frame>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

impl Wire {
    /// A TCP connection on which nothing was said.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server accepts");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Self::over(Box::new(stream))
    }

    fn over(carrier: Box<dyn Carrier>) -> Self {
        let (buffer, parameters) = (BytesMut::new(), BTreeMap::new());
        Self { carrier, buffer, parameters, key: None, greeting: Vec::new() }
    }

    /// A TLS connection made at once, without SSLRequest; `None` when the handshake fails.
    pub async fn open_direct_tls(
        address: SocketAddr,
        config: Arc<ClientConfig>,
    ) -> Option<(Self, Option<Vec<u8>>)> {
        let stream = TcpStream::connect(address).await.expect("the server accepts");
        Self::encrypt(stream, config).await
    }

    /// SSLRequest, `S`, handshake; also the data for channel binding.
    pub async fn open_tls(
        address: SocketAddr,
        config: Arc<ClientConfig>,
    ) -> (Self, Option<Vec<u8>>) {
        let mut stream = TcpStream::connect(address).await.expect("the server accepts");
        stream.write_all(&say::ssl_request()).await.expect("the server reads");
        assert_eq!(
            stream.read_u8().await.expect("an answer to SSLRequest"),
            b'S',
            "TLS is offered"
        );
        Self::encrypt(stream, config).await.expect("the TLS handshake succeeds")
    }

    async fn encrypt(
        stream: TcpStream,
        config: Arc<ClientConfig>,
    ) -> Option<(Self, Option<Vec<u8>>)> {
        let name = ServerName::from(std::net::Ipv4Addr::LOCALHOST);
        let handshake = TlsConnector::from(config).connect(name, stream);
        let stream = timeout(HANG, handshake).await.expect("the TLS handshake ends").ok()?;
        let binding = crate::tls::end_point(stream.get_ref().1);
        Some((Self::over(Box::new(stream)), binding))
    }

    /// A logged-in client.
    pub async fn connect(endpoint: &Endpoint) -> Self {
        Self::connect_with(endpoint, &[]).await
    }

    /// A logged-in client that asked for some startup parameters.
    pub async fn connect_with(endpoint: &Endpoint, options: &[(&str, &str)]) -> Self {
        let mut wire = Self::open(endpoint.address).await;
        wire.login(endpoint, options)
            .await
            .unwrap_or_else(|frame| panic!("the login is refused: {frame:?}"));
        wire
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sending = async {
            self.carrier.write_all(bytes.as_ref()).await?;
            self.carrier.flush().await
        };
        timeout(HANG, sending).await.expect("the server reads").expect("the connection is open");
    }

    /// Sends bytes to a server that may have hung up.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        timeout(HANG, self.carrier.write_all(bytes.as_ref())).await.is_ok_and(|sent| sent.is_ok())
    }

    /// One byte (the answers to SSLRequest and GSSENCRequest), or `None` at the end.
    pub async fn byte(&mut self) -> Option<u8> {
        if self.buffer.is_empty() && !self.fill().await {
            return None;
        }
        Some(self.buffer.get_u8())
    }

    /// Everything until the server closes the connection, frames or not.
    pub async fn bytes_until_closed(&mut self) -> Vec<u8> {
        while self.fill().await {
            assert!(self.buffer.len() < 1 << 20, "the connection ends");
        }
        self.buffer.split().to_vec()
    }

    async fn fill(&mut self) -> bool {
        // Large results take large reads.
        self.buffer.reserve(64 * 1024);
        let read = self.carrier.read_buf(&mut self.buffer);
        let read = timeout(HANG, read).await.expect("the server answers: 30 seconds of silence");
        matches!(read, Ok(count) if count > 0)
    }

    /// The next frame, or `None` when the connection ended.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((head, _)) = self.buffer.split_first_chunk::<5>() {
                let [tag, length @ ..] = *head;
                let length = usize::try_from(u32::from_be_bytes(length)).expect("a length fits");
                assert!((4..1 << 30).contains(&length), "not a frame: {head:?}");
                if self.buffer.len() > length {
                    self.buffer.advance(5);
                    let body = self.buffer.split_to(length - 4).freeze();
                    let frame = Frame { tag, body };
                    if tag == b'S' {
                        let text = frame.text();
                        let (name, value) = text.split_once('=').unwrap_or((&text, ""));
                        self.parameters.insert(name.into(), value.into());
                    }
                    return Some(frame);
                }
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// The next frame of a connection that must not end.
    pub async fn frame(&mut self) -> Frame {
        self.next().await.expect("the server closed the connection")
    }

    /// All frames up to and with the one of type `tag`.
    pub async fn until(&mut self, tag: u8) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            let frame =
                self.next().await.unwrap_or_else(|| panic!("the server closed after {frames:?}"));
            frames.push(frame);
            if frames.last().is_some_and(|frame| frame.tag == tag) {
                return frames;
            }
        }
    }

    /// All frames up to and with ReadyForQuery.
    pub async fn until_ready(&mut self) -> Vec<Frame> {
        self.until(b'Z').await
    }

    /// All frames until the server closes the connection.
    pub async fn until_closed(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }

    /// Sends some messages and reads the reply up to ReadyForQuery.
    pub async fn ask(&mut self, messages: &[Vec<u8>]) -> Vec<Frame> {
        self.send(messages.concat()).await;
        self.until_ready().await
    }

    /// A simple query.
    pub async fn query(&mut self, sql: &str) -> Vec<Frame> {
        self.ask(&[say::query(sql)]).await
    }

    /// A simple query that must succeed.
    pub async fn run(&mut self, sql: &str) -> Vec<Frame> {
        let frames = self.query(sql).await;
        assert_eq!(error(&frames), "", "{sql}");
        frames
    }

    /// Ends the transaction that it is in, if any, and begins one that holds a backend: that which was given back last.
    pub async fn hold_a_backend(&mut self) {
        self.query("ROLLBACK").await;
        self.run("BEGIN").await;
        self.run("SELECT 1").await;
    }

    /// The one value of a simple query.
    pub async fn value(&mut self, sql: &str) -> String {
        let frames = self.run(sql).await;
        let value = rows(&frames).into_iter().flatten().next();
        value
            .unwrap_or_else(|| panic!("{sql} returns no value: {frames:?}"))
            .unwrap_or_else(|| "NULL".into())
    }

    /// An extended query with the unnamed statement, parameters and results as text.
    pub async fn extended(&mut self, sql: &str, parameters: &[&str]) -> Vec<Frame> {
        let values: Vec<_> = parameters.iter().map(|value| Some(value.as_bytes())).collect();
        let bind = say::bind("", "", &[], &values, &[]);
        self.ask(&[
            say::parse("", sql, &[]),
            bind,
            say::describe(b'P', ""),
            say::execute("", 0),
            say::sync(),
        ])
        .await
    }

    /// What the cache did with this client's last statement; jumpgate itself answers.
    pub async fn cache_status(&mut self) -> String {
        self.value("SHOW jumpgate.cache_status").await
    }

    /// Says goodbye and waits for the end.
    pub async fn close(mut self) {
        if self.try_send(say::terminate()).await {
            self.until_closed().await;
        }
    }
}
