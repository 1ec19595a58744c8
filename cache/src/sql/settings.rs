//! SET, RESET and set_config: which change can be repeated on another backend, and how.
//!
//! A change is followed only when its arguments are literals, so that one statement makes it again.
//! Whether the origin accepts the value is not known here: the session applies an effect when the
//! origin has said yes.

use pg_query::NodeEnum;
use pg_query::protobuf::{FuncCall, Node, SelectStmt, VariableSetKind, VariableSetStmt, a_const};

use super::effects::{Effect, Pin};
use super::walk::strings;

/// What a SET or RESET leaves behind.
pub(super) fn set_effects(set: &VariableSetStmt) -> Option<Effect> {
    let name = set.name.to_lowercase();
    if set.is_local || TRANSACTION_SETTINGS.contains(&name.as_str()) {
        return None;
    }
    match set.kind() {
        VariableSetKind::VarSetValue => Some(value_effect(name, &set.args)),
        VariableSetKind::VarSetDefault | VariableSetKind::VarReset => Some(reset_effect(name)),
        VariableSetKind::VarResetAll => Some(Effect::ResetAll),
        // SET TRANSACTION ends with the transaction; SET SESSION CHARACTERISTICS does not.
        VariableSetKind::VarSetMulti if name.starts_with("transaction") => None,
        VariableSetKind::VarSetMulti
        | VariableSetKind::VarSetCurrent
        | VariableSetKind::Undefined => Some(Effect::Pin(Pin::UnknownSetting)),
    }
}

/// The effects of `SELECT set_config('x', 'y', false)`, alone or with others of its kind.
///
/// None when the statement is anything else; the walk then pins what it must.
pub(super) fn set_config_effects(select: &SelectStmt) -> Option<Vec<Effect>> {
    let bare = SelectStmt { target_list: select.target_list.clone(), ..empty_like(select) };
    if *select != bare || select.target_list.is_empty() {
        return None;
    }
    let effects: Option<Vec<Vec<Effect>>> =
        select.target_list.iter().map(|target| set_config_effect(target_call(target)?)).collect();
    effects.map(|effects| effects.into_iter().flatten().collect())
}

/// Whether a call of set_config ends with the transaction.
pub(super) fn is_local_set_config(call: &FuncCall) -> bool {
    matches!(call.args.as_slice(), [_, _, local] if boolean(local) == Some(true))
}

fn set_config_effect(call: &FuncCall) -> Option<Vec<Effect>> {
    if !matches!(strings(&call.funcname).as_slice(), ["set_config"] | ["pg_catalog", "set_config"])
    {
        return None;
    }
    let [name, value, local] = call.args.as_slice() else { return None };
    let (name, value) = (text(name)?.to_lowercase(), text(value)?);
    if boolean(local)? || TRANSACTION_SETTINGS.contains(&name.as_str()) {
        return Some(Vec::new());
    }
    if name == "seed" {
        return None;
    }
    let values = if QUOTED_LISTS.contains(&name.as_str()) {
        identifiers(value)?.iter().map(|one| quote(one)).collect()
    } else {
        vec![quote(value)]
    };
    if name == "search_path" && is_temporary_first(&values) {
        return Some(vec![Effect::Pin(Pin::UnknownSetting)]);
    }
    Some(vec![Effect::Set { sql: statement(&name, &values), name }])
}

fn value_effect(name: String, args: &[Node]) -> Effect {
    let values: Option<Vec<String>> = args.iter().map(literal).collect();
    match values {
        // What is created without a schema is temporary from now on.
        Some(values) if name == "search_path" && is_temporary_first(&values) => {
            Effect::Pin(Pin::UnknownSetting)
        }
        // Setting the seed again would start the random numbers again.
        Some(values) if !values.is_empty() && name != "seed" => {
            Effect::Set { sql: statement(&name, &values), name }
        }
        Some(_) | None => Effect::Pin(Pin::UnknownSetting),
    }
}

fn is_temporary_first(values: &[String]) -> bool {
    values.first().is_some_and(|first| first.starts_with("'pg_temp"))
}

fn reset_effect(name: String) -> Effect {
    Effect::Reset { name }
}

/// A complete statement that sets the values.
fn statement(name: &str, values: &[String]) -> String {
    let values = values.join(", ");
    match name {
        "role" => format!("SET ROLE {values}"),
        "session_authorization" => format!("SET SESSION AUTHORIZATION {values}"),
        _ => format!("SET {} TO {values}", setting_name(name)),
    }
}

/// A plain word stays; each part of a custom setting's name is quoted, for it may be a keyword.
fn setting_name(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.bytes().all(plain) && !name.starts_with(|first: char| first.is_ascii_digit()) {
        return name.to_owned();
    }
    let parts = name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
    parts.collect::<Vec<_>>().join(".")
}

fn literal(node: &Node) -> Option<String> {
    let Some(NodeEnum::AConst(constant)) = &node.node else { return None };
    match constant.val.as_ref()? {
        a_const::Val::Ival(number) => Some(number.ival.to_string()),
        a_const::Val::Fval(number) => Some(number.fval.clone()),
        a_const::Val::Sval(text) => Some(quote(&text.sval)),
        a_const::Val::Boolval(_) | a_const::Val::Bsval(_) => None,
    }
}

/// A literal that means the same whatever standard_conforming_strings is.
fn quote(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// The identifiers of a list as `SplitIdentifierString` in varlena.c reads it; none when it is not
/// such a list.
fn identifiers(list: &str) -> Option<Vec<String>> {
    if list.trim().is_empty() {
        return Some(vec![String::new()]);
    }
    let mut names = Vec::new();
    let mut rest = list.trim_start();
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').map(|(name, after)| (name.to_owned(), after))?,
            None => {
                let end = rest.find([',', ' ', '\t', '\n']).unwrap_or(rest.len());
                let (name, after) = rest.split_at_checked(end)?;
                (name.to_lowercase(), after)
            }
        };
        // An empty name, or a doubled quote inside one, is left to the origin.
        if name.is_empty() || after.starts_with('"') {
            return None;
        }
        names.push(name);
        match after.trim_start().strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if after.trim().is_empty() => return Some(names),
            None => return None,
        }
    }
}

fn target_call(node: &Node) -> Option<&FuncCall> {
    let Some(NodeEnum::ResTarget(target)) = &node.node else { return None };
    match &target.val.as_deref()?.node {
        Some(NodeEnum::FuncCall(call)) => Some(call),
        Some(_) | None => None,
    }
}

fn text(node: &Node) -> Option<&str> {
    let Some(NodeEnum::AConst(constant)) = &node.node else { return None };
    match &constant.val {
        Some(a_const::Val::Sval(text)) => Some(text.sval.as_str()),
        Some(_) | None => None,
    }
}

fn boolean(node: &Node) -> Option<bool> {
    let Some(NodeEnum::AConst(constant)) = &node.node else { return None };
    match &constant.val {
        Some(a_const::Val::Boolval(value)) => Some(value.boolval),
        Some(_) | None => None,
    }
}

/// A SELECT with the same enums as `select` and nothing else.
fn empty_like(select: &SelectStmt) -> SelectStmt {
    SelectStmt { limit_option: select.limit_option, op: select.op, ..SelectStmt::default() }
}

/// Settings of the running transaction, whatever word they are set with.
const TRANSACTION_SETTINGS: [&str; 3] =
    ["transaction_isolation", "transaction_read_only", "transaction_deferrable"];

/// Settings whose SET quotes each value as an identifier (`GUC_LIST_QUOTE` in guc_tables.c).
const QUOTED_LISTS: [&str; 4] =
    ["search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"];
