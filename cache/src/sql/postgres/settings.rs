//! SET, RESET and set_config: which change can be repeated on another backend, and how.
//!
//! A change is followed only when its arguments are literals, so that one statement makes it again, or when the server
//! reports what comes of it.
//! Whether the origin accepts the value is not known here: the session applies an effect when the
//! origin has said yes.

use pg_query::NodeEnum;
use pg_query::protobuf::{FuncCall, Node, SelectStmt, VariableSetKind, VariableSetStmt, a_const};

use super::effects::{Effect, Pin};
use super::facts::{Analysis, Given, StatementFacts};
use super::nodes::strings;

/// What a SET or RESET leaves behind.
pub(super) fn set_effects(set: &VariableSetStmt) -> Vec<Effect> {
    if set.kind() == VariableSetKind::VarSetMulti && !set.name.starts_with("TRANSACTION") {
        let each = set.args.iter().map(characteristic).collect::<Option<Vec<_>>>();
        return each.unwrap_or_else(|| vec![Effect::Pin(Pin::UnknownSetting)]);
    }
    set_effect(set).into_iter().collect()
}

/// One of SET SESSION CHARACTERISTICS: the setting that it stands for (`ExecSetVariableStmt` in guc_funcs.c).
fn characteristic(node: &Node) -> Option<Effect> {
    let Some(NodeEnum::DefElem(one)) = &node.node else { return None };
    if !TRANSACTION_SETTINGS.contains(&one.defname.as_str()) {
        return None;
    }
    Some(followed(format!("default_{}", one.defname), &[literal(one.arg.as_deref()?)?]))
}

fn set_effect(set: &VariableSetStmt) -> Option<Effect> {
    let name = set.name.to_lowercase();
    if TRANSACTION_SETTINGS.contains(&name.as_str()) {
        return None;
    }
    if set.is_local {
        return match set.kind() {
            VariableSetKind::VarSetDefault | VariableSetKind::VarReset => {
                Some(Effect::ResetLocal { name })
            }
            _ => local_effect(name),
        };
    }
    match set.kind() {
        VariableSetKind::VarSetValue => Some(value_effect(name, &set.args)),
        VariableSetKind::VarSetDefault | VariableSetKind::VarReset => Some(reset_effect(name)),
        VariableSetKind::VarResetAll => Some(Effect::ResetAll),
        VariableSetKind::VarSetCurrent => Some(as_reported(name)),
        // SET TRANSACTION ends with the transaction.
        VariableSetKind::VarSetMulti => None,
        VariableSetKind::Undefined => Some(Effect::Pin(Pin::UnknownSetting)),
    }
}

/// The effects of `SELECT set_config('x', 'y', false)`, alone or with others of its kind, and with questions for settings.
///
/// None when the statement is anything else; the walk then pins what it must.
pub(super) fn set_config_effects(select: &SelectStmt) -> Option<Vec<Effect>> {
    if !only_shows(select) || select.target_list.is_empty() {
        return None;
    }
    let effects: Option<Vec<Vec<Effect>>> =
        select.target_list.iter().map(|target| set_config_effect(target_call(target)?)).collect();
    effects.map(|effects| effects.into_iter().flatten().collect())
}

/// The setting to which `SELECT set_config('x', $1, false)`, and nothing else, gives a parameter's value.
pub(super) fn set_config_given(select: &SelectStmt) -> Option<Given> {
    let [target] = select.target_list.as_slice() else { return None };
    let call = target_call(target)?;
    let is_one =
        matches!(strings(&call.funcname).as_slice(), ["set_config"] | ["pg_catalog", "set_config"]);
    let [name, value, local] = call.args.as_slice() else { return None };
    let Some(NodeEnum::ParamRef(parameter)) = &value.node else { return None };
    let parameter = usize::try_from(parameter.number).ok()?.checked_sub(1)?;
    let name = text(name)?.to_lowercase();
    if !is_one || boolean(local) != Some(false) {
        return None;
    }
    only_shows(select).then_some(Given { name, parameter })
}

