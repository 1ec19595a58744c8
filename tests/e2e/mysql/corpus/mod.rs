//! The conversations of the differential test.
//!
//! Nothing in it may differ from one server process to the next by right: no connection ids, no clocks, no uptime.

mod blocks;
mod reads;
mod sessions;

use e2e::mysql::{
    flags::{capability, command},
    say::{self, Value},
};

/// One conversation on a connection of its own.
#[derive(Debug)]
pub(super) struct Case {
    /// What a failure is reported under.
    pub(super) name: String,
    /// What the client asks for beyond the usual.
    pub(super) capabilities: u32,
    /// In this order.
    pub(super) steps: Vec<Step>,
    /// Whether it changes nothing, so that a second run must give the same.
    pub(super) repeatable: bool,
}

/// Something a client does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// COM_QUERY.
    Query(String),
    /// COM_STMT_PREPARE, COM_STMT_EXECUTE for each list of values, COM_STMT_CLOSE.
    Binary(String, Vec<Vec<Value>>),
    /// Another command that answers with OK, ERR or result sets.
    Command(Vec<u8>),
    /// COM_FIELD_LIST.
    Fields(Vec<u8>),
    /// COM_STMT_EXECUTE with a cursor, and COM_STMT_FETCH of so many rows until the last.
    Cursor(String, u32),
    /// COM_QUERY that asks for a file, and the parts of it.
    File(String, Vec<Vec<u8>>),
}

/// Old and new forms of replies.
const FORMS: [(&str, u32); 2] = [
    ("old", 0),
    ("new", capability::DEPRECATE_EOF | capability::SESSION_TRACK | capability::QUERY_ATTRIBUTES),
];

fn conversation(
    (form, capabilities): (&str, u32),
    (name, steps): (&str, Vec<Step>),
    repeatable: bool,
) -> Case {
    let name = format!("{form}: {name}");
    let several = capability::MULTI_STATEMENTS | capability::LOCAL_FILES;
    Case { name, capabilities: capabilities | several, steps, repeatable }
}

/// Conversations of COM_QUERY only, in steps.
fn texts(
    conversations: &'static [(&'static str, &'static [&'static str])],
) -> impl Iterator<Item = (&'static str, Vec<Step>)> {
    conversations.iter().map(|(name, statements)| {
        (*name, statements.iter().map(|sql| Step::Query((*sql).to_owned())).collect())
    })
}

/// The whole corpus.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (form, capabilities) in FORMS {
        for sql in reads::READS {
            for (kind, step) in [
                ("text", Step::Query((*sql).into())),
                ("binary", Step::Binary((*sql).into(), vec![Vec::new()])),
            ] {
                let name = format!("{form} {kind}: {sql}");
                cases.push(Case { name, capabilities, steps: vec![step], repeatable: true });
            }
        }
        for (sql, values) in reads::bound() {
            let name = format!("{form} bound: {sql}");
            // A parameter that was a number makes a number of a later text (MySQL); each preparation has one set of types.
            let kinds = |values: &Vec<Value>| values.iter().map(Value::kind).collect::<Vec<_>>();
            let alike = values.chunk_by(|left, right| kinds(left) == kinds(right));
            let steps = alike.map(|values| Step::Binary(sql.into(), values.to_vec())).collect();
            cases.push(Case { name, capabilities, steps, repeatable: true });
        }
        let own = sessions::own().into_iter();
        let plain = texts(sessions::SESSIONS);
        for (name, steps) in own.chain(plain) {
            cases.push(conversation((form, capabilities), (name, steps), false));
        }
    }
    // Behind all that reads: with the tables that they change and change back the plans of queries may change.
    for form in FORMS {
        let restoring = blocks::own().into_iter().chain(texts(blocks::BLOCKS));
        cases.extend(restoring.map(|case| conversation(form, case, true)));
    }
    cases
}

fn query(sql: &str) -> Step {
    Step::Query(sql.into())
}

fn ping() -> Step {
    Step::Command(vec![command::PING])
}

fn init_db(name: &str) -> Step {
    Step::Command(say::init_db(name))
}
