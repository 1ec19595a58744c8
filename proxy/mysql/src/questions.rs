//! What the proxy asks of a backend before another client may have it.
//!
//! The client has its answer by then: what is asked here costs the backend a round trip, and the client none.

use std::time::Duration;

use bytes::Bytes;
use cache::sql::mysql::{Kind, Pin, Rights};
use protocol::mysql::{
    exchange::{CommandKind, Seen},
    packet, reply,
};
use serving::error::SessionError;

use super::{
    backend::{Backend, Note},
    diagnosis::ITEMS,
    last::{Condition, Conditions, Found, RaisedBy},
    session::Session,
    settings,
    settle::{ASK_TIMEOUT, Asked, too_late},
    work::Work,
};

/// The most that is read in answer to a question of our own.
const MAX_ANSWER: usize = 16 << 20;
const COM_PING: u8 = 0x0e;
/// What a session has run, in code too, that changes what users may do.
const CHANGES_OF_RIGHTS: &str = "SHOW SESSION STATUS WHERE Value > 0 AND Variable_name IN ( \
    'Com_alter_user', 'Com_alter_user_default_role', 'Com_binlog', 'Com_create_role', \
    'Com_create_user', 'Com_drop_role', 'Com_drop_user', 'Com_flush', 'Com_grant', \
    'Com_grant_role', 'Com_grant_roles', 'Com_rename_user', 'Com_revoke', 'Com_revoke_all', \
    'Com_revoke_role', 'Com_revoke_roles', 'Com_set_password')";
/// Longest wait for the catalog behind a change of code.
const CODE_TIMEOUT: Duration = Duration::from_secs(3);
/// The most bytes of SHOW WARNINGS that a session remembers.
const MAX_CONDITIONS: usize = 64 * 1024;

/// The rows of an answer, or that the server refused it.
pub(crate) type Answer = Result<Vec<Bytes>, Bytes>;

impl Session {
    /// Asks what the session's last statement left behind, as far as it matters and is not known. The backend's last
    /// statement is ours then.
    pub(crate) async fn ask_what_is_left(&mut self) -> Result<(), SessionError> {
        let loan = &mut self.hold.held("ask what is left")?.loan;
        let last = &mut self.facts.last;
        if last.conditions == Conditions::AtBackend {
            // First of all: any other statement would empty it.
            let rows = ask(loan, "SHOW WARNINGS").await?.unwrap_or_default();
            let Some(all) = conditions(rows, last.warnings) else {
                self.pin(Pin::Warnings);
                return Ok(());
            };
            last.conditions = all;
            if last.raised_by == RaisedBy::Signal {
                ask_for_items(loan, &mut last.conditions).await?;
            }
        }
        let asks_for_rows = matches!(last.found, Found::AtBackend);
        if asks_for_rows || last.insert_id.is_none() {
            let rows =
                ask(loan, "SELECT FOUND_ROWS(), LAST_INSERT_ID()").await?.unwrap_or_default();
            let mut numbers = rows.first().map(|row| numbers(row)).unwrap_or_default().into_iter();
            let (found, inserted) = (numbers.next().flatten(), numbers.next().flatten());
            if asks_for_rows {
                last.found = Found::Rows(found.unwrap_or_default());
            }
            // The session's own, if that is known, need not be what the backend has.
            loan.last_insert_id = inserted;
            last.insert_id = last.insert_id.or(inserted).or(Some(0));
        }
        last.is_elsewhere();
        Ok(())
    }

    /// Empties the diagnostics area of a backend that is given back: the next client must not see it.
    pub(crate) async fn forget_conditions(&mut self) -> Result<(), SessionError> {
        let is_mariadb = self.is_mariadb();
        let loan = &mut self.hold.held("forget conditions")?.loan;
        ask(loan, clear(is_mariadb)).await?.ok();
        Ok(())
    }

    /// Whether the backend has conditions that are remembered.
    pub(crate) fn has_conditions(&self) -> bool {
        matches!(self.facts.last.conditions, Conditions::Rows(..))
    }

