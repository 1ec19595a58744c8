//! What the origin has accepted before, and so need not be asked for again: settings, and going to a schema.
//!
//! Nothing here knows what a SET does. The origin has run the same text for the same account, in a session with the same
//! settings and schema, and has reported what came of it: that follows the client then as what is reported follows, and
//! travels with its next statement. Only texts are taken that assign what drivers assign, to what they name themselves.

pub(crate) mod memory;
mod set;

use bytes::Bytes;
use cache::sql::mysql::{Kind, Rights};
use protocol::mysql::reply::OkPacket;
use serving::{error::SessionError, observe::Saved};

use self::{
    memory::{After, Asked, What},
    set::is_repeatable,
};
use super::{
    astray::Astray,
    outcome::Outcome,
    plan::{Text, one_kind},
    session::Session,
};

/// The longest text that is.
const MAX_TEXT: usize = 1024;

/// What is being asked of the origin for the first time.
#[derive(Debug)]
pub(crate) struct Learning {
    asked: Asked,
    told: Option<Bytes>,
}

impl Learning {
    /// Takes in how the origin has answered. What says more than that it was done is not remembered.
    pub(crate) fn hear(&mut self, ok: &OkPacket<'_>, told: &[u8]) {
        let is_plain = ok.affected == 0 && ok.last_insert_id == 0 && ok.warnings == 0;
        self.told = (is_plain && ok.info.is_empty()).then(|| Bytes::copy_from_slice(told));
    }
}

impl Session {
    /// Answers a text that sets, or goes to a schema, if the origin has accepted the same before. False where it must be asked.
    pub(crate) async fn answer_accepted(&mut self, text: &Text) -> Result<bool, SessionError> {
        let what = match one_kind(text) {
            Some(Kind::Set) if is_about_itself(text) => {
                What::Set(Bytes::copy_from_slice(text.sql.trim_ascii()))
            }
            Some(Kind::Use(schema)) => self.to_schema(schema),
            _ => return Ok(false),
        };
        if !self.accept(what).await? {
            return Ok(false);
        }
        let is_mariadb = self.is_mariadb();
        self.facts.last.ran(text, &Outcome::default(), is_mariadb);
        self.facts.last.is_elsewhere();
        self.count(false);
        Ok(true)
    }

    /// The same of COM_INIT_DB.
    pub(crate) async fn answer_init_db(&mut self, schema: &[u8]) -> Result<bool, SessionError> {
        let Ok(schema) = std::str::from_utf8(schema) else { return Ok(false) };
        let done = self.accept(self.to_schema(schema)).await?;
        if done {
            self.facts.last.passed(0);
        }
        Ok(done)
    }

    fn to_schema(&self, schema: &str) -> What {
        What::Schema(schema.into(), self.database.catalog.changes())
    }

    /// Does what was accepted before, and tells the client. What was not is learnt, once it is known what comes of it.
    async fn accept(&mut self, what: What) -> Result<bool, SessionError> {
        self.put_back_untouched().await?;
        let may_be = self.database.config.round_trips.settings
            && self.hold.is_free()
            && !self.is_kept()
            && self.facts.begun.is_none()
            && self.facts.astray == Astray::No
            && !self.facts.asks_charsets
            && self.facts.reports.are_usual();
        if !may_be {
            return Ok(false);
        }
        let asked = Asked {
            what,
            settings: self.facts.settings.clone(),
            schema: self.facts.schema.clone(),
            generation: self.database.generations.number(),
        };
        let Some(after) = self.database.accepted.settings.get(&asked) else {
            self.learning = Some(Box::new(Learning { asked, told: None }));
            return Ok(false);
        };
        self.facts.become_set(after.settings);
        self.facts.schema = after.schema;
        let status = self.status();
        self.client.put_ok_packet(OkPacket { status, changes: &after.told, ..OkPacket::default() });
        self.database.metrics.saves(Saved::Set);
        Ok(true)
    }

    /// Remembers what came of what was asked for the first time, if nothing of it is left on the backend.
    pub(crate) fn learn_accepted(&mut self) {
        let Some(learning) = self.learning.take() else { return };
        let Learning { asked, told } = *learning;
        let Some(told) = told else { return };
        let is_here = self.hold.is_free()
            && !self.is_kept()
            && self.facts.astray == Astray::No
            && !self.facts.asks_charsets
            && self.facts.reports.are_usual()
            && asked.generation == self.database.generations.number();
        if is_here {
            let Self { facts, database, .. } = self;
            let (settings, schema) = (facts.settings.clone(), facts.schema.clone());
            database.accepted.settings.insert(asked, After { settings, schema, told });
        }
    }
}

/// Whether a text sets what is its session's, and nothing but what it says decides to what.
fn is_about_itself(text: &Text) -> bool {
    let Some(analysis) = &text.analysis else { return false };
    let [only] = analysis.statements.as_slice() else { return false };
    text.sql.len() <= MAX_TEXT
        && only.effects.is_empty()
        && only.rights == Rights::Kept
        && analysis.mentions.is_empty()
        && std::str::from_utf8(&text.sql).is_ok_and(is_repeatable)
}
