//! A raw client of the MySQL protocol: it joins split packets, and checks that every sequence id is the next.
//!
//! It understands only what it must to log in and to know where a reply ends; what a reply means is the scenario's
//! business. Payloads to send are made by [`say`].

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    flags::{capability, command, status},
    login::{Greeting, Options, USUAL, header},
    reply::{self, Column, Done, Outcome, Refusal, Reply, Rows},
    say::{self, Execute, Value},
};
use crate::wire::{Carrier, Endpoint};

/// Longest a scenario waits for one packet: far more than anything takes, so only a hang meets it.
const HANG: Duration = Duration::from_secs(30);
const MAX_PAYLOAD: usize = 0xff_ffff;

/// A connection, logged in or not.
pub struct Wire {
    carrier: Box<dyn Carrier>,
    buffer: BytesMut,
    sequence: u8,
    /// What both sides agreed on.
    pub capabilities: u32,
    /// What the server said first.
    pub greeting: Greeting,
    /// What happened between the handshake response and the OK.
    pub steps: Vec<String>,
    /// Whether this is TLS.
    pub is_encrypted: bool,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("greeting", &self.greeting).finish_non_exhaustive()
    }
}

/// A statement that was prepared.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Its number.
    pub id: u32,
    /// Its parameters.
    pub params: Vec<Column>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Warnings of preparing it.
    pub warnings: u16,
}

