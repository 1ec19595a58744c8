//! Opening a connection to a MySQL or MariaDB origin, and asking it things on our own account.
//!
//! The login itself is in [`login`]. A connection for the pool is made ready here: it is told to report what
//! changes in its session.

mod login;
#[cfg(test)]
mod tests;

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use origin::{
    net::{self, ConnectError, Framed, Stream},
    pool::{self, Doubt, Generation, Generations},
};
use protocol::{
    mysql::{
        capabilities::{CapabilityFlags, MariaDbFlags, StatusFlags},
        command::Query,
        exchange::{CommandKind, Desync, Exchange, Seen},
        packet::{self, Packet},
        reply,
    },
    reader::DecodeError,
};
use tokio::time::Instant;

use super::{
    backend::{Backend, Beginning, RowsCounted, Tracking},
    database::Learnt,
};
use crate::{
    config::{DatabaseConfig, OriginConfig},
    observe::DatabaseMetrics,
    reception::Reception,
};

/// The longest packet of a reply to a question of our own.
const MAX_ASKED_PACKET: usize = 1 << 20;
/// The most that such a reply may hold in all.
const MAX_ASKED_BYTES: usize = 64 << 20;
const COM_QUIT: u8 = 0x01;
const COM_RESET_CONNECTION: u8 = 0x1f;
/// MySQL, MariaDB: ER_NEW_ABORTING_CONNECTION, where what is run for each connection fails (`init_connect`).
const ABORTING: u16 = 1184;

/// Makes a backend report every setting that a statement changes, the schema, and that something else changed: the
/// assignments of a SET.
pub(super) const TRACKING: &str =
    "session_track_system_variables='*',session_track_schema=ON,session_track_state_change=ON";

/// A connection that has logged in.
#[derive(Debug)]
pub struct Login {
    /// The stream, inside TLS where the config wants that.
    pub framed: Framed,
    /// What both sides agreed to.
    pub capabilities: CapabilityFlags,
    /// The same of what MariaDB has beyond that.
    pub extended: MariaDbFlags,
    /// The origin's id of the connection, for KILL.
    pub thread_id: u32,
    /// The version in the origin's greeting.
    pub version: Bytes,
    /// The collation in the origin's greeting.
    pub collation: u8,
    /// What the last OK of the login said.
    pub status: StatusFlags,
}

/// Why a question of our own has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AskError {
    /// The connection broke.
    #[error("the connection broke")]
    Lost(#[source] Arc<io::Error>),
    /// The origin answered with an error.
    #[error("the database refused: {message} ({code})")]
    Refused {
        /// MySQL's error number.
        code: u16,
        /// Its text.
        message: String,
    },
    /// What it said is not the protocol.
    #[error("the origin does not speak the MySQL protocol")]
    Protocol(#[from] DecodeError),
    /// What it said is the protocol, but no answer to a question.
    #[error("the origin is out of step")]
    Desync(#[from] Desync),
}

impl From<io::Error> for AskError {
    fn from(error: io::Error) -> Self {
        Self::Lost(Arc::new(error))
    }
}

impl From<AskError> for ConnectError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Lost(error) => Self::Lost(error),
            AskError::Refused { code, message } => {
                Self::Refused { errno: Some(code), sqlstate: String::from("HY000"), message }
            }
            AskError::Protocol(error) => Self::Protocol(error),
            AskError::Desync(_) => Self::Protocol(DecodeError::Value("packet of a reply")),
        }
    }
}

/// What a session begins with and a client may see, as the server has it at this moment: SET GLOBAL changes it, and a
/// failover. Which of these a server has differs. In two, for a server may take no more than a kilobyte
/// (`max_allowed_packet`).
pub(super) const BEGINNING: [&str; 2] = [
    "SHOW SESSION VARIABLES WHERE Variable_name IN ('init_connect','sql_mode','time_zone',\
    'character_set_server','collation_server','character_set_database','collation_database',\
    'default_collation_for_utf8mb4','lc_time_names','lc_messages','autocommit','transaction_isolation','tx_isolation',\
    'transaction_read_only','tx_read_only','read_only','super_read_only','completion_type','max_allowed_packet',\
    'net_buffer_length','optimizer_switch','optimizer_search_depth','sql_select_limit','sql_safe_updates','sql_big_selects',\
    'sql_auto_is_null','sql_require_primary_key','max_join_size','max_execution_time','max_statement_time')",
    "SHOW SESSION VARIABLES WHERE Variable_name IN (\
    'lock_wait_timeout','innodb_lock_wait_timeout','wait_timeout','interactive_timeout','idle_transaction_timeout',\
    'group_concat_max_len','div_precision_increment','default_week_format','block_encryption_mode','foreign_key_checks',\
    'unique_checks','default_storage_engine','explicit_defaults_for_timestamp','cte_max_recursion_depth',\
    'max_recursive_iterations','max_sort_length','max_error_count','max_sp_recursion_depth','tmp_table_size',\
    'max_heap_table_size','auto_increment_increment','auto_increment_offset','old_mode','updatable_views_with_limit')",
];

