//! What a statement changes of its session, and where it asks about it.

use pg_query::NodeEnum;
use pg_query::protobuf::{FuncCall, RangeVar, a_const};

use super::super::asked::PREPARED_STATEMENTS;
use super::super::effects::{Effect, Pin};
use super::super::facts::{Asked, Mention};
use super::super::settings;
use super::Walk;
use crate::sql::common::Volatile;

/// Whether a call of `current_schemas` asks for those that are named in the search_path.
fn is_without_implicit(call: &FuncCall) -> bool {
    let argument = call.args.first().and_then(|argument| argument.node.as_ref());
    let constant = match argument {
        Some(NodeEnum::AConst(constant)) => constant.val.as_ref(),
        Some(_) | None => None,
    };
    matches!(constant, Some(a_const::Val::Boolval(it)) if !it.boolval)
}

/// Whether a call of `current_setting` names a setting, and one that has a value because of a SET or of the configuration.
fn asks_steady_setting(call: &FuncCall) -> bool {
    let argument = call.args.first().map(|argument| match &argument.node {
        // As the server tells what policies and views ask.
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().unwrap_or(argument),
        Some(_) | None => argument,
    });
    let name = argument.and_then(settings::text).map(str::to_lowercase);
    let is_restless = |name: &str| {
        name.starts_with("transaction_")
            || matches!(name, "in_hot_standby" | "is_superuser" | "seed")
    };
    name.is_some_and(|name| !is_restless(&name))
}

impl Walk {
    /// Session state that a built-in function changes.
    pub(super) fn built_in_effect(&mut self, name: &str, call: &FuncCall) {
        match name {
            "pg_advisory_lock"
            | "pg_advisory_lock_shared"
            | "pg_try_advisory_lock"
            | "pg_try_advisory_lock_shared" => {
                self.pins.insert(Pin::AdvisoryLock);
            }
            "pg_advisory_unlock" | "pg_advisory_unlock_shared" | "pg_advisory_unlock_all" => {
                self.unlocks = true;
            }
            "set_config" => match settings::set_config_call(call) {
                Some(Effect::Pin(pin)) => {
                    self.pins.insert(pin);
                }
                Some(set) if !self.sets.contains(&set) => self.sets.push(set),
                Some(_) | None => {}
            },
            "pg_backup_start" | "pg_start_backup" => {
                self.pins.insert(Pin::Backup);
            }
            "current_schemas" if !is_without_implicit(call) => {
                self.volatile(Volatile::TemporarySchema);
            }
            "current_setting" if !asks_steady_setting(call) => {
                self.reads.restless.settings = true;
            }
            "setseed" => {
                self.pins.insert(Pin::UnknownSetting);
            }
            _ => {}
        }
    }

    /// Where it asks for the process id. As an argument the id is for a function, which may look for it among the server's.
    pub(super) fn asks(&mut self, name: &str, call: &FuncCall) {
        let is_plain = call.args.is_empty() && call.over.is_none() && call.agg_filter.is_none();
        if name == "pg_backend_pid" && is_plain && self.in_calls == 0 {
            self.asked.extend(Mention::at(call.location, Asked::ProcessId));
        }
    }

    /// Where it reads the session's prepared statements.
    pub(super) fn asks_relation(&mut self, relation: &RangeVar) {
        if relation.relname == PREPARED_STATEMENTS
            && matches!(&*relation.schemaname, "" | "pg_catalog")
            && relation.catalogname.is_empty()
        {
            let has_alias = relation.alias.is_some();
            let what = Asked::PreparedStatements { has_alias };
            self.asked.extend(Mention::at(relation.location, what));
        }
    }
}
