//! Answers to what a client without a backend says about its own session: an origin has answered the same before (see
//! [`super::said`]). What it sets travels with its next statement, as all settings do that follow it.
//!
//! In a block that has done nothing but read a setting has the value that it has without one, but for what BEGIN said of the
//! transaction. So what is asked there is learnt in each such block, and answered in one of which no backend has heard.

use std::sync::Arc;

use bytes::Bytes;
use cache::{
    Key, KeyBuilder,
    sql::postgres::{Analysis, Discarded, Effect, Kind, StatementFacts},
};
use protocol::postgres::{
    encode,
    frame::{BackendTag, FrontendTag},
    pipeline::TransactionStatus,
};
use serving::{error::SessionError, hold::Hold, observe::Saved};

use super::{
    batch::{Frame, Request},
    client::Client,
    fill,
    parameters::Parameters,
    plan::{self, Standing, Text},
    said::{self, Gather, Said},
    session::Session,
    settings::{DATE_STYLE, Settings},
    starts::configures,
    work::Work,
};

/// What is to become of a text about the session.
pub(crate) enum Saying {
    /// It was answered.
    Answered,
    /// The origin is asked, and its answer is kept where there is something to gather it.
    Asked(Option<Asking>),
}

/// Where something is said about the session.
struct Place {
    /// What BEGIN said of the block that it is in; nothing without a block.
    modes: Box<str>,
    /// Whether it is in one.
    stands: TransactionStatus,
    /// Of the backends that would be asked.
    generation: u64,
    /// Whether it may be answered here.
    answers: bool,
}

/// An answer that is to be gathered, and the settings with which its text was sent.
pub(crate) struct Asking {
    gather: Box<Gather>,
    settings: Arc<Settings>,
    parameters: Parameters,
}

impl Session {
    /// Answers a simple query, if it is known what an origin says to it.
    pub(crate) fn say_again(&mut self, query: &[u8], text: &Text) -> Saying {
        let Some((saved, place)) = self.place_of_said(query, &text.analysis) else {
            return Saying::Asked(None);
        };
        let client = &mut self.client;
        let wire = plan::simple_key(client.key(), query);
        match client.known_said((&wire, &place), saved, &text.analysis) {
            Ok(said) => {
                client.facts.statements.remove(b"");
                client.takes(&text.analysis);
                let Said { reply, statuses, .. } = &*said;
                let rows = reply.rows.iter().map(Bytes::as_ref);
                let before = [reply.description.as_ref()].into_iter().chain(rows);
                for part in before.chain([reply.complete.as_ref(), statuses]) {
                    client.end.queue().extend_from_slice(part);
                }
                encode::ready_for_query(place.stands, client.end.queue());
                Saying::Answered
            }
            Err(asking) => Saying::Asked(Some(asking)),
        }
    }

    /// The same of an extended request.
    pub(crate) async fn say_request_again(
        &mut self,
        frames: &[Frame],
        request: &Request<'_>,
        text: &Text,
    ) -> Result<Saying, SessionError> {
        let Some((saved, place)) = self.place_of_said(request.query(), &text.analysis) else {
            return Ok(Saying::Asked(None));
        };
        let client = &mut self.client;
        let is_sync = |frame: &Frame| frame.tag == FrontendTag::Sync;
        let (Some(wire), Some(end)) =
            (client.request_key(request), frames.iter().position(is_sync))
        else {
            return Ok(Saying::Asked(None));
        };
        match client.known_said((&wire, &place), saved, &text.analysis) {
            Ok(said) => {
                let (messages, syncs) = frames.split_at(end);
                self.replay_extended(&said.reply, messages).await?;
                self.client.takes(&text.analysis);
                self.client.end.queue().extend_from_slice(&said.statuses);
                self.replay_extended(&said.reply, syncs).await?;
                Ok(Saying::Answered)
            }
            Err(asking) => Ok(Saying::Asked(Some(asking))),
        }
    }

    /// Gathers the answer to what was just sent.
    pub(crate) fn gather(&mut self, asking: Option<Asking>) {
        let Self { client: Client { facts, .. }, hold: Hold::Held(work) } = self else { return };
        // A backend that reports other values than the last one has it told so, and the key is another.
        work.gathers = asking
            .filter(|asking| {
                Arc::ptr_eq(&asking.settings, &facts.settings)
                    && asking.parameters.is_same(&facts.parameters)
            })
            .map(|asking| asking.gather);
    }