/// What the numbers mean by which clients name their character set and collation when they log in.
const COLLATIONS: &str =
    "SELECT id, character_set_name, collation_name FROM information_schema.collations";

/// A row of a text result.
pub type Row = Vec<Option<Bytes>>;

/// A MySQL or MariaDB database with our credentials for it.
#[derive(Debug)]
pub struct Origin {
    config: Arc<DatabaseConfig>,
    metrics: Arc<DatabaseMetrics>,
    reception: Reception,
    learnt: Arc<Learnt>,
    generations: Arc<Generations<Beginning>>,
    doubt: Arc<Doubt>,
}

impl Origin {
    /// The origin of a config.
    pub(super) fn new(
        config: Arc<DatabaseConfig>,
        metrics: Arc<DatabaseMetrics>,
        learnt: Arc<Learnt>,
        (generations, doubt): (Arc<Generations<Beginning>>, Arc<Doubt>),
    ) -> Self {
        Self { config, metrics, reception: Reception::default(), learnt, generations, doubt }
    }
}

impl pool::Origin for Origin {
    type Connection = Backend;
    type Error = ConnectError;

    async fn connect(&self) -> Result<Backend, ConnectError> {
        let began = Instant::now();
        let found_rows = self.learnt.found_rows();
        let how = (RowsCounted::of(found_rows), self.config.origin.database.as_str());
        let opened = open(&self.config, &self.learnt, &self.generations, how).await;
        self.reception.note(&opened, began, &self.config.name, &self.metrics);
        opened
    }

    fn is_refusal(error: &ConnectError) -> bool {
        error.is_refusal()
    }

    fn check(
        &self,
        backend: &mut Backend,
        now: Instant,
        rested: Duration,
    ) -> Result<(), ConnectError> {
        backend.is_doubtful = self.doubt.covers(now - rested);
        if backend.is_usable(now, rested) { Ok(()) } else { Err(ConnectError::Ended) }
    }

    fn rest(backend: &Backend) -> bool {
        backend.framed.stream().rest()
    }
}

/// Opens a connection that clients can be served with, in this schema, within the connect timeout.
///
/// # Errors
///
/// [`ConnectError`] names the layer.
pub(super) async fn open(
    config: &DatabaseConfig,
    learnt: &Learnt,
    generations: &Arc<Generations<Beginning>>,
    (counts, schema): (RowsCounted, &str),
) -> Result<Backend, ConnectError> {
    let program = format!("jumpgate/{}", config.name);
    let found_rows = counts == RowsCounted::Found;
    let open = async {
        loop {
            let since = generations.number();
            let mut login = login_to(config, (&program, found_rows, schema)).await?;
            learnt.of_login(&login);
            let (mut tracks, mut beginning) = make_ready(&mut login, learnt).await?;
            let initial = initial(&mut login, &beginning).await?;
            let is_reset = initial.is_some();
            if is_reset {
                (tracks, beginning) = make_ready(&mut login, learnt).await?;
            }
            let Some(generation) = Generation::of(beginning, since, generations) else { continue };
            learnt.of_initial(&config.origin.user, generation.number(), initial);
            let ends = (generation, config.pool.expiry());
            let mut backend = Backend::new(login, schema, found_rows, ends);
            if is_reset {
                backend.was_reset();
            }
            backend.tracking = if tracks { Tracking::On } else { Tracking::Never };
            return Ok(backend);
        }
    };
    let opened = tokio::time::timeout(config.pool.connect_timeout, open).await;
    opened.unwrap_or(Err(ConnectError::TimedOut))
}