    /// Asks whether what pins the session, or a setting that was not told, is another now.
    pub(crate) async fn ask_what_holds(&mut self) -> Result<(), SessionError> {
        let Work { loan, asks, .. } = self.hold.held("ask what holds")?;
        if std::mem::take(&mut asks.collation) | std::mem::take(&mut self.facts.asks_charsets) {
            loan.send_query(settings::CHARSETS_QUESTION, Note::Question);
            let mut told = None;
            let heard = hear(loan, |column| told = told.or_else(|| collation_of(column))).await?;
            let row = heard.unwrap_or_default().first().map(|row| texts(row)).unwrap_or_default();
            for (name, value) in settings::CHARACTER_SETS.into_iter().zip(row) {
                self.facts.report(name.as_bytes(), &value.unwrap_or_default());
            }
            // The columns of the answer are of it themselves.
            let known = self.database.learnt.collations().unwrap_or_default();
            let of_results = told.and_then(|id| known.get(&id));
            let name = of_results.map(|(_, name)| name.as_str()).unwrap_or_default();
            self.facts.report(settings::OF_RESULTS.as_bytes(), name.as_bytes());
            loan.applied = self.facts.settings.clone();
        }
        self.ask_for_settings().await?;
        self.ask_for_prepared().await?;
        self.ask_for_rights().await?;
        let Work { loan, asks, .. } = self.hold.held("ask for locks")?;
        if !std::mem::take(&mut asks.locks) {
            return Ok(());
        }
        let Some(names) = self.facts.pins.lock_names() else { return Ok(()) };
        for name in names {
            let hex = hex::encode(&name);
            let sql =
                format!("SELECT IS_USED_LOCK(CONVERT(0x{hex} USING utf8mb4)) = CONNECTION_ID()");
            let rows = ask(loan, &sql).await?.unwrap_or_default();
            let held = rows.first().map(|row| numbers(row)).unwrap_or_default();
            if held.first().copied().flatten() != Some(1) {
                self.facts.pins.remove_named(Pin::NamedLock, &name);
            }
        }
        Ok(())
    }

    /// Asks whether a transaction is open, which changes nothing of what the client could ask for but its `ROW_COUNT()`.
    pub(crate) async fn ask_whether_a_transaction_is_open(
        &mut self,
    ) -> Result<Asked, SessionError> {
        let work = self.hold.held("ask whether a transaction is open")?;
        let may_be_lost = !work.holds_state();
        let pinged = tokio::time::timeout(ASK_TIMEOUT, ping(&mut work.loan)).await;
        if let Err(error) = pinged.unwrap_or_else(|_elapsed| Err(too_late())) {
            // It closed after its last word. What was on it is lost to the client only if there was something.
            if !may_be_lost || self.is_kept() {
                return Err(error);
            }
            self.part().await;
            return Ok(Asked::Parted);
        }
        self.note_open_transaction()?;
        self.hear_unheard()?;
        Ok(Asked::Answered)
    }

    /// Asks whether what nobody saw has changed rights, which the server counts. On a backend that lives still nothing else
    /// has done so: that ends all that began before.
    async fn ask_for_rights(&mut self) -> Result<(), SessionError> {
        let Work { loan, asks, .. } = self.hold.held("ask for rights")?;
        if std::mem::take(&mut asks.rights) == Rights::Kept {
            return Ok(());
        }
        if ask(loan, CHANGES_OF_RIGHTS).await?.is_ok_and(|rows| rows.is_empty()) {
            return Ok(());
        }
        self.outdate_connections();
        Ok(())
    }

    /// Asks for settings that were changed without a report, and for what the client wants to be told of.
    async fn ask_for_settings(&mut self) -> Result<(), SessionError> {
        let Work { loan, asks, .. } = self.hold.held("ask for settings")?;
        for name in std::mem::take(&mut asks.variables) {
            let rows = ask(loan, &format!("SELECT @@session.{name}")).await?.unwrap_or_default();
            if let Some(row) = rows.first().map(|row| texts(row)) {
                let value = row.into_iter().next().flatten().unwrap_or_default();
                if !self.facts.reports.learn(&name, &String::from_utf8_lossy(&value)) {
                    self.facts.report(name.as_bytes(), &value);
                }
            }
        }
        if loan.tracks() {
            loan.applied = self.facts.settings.clone();
        }
        Ok(())
    }

