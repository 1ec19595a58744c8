//! Texts that the origin cannot be given as they are: what asks about the last statement, and KILL of a client of ours.
//!
//! A KILL names a client by the number that its greeting told, which the origin does not know. Where it is one of
//! several statements the text is run in parts, which the client sees as one reply.

use bytes::{BufMut as _, Bytes, BytesMut};
use cache::sql::mysql::{Kind, Mentioned, StatementFacts, Victim};
use protocol::{
    mysql::{
        capabilities::StatusFlags,
        command::{Parameter, Query, Value},
        reply,
        values::put_lenenc_bytes,
    },
    reader::Reader,
};
use serving::{error::SessionError, observe::CacheStatus};

use super::{
    adopt::Wanted,
    answers::{self, Here},
    astray::Astray,
    diagnosis::{self, Diagnosis},
    last::{Conditions, Found},
    plan::{Text, one_kind},
    questions::{ask, texts},
    relay::{Place, Relay},
    session::Session,
};

/// What a client gets of what the session remembers.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Nothing: the backend says it.
    None,
    /// What this text says.
    Text(Bytes),
    /// These rows in the place of the backend's.
    Rows(Vec<Bytes>),
    /// OK, with one more condition.
    Condition,
}

impl Session {
    /// What must be put in the place of a text that asks about the last statement, or about the number of the
    /// connection.
    pub(crate) async fn answer_for(
        &mut self,
        text: &Text,
        wanted: &Wanted,
    ) -> Result<Answer, SessionError> {
        if text.kinds().count() > 1 && !self.facts.multi_statements {
            // It is refused, and its words are quoted.
            return Ok(Answer::None);
        }
        let asks = text.asks_for_last();
        if asks
            && !self.facts.last.is_ours
            && self.hold.work().is_some_and(|work| wanted.is_lacking(&work.loan))
        {
            // What is sent in front of it would be what it hears of.
            self.ask_what_is_left().await?;
        }
        let is_held = !self.hold.is_free();
        let here = Here {
            is_held,
            thread: self.client.thread.id(),
            is_mariadb: self.is_mariadb(),
            schema: self.lost_schema(),
        };
        if let Some(Kind::ShowDiagnostics { errors_only, count, offset, limit }) = one_kind(text) {
            return Ok(match (self.facts.last.has_conditions_there(is_held), count) {
                (true, _) => Answer::None,
                (false, true) => Answer::Text(self.count_question(*errors_only)),
                (false, false) => Answer::Rows(self.remembered(*errors_only, (*offset, *limit))),
            });
        }
        if let Some(Kind::GetDiagnostics(Some(asked))) = one_kind(text)
            && !self.facts.last.has_conditions_there(is_held)
            && let Some(diagnosis) = diagnosis::diagnosed(asked, &self.facts.last, here.is_mariadb)
        {
            // It leaves what there is to show, which the assignment does not.
            self.facts.last.is_elsewhere();
            return Ok(match diagnosis {
                Diagnosis::Assignments(sql) => Answer::Text(sql),
                Diagnosis::NoSuchCondition => Answer::Condition,
            });
        }
        if text.mentions(|what| what == Mentioned::FoundRows)
            && let Found::Replayed(again) = &self.facts.last.found
        {
            let again = (**again).clone();
            self.facts.last.found = Found::Rows(self.recount(again).await.unwrap_or_default());
        }
        let answered = answers::answered(text, &self.facts.last, &here);
        Ok(answered.map_or(Answer::None, Answer::Text))
    }

    fn count_question(&self, errors_only: bool) -> Bytes {
        let (all, errors) = self.facts.last.counts().unwrap_or_default();
        let (count, name) =
            if errors_only { (errors, "error_count") } else { (all, "warning_count") };
        let number = answers::variable(u64::try_from(count).unwrap_or(u64::MAX));
        format!("SELECT {number} AS `@@session.{name}`").into()
    }

    /// The rows of SHOW WARNINGS or SHOW ERRORS that the session remembers.
    fn remembered(&self, errors_only: bool, (offset, limit): (u64, Option<u64>)) -> Vec<Bytes> {
        let Conditions::Rows(rows, _) = &self.facts.last.conditions else { return Vec::new() };
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let take = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let wanted = rows.iter().filter(|row| row.is_error || !errors_only);
        wanted.skip(skip).take(take).map(|row| row.row.clone()).collect()
    }

