//! Answers to what a client without a backend says about its own session: an origin has answered the same before (see
//! [`super::said`]). What it sets travels with its next statement, as all settings do that follow it.

use std::sync::Arc;

use bytes::Bytes;
use cache::{
    Key, KeyBuilder,
    sql::postgres::{Analysis, Discarded, Effect, Kind},
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
    parameters::Parameters,
    plan::{self, Standing, Text},
    said::{self, Gather, Said},
    session::Session,
    settings::{DATE_STYLE, Settings},
    work::Work,
};

/// What is to become of a text about the session.
pub(crate) enum Saying {
    /// It was answered.
    Answered,
    /// The origin is asked, and its answer is kept where there is something to gather it.
    Asked(Option<Asking>),
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
        if !self.may_say_again() {
            return Saying::Asked(None);
        }
        let client = &mut self.client;
        let Some(saved) = said::sort(query, &text.analysis) else { return Saying::Asked(None) };
        let wire = plan::simple_key(client.key(), query);
        match client.known_said(&wire, saved, &text.analysis) {
            Ok(said) => {
                client.facts.statements.remove(b"");
                client.takes(&text.analysis);
                let Said { reply, statuses, .. } = &*said;
                let rows = reply.rows.iter().map(Bytes::as_ref);
                let before = [reply.description.as_ref()].into_iter().chain(rows);
                for part in before.chain([reply.complete.as_ref(), statuses]) {
                    client.end.queue().extend_from_slice(part);
                }
                encode::ready_for_query(TransactionStatus::Idle, client.end.queue());
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
        if !self.may_say_again() {
            return Ok(Saying::Asked(None));
        }
        let query = request.query();
        let client = &mut self.client;
        let Some(saved) = said::sort(query, &text.analysis) else { return Ok(Saying::Asked(None)) };
        let is_sync = |frame: &Frame| frame.tag == FrontendTag::Sync;
        let (Some(wire), Some(end)) =
            (client.request_key(request), frames.iter().position(is_sync))
        else {
            return Ok(Saying::Asked(None));
        };
        match client.known_said(&wire, saved, &text.analysis) {
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

    fn may_say_again(&self) -> bool {
        let config = &self.client.database.config;
        config.round_trips.settings && self.hold.is_free() && self.standing() == Standing::Free
    }
}

impl Client {
    /// What an origin has answered to a text, whose settings the client has from now on. Else how to gather it.
    fn known_said(
        &mut self,
        wire: &Key,
        saved: Saved,
        analysis: &Analysis,
    ) -> Result<Arc<Said>, Asking> {
        let generation = self.database.generations.number();
        let key = self.said_key(wire, generation);
        let max_age = self.database.config.caching.max_age;
        // What is only asked may be changed by the server's configuration.
        let is_fresh = |said: &Arc<Said>| saved != Saved::Show || said.at.elapsed() < max_age;
        if let Some(said) = self.database.registry.memo().sayings.find(&key).filter(is_fresh)
            && let Some(settings) = self.settings_behind(analysis, &said.parameters)
        {
            self.takes_over(settings, &said.parameters);
            self.database.metrics.saves(saved);
            return Ok(said);
        }
        let (settings, parameters) =
            (Arc::clone(&self.facts.settings), self.facts.parameters.clone());
        Err(Asking { gather: Gather::new(key, generation), settings, parameters })
    }

    /// All that shapes the answer: what the keys of replies hold, and what they need not.
    fn said_key(&self, wire: &Key, generation: u64) -> Key {
        let name = self.facts.parameters.get("application_name").unwrap_or_default();
        let mut key = KeyBuilder::after(wire)
            .field("wire", b"said")
            .field("application_name", name.as_bytes())
            .field("generation", &generation.to_be_bytes())
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
            if let Effect::Set { name, .. } = effect
                && name == DATE_STYLE
                && !settings.complete(name, reported.get("DateStyle")?)
            {
                return None;
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
        let is_kept = frames.ends_with(b"I")
            && !work.is_pinned()
            && work.half_set.is_empty()
            && work.loan.parameters.is_same(&self.facts.parameters);
        if is_kept {
            let sayings = &self.database.registry.memo().sayings;
            gather.learn(sayings, work.loan.generation(), &self.facts.parameters);
        }
    }
}