    /// Waits until it is known what code left that ran while the catalog was being read again; where that takes too
    /// long, the session keeps its backend.
    pub(crate) async fn await_code(&mut self) -> Result<(), SessionError> {
        let asks = &mut self.hold.held("learn what code left")?.asks;
        let Some(text) = std::mem::take(&mut asks.code) else { return Ok(()) };
        let code = tokio::time::timeout(CODE_TIMEOUT, self.database.catalog.code_known()).await;
        let (Ok(code), Some(analysis)) = (code, &text.analysis) else {
            self.pin(Pin::UnknownSetting);
            return Ok(());
        };
        let runs = |one| code.left(self.facts.executed(one)).effects;
        let left: Vec<_> = analysis.statements.iter().flat_map(runs).collect();
        for effect in left {
            self.learn_effect(&effect, true)?;
        }
        Ok(())
    }

    /// Asks for the text that was prepared from a user variable, so that it is known what EXECUTE will do.
    async fn ask_for_prepared(&mut self) -> Result<(), SessionError> {
        let Work { loan, asks, .. } = self.hold.held("ask for what was prepared")?;
        let Some((name, variable)) = std::mem::take(&mut asks.prepared) else { return Ok(()) };
        let rows = ask(loan, &format!("SELECT @{variable}")).await?.unwrap_or_default();
        let row = rows.first().map(|row| texts(row)).unwrap_or_default();
        let Some(sql) = row.into_iter().next().flatten() else { return Ok(()) };
        let text = self.read_text(sql.into()).await;
        let statements = text.analysis.as_ref().map(|analysis| analysis.statements.as_slice());
        if let Some([statement]) = statements
            && !text.is_unread()
            && statement.kind != Kind::Code
        {
            self.facts.remember_sql_statement(&name, statement);
        }
        Ok(())
    }
}

/// What empties the diagnostics area, and leaves all else that a client could ask for, such as `Last_query_cost`. MariaDB
/// keeps the area over most statements that use no table.
const fn clear(is_mariadb: bool) -> &'static str {
    if is_mariadb { "SHOW SESSION STATUS LIKE 'Uptime'" } else { "UNLOCK TABLES" }
}

/// Asks whether a transaction is open, by the one command that is no statement and tells it.
async fn ping(backend: &mut Backend) -> Result<(), SessionError> {
    backend.send(CommandKind::Simple, &[COM_PING], Note::Question);
    hear_rows(backend).await.map(drop)
}

/// Runs a text of our own on an idle backend and returns its rows, or the ERR packet's payload.
///
/// # Errors
///
/// When the connection broke, or is out of step.
///
/// # Cancel safety
///
/// Dropped before it ends, the backend must be closed.
pub(crate) async fn ask(backend: &mut Backend, sql: &str) -> Result<Answer, SessionError> {
    backend.send_query(sql, Note::Question);
    hear_rows(backend).await
}

/// Reads until nothing is owed, and returns the rows of the last reply, or its ERR packet's payload.
pub(crate) async fn hear_rows(backend: &mut Backend) -> Result<Answer, SessionError> {
    hear(backend, |_column| ()).await
}

/// The same, where each definition of a column is looked at.
async fn hear(
    backend: &mut Backend,
    mut of_column: impl FnMut(&[u8]),
) -> Result<Answer, SessionError> {
    let (mut rows, mut failed) = (Vec::new(), None);
    backend.framed.flush().await.map_err(SessionError::BackendLost)?;
    while !backend.owed.is_empty() {
        let taken = packet::take(backend.framed.buffer(), MAX_ANSWER);
        let Some(packet) = taken.map_err(SessionError::BackendProtocol)? else {
            if backend.framed.fill().await.map_err(SessionError::BackendLost)? == 0 {
                let error = std::io::ErrorKind::UnexpectedEof.into();
                return Err(SessionError::BackendLost(error));
            }
            continue;
        };
        match backend.exchange.received(packet.payload.len(), &packet.payload)? {
            Seen::Row => rows.push(packet.payload.clone()),
            Seen::Column { .. } => of_column(&packet.payload),
            Seen::Ok(ok) | Seen::RowsEnd(ok) if !ok.changes.is_empty() => {
                // An ERR tells of no changes; the next OK does.
                backend.unheard.push(Bytes::copy_from_slice(ok.changes));
            }
            Seen::Err(_) => failed = Some(packet.payload.clone()),
            Seen::LocalInfile(_) => {
                packet::put(backend.framed.queue(), &mut packet.last_sequence.wrapping_add(1), b"");
                backend.exchange.file_sent();
                backend.framed.flush().await.map_err(SessionError::BackendLost)?;
            }
            _ => {}
        }
        backend.answered();
    }
    Ok(match failed {
        Some(error) => Err(error),
        None => Ok(rows),
    })
}