    /// Does the KILLs of a text that mean a client of ours, and runs a text in parts that must be. False where nothing
    /// was done.
    pub(crate) async fn done_otherwise(
        &mut self,
        query: &Query<'_>,
        text: &Text,
    ) -> Result<bool, SessionError> {
        // Of a text in another character set it is not known where its statements are.
        let is_certain = std::str::from_utf8(&text.sql).is_ok();
        let Some(analysis) = text.analysis.clone().filter(|_| is_certain) else { return Ok(false) };
        match analysis.statements.as_slice() {
            [only] => {
                self.kill_of(only, text, StatusFlags::empty()).await.map(|done| done.is_some())
            }
            all if self.facts.multi_statements
                && (all.iter().any(|one| is_kill(&one.kind))
                    || self.facts.astray != Astray::No
                    || self.needs_parts(text)) =>
            {
                self.query_in_parts(query, text).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Whether a statement of a text asks about what those before it may have left as it was: only when they have
    /// run is it known whether it is the session that must answer.
    fn needs_parts(&self, text: &Text) -> bool {
        let is_mariadb = self.is_mariadb();
        let has_rows = matches!(self.facts.last.conditions, Conditions::Rows(..));
        text.has(|kind| matches!(kind, Kind::ShowDiagnostics { .. } | Kind::GetDiagnostics(_)))
            || text.analysis.iter().flat_map(|analysis| &analysis.mentions).any(|mention| {
                let first = mention.statement;
                match mention.what {
                    _ if first == 0 => false,
                    Mentioned::FoundRows => {
                        !text.keeps_found_rows(first, is_mariadb)
                            && !text.sets_found_rows(first, is_mariadb)
                    }
                    Mentioned::WarningCount | Mentioned::ErrorCount => is_mariadb && has_rows,
                    _ => false,
                }
            })
    }

    /// Runs the statements of a text one by one, up to the first that fails.
    async fn query_in_parts(&mut self, query: &Query<'_>, text: &Text) -> Result<(), SessionError> {
        let Some(analysis) = text.analysis.clone() else { return Ok(()) };
        self.last_status = CacheStatus::MultipleStatements;
        let mut left = analysis.statements.len();
        for statement in &analysis.statements {
            left -= 1;
            let flags = match left {
                0 => StatusFlags::empty(),
                _ => StatusFlags::SERVER_MORE_RESULTS_EXISTS,
            };
            let Some(sql) = text.sql.get(statement.text.clone()) else { return Ok(()) };
            let sql = text.sql.slice_ref(sql);
            let part = self.read_text(sql.clone()).await;
            let own =
                part.analysis.as_ref().and_then(|analysis| analysis.statements.first().cloned());
            let killed = match own {
                Some(own) => self.kill_of(&own, &part, flags).await?,
                None => None,
            };
            let succeeded = match killed {
                Some(succeeded) => succeeded,
                None => {
                    self.runs_text(&part);
                    let sent = Query { attributes: query.attributes.clone(), sql: &sql };
                    let place = if left > 0 { Place::Before } else { Place::Last };
                    self.forward_text(&sent, &part, Relay::at(place)).await?
                }
            };
            if !succeeded {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Does a KILL that means a client of ours, and says whether that was done. `None` of anything else.
    async fn kill_of(
        &mut self,
        statement: &StatementFacts,
        text: &Text,
        flags: StatusFlags,
    ) -> Result<Option<bool>, SessionError> {
        let (kill, using) = match &statement.kind {
            Kind::Kill { query, target } => ((*query, target.clone()), None),
            Kind::Execute(name) => {
                let prepared = self.facts.sql_statements.get(name).map(|one| one.kind.clone());
                let Some(Kind::Kill { query, target }) = prepared else { return Ok(None) };
                ((query, target), argument(&text.sql))
            }
            _ => return Ok(None),
        };
        if !self.is_mariadb() && says_how(&text.sql) {
            // MySQL does not understand it.
            return Ok(None);
        }
        let (only_query, target) = kill;
        let id = match (target, using) {
            (Victim::Thread(id), _) => Some(id),
            (Victim::Own, _) => Some(self.client.thread.id().into()),
            (Victim::Expression(place), None) => {
                let here = Here {
                    is_held: !self.hold.is_free(),
                    thread: self.client.thread.id(),
                    is_mariadb: self.is_mariadb(),
                    schema: self.lost_schema(),
                };
                let part = place.clone();
                let answered = answers::answered_in(text, part, &self.facts.last, &here);
                let expression =
                    answered.or_else(|| text.sql.get(place).map(|part| text.sql.slice_ref(part)));
                self.value_of(&expression.unwrap_or_default(), text).await?
            }
            (Victim::Parameter, Some(variable)) => self.value_of(variable.as_bytes(), text).await?,
            _ => None,
        };
        let id = id.and_then(|id| u32::try_from(id).ok()).filter(|id| self.context.is_ours(*id));
        match id {
            Some(id) => Box::pin(self.kill(id, only_query, flags)).await.map(Some),
            None => Ok(None),
        }
    }

    /// What an expression of the client's comes to, as a number.
    async fn value_of(
        &mut self,
        expression: &[u8],
        text: &Text,
    ) -> Result<Option<u64>, SessionError> {
        let wanted = self.wanted(Some(text));
        if self.lend().await?.is_err() || self.adopt(&wanted).await?.is_err() {
            // It is refused for that when it is sent itself.
            return Ok(None);
        }
        let loan = &mut self.hold.held("ask for a value")?.loan;
        let expression = String::from_utf8_lossy(expression);
        let rows = ask(loan, &format!("SELECT ({expression})")).await?.unwrap_or_default();
        self.facts.last.is_elsewhere();
        let row = rows.first().map(|row| texts(row)).unwrap_or_default();
        let text = row.into_iter().next().flatten();
        Ok(text.and_then(|text| String::from_utf8(text).ok()?.parse().ok()))
    }
}

/// MySQL: from MYSQL_TYPE_NEWDECIMAL on values are texts, and those of MYSQL_TYPE_VARCHAR.
const TEXTS: u16 = 246;
const VARCHAR: u16 = 15;

fn is_kill(kind: &Kind) -> bool {
    matches!(kind, Kind::Kill { .. })
}

/// Whether a KILL says how it is to be done (MariaDB: HARD, SOFT).
fn says_how(sql: &[u8]) -> bool {
    let mut words = sql.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let second = words.nth(1).unwrap_or_default();
    [&b"hard"[..], b"soft"].iter().any(|how| second.eq_ignore_ascii_case(how))
}

/// The user variable behind USING, if there is one and nothing else.
fn argument(sql: &[u8]) -> Option<String> {
    let sql = std::str::from_utf8(sql).ok()?;
    let at = sql.to_ascii_lowercase().find("using")?;
    let rest = sql.get(at + "using".len()..)?.trim().trim_end_matches(';').trim_end();
    let name = rest.strip_prefix('@')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_$.".contains(c);
    (!name.is_empty() && name.chars().all(is_plain)).then(|| rest.to_owned())
}

/// The number of a thread that was given as a parameter.
pub(crate) fn thread(parameter: &Parameter<'_>) -> Option<u32> {
    let Value::Bytes(bytes) = parameter.value else { return None };
    match parameter.kind & 0xff {
        TEXTS..=255 | VARCHAR => {
            let text = Reader::new(bytes).lenenc_bytes().ok()?;
            std::str::from_utf8(text).ok()?.trim().parse().ok()
        }
        _ if bytes.len() <= 8 => {
            let mut number = [0; 8];
            number.get_mut(..bytes.len())?.copy_from_slice(bytes);
            u32::try_from(u64::from_le_bytes(number)).ok()
        }
        _ => None,
    }
}

/// A row of SHOW WARNINGS as a prepared statement answers it: level, code and message.
pub(crate) fn binary_condition(row: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(row.len() + 8);
    // The header, and no NULL among three columns.
    out.put_slice(&[0, 0]);
    let cells: Vec<&[u8]> = reply::text_row(row).filter_map(|cell| cell.ok().flatten()).collect();
    for (column, cell) in cells.into_iter().enumerate() {
        match column {
            1 => {
                let code = std::str::from_utf8(cell).ok().and_then(|code| code.parse().ok());
                out.put_u32_le(code.unwrap_or_default());
            }
            _ => put_lenenc_bytes(&mut out, cell),
        }
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_of_an_execute_is_found() {
        assert_eq!(argument(b"EXECUTE s USING @id").as_deref(), Some("@id"));
        assert_eq!(argument(b"execute s using  @a.b ;").as_deref(), Some("@a.b"));
        assert_eq!(argument(b"EXECUTE s USING @a, @b"), None);
        assert_eq!(argument(b"EXECUTE s"), None);
    }

    #[test]
    fn a_condition_is_written_in_binary() {
        let mut row = BytesMut::new();
        let cells: [Option<&[u8]>; 3] = [Some(b"Error"), Some(b"1146"), Some(b"no")];
        reply::encode_text_row(cells, &mut row);
        assert_eq!(&binary_condition(&row)[..], b"\0\0\x05Error\x7a\x04\0\0\x02no");
    }
}