impl Wire {
    /// A TCP connection on which nothing was said.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server accepts");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Self::over(Box::new(stream))
    }

    fn over(carrier: Box<dyn Carrier>) -> Self {
        let (buffer, greeting) = (BytesMut::new(), Greeting::default());
        Self {
            carrier,
            buffer,
            sequence: 0,
            capabilities: 0,
            greeting,
            steps: Vec::new(),
            is_encrypted: false,
        }
    }

    /// A connection that was greeted.
    pub async fn greeted(address: SocketAddr) -> Self {
        let mut wire = Self::open(address).await;
        let packet = wire.packet().await;
        wire.greeting = Greeting::decode(packet);
        wire
    }

    /// A connection that was greeted, and then encrypted.
    pub async fn greeted_tls(
        address: SocketAddr,
        options: &Options,
        config: Arc<ClientConfig>,
    ) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("the server accepts");
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.expect("a greeting");
        let [low, middle, high, sequence] = head;
        assert_eq!(sequence, 0, "the greeting is packet 0");
        let mut body =
            vec![0; usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16];
        stream.read_exact(&mut body).await.expect("a greeting");
        let greeting = Greeting::decode(body.into());
        let offers = greeting.capabilities & capability::SSL;
        assert_ne!(offers, 0, "TLS is offered");
        let wanted =
            (USUAL | options.with | capability::SSL) & !options.without & greeting.capabilities;
        let request = [&[32, 0, 0, 1], &header(wanted, options)[..]].concat();
        stream.write_all(&request).await.expect("the server reads");
        let name = ServerName::from(std::net::Ipv4Addr::LOCALHOST);
        let handshake = TlsConnector::from(config).connect(name, stream);
        let stream = timeout(HANG, handshake).await.expect("the TLS handshake ends").expect("TLS");
        let mut wire = Self::over(Box::new(stream));
        (wire.greeting, wire.sequence, wire.is_encrypted) = (greeting, 2, true);
        wire
    }

    /// A logged-in client.
    pub async fn connect(endpoint: &Endpoint) -> Self {
        Self::connect_with(endpoint, &Options::default()).await
    }

    /// A logged-in client with other options.
    pub async fn connect_with(endpoint: &Endpoint, options: &Options) -> Self {
        let mut wire = Self::greeted(endpoint.address).await;
        let login = wire.login(endpoint, options).await;
        login.unwrap_or_else(|refusal| panic!("the login is refused: {refusal:?}"));
        wire
    }

    /// Settles the capabilities: what this client wants and the server offers.
    pub fn agree(&mut self, options: &Options) {
        let wanted = (USUAL | options.with) & !options.without;
        let tls = if self.is_encrypted { capability::SSL } else { 0 };
        self.capabilities = (wanted | tls) & self.greeting.capabilities;
    }

    /// Whether both sides agreed on this.
    pub fn has(&self, flag: u32) -> bool {
        self.capabilities & flag != 0
    }

    /// Sends bytes as they are.
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

    /// Sends a payload with the next sequence id, split where it must be.
    pub async fn put(&mut self, payload: &[u8]) {
        let bytes = self.framed(payload);
        self.send(bytes).await;
    }

    /// A payload with its headers.
    pub fn framed(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(payload.len() + 8);
        let mut rest = payload;
        loop {
            let (part, after) = rest.split_at(rest.len().min(MAX_PAYLOAD));
            let [low, middle, high, ..] = part.len().to_le_bytes();
            bytes.extend([low, middle, high, self.sequence]);
            self.sequence = self.sequence.wrapping_add(1);
            bytes.extend(part);
            rest = after;
            // "A packet of 0xFFFFFF bytes is followed by another", be it empty.
            if part.len() < MAX_PAYLOAD {
                return bytes;
            }
        }
    }

    /// Sends a command: a payload whose sequence starts again at 0.
    pub async fn command(&mut self, payload: &[u8]) {
        self.sequence = 0;
        self.put(payload).await;
    }

    async fn fill(&mut self) -> bool {
        let read = self.carrier.read_buf(&mut self.buffer);
        let read = timeout(HANG, read).await.expect("the server answers: 30 seconds of silence");
        matches!(read, Ok(count) if count > 0)
    }

    /// The next packet, or `None` when the connection ended.
    pub async fn next(&mut self) -> Option<Bytes> {
        let mut whole = BytesMut::new();
        loop {
            let part = self.part().await?;
            whole.extend_from_slice(&part);
            if part.len() < MAX_PAYLOAD {
                return Some(whole.freeze());
            }
        }
    }

    async fn part(&mut self) -> Option<Bytes> {
        loop {
            if let Some((head, _)) = self.buffer.split_first_chunk::<4>() {
                let [low, middle, high, sequence] = *head;
                let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
                if self.buffer.len() >= 4 + length {
                    self.buffer.advance(4);
                    let body = self.buffer.split_to(length).freeze();
                    let told = body.get(..200).unwrap_or(&body);
                    assert_eq!(sequence, self.sequence, "the sequence id of {told:?}");
                    self.sequence = self.sequence.wrapping_add(1);
                    return Some(body);
                }
                self.buffer.reserve(4 + length);
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// The next packet of a connection that must not end.
    pub async fn packet(&mut self) -> Bytes {
        self.next().await.expect("the server closed the connection")
    }

    /// Everything until the server closes the connection, packets or not.
    pub async fn bytes_until_closed(&mut self) -> Vec<u8> {
        while self.fill().await {
            assert!(self.buffer.len() < 1 << 20, "the connection ends");
        }
        self.buffer.split().to_vec()
    }

    /// Whether nothing is there to read: a packet too many would be.
    pub fn is_drained(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Whether the server has hung up, as far as nothing else comes.
    pub async fn is_closed(&mut self) -> bool {
        self.next().await.is_none()
    }

    /// Whether the server answers a COM_PING.
    pub async fn is_alive(&mut self) -> bool {
        self.sequence = 0;
        let ping = self.framed(&[command::PING]);
        self.try_send(ping).await && self.next().await.is_some()
    }

    /// The whole reply to a command that answers with OK, ERR or result sets.
    pub async fn reply(&mut self, binary: bool) -> Reply {
        let mut reply = Vec::new();
        loop {
            let outcome = self.outcome(binary).await;
            let more = match &outcome {
                Outcome::Ok(done) | Outcome::Rows(Rows { end: Ok(done), .. }) => {
                    done.has(status::MORE_RESULTS)
                }
                Outcome::File(_) => true,
                _ => false,
            };
            let is_file = matches!(outcome, Outcome::File(_));
            reply.push(outcome);
            // The scenario must send the file first.
            if !more || is_file {
                return reply;
            }
        }
    }

    async fn outcome(&mut self, binary: bool) -> Outcome {
        let packet = self.packet().await;
        match packet.as_ref() {
            [0x00, ..] => Outcome::Ok(Done::decode(packet, self.has(capability::SESSION_TRACK))),
            [0xff, ..] => Outcome::Err(Refusal::decode(&packet)),
            // COM_SET_OPTION is answered as a result set ends.
            [0xfe, ..] => Outcome::Ok(self.end(packet)),
            [0xfb, name @ ..] => Outcome::File(String::from_utf8_lossy(name).into_owned()),
            _ => {
                let mut body = packet.clone();
                let count = reply::lenenc(&mut body).expect("a count of columns");
                assert!(!body.has_remaining(), "nothing follows the count: {packet:?}");
                Outcome::Rows(self.rows(count, binary).await)
            }
        }
    }

    async fn rows(&mut self, count: u64, binary: bool) -> Rows {
        let mut columns = Vec::new();
        for _column in 0..count {
            columns.push(Column::decode(self.packet().await));
        }
        let mut rows =
            Rows { columns, columns_end: None, rows: Vec::new(), binary, end: Ok(Done::default()) };
        if !self.has(capability::DEPRECATE_EOF) {
            let end = Done::decode_eof(&self.packet().await);
            // "SERVER_STATUS_CURSOR_EXISTS": the rows come with COM_STMT_FETCH.
            // A cursor of a procedure's own says the same, and more results.
            if end.has(status::CURSOR_EXISTS) && !end.has(status::MORE_RESULTS) {
                rows.end = Ok(end);
                return rows;
            }
            rows.columns_end = Some(end);
        }
        (rows.rows, rows.end) = self.until_end().await;
        // Without DEPRECATE_EOF, MySQL says only before the row that OUT parameters and more results come
        // (sql/protocol_classic.cc Protocol_binary::send_parameters).
        if let (Some(before), Ok(end)) = (&rows.columns_end, &mut rows.end)
            && before.has(status::PS_OUT_PARAMS)
        {
            end.status = before.status;
        }
        rows
    }

    /// Rows up to their end.
    pub async fn until_end(&mut self) -> (Vec<Bytes>, Result<Done, Refusal>) {
        let mut rows = Vec::new();
        loop {
            let packet = self.packet().await;
            match packet.first() {
                Some(0xff) => return (rows, Err(Refusal::decode(&packet))),
                // A row can begin with 0xFE only when its first value has 16 MiB or more.
                Some(0xfe) if packet.len() < MAX_PAYLOAD => {
                    return (rows, Ok(self.end(packet)));
                }
                _ => rows.push(packet),
            }
        }
    }

    /// What ends a result set: EOF, or OK with the header of EOF.
    fn end(&self, packet: Bytes) -> Done {
        if self.has(capability::DEPRECATE_EOF) {
            Done::decode(packet, self.has(capability::SESSION_TRACK))
        } else {
            Done::decode_eof(&packet)
        }
    }

    /// A command and its reply.
    pub async fn ask(&mut self, payload: &[u8]) -> Reply {
        let executes = [command::STMT_EXECUTE, command::STMT_BULK_EXECUTE];
        let binary = payload.first().is_some_and(|command| executes.contains(command));
        self.command(payload).await;
        self.reply(binary).await
    }

    /// The payload of a COM_QUERY, as this connection sends it.
    pub fn text_of(&self, sql: &str) -> Vec<u8> {
        if self.has(capability::QUERY_ATTRIBUTES) {
            say::query_with(&[], sql)
        } else {
            say::query(sql)
        }
    }

    /// COM_QUERY.
    pub async fn query(&mut self, sql: &str) -> Reply {
        let payload = self.text_of(sql);
        self.ask(&payload).await
    }

    /// COM_QUERY to a server that may hang up: `None` where it does, and says nothing.
    pub async fn try_query(&mut self, sql: &str) -> Option<Reply> {
        self.sequence = 0;
        let query = self.text_of(sql);
        let query = self.framed(&query);
        self.try_send(query).await;
        let is_answered = !self.buffer.is_empty() || self.fill().await;
        if is_answered { Some(self.reply(false).await) } else { None }
    }

    /// COM_QUERY that must succeed.
    pub async fn run(&mut self, sql: &str) -> Reply {
        let reply = self.query(sql).await;
        assert_eq!(reply::error(&reply), "", "{sql}");
        reply
    }

    /// The one value of a COM_QUERY.
    pub async fn value(&mut self, sql: &str) -> String {
        let reply = self.run(sql).await;
        let value = reply::rows(&reply).into_iter().flatten().next();
        value
            .unwrap_or_else(|| panic!("{sql} returns no value: {reply:?}"))
            .unwrap_or_else(|| "NULL".into())
    }

    /// COM_STMT_PREPARE.
    ///
    /// # Errors
    ///
    /// The ERR packet of a server that refuses.
    pub async fn try_prepare(&mut self, sql: &str) -> Result<Prepared, Refusal> {
        self.command(&say::prepare(sql)).await;
        self.prepared().await
    }

    /// The reply to a COM_STMT_PREPARE.
    ///
    /// # Errors
    ///
    /// The ERR packet of a server that refuses.
    pub async fn prepared(&mut self) -> Result<Prepared, Refusal> {
        let packet = self.packet().await;
        if packet.first() == Some(&0xff) {
            return Err(Refusal::decode(&packet));
        }
        let mut body = packet.clone();
        assert_eq!(body.get_u8(), 0, "prepared: {packet:?}");
        let id = body.get_u32_le();
        let (columns, params) = (body.get_u16_le(), body.get_u16_le());
        assert_eq!(body.get_u8(), 0, "a filler");
        let warnings = body.get_u16_le();
        let params = self.columns(params).await;
        let columns = self.columns(columns).await;
        Ok(Prepared { id, params, columns, warnings })
    }

    async fn columns(&mut self, count: u16) -> Vec<Column> {
        let mut columns = Vec::new();
        for _column in 0..count {
            columns.push(Column::decode(self.packet().await));
        }
        if count > 0 && !self.has(capability::DEPRECATE_EOF) {
            Done::decode_eof(&self.packet().await);
        }
        columns
    }

    /// COM_STMT_PREPARE that must succeed.
    pub async fn prepare(&mut self, sql: &str) -> Prepared {
        let prepared = self.try_prepare(sql).await;
        prepared.unwrap_or_else(|refusal| panic!("{sql}: {refusal:?}"))
    }

    /// COM_STMT_EXECUTE with types.
    pub async fn execute(&mut self, id: u32, values: &[Value]) -> Reply {
        self.execute_as(id, Execute::default(), values).await
    }

    /// COM_STMT_EXECUTE.
    pub async fn execute_as(&mut self, id: u32, how: Execute, values: &[Value]) -> Reply {
        let attributes = self.has(capability::QUERY_ATTRIBUTES);
        self.ask(&say::execute_with(id, how, values, attributes)).await
    }

    /// The one value of a COM_STMT_EXECUTE.
    pub async fn executed_value(&mut self, id: u32, values: &[Value]) -> String {
        let reply = self.execute(id, values).await;
        assert_eq!(reply::error(&reply), "", "statement {id} with {values:?}");
        let value = reply::rows(&reply).into_iter().flatten().next();
        value.unwrap_or_else(|| panic!("no value: {reply:?}")).unwrap_or_else(|| "NULL".into())
    }

    /// COM_STMT_CLOSE, which has no reply.
    pub async fn close_statement(&mut self, id: u32) {
        self.command(&say::numbered(command::STMT_CLOSE, id)).await;
    }

    /// Prepares, executes and closes: the reply is binary.
    pub async fn binary(&mut self, sql: &str, values: &[Value]) -> Reply {
        let statement = self.prepare(sql).await;
        let reply = self.execute(statement.id, values).await;
        self.close_statement(statement.id).await;
        reply
    }

    /// What the cache did with this client's last statement; jumpgate itself answers.
    pub async fn cache_status(&mut self) -> String {
        let reply = self.run("SHOW JUMPGATE STATUS").await;
        let row =
            reply::rows(&reply).into_iter().find(|row| row[0].as_deref() == Some("cache_status"));
        row.and_then(|mut row| row.pop()?).expect("a cache status")
    }

    /// Says goodbye and waits for the end.
    pub async fn close(mut self) {
        self.sequence = 0;
        let quit = self.framed(&[command::QUIT]);
        if self.try_send(quit).await {
            self.bytes_until_closed().await;
        }
    }
}