/// Turns session tracking on and asks how the connection reads texts and what it begins with, in one write. Says whether
/// it tracks.
async fn make_ready(login: &mut Login, learnt: &Learnt) -> Result<(bool, Beginning), ConnectError> {
    let can_track = login.capabilities.contains(CapabilityFlags::CLIENT_SESSION_TRACK);
    let (framed, capabilities) = (&mut login.framed, login.capabilities);
    if can_track {
        put_query(framed, capabilities, &format!("SET {TRACKING}"));
    }
    put_query(framed, capabilities, "SELECT @@sql_mode, @@lower_case_table_names");
    BEGINNING.iter().for_each(|part| put_query(framed, capabilities, part));
    let asks_collations = learnt.collations().is_none();
    if asks_collations {
        put_query(framed, capabilities, COLLATIONS);
    }
    let tracks = can_track
        && match answer(framed, capabilities).await {
            Ok(_) => true,
            Err(error @ AskError::Refused { code: ABORTING, .. }) => return Err(error.into()),
            // An origin that knows the capability but not the variables: it is served by the parse alone.
            Err(AskError::Refused { .. }) => false,
            Err(error) => return Err(error.into()),
        };
    let rows = answer(framed, capabilities).await?;
    if let Some([Some(sql_mode), folds @ ..]) = rows.first().map(Vec::as_slice)
        && let Ok(sql_mode) = std::str::from_utf8(sql_mode)
    {
        let folds = folds.first().and_then(Option::as_deref);
        learnt.of_reading(sql_mode, folds.is_some_and(|folds| folds != b"0"));
    }
    let mut beginning = Vec::new();
    for _part in BEGINNING {
        match answer(framed, capabilities).await {
            // Who may not ask takes all connections to begin alike.
            Err(AskError::Refused { .. }) => {}
            asked => beginning.extend(asked?),
        }
    }
    if asks_collations {
        let rows = answer(framed, capabilities).await?;
        learnt.of_collations(rows.iter().filter_map(collation).collect());
    }
    Ok((tracks, beginning))
}

/// What the server has run for a connection that began so (`init_connect`), if it does that for our user. The connection
/// is as if nothing had been run: it is done for each client instead.
async fn initial(
    login: &mut Login,
    beginning: &Beginning,
) -> Result<Option<Arc<str>>, ConnectError> {
    let row = beginning.iter().find(
        |row| matches!(row.first(), Some(Some(name)) if name.eq_ignore_ascii_case(b"init_connect")),
    );
    let text = row.and_then(|row| row.get(1)).and_then(Option::as_deref);
    let Some(text) = text.and_then(|text| std::str::from_utf8(text).ok()) else { return Ok(None) };
    if text.trim().is_empty() {
        return Ok(None);
    }
    let (framed, capabilities) = (&mut login.framed, login.capabilities);
    put_query(framed, capabilities, EXEMPT);
    let exempt = match answer(framed, capabilities).await {
        Err(AskError::Refused { .. }) => return Ok(None),
        asked => asked?,
    };
    if exempt.first().and_then(|row| row.first()?.as_deref()) != Some(b"0") {
        return Ok(None);
    }
    packet::put(framed.queue(), &mut 0, &[COM_RESET_CONNECTION]);
    match answer(framed, capabilities).await {
        Err(AskError::Refused { .. }) => Ok(None),
        reset => reset.map(|_rows| Some(Arc::from(text))).map_err(Into::into),
    }
}

/// How many rights the user has with which `init_connect` is not run.
const EXEMPT: &str = "SELECT COUNT(*) FROM information_schema.user_privileges \
    WHERE privilege_type IN ('SUPER', 'CONNECTION ADMIN', 'CONNECTION_ADMIN') \
    AND grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')";

/// A row of [`COLLATIONS`].
fn collation(row: &Row) -> Option<(u16, (String, String))> {
    let text = |index: usize| String::from_utf8(row.get(index)?.as_ref()?.to_vec()).ok();
    Some((text(0)?.parse().ok()?, (text(1)?, text(2)?)))
}

/// Dials, puts the database's TLS around it unless the config says plaintext in as many words, and logs in.
///
/// # Errors
///
/// [`ConnectError`] names the layer.
pub async fn login(
    config: &DatabaseConfig,
    program_name: &str,
    found_rows: bool,
) -> Result<Login, ConnectError> {
    login_to(config, (program_name, found_rows, &config.origin.database)).await
}