/// What a text says where the parameter has this value that gives a setting its own ([`StatementFacts::given`]). `None` where
/// it does not, or where that cannot be repeated elsewhere.
pub fn with_value(analysis: &Analysis, value: &str) -> Option<Analysis> {
    let [one] = analysis.statements.as_slice() else { return None };
    let Given { name, .. } = one.given.as_ref()?;
    if TRANSACTION_SETTINGS.contains(&name.as_str()) || name == "seed" || !value.is_ascii() {
        return None;
    }
    let effects = vec![followed(name.clone(), &values_of(name, value)?)];
    let one = StatementFacts { effects, ..one.clone() };
    Some(Analysis { statements: vec![one], ..analysis.clone() })
}

/// The effect of a call of set_config in any other place, where it may be called or not and with whatever value.
pub(super) fn set_config_call(call: &FuncCall) -> Option<Effect> {
    let [name, _, local] = call.args.as_slice() else {
        return Some(Effect::Pin(Pin::UnknownSetting));
    };
    if boolean(local) == Some(true) {
        return local_effect(text(name)?.to_lowercase());
    }
    Some(match text(name) {
        Some(name) => as_reported(name.to_lowercase()),
        None => Effect::Pin(Pin::UnknownSetting),
    })
}

fn set_config_effect(call: &FuncCall) -> Option<Vec<Effect>> {
    match strings(&call.funcname).as_slice() {
        ["set_config"] | ["pg_catalog", "set_config"] => {}
        ["current_setting"] | ["pg_catalog", "current_setting"] => {
            return text(call.args.first()?).map(|_name| Vec::new());
        }
        _ => return None,
    }
    let [name, value, local] = call.args.as_slice() else { return None };
    let (name, value) = (text(name)?.to_lowercase(), text(value)?);
    if TRANSACTION_SETTINGS.contains(&name.as_str()) {
        return Some(Vec::new());
    }
    if boolean(local)? {
        return Some(local_effect(name).into_iter().collect());
    }
    if name == "seed" {
        return None;
    }
    let values = values_of(&name, value)?;
    Some(vec![followed(name, &values)])
}

/// The statement that sets a value as `set_config` and the startup packet do. `None` for a list that
/// the origin refuses.
pub fn assignment(name: &str, value: &str) -> Option<String> {
    Some(statement(name, &values_of(name, value)?))
}

/// The literals that stand in a SET for a value that is one string.
fn values_of(name: &str, value: &str) -> Option<Vec<String>> {
    if QUOTED_LISTS.contains(&name) {
        Some(identifiers(value)?.iter().map(|one| quote(one)).collect())
    } else {
        Some(vec![quote(value)])
    }
}

fn value_effect(name: String, args: &[Node]) -> Effect {
    let values: Option<Vec<String>> = args.iter().map(literal).collect();
    match values {
        // Setting the seed again would start the random numbers again.
        Some(values) if !values.is_empty() && name != "seed" => followed(name, &values),
        Some(_) | None => as_reported(name),
    }
}

/// A setting with a value that the text does not say, if the server says it.
fn as_reported(name: String) -> Effect {
    if REPORTED.contains(&name.as_str()) {
        Effect::Set { name, sql: String::new() }
    } else {
        Effect::Pin(Pin::UnknownSetting)
    }
}

/// A setting with these values, if giving them again gives it the same value.
fn followed(name: String, values: &[String]) -> Effect {
    let is = |text: &str| matches!(values, [one] if one.eq_ignore_ascii_case(text));
    match name.as_str() {
        // What is created without a schema is temporary from now on.
        "search_path" if values.first().is_some_and(|first| first.starts_with("'pg_temp")) => {
            Effect::Pin(Pin::UnknownSetting)
        }
        // `check_datestyle` reads the word as a reset.
        "datestyle" if is("'default'") => reset_effect(name),
        // Which configuration it means is settled by the search_path of the moment.
        "default_text_search_config" if !values.iter().any(|one| one.contains('.')) => {
            Effect::Pin(Pin::UnknownSetting)
        }
        // It could be quoted only in the client's own encoding.
        _ if !name.is_ascii() => Effect::Pin(Pin::UnknownSetting),
        _ => Effect::Set { sql: statement(&name, values), name },
    }
}

