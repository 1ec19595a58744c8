//! The reading end of an inbox.

use std::time::Duration;

use redis::{Value, aio::MultiplexedConnection};

use crate::{
    answers::{Message, read_messages},
    error::TierError,
};

/// How long a read waits for something to come.
pub(crate) const WAIT: Duration = Duration::from_secs(1);

/// The reading end of an inbox.
#[derive(Debug)]
pub(crate) struct Inbox {
    connection: MultiplexedConnection,
    name: String,
}

impl Inbox {
    /// That of a name, on a connection that nothing else waits on.
    pub(crate) fn new(connection: MultiplexedConnection, name: String) -> Self {
        Self { connection, name }
    }

    /// What comes behind `last`; nothing, if nothing does for a while.
    pub(crate) async fn read(&mut self, last: &str) -> Result<Vec<Message>, TierError> {
        let wait = u64::try_from(WAIT.as_millis()).unwrap_or_default();
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(1000).arg("BLOCK").arg(wait).arg("STREAMS").arg(&self.name).arg(last);
        let answer: Value = read.query_async(&mut self.connection).await?;
        // Nothing, or one stream: its name and its messages.
        match answer {
            Value::Nil => Ok(Vec::new()),
            Value::Map(streams) => match &streams[..] {
                [(_name, messages)] => read_messages(messages),
                _ => Err(TierError::Nonsense),
            },
            Value::Array(streams) => match &streams[..] {
                [Value::Array(stream)] => match &stream[..] {
                    [_name, messages] => read_messages(messages),
                    _ => Err(TierError::Nonsense),
                },
                _ => Err(TierError::Nonsense),
            },
            _ => Err(TierError::Nonsense),
        }
    }
}
