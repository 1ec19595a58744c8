//! A client's text as a backend must be given it: statements under our names, and what it asks about its own session
//! answered with what the client knows.
//!
//! That is done when it runs, in the text that is sent: a prepared statement itself stays as its client wrote it, so that
//! clients can share it, and each Bind of one that asks has a statement of its own.

use std::{fmt::Write as _, sync::Arc, time::UNIX_EPOCH};

use bytes::Bytes;
use cache::sql::postgres::{Analysis, Argument, Asked, Kind, Mention, NamedBy, Pin, quote};
use protocol::postgres::message::Bind;
use serde_json::json;

use super::{
    backend::Backend,
    cancel::Slot,
    client::Client,
    held::Held,
    lacking::returns_rows,
    places::Places,
    plan::{self, Edit},
    prepared::Statement,
    work::Work,
};

/// A text as a backend is given it.
#[derive(Debug)]
pub(crate) struct Reworded {
    pub(crate) text: Bytes,
    /// Where it differs from the client's.
    pub(crate) places: Places,
    /// The statements that it names: by the client's name and by ours.
    pub(crate) names: Vec<(Bytes, Arc<str>)>,
}

/// The statement that an EXECUTE runs at last.
#[derive(Debug)]
pub(crate) struct Executed<'n> {
    /// What its client calls it.
    name: &'n str,
    pub(crate) statement: Arc<Statement>,
    /// What its parameters are given, where that is not what this EXECUTE gives.
    arguments: &'n str,
}

/// What a statement does to another session of ours.
#[derive(Debug)]
pub(crate) struct Signal {
    slot: Arc<Slot>,
    terminates: bool,
    /// The group of messages whose end is the statement's.
    group: u64,
}

/// An EXECUTE of an EXECUTE is followed so far: it may be one of itself.
const MAX_CHAIN: usize = 100;
/// So deep a statement that runs another, which names or asks something, is followed (`EXPLAIN EXECUTE`).
const MAX_DEPTH: usize = 4;
/// More than this is not said of a client's prepared statements.
const MAX_LIST: usize = 4 << 20;

impl Client {
    /// A statement that runs or deallocates another by its name, with our name for that one: it means the one that has the
    /// name now, and not when it was parsed. Likewise one that asks about its session, when it is bound; its description
    /// is the same.
    pub(crate) fn resolve(
        &mut self,
        work: &mut Work,
        statement: &Arc<Statement>,
        name: &Bytes,
        bind: Option<&Bind<'_>>,
    ) -> Option<Arc<Statement>> {
        let analysis = &statement.analysis;
        if bind.is_none() && analysis.names.is_empty() {
            return None;
        }
        let query = match plan::executes(analysis) {
            Some(target) if bind.is_none() => self.as_parsed(work, statement, target)?,
            _ => {
                let new = self.reworded(work, statement.source.query(), analysis, bind)?;
                let names = &mut self.facts.statements;
                new.names.iter().for_each(|(theirs, ours)| names.also_called(ours, theirs));
                new.text
            }
        };
        Some(self.made_for_once(statement, &query, name))
    }

    fn made_for_once(
        &mut self,
        statement: &Statement,
        query: &[u8],
        name: &Bytes,
    ) -> Arc<Statement> {
        let made = self.database.registry.for_once(statement, query);
        self.facts.statements.also_called(&made.name, name);
        made
    }

    /// A text as a backend must be given it; `None` where that is as it is. The backend has what it names by the time of the
    /// next message.
    pub(crate) fn reworded(
        &mut self,
        work: &mut Work,
        query: &[u8],
        analysis: &Analysis,
        bind: Option<&Bind<'_>>,
    ) -> Option<Reworded> {
        self.reworded_within(work, query, analysis, (bind, 0))
    }

