//! What a server runs for each connection that begins (`init_connect`), run for each client.
//!
//! A client's backends began long before it, and serve many. So they are set back when they begin, and the text is run as
//! the client's own when it first says something that needs a backend: what it sets follows or pins as usual.

use bytes::Bytes;
use protocol::mysql::command::Query;
use serving::error::{ClientError, SessionError};

use super::{adopt::Refusal, astray::Astray, relay::Relay, session::Session};

/// Whether a session has begun as the server has connections begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initial {
    /// Not yet.
    Due,
    /// It has, or need not any more.
    Done,
}

impl Session {
    /// Runs what the server runs for each connection that begins. The inner error is for the client, which goes on.
    pub(crate) async fn begin(&mut self) -> Result<Result<(), Refusal>, SessionError> {
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