/// What a setting of the transaction means for the statements behind it.
fn local_effect(name: String) -> Option<Effect> {
    let mut matter = LOCAL_MATTERS.iter().chain(&UNREPORTED);
    matter.any(|one| *one == name).then_some(Effect::SetLocal { name })
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

/// A literal that means the same whatever standard_conforming_strings and client_encoding are.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(3));
    for character in text.chars() {
        match character {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            ascii if ascii.is_ascii() => quoted.push(ascii),
            other => quoted.extend(['\\', 'U'].into_iter().chain(hexadecimal(other))),
        }
    }
    let escape = if quoted.contains('\\') { "E" } else { "" };
    format!("{escape}'{quoted}'")
}

/// The eight digits behind `\U`.
fn hexadecimal(character: char) -> impl Iterator<Item = char> {
    (0..8)
        .rev()
        .filter_map(move |digit| char::from_digit((u32::from(character) >> (4 * digit)) & 0xf, 16))
}

/// The identifiers of a list as `SplitIdentifierString` in varlena.c reads it; none when it is not
/// such a list.
fn identifiers(list: &str) -> Option<Vec<String>> {
    let space = |one: char| matches!(one, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
    let mut rest = list.trim_start_matches(space);
    if rest.is_empty() {
        return Some(vec![String::new()]);
    }
    let mut names = Vec::new();
    loop {
        let mut name = String::new();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let (part, after) = quoted.split_once('"')?;
                name.push_str(part);
                match after.strip_prefix('"') {
                    Some(more) => {
                        name.push('"');
                        quoted = more;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
        } else {
            let end = rest.find(|one| one == ',' || space(one)).unwrap_or(rest.len());
            let (plain, after) = rest.split_at_checked(end)?;
            name = plain.to_ascii_lowercase();
            rest = after;
            if name.is_empty() {
                return None;
            }
        }
        names.push(name);
        rest = rest.trim_start_matches(space);
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start_matches(space),
            None => return rest.is_empty().then_some(names),
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

/// The string that an expression is.
pub(super) fn text(node: &Node) -> Option<&str> {
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

/// Whether a SELECT has nothing but what it shows.
fn only_shows(select: &SelectStmt) -> bool {
    let target_list = select.target_list.clone();
    *select == SelectStmt { target_list, ..empty_like(select) }
}

/// A SELECT with the same enums as `select` and nothing else.
fn empty_like(select: &SelectStmt) -> SelectStmt {
    SelectStmt { limit_option: select.limit_option, op: select.op, ..SelectStmt::default() }
}

/// Settings of the running transaction, whatever word they are set with.
const TRANSACTION_SETTINGS: [&str; 3] =
    ["transaction_isolation", "transaction_read_only", "transaction_deferrable"];

/// Settings whose values the server reports as they change (`GUC_REPORT` in guc_tables.c), some of them only in newer
/// versions. Those of rights are not among them.
const REPORTED: [&str; 9] = [
    "application_name",
    "client_encoding",
    "datestyle",
    "default_transaction_read_only",
    "intervalstyle",
    "scram_iterations",
    "search_path",
    "standard_conforming_strings",
    "timezone",
];

/// Settings that decide how the statements behind them are read, or what they may do, beside [`UNREPORTED`].
const LOCAL_MATTERS: [&str; 7] = [
    "role",
    "session_authorization",
    "standard_conforming_strings",
    "client_encoding",
    "datestyle",
    "intervalstyle",
    "timezone",
];

/// Settings that decide how the constants of a text are read and that the server does not report, in lower case.
/// `tests/e2e/prepared_constants.rs` walks every setting of each server's version.
pub const UNREPORTED: [&str; 6] = [
    "array_nulls",
    "backslash_quote",
    "lc_monetary",
    "timezone_abbreviations",
    "transform_null_equals",
    "xmloption",
];

/// Settings whose SET quotes each value as an identifier (`GUC_LIST_QUOTE` in guc_tables.c).
const QUOTED_LISTS: [&str; 4] =
    ["search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"];
