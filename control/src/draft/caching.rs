//! The rules about caching: from written to meant.

use std::time::Duration;

use super::{
    seconds::seconds,
    written::{CachingDraft, RuleDraft},
};
use crate::{
    mistake::{Mistake, Mistakes},
    model::{Caching, CachingRule, InTransactions, Life, Table},
};

const MAX_AGE_MAX: Duration = Duration::from_secs(3600);
const RULES_MAX: usize = 100;
/// Of one rule.
const TABLES_MAX: usize = 100;
/// Of a table, or a user.
const NAME_MAX: usize = 256;
/// What is said of the writers where a read in a transaction may be as old as one outside.
const ALL_HERE: &str = "all through this proxy";

pub(super) fn caching(draft: &CachingDraft, mistakes: &mut Mistakes) -> Caching {
    let max_age = age(draft.max_age, "caching.max_age");
    let clock_max_age = age(draft.clock_max_age, "caching.clock_max_age");
    let stale = stale(draft.stale_while_revalidate, "caching.stale_while_revalidate");
    Caching {
        disabled: draft.disabled.unwrap_or_default(),
        max_age: mistakes.keep(max_age).flatten(),
        stale_while_revalidate: mistakes.keep(stale).flatten(),
        in_transactions: in_transactions(draft, mistakes),
        clock_max_age: mistakes.keep(clock_max_age).flatten(),
        rules: rules(draft.rules.as_deref().unwrap_or_default(), mistakes),
    }
}

/// Whether it is said, or follows from who writes: then nothing changes that the proxy does not see.
fn in_transactions(draft: &CachingDraft, mistakes: &mut Mistakes) -> InTransactions {
    let are_here = match draft.writers.as_deref() {
        None => false,
        Some(ALL_HERE) => true,
        Some(_) => {
            let problem = format!("must be \"{ALL_HERE}\"");
            mistakes.add(Mistake::new("caching.writers", problem, "or leave it out"));
            false
        }
    };
    match draft.in_transactions.as_deref() {
        None | Some("read-only") if are_here => InTransactions::Repeatable,
        None | Some("off") => InTransactions::Off,
        Some("read-only") => InTransactions::Committed,
        Some(_) => {
            let problem = "must be \"off\" or \"read-only\"";
            mistakes.add(Mistake::new("caching.in_transactions", problem, ""));
            InTransactions::Off
        }
    }
}

fn rules(drafts: &[RuleDraft], mistakes: &mut Mistakes) -> Vec<CachingRule> {
    if drafts.len() > RULES_MAX {
        let problem = format!("there are more than {RULES_MAX} rules");
        mistakes.add(Mistake::new("caching.rules", problem, "name several tables in one"));
        return Vec::new();
    }
    let rules = drafts.iter().enumerate();
    rules
        .filter_map(|(index, draft)| mistakes.keep(rule(draft, &format!("caching.rules.{index}"))))
        .collect()
}

fn rule(draft: &RuleDraft, key: &str) -> Result<CachingRule, Mistake> {
    let RuleDraft { tables, user, never, .. } = draft;
    let at = |name: &str| format!("{key}.{name}");
    let max_age = age(draft.max_age, &at("max_age"))?;
    let stale_while_revalidate =
        stale(draft.stale_while_revalidate, &at("stale_while_revalidate"))?;
    let clock_max_age = age(draft.clock_max_age, &at("clock_max_age"))?;
    let has_age = max_age.is_some() || stale_while_revalidate.is_some() || clock_max_age.is_some();
    let life = match (never.unwrap_or_default(), has_age) {
        (true, false) => Life::Never,
        (false, true) => Life::Ages { max_age, stale_while_revalidate, clock_max_age },
        (true, true) => {
            return Err(Mistake::new(key, "never is given with an age", "leave one of them out"));
        }
        (false, false) => {
            let remedy = "add never = true, max_age, stale_while_revalidate or clock_max_age";
            return Err(Mistake::new(key, "says nothing", remedy));
        }
    };
    if tables.is_none() && user.is_none() {
        let remedy = "add tables or user, or say it in caching itself";
        return Err(Mistake::new(key, "is about everything", remedy));
    }
    if let Some(user) = user {
        is_name(user, &at("user"))?;
    }
    let tables = tables.as_deref().map(|tables| all(tables, &at("tables"))).transpose()?;
    Ok(CachingRule { tables: tables.unwrap_or_default(), user: user.clone(), life })
}

fn all(tables: &[String], key: &str) -> Result<Vec<Table>, Mistake> {
    if tables.is_empty() || tables.len() > TABLES_MAX {
        let problem = format!("must be 1 to {TABLES_MAX} tables");
        return Err(Mistake::new(key, problem, "without tables it is about all of them"));
    }
    tables.iter().map(|written| table(written, key)).collect()
}

fn table(written: &str, key: &str) -> Result<Table, Mistake> {
    let (schema, name) = match written.split_once('.') {
        Some((schema, name)) => (Some(schema), name),
        None => (None, written),
    };
    if name.contains('.') || written.contains(['"', '`', '*']) {
        let problem = format!("{written:?} is no name of a table");
        let remedy = "write \"table\" or \"schema.table\", as the database has it, without quotes";
        return Err(Mistake::new(key, problem, remedy));
    }
    schema.into_iter().chain([name]).try_for_each(|part| is_name(part, key))?;
    Ok(Table { schema: schema.map(ToOwned::to_owned), name: name.to_owned() })
}

fn is_name(name: &str, key: &str) -> Result<(), Mistake> {
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        let problem = format!("a name must have 1 to {NAME_MAX} bytes, and no control characters");
        return Err(Mistake::new(key, problem, ""));
    }
    Ok(())
}

/// How old what is cached may be.
fn age(written: Option<f64>, key: &str) -> Result<Option<Duration>, Mistake> {
    seconds(written, Duration::ZERO, key).and_then(|age| match age {
        Some(age) if age > MAX_AGE_MAX => {
            let problem = format!("must be at most {}", MAX_AGE_MAX.as_secs());
            Err(Mistake::new(key, problem, "times are in seconds"))
        }
        age => Ok(age),
    })
}

/// For how much longer it is served.
fn stale(written: Option<f64>, key: &str) -> Result<Option<Duration>, Mistake> {
    seconds(written, Duration::ZERO, key)
}