    /// The same of a text that is run by others, so many.
    fn reworded_within(
        &mut self,
        work: &mut Work,
        query: &[u8],
        analysis: &Analysis,
        (bind, depth): (Option<&Bind<'_>>, usize),
    ) -> Option<Reworded> {
        if analysis.names.is_empty() && analysis.asked().next().is_none() {
            return None;
        }
        // In another encoding the places are not known.
        let text = std::str::from_utf8(query).ok()?;
        // A failed block runs none of it.
        if work.loan.is_failed() {
            return None;
        }
        let (mut edits, names) = self.renamed(work, analysis, depth);
        for mention in analysis.asked() {
            edits.extend(self.answer(work, text, mention, bind));
        }
        let (text, places) = plan::edited(text, edits)?;
        Some(Reworded { text, places, names })
    }

    /// The text of an EXECUTE, which returns what the statement that had the name at its Parse does (`UtilityReturnsTuples`
    /// in utility.c): nothing where there was none.
    fn as_parsed(
        &mut self,
        work: &mut Work,
        statement: &Arc<Statement>,
        target: &str,
    ) -> Option<Bytes> {
        let meant = statement.meant().filter(|meant| !meant.is_taken_back())?;
        if work.loan.is_failed() {
            return None;
        }
        let text = std::str::from_utf8(statement.source.query()).ok()?;
        self.ensure(work, &meant, &Bytes::copy_from_slice(target.as_bytes()));
        let ours = plan::quoted(&work.loan.prepared.held(&meant)?.name);
        let edits = plan::renamed(&statement.analysis, |_name| Some(ours.clone()));
        Some(plan::edited(text, edits)?.0)
    }

    /// The name that an EXECUTE needs to be described, if nothing has it any more.
    pub(crate) fn lacks_target<'s>(&self, statement: &'s Statement) -> Option<&'s str> {
        let target = plan::executes(&statement.analysis)?;
        let names = &self.facts.statements;
        let is_there = names.get(target.as_bytes()).is_some() || names.is_by_sql(target.as_bytes());
        let had_rows = statement.meant().is_some() && returns_rows(statement) != Some(false);
        (had_rows && !is_there).then_some(target)
    }

    /// What an EXECUTE of this name runs at last: a prepared statement may be an EXECUTE itself.
    pub(crate) fn executed<'n>(&'n self, name: &'n str) -> Option<Executed<'n>> {
        let names = &self.facts.statements;
        let (mut name, mut statement, mut arguments) = (name, names.get(name.as_bytes())?, "");
        for _link in 0..MAX_CHAIN {
            let next = plan::executes(&statement.analysis)
                .and_then(|next| Some((next, names.get(next.as_bytes())?)));
            let (Some(next), Some(given)) = (next, arguments_of(statement)) else {
                return Some(Executed { name, statement: Arc::clone(statement), arguments });
            };
            ((name, statement), arguments) = (next, given);
        }
        // It runs itself, and so does this: until the server has no stack left.
        Some(Executed { name, statement: self.database.registry.circle(statement), arguments: "" })
    }

    /// The names of the client's statements, as the backend has them.
    fn renamed(
        &mut self,
        work: &mut Work,
        analysis: &Analysis,
        depth: usize,
    ) -> (Vec<Edit>, Vec<(Bytes, Arc<str>)>) {
        let (mut gone, mut names) = (Vec::new(), Vec::new());
        // CREATE TABLE … AS takes no EXECUTE of an EXECUTE.
        let is_plain = analysis.statements.iter().all(|one| one.kind != Kind::Ddl);
        let edits = plan::renamed(analysis, |name| {
            let (statement, arguments, named) = match name.by {
                NamedBy::Execute if is_plain => {
                    let Executed { name, statement, arguments } = self.executed(&name.name)?;
                    (statement, arguments.to_owned(), name.to_owned())
                }
                _ => {
                    let statement = self.facts.statements.get(name.name.as_bytes()).cloned()?;
                    (statement, String::new(), name.name.to_string())
                }
            };
            if gone.contains(&&name.name) {
                return None;
            }
            if name.by == NamedBy::Deallocate {
                gone.push(&name.name);
                if !work.loan.prepared.has(&statement) {
                    return Some(plan::quoted(&self.stand_in(&mut work.loan, &statement)));
                }
            }
            let name = Bytes::from(named);
            // What it names and asks itself it means now.
            let query = statement.source.query();
            let reworded = match depth < MAX_DEPTH && !statement.is_for_once {
                true => self.reworded_within(work, query, &statement.analysis, (None, depth + 1)),
                false => None,
            };
            let statement = match reworded {
                Some(new) => self.made_for_once(&statement, &new.text, &name),
                None => statement,
            };
            self.ensure(work, &statement, &name);
            let Held { name: ours, .. } = work.loan.prepared.held(&statement)?;
            names.push((name, Arc::clone(ours)));
            Some(plan::quoted(ours) + &arguments)
        });
        (edits, names)
    }

    /// What stands in the place of what a text asks about its session.
    fn answer(
        &self,
        work: &mut Work,
        text: &str,
        mention: &Mention,
        bind: Option<&Bind<'_>>,
    ) -> Option<Edit> {
        let spelled = text.get(mention.span.clone())?;
        if !self.is_servers(work, spelled, &mention.what) {
            return None;
        }
        let own = self.end.key.process;
        match &mention.what {
            // A subquery's column gives its name to the column, as the function does.
            Asked::ProcessId => {
                Some((mention.span.clone(), format!("(SELECT {own} AS pg_backend_pid)")))
            }
            Asked::Signal { terminates, argument, span } => {
                let process = process(*argument, bind)?;
                let argument = text.get(span.clone())?;
                if process == own {
                    // The server does it, and says it.
                    let real = format!(
                        "coalesce(nullif(({argument})::pg_catalog.int4, {own}), pg_catalog.pg_backend_pid())"
                    );
                    return Some((span.clone(), real));
                }
                let slot = self.may_signal(work, process)?;
                let group = self.facts.statements.group();
                work.signals.push(Signal { slot, terminates: *terminates, group });
                let name = if *terminates { "pg_terminate_backend" } else { "pg_cancel_backend" };
                let done = format!("(SELECT ({argument})::pg_catalog.int4 IS NOT NULL AS {name})");
                Some((mention.span.clone(), done))
            }
            Asked::PreparedStatements { has_alias } => {
                let list = self.prepared_statements(&mut work.loan)?;
                let alias = if *has_alias { "" } else { " AS pg_prepared_statements" };
                Some((mention.span.clone(), format!("({list}){alias}")))
            }
        }
    }

    /// Whether a name means the server's own object, in front of which there can be others.
    fn is_servers(&self, work: &Work, spelled: &str, what: &Asked) -> bool {
        let names_schema = |path: &str| path.contains("pg_catalog");
        let is_behind = self.facts.settings.get("search_path").is_some_and(names_schema)
            || self.facts.parameters.get("search_path").is_some_and(names_schema);
        let is_hidden = matches!(what, Asked::PreparedStatements { .. })
            && self.facts.hides_list
            && work.pins.contains(&Pin::TempTable);
        !(is_behind || is_hidden)
            || spelled.trim_start_matches('"').to_ascii_lowercase().starts_with("pg_catalog")
    }

    /// The client with this process id, if this one may signal it. Without the rights of its login, or with an id that is
    /// not one of ours, that is for the server to judge.
    fn may_signal(&self, work: &Work, process: u32) -> Option<Arc<Slot>> {
        let settings = &self.facts.settings;
        let is_another =
            ["role", "session_authorization"].iter().any(|name| settings.get(name).is_some());
        let is_sure = !is_another && !work.ledger.has_set();
        is_sure.then(|| self.context.cancel.of_database(&self.database, process)).flatten()
    }

    /// Does to other sessions what statements have done that are over.
    pub(crate) fn send_signals(&self, work: &mut Work) {
        let names = &self.facts.statements;
        for signal in work.signals.extract_if(.., |signal| names.was_heard(signal.group)) {
            if signal.terminates {
                signal.slot.terminate();
            } else {
                self.context.common.tasks.spawn(signal.slot.cancel_now());
            }
        }
    }

    /// The client's statements as the server would list them, in the columns of its version: by what the client was told,
    /// with what this backend counts, and what SQL has prepared there; first those that were there first, which a session of
    /// the server's shows mostly. `None` where that cannot be said.
    fn prepared_statements(&self, backend: &mut Backend) -> Option<String> {
        let is_utf8 = self.facts.parameters.get("client_encoding").is_none_or(|it| it == "UTF8");
        let prefix = self.database.registry.prefix();
        let mut list = String::new();
        for (name, statement) in self.facts.statements.named() {
            let text = statement.by_sql.as_deref().unwrap_or(statement.source.query());
            let (name, text) = (std::str::from_utf8(name).ok()?, std::str::from_utf8(text).ok()?);
            let from_sql = statement.by_sql.is_some();
            let mut told = json!({ "name": name, "statement": text, "from_sql": from_sql });
            if let Some(settled) = statement.settled() {
                told["parameter_types"] = json!(oids(settled.parameter_types()));
                told["result_types"] = json!(settled.column_types().map(oids));
            }
            let told = told.to_string();
            if list.len() + told.len() > MAX_LIST || !(is_utf8 || told.is_ascii()) {
                return None;
            }
            let ours = backend.prepared.find(statement).unwrap_or_default();
            let at = statement.prepared_at.duration_since(UNIX_EPOCH).unwrap_or_default();
            let comma = if list.is_empty() { "" } else { ", " };
            let (told, at) = (quote(&told), at.as_secs_f64());
            write!(list, "{comma}('{ours}', {at}, {told})").ok()?;
        }
        let by_sql = format!(
            "SELECT * FROM pg_catalog.pg_prepared_statements \
                WHERE from_sql AND pg_catalog.strpos(name, '{prefix}') OPERATOR(pg_catalog.<>) 1"
        );
        if list.is_empty() {
            return Some(by_sql);
        }
        Some(format!(
            "(SELECT r.* FROM (VALUES {list}) m (ours, at, told) \
            LEFT JOIN pg_catalog.pg_prepared_statements p \
                ON p.name OPERATOR(pg_catalog.=) m.ours::pg_catalog.text \
            CROSS JOIN LATERAL pg_catalog.jsonb_populate_record(p, \
                CASE WHEN p.name IS NULL THEN '{{\"generic_plans\": 0, \"custom_plans\": 0}}' ELSE '{{}}' END::pg_catalog.jsonb \
                OPERATOR(pg_catalog.||) m.told::pg_catalog.jsonb \
                OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('prepare_time', pg_catalog.to_timestamp(m.at))) r \
            ORDER BY m.at) UNION ALL {by_sql}"
        ))
    }
}