async fn login_to(config: &DatabaseConfig, how: (&str, bool, &str)) -> Result<Login, ConnectError> {
    let timeout = config.pool.connect_timeout;
    let stream = net::dial::dial(&config.origin.dial, timeout)
        .await
        .map_err(|error| ConnectError::Dial(Arc::new(error)))?;
    login::login(stream, &config.origin, how, || {}).await
}

/// Logs in over a stream that is open, for tools that look at each step: `encrypted` is called when TLS is complete.
///
/// # Errors
///
/// [`ConnectError`] names the layer.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection is closed.
pub async fn login_over(
    stream: Stream,
    origin: &OriginConfig,
    program_name: &str,
    encrypted: impl FnOnce(),
) -> Result<Login, ConnectError> {
    login::login(stream, origin, (program_name, false, &origin.database), encrypted).await
}

/// Asks one question on a connection of our own, and collects its answer.
///
/// # Errors
///
/// [`AskError`]; unless it is [`AskError::Refused`] the connection cannot be used any more.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection cannot be used any more.
pub async fn ask(
    framed: &mut Framed,
    capabilities: CapabilityFlags,
    sql: &str,
) -> Result<Vec<Row>, AskError> {
    put_query(framed, capabilities, sql);
    answer(framed, capabilities).await
}

/// COM_QUERY of a text of our own, for a server with these capabilities.
pub(super) fn query_payload(sql: &str, capabilities: CapabilityFlags) -> BytesMut {
    let attributes = capabilities.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
    let mut payload = BytesMut::with_capacity(sql.len() + 3);
    Query { attributes: Vec::new(), sql: sql.as_bytes() }.encode(attributes, &mut payload);
    payload
}

/// Puts a question of our own behind what is to be sent.
pub(super) fn put_query(framed: &mut Framed, capabilities: CapabilityFlags, sql: &str) {
    packet::put(framed.queue(), &mut 0, &query_payload(sql, capabilities));
}

/// The answer to the question that was put first and not answered yet.
///
/// # Errors
///
/// [`AskError`]; unless it is [`AskError::Refused`] the connection cannot be used any more.
///
/// # Cancel safety
///
/// Dropped before it ends, the connection cannot be used any more.
pub(super) async fn answer(
    framed: &mut Framed,
    capabilities: CapabilityFlags,
) -> Result<Vec<Row>, AskError> {
    let mut exchange = Exchange::new(capabilities);
    exchange.sent(CommandKind::Query);
    let (mut rows, mut total) = (Vec::new(), 0_usize);
    loop {
        let packet = next_packet(framed, MAX_ASKED_PACKET).await?.payload;
        total = total.saturating_add(packet.len());
        if total > MAX_ASKED_BYTES {
            return Err(DecodeError::Length(u32::try_from(total).unwrap_or(u32::MAX)).into());
        }
        match exchange.received(packet.len(), &packet)? {
            Seen::Err(error) => return Err(refused(&error)),
            // Whoever asks us for a file is not to be trusted.
            Seen::LocalInfile(_) => return Err(DecodeError::Value("request for a file").into()),
            Seen::Row => rows.push(text_row(&packet)?),
            _ => {}
        }
        if exchange.is_ready() {
            return Ok(rows);
        }
    }
}

fn refused(error: &reply::ErrPacket<'_>) -> AskError {
    let message = String::from_utf8_lossy(error.message).into_owned();
    AskError::Refused { code: error.code, message }
}

fn text_row(packet: &Bytes) -> Result<Row, DecodeError> {
    reply::text_row(packet).map(|cell| Ok(cell?.map(|cell| packet.slice_ref(cell)))).collect()
}

/// Flushes, and waits for the next packet of at most `limit` bytes.
async fn next_packet(framed: &mut Framed, limit: usize) -> Result<Packet, AskError> {
    framed.flush().await?;
    loop {
        if let Some(packet) = packet::take(framed.buffer(), limit)? {
            return Ok(packet);
        }
        if framed.fill().await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}

/// Says goodbye on a connection of our own, so that the server does not count it as aborted.
pub(super) async fn leave(mut framed: Framed) {
    packet::put(framed.queue(), &mut 0, &[COM_QUIT]);
    if let Err(error) = framed.shutdown().await {
        tracing::debug!(%error, "origin had gone");
    }
}