/// The collation that a column is told with: behind the names, in the part that has a fixed length (MySQL:
/// ColumnDefinition41).
fn collation_of(definition: &[u8]) -> Option<u16> {
    let (_, fixed) = definition.split_last_chunk::<FIXED_LEN>()?;
    Some(u16::from_le_bytes(*fixed.first_chunk()?))
}

/// Collation, length, type, flags, decimals, and two bytes that are zero.
const FIXED_LEN: usize = 12;

/// Asks for all that there is of the first conditions, which a SIGNAL may have raised. The variables that it takes are
/// nobody's: a client's own keep their backend.
async fn ask_for_items(
    backend: &mut Backend,
    conditions: &mut Conditions,
) -> Result<(), SessionError> {
    let Conditions::Rows(rows, _) = conditions else { return Ok(()) };
    let rows: Vec<_> = rows.iter_mut().take(MAX_ITEMIZED).collect();
    let list = |number: usize, each: &dyn Fn(&str, &str) -> String| {
        let each = ITEMS.iter().map(|item| each(item, &format!("@`jumpgate {number} {item}`")));
        each.collect::<Vec<_>>().join(", ")
    };
    // All of them before anything else is run, which empties the area.
    for number in 1..=rows.len() {
        let asked = list(number, &|item, variable| format!("{variable} = {item}"));
        let diagnosis = format!("GET DIAGNOSTICS CONDITION {number} {asked}");
        backend.send_query(&diagnosis, Note::Question);
    }
    hear_rows(backend).await?.ok();
    for (index, condition) in rows.into_iter().enumerate() {
        let shown = list(index + 1, &|_, variable| format!("HEX({variable})"));
        let cleared = list(index + 1, &|_, variable| format!("{variable} = NULL"));
        let answer = ask(backend, &format!("SELECT {shown}")).await?.unwrap_or_default();
        let bytes = |cell: Option<Vec<u8>>| hex::decode(cell?).ok().map(Bytes::from);
        condition.items =
            answer.first().and_then(|row| texts(row).into_iter().map(bytes).collect());
        ask(backend, &format!("SET {cleared}")).await?.ok();
    }
    Ok(())
}

/// Of so many conditions everything is remembered that a SIGNAL said.
const MAX_ITEMIZED: usize = 4;

/// `None` of more than is remembered: then the backend keeps them, until the next statement.
fn conditions(rows: Vec<Bytes>, counted: u16) -> Option<Conditions> {
    let all = rows.len().max(counted.into());
    if rows.iter().map(Bytes::len).sum::<usize>() > MAX_CONDITIONS {
        return None;
    }
    let mut kept = Vec::new();
    for row in rows {
        let is_error = texts(&row).first().is_some_and(|level| level.as_deref() == Some(b"Error"));
        // A copy, so that the buffer it was read into is not kept.
        kept.push(Condition { is_error, row: Bytes::copy_from_slice(&row), items: None });
    }
    Some(if all == 0 { Conditions::None } else { Conditions::Rows(kept, all) })
}

pub(crate) fn texts(row: &[u8]) -> Vec<Option<Vec<u8>>> {
    reply::text_row(row).map(|cell| cell.ok().flatten().map(<[u8]>::to_vec)).collect()
}

fn numbers(row: &[u8]) -> Vec<Option<u64>> {
    let number = |cell: Option<Vec<u8>>| String::from_utf8(cell?).ok()?.parse().ok();
    texts(row).into_iter().map(number).collect()
}
