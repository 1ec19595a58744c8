//! What a function in SQL asks, where it does nothing but ask.
//!
//! Its text is judged like that of a view. Its parameters have names that are no columns, and its results may be cast to a
//! domain; of those `queries` tells in a statement of their own.

use super::super::analyse::{analyse, analyse_definition};
use super::super::code::Language;
use super::super::facts::{Analysis, Kind};
use super::super::reads::Value;
use crate::sql::common::Parse;

/// The queries of a function's text, the last for its signature; none where it may do more.
pub(super) fn queries(text: &str, language: Language, signature: &str) -> Option<Analysis> {
    let mut body = match language {
        Language::Sql => analyse(text),
        Language::Definition => analyse_definition(text),
        Language::PlPgSql => return None,
    };
    let signature = analyse(signature);
    let names = signature.statements.iter().flat_map(|one| &one.reads.aliases);
    let names: Vec<String> = names.map(|(name, _)| name.clone()).collect();
    for query in &mut body.statements {
        names.iter().for_each(|name| query.reads.names(name, Value::Unknown));
    }
    let is_whole = [&body, &signature].iter().all(|one| one.parse == Parse::Full);
    body.statements.extend(signature.statements);
    let only_asks = body.statements.iter().all(|one| one.kind == Kind::Select);
    (is_whole && only_asks && body.effects().next().is_none()).then_some(body)
}
