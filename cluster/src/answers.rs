//! What the tier's scripts and streams answer: taken apart, since anybody who shares it may have written there.

use redis::{FromRedisValue, Value};

use crate::error::TierError;

/// A message in an inbox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) what: What,
}

/// What a node is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Another node is about to write: what it says of that, and the generations by slot, to be given back.
    Write { write: String, words: String, slots: String },
    /// All have answered a write of this node.
    Granted(String),
    /// What is not understood: anything may have been said.
    Unknown,
}

/// What follows the word that a script accepted what it was asked.
pub(crate) fn accepted(mut answer: Vec<Value>) -> Result<Vec<Value>, TierError> {
    if answer.is_empty() {
        return Err(TierError::Nonsense);
    }
    let status = answer.remove(0);
    match &*text(&status)? {
        "ok" => Ok(answer),
        "lease" => Err(TierError::Lease(answer.first().map(text).transpose()?.unwrap_or_default())),
        status => Err(refusal(status)),
    }
}

pub(crate) fn refusal(status: &str) -> TierError {
    match status {
        "epoch" => TierError::Epoch,
        "expelled" => TierError::Expelled,
        _ => TierError::Nonsense,
    }
}

/// Texts, two by two.
pub(crate) fn pairs(values: &[Value]) -> Result<Vec<(String, String)>, TierError> {
    let pair = |pair: &[Value]| match pair {
        [first, second] => Ok((text(first)?, text(second)?)),
        _ => Err(TierError::Nonsense),
    };
    values.chunks(2).map(pair).collect()
}

pub(crate) fn text(value: &Value) -> Result<String, TierError> {
    String::from_redis_value_ref(value).map_err(|error| TierError::Server(error.into()))
}

pub(crate) fn bytes(value: &Value) -> Result<Vec<u8>, TierError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes.clone()),
        _ => Err(TierError::Nonsense),
    }
}

/// The messages of a stream.
pub(crate) fn read_messages(value: &Value) -> Result<Vec<Message>, TierError> {
    let Value::Array(messages) = value else { return Err(TierError::Nonsense) };
    messages.iter().map(message).collect()
}

fn message(value: &Value) -> Result<Message, TierError> {
    let Value::Array(parts) = value else { return Err(TierError::Nonsense) };
    let [id, Value::Array(fields)] = &parts[..] else { return Err(TierError::Nonsense) };
    let fields = fields.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let what = match fields[..] {
        ["w", write, "t", words, "s", slots] => What::Write {
            write: write.to_owned(),
            words: words.to_owned(),
            slots: slots.to_owned(),
        },
        ["g", write] => What::Granted(write.to_owned()),
        _ => What::Unknown,
    };
    Ok(Message { id: text(id)?, what })
}