    /// Where a text is said, if it is about the session and may be learnt or answered there.
    fn place_of_said(&self, query: &[u8], analysis: &Analysis) -> Option<(Saved, Place)> {
        // First, since few statements are: the rest costs.
        let saved = said::sort(query, analysis)?;
        let Self { client, hold } = self;
        let database = &client.database;
        if !database.config.round_trips.settings || client.standing_free() != Standing::Free {
            return None;
        }
        let in_block = |modes: &str| Place {
            modes: modes.into(),
            stands: TransactionStatus::InTransaction,
            generation: database.generations.number(),
            answers: false,
        };
        let place = match (hold, &client.begun) {
            (Hold::Free, None) => {
                Place { stands: TransactionStatus::Idle, answers: true, ..in_block("") }
            }
            // What sets something for its transaction has answered, and done nothing, where there is no block.
            _ if saved != Saved::Show || analysis.statements.iter().any(configures) => return None,
            (Hold::Free, Some(waiting)) => {
                // Where all of a block sees what there is at its first snapshot, a SELECT takes that.
                let is_free = |one: &StatementFacts| one.kind != Kind::Select;
                let answers = client.waits_committed() || analysis.statements.iter().all(is_free);
                Place { answers, ..in_block(&waiting.begun.modes) }
            }
            (Hold::Held(work), _) => {
                let modes = work.ledger.plain_modes().filter(|_| work.is_plain_block())?;
                Place { generation: work.loan.generation(), ..in_block(modes) }
            }
        };
        Some((saved, place))
    }
}

impl Client {
    /// What an origin has answered to a text, whose settings the client has from now on. Else how to gather it.
    fn known_said(
        &mut self,
        (wire, place): (&Key, &Place),
        saved: Saved,
        analysis: &Analysis,
    ) -> Result<Arc<Said>, Asking> {
        let key = self.said_key(wire, place);
        let max_age = self.database.config.caching.max_age;
        // What is only asked may be changed by the server's configuration.
        let is_fresh = |said: &Arc<Said>| saved != Saved::Show || said.at.elapsed() < max_age;
        if place.answers
            && let Some(said) = self.database.registry.memo().sayings.find(&key).filter(is_fresh)
            && let Some(settings) = self.settings_behind(analysis, &said.parameters)
        {
            self.takes_over(settings, &said.parameters);
            self.database.metrics.saves(saved);
            return Ok(said);
        }
        let (settings, parameters) =
            (Arc::clone(&self.facts.settings), self.facts.parameters.clone());
        let gather = Gather::new(key, place.generation, place.stands);
        Err(Asking { gather, settings, parameters })
    }

    /// All that shapes the answer: what the keys of replies hold, and what they need not.
    fn said_key(&self, wire: &Key, place: &Place) -> Key {
        let name = self.facts.parameters.get("application_name").unwrap_or_default();
        let mut key = KeyBuilder::after(wire)
            .field("wire", b"said")
            .field("application_name", name.as_bytes())
            .field("generation", &place.generation.to_be_bytes())
            .field("modes", place.modes.as_bytes())
            .field("changes", &self.database.catalog.changes().to_be_bytes());
        for (name, sql) in self.facts.base.iter() {
            key = key.field("name", name.as_bytes()).field("sql", sql.as_bytes());
        }
        key.finish()
    }

    /// The client's settings behind a text. `None` where that cannot be told from what is reported then.
    fn settings_behind(&self, analysis: &Analysis, reported: &Parameters) -> Option<Arc<Settings>> {
        let discards =
            |one: &Kind| matches!(one, Kind::Discard(Discarded::All | Discarded::Sequences));
        if self.facts.home.is_some() && analysis.statements.iter().any(|one| discards(&one.kind)) {
            return None;
        }
        if analysis.effects().next().is_none() {
            return Some(Arc::clone(&self.facts.settings));
        }
        let mut settings = (*self.facts.settings).clone();
        for effect in analysis.effects() {
            settings.apply(effect, &self.facts.base);
            if let Effect::Set { name, sql } = effect
                && (name == DATE_STYLE || sql.is_empty())
            {
                // As it is then, whatever the text did in between.
                let (_, value) = reported.iter().find(|it| it.0.eq_ignore_ascii_case(name))?;
                if !settings.complete(name, value) {
                    return None;
                }
            }
        }
        Some(self.database.settings.intern(Arc::new(settings)))
    }

    fn takes_over(&mut self, settings: Arc<Settings>, parameters: &Parameters) {
        const NAME: &str = "application_name";
        if !Arc::ptr_eq(&settings, &self.facts.settings) {
            self.facts.change_settings(settings);
        }
        if !self.facts.parameters.is_same(parameters) {
            if let Some(name) = parameters.get(NAME)
                && self.facts.parameters.get(NAME) != Some(name)
            {
                self.seen.calls_itself(name);
            }
            self.facts.tell_all(parameters);
        }
    }

    /// Forgets the statements that a text takes away.
    fn takes(&mut self, analysis: &Analysis) {
        let all =
            |kind: &Kind| matches!(kind, Kind::Deallocate(None) | Kind::Discard(Discarded::All));
        if analysis.statements.iter().any(|one| all(&one.kind)) {
            self.facts.statements.clear();
        }
    }

    /// Takes a message of an answer that is gathered.
    pub(crate) fn gathered(&self, work: &mut Work, tag: BackendTag, frames: &[u8]) {
        let Some(gather) = work.gathers.take() else { return };
        if tag != BackendTag::ReadyForQuery {
            work.gathers = gather.frame(tag, frames);
            return;
        }
        let is_kept = fill::status(frames) == Some(gather.stands)
            && !work.is_pinned()
            && work.half_set.is_empty()
            && work.loan.parameters.is_same(&self.facts.parameters);
        if is_kept {
            let sayings = &self.database.registry.memo().sayings;
            gather.learn(sayings, work.loan.generation(), &self.facts.parameters);
        }
    }
}
