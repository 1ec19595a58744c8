//! Opening a connection to a MySQL or MariaDB origin, and asking it things on our own account.
//!
//! The login itself is in `login`, questions in [`asking`]. A connection for the pool is made ready here: it is told to report what
//! changes in its session.

pub mod asking;
mod dialogue;
mod login;
mod refusal;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use origin::{
    config::OnHost,
    failover::{self, Moved, Reach, Server},
    net::ConnectError,
    pool::{self, Doubt, Generation, Generations},
};
use protocol::mysql::{capabilities::CapabilityFlags, packet};
use serving::{
    config::DatabaseConfig, failovers::Failovers, observe::DatabaseMetrics, reception::Reception,
};
use tokio::time::Instant;

pub use self::{
    asking::{AskError, Login, Row, ask},
    login::{login, login_over},
};
pub(super) use self::{
    asking::{answer, leave, put_query},
    dialogue::COLLATION,
    login::{login_as, login_on},
};

use super::{
    backend::{Backend, Beginning, RowsCounted, Tracking},
    learnt::{Foretold, Learnt},
};

const COM_RESET_CONNECTION: u8 = 0x1f;
/// MySQL, MariaDB: ER_NEW_ABORTING_CONNECTION, where what is run for each connection fails (`init_connect`).
const ABORTING: u16 = 1184;

/// Makes a backend report every setting that a statement changes, the schema, and that something else changed: the
/// assignments of a SET.
pub(super) const TRACKING: &str =
    "session_track_system_variables='*',session_track_schema=ON,session_track_state_change=ON";

/// What a session begins with and a client may see, as the server has it at this moment: SET GLOBAL changes it, and a
/// failover. Which of these a server has differs. In two, for a server may take no more than a kilobyte
/// (`max_allowed_packet`).
pub(super) const BEGINNING: [&str; 2] = [
    "SHOW SESSION VARIABLES WHERE Variable_name IN ('init_connect','sql_mode','time_zone','system_time_zone',\
    'character_set_server','collation_server','character_set_database','collation_database',\
    'default_collation_for_utf8mb4','lc_time_names','lc_messages','autocommit','transaction_isolation','tx_isolation',\
    'transaction_read_only','tx_read_only','session_track_transaction_info','read_only','super_read_only','completion_type','max_allowed_packet',\
    'net_buffer_length','optimizer_switch','optimizer_search_depth','sql_select_limit','sql_safe_updates','sql_big_selects',\
    'sql_auto_is_null','sql_require_primary_key','max_join_size','max_execution_time','max_statement_time')",
    "SHOW SESSION VARIABLES WHERE Variable_name IN (\
    'lock_wait_timeout','innodb_lock_wait_timeout','wait_timeout','interactive_timeout','idle_transaction_timeout',\
    'group_concat_max_len','div_precision_increment','default_week_format','block_encryption_mode','foreign_key_checks',\
    'unique_checks','innodb_read_only','default_storage_engine','explicit_defaults_for_timestamp','cte_max_recursion_depth',\
    'max_recursive_iterations','max_sort_length','max_error_count','max_sp_recursion_depth','tmp_table_size',\
    'max_heap_table_size','auto_increment_increment','auto_increment_offset','old_mode','updatable_views_with_limit')",
];

/// What drivers ask first of all: mysql_async, the same where it looks for a socket, go-sql-driver and the crate `mysql`. Each is
/// a variable that a session cannot set, or one of [`BEGINNING`], so that it is known when it becomes another.
const FIRST_QUESTIONS: [&str; 3] = [
    "SELECT @@max_allowed_packet,@@wait_timeout",
    "SELECT @@max_allowed_packet,@@wait_timeout,@@socket",
    "SELECT @@max_allowed_packet",
];

/// What the numbers mean by which clients name their character set and collation when they log in.
const COLLATIONS: &str =
    "SELECT id, character_set_name, collation_name FROM information_schema.collations";

/// A MySQL or MariaDB database with our credentials for it.
#[derive(Debug)]
pub struct Origin {
    finder: Arc<Finder>,
    metrics: Arc<DatabaseMetrics>,
    reception: Reception,
    generations: Arc<Generations<Beginning>>,
    doubt: Arc<Doubt>,
}

impl Origin {
    /// The origin of a config.
    pub(super) fn new(
        finder: Arc<Finder>,
        metrics: Arc<DatabaseMetrics>,
        (generations, doubt): (Arc<Generations<Beginning>>, Arc<Doubt>),
    ) -> Self {
        Self { finder, metrics, reception: Reception::default(), generations, doubt }
    }
}

impl pool::Origin for Origin {
    type Connection = Backend;
    type Error = ConnectError;

