//! How a session begins: what its login means, and what a server runs for each connection (`init_connect`).
//!
//! A client's backends began long before it, and serve many. So they are set back when they begin, and the text is run as
//! the client's own when it first says something that needs a backend: what it sets follows or pins as usual.

use bytes::Bytes;
use protocol::mysql::{capabilities::CapabilityFlags, command::Query};
use serving::error::{ClientError, SessionError};

use super::{
    adopt::Refusal, astray::Astray, origin::COLLATION, plan::Text, relay::Relay, session::Session,
    settings,
};

/// Whether a session has begun as the server has connections begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initial {
    /// Not yet.
    Due,
    /// It has, or need not any more.
    Done,
}

impl Session {
    /// Makes sure that the session has begun: that it is known what its login means, and that what the server runs for each
    /// connection was run. The inner error is for the client, which goes on.
    pub(crate) async fn begin(&mut self) -> Result<Result<(), Refusal>, SessionError> {
        if let Err(refusal) = self.settle_collation().await? {
            // Without an origin it is not known what it would have made of the login.
            return Ok(Err(refusal));
        }
        match self.initial {
            Initial::Due => Box::pin(self.run_initial()).await,
            Initial::Done => Ok(Ok(())),
        }
    }

    /// What any backend would answer to what drivers ask when they connect, where one has said it when it began and the session
    /// has set nothing since: each would, for its session has begun in the same generation and with the same settings.
    pub(crate) fn foretold(&self, text: &Text) -> Option<cache::Reply> {
        if !text.asks_for_settings() {
            return None;
        }
        let collations = self.database.learnt.collations()?;
        let begun = settings::at_login(COLLATION, CapabilityFlags::empty(), &collations);
        let (user, generation) =
            (&self.database.config.origin.user, self.database.generations.number());
        let known = self.database.learnt.foretold(user, generation)?;
        let (_, reply) = known.iter().find(|(sql, _)| sql.as_bytes() == &*text.sql)?;
        (self.facts.settings == begun).then(|| reply.clone())
    }

    /// Makes sure that it is known what the login's collation means, and how texts are read. The first client of
    /// all waits for a backend to say so.
    async fn settle_collation(&mut self) -> Result<Result<(), Refusal>, SessionError> {
        let Some(collation) = self.collation else { return Ok(Ok(())) };
        if self.database.learnt.collations().is_none()
            && let Err(refusal) = self.lend().await?
        {
            return Ok(Err(refusal));
        }
        let collations = self.database.learnt.collations().unwrap_or_default();
        self.facts.begin(settings::at_login(collation, self.client.capabilities, &collations));
        self.facts.intern(&self.database.settings);
        self.collation = None;
        Ok(Ok(()))
    }

    /// Runs what the server runs for each connection that begins.
    async fn run_initial(&mut self) -> Result<Result<(), Refusal>, SessionError> {
        let text = match self.initial().await? {
            Ok(text) => text,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.initial = Initial::Done;
        let Some(sql) = text else { return Ok(Ok(())) };
        let several = std::mem::replace(&mut self.facts.multi_statements, true);
        let text = self.read_text(sql.clone()).await;
        let query = Query { attributes: Vec::new(), sql: &sql };
        let mut relay = Relay::default();
        relay.is_unheard = true;
        let succeeded = Box::pin(self.forward_text(&query, &text, relay)).await?;
        self.facts.multi_statements = several;
        if matches!(self.facts.astray, Astray::Found(_)) {
            self.initial = Initial::Due;
            return Ok(Err(Refusal::Again));
        }
        if !succeeded {
            self.refuse_beginning();
            return Err(ClientError::Connect("init_connect_failed").into());
        }
        // What it set must be known before anything is answered by it.
        self.settle().await?;
        Ok(Ok(()))
    }

    /// The text, as far as there is one; a connection that is opened now says so where nobody knows.
    async fn initial(&mut self) -> Result<Result<Option<Bytes>, Refusal>, SessionError> {
        let known = |session: &Self| {
            let user = &session.database.config.origin.user;
            session.database.learnt.initial(user, session.database.generations.number())
        };
        let text = match known(self) {
            Some(text) => text,
            None => match self.lend().await? {
                Ok(()) => known(self).flatten(),
                Err(refusal) => return Ok(Err(refusal)),
            },
        };
        Ok(Ok(text.map(|text| Bytes::copy_from_slice(text.as_bytes()))))
    }

    /// MySQL, MariaDB: ER_NEW_ABORTING_CONNECTION.
    fn refuse_beginning(&mut self) {
        if !self.client.has_heard_nothing() {
            // It has been told why.
            return;
        }
        let thread = self.client.thread.id();
        let schema = self.facts.schema.as_deref().unwrap_or("unconnected");
        let host = self.client.framed.stream().client_address();
        let host = host.map_or_else(|| String::from("localhost"), |host| host.to_string());
        let words = format!(
            "Aborted connection {thread} to db: '{schema}' user: '{}' host: '{host}' (init_connect command failed)",
            self.client.user
        );
        self.client.refuse_text(1184, "08S01", &words);
    }
}