/// What an EXECUTE gives to its statement. `None` where that could mean something else in another text.
fn arguments_of(statement: &Statement) -> Option<&str> {
    let [name] = &*statement.analysis.names else { return None };
    let text = std::str::from_utf8(statement.source.query()).ok()?;
    let rest = text.get(name.span.end..)?;
    let rest = rest.trim_end_matches(|end: char| end == ';' || end.is_ascii_whitespace());
    let is_plain = |part: &&str| !["--", "/*", ";", "$"].iter().any(|it| part.contains(it));
    Some(rest).filter(is_plain)
}

/// As the server reads types.
fn oids(types: Vec<u32>) -> Vec<String> {
    types.iter().map(u32::to_string).collect()
}

/// The process id that a call is given; `None` where it is no such number.
fn process(argument: Argument, bind: Option<&Bind<'_>>) -> Option<u32> {
    let number = match argument {
        Argument::Constant(number) => i64::from(number),
        Argument::Parameter(at) => {
            let parameters = bind?.parameters().ok()?;
            let value = (*parameters.values.get(at)?)?;
            if parameters.is_text(at) {
                std::str::from_utf8(value).ok()?.trim().parse().ok()?
            } else if let Ok(bytes) = value.try_into() {
                i64::from(i32::from_be_bytes(bytes))
            } else {
                i64::from_be_bytes(value.try_into().ok()?)
            }
        }
    };
    u32::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_id_is_read_in_either_format() {
        let (parameter, constant) = (Argument::Parameter(0), Argument::Constant(5));
        let bind = |format: u8, value: &[u8]| {
            let length = u8::try_from(value.len()).expect("short");
            [&[0, 1, 0, format, 0, 1, 0, 0, 0, length], value, &[0, 0]].concat()
        };
        let read = |argument, rest: &[u8]| {
            process(argument, Some(&Bind { portal: b"", statement: b"", rest }))
        };
        assert_eq!(process(constant, None), Some(5));
        assert_eq!(process(parameter, None), None);
        assert_eq!(process(Argument::Constant(-5), None), None);
        for (format, value, expected) in [
            (0, &b"17"[..], Some(17)),
            (0, b" 17 ", Some(17)),
            (0, b"x", None),
            (1, b"\0\0\0\x11", Some(17)),
            (1, b"\0\0\0\0\0\0\0\x11", Some(17)),
            (1, b"\x11", None),
        ] {
            assert_eq!(read(parameter, &bind(format, value)), expected, "{value:?}");
        }
        assert_eq!(read(Argument::Parameter(1), &bind(0, b"17")), None);
    }
}