    async fn connect(&self) -> Result<Backend, ConnectError> {
        let (began, config) = (Instant::now(), &self.finder.config);
        let found_rows = self.finder.learnt.found_rows();
        let how = (RowsCounted::of(found_rows), config.origin.database.as_str());
        let opened = self.finder.open(&self.generations, how).await;
        self.reception.note(&opened, began, &config.name, &self.metrics);
        if let Ok(backend) = &opened {
            self.metrics.host.set(i64::try_from(backend.on.host()).unwrap_or_default());
        }
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

/// Logs in at whichever of an origin's hosts.
#[derive(Debug)]
pub(super) struct Finder {
    config: Arc<DatabaseConfig>,
    learnt: Arc<Learnt>,
    failovers: Failovers,
}

/// A connection of which it is known what it begins with.
struct Opened {
    login: Login,
    ready: Ready,
    /// What the server has run for it, which was taken back.
    initial: Option<Arc<str>>,
}

/// How one is opened: which rows it counts, the schema to be in, and the generation before that.
struct Opening<'a> {
    finder: &'a Finder,
    how: (RowsCounted, &'a str),
    since: u64,
}

impl Reach for Opening<'_> {
    type Connection = Opened;

    async fn reach(&self, host: usize, within: Duration) -> Result<(Opened, Server), ConnectError> {
        let Finder { config, learnt, .. } = self.finder;
        let (counts, schema) = self.how;
        let program = format!("jumpgate/{}", config.name);
        let how = (program.as_str(), counts == RowsCounted::Found, schema);
        let mut login = login::login_to(config, (host, within), how).await?;
        learnt.of_login(&login);
        let asks_first = learnt.foretold(&config.origin.user, self.since).is_none();
        let mut ready = make_ready(&mut login, learnt, asks_first).await?;
        let initial = initial(&mut login, &ready.beginning).await?;
        if initial.is_some() {
            ready = make_ready(&mut login, learnt, false).await?;
        }
        let server = server_of(&ready.beginning);
        Ok((Opened { login, ready, initial }, server))
    }

    fn moved(&self, moved: &Moved) {
        self.finder.failovers.note(moved);
    }
}

impl Finder {
    /// Of this config; what follows when its origin is elsewhere is the business of `failovers`.
    pub(super) fn new(
        config: Arc<DatabaseConfig>,
        learnt: Arc<Learnt>,
        failovers: Failovers,
    ) -> Self {
        Self { config, learnt, failovers }
    }

    /// Opens a connection that clients can be served with, in this schema, within the connect timeout.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] names the layer.
    pub(super) async fn open(
        &self,
        generations: &Arc<Generations<Beginning>>,
        how: (RowsCounted, &str),
    ) -> Result<Backend, ConnectError> {
        let DatabaseConfig { origin, pool, .. } = &*self.config;
        let open = async {
            loop {
                let opening = Opening { finder: self, how, since: generations.number() };
                let (opened, on) = failover::open(origin, &opening, pool.connect_timeout).await?;
                let Opened { login, ready: Ready { tracks, beginning, foretold }, initial } =
                    opened;
                let (is_reset, begun) = (initial.is_some(), beginning.clone());
                let Some(generation) = Generation::of(beginning, opening.since, generations) else {
                    continue;
                };
                let begins = (generation.number(), &*begun);
                self.learnt.of_initial(&origin.user, begins, (initial, foretold));
                let ends = (generation, pool.expiry());
                let (counts, schema) = how;
                let mut backend = Backend::new(login, schema, counts == RowsCounted::Found, ends);
                if is_reset {
                    backend.was_reset();
                }
                backend.tracking = if tracks { Tracking::On } else { Tracking::Never };
                backend.on = on;
                return Ok(backend);
            }
        };
        let opened = tokio::time::timeout(pool.connect_timeout, open).await;
        opened.unwrap_or(Err(ConnectError::TimedOut))
    }

    /// A session was refused what the host that it is `on` should do: whether another is in use now.
    pub(super) async fn look_again(&self, on: &OnHost) -> bool {
        let how = (RowsCounted::Changed, self.config.origin.database.as_str());
        let opening = Opening { finder: self, how, since: u64::MAX };
        let within = self.config.pool.connect_timeout;
        failover::look_again(&self.config.origin, &opening, on, within).await
    }
}

/// What a server is. One that follows another is known by that it does not let us write.
fn server_of(beginning: &Beginning) -> Server {
    let is_on = |names: &[&[u8]]| {
        beginning.iter().any(|row| {
            let [Some(name), Some(value), ..] = row.as_slice() else { return false };
            names.iter().any(|it| name.eq_ignore_ascii_case(it))
                && !matches!(&value[..], b"OFF" | b"0" | b"")
        })
    };
    Server {
        is_standby: is_on(&[b"read_only", b"super_read_only", b"innodb_read_only"]),
        is_read_only: is_on(&[b"transaction_read_only", b"tx_read_only"]),
    }
}

/// What a connection that has just begun says.
struct Ready {
    /// Session tracking is on.
    tracks: bool,
    beginning: Beginning,
    /// Its answers to [`FIRST_QUESTIONS`], where it was asked.
    foretold: Option<Foretold>,
}

/// Turns session tracking on and asks how the connection reads texts, what it begins with, and perhaps what drivers will ask,
/// in one write.
async fn make_ready(
    login: &mut Login,
    learnt: &Learnt,
    asks_first: bool,
) -> Result<Ready, ConnectError> {
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
    let questions = FIRST_QUESTIONS.into_iter().filter(|_| asks_first);
    questions.clone().for_each(|sql| put_query(framed, capabilities, sql));
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
    let mut foretold = Vec::new();
    for sql in questions {
        match asking::reply(framed, capabilities).await {
            // It is for the client to hear.
            Err(AskError::Refused { .. }) => {}
            reply => foretold.extend(reply?.map(|reply| (sql, reply))),
        }
    }
    let foretold = asks_first.then(|| foretold.into());
    Ok(Ready { tracks, beginning, foretold })
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
