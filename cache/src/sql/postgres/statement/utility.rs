//! Code, locks and upkeep.

use pg_query::NodeEnum;
use pg_query::protobuf::{DoStmt, IndexStmt, ObjectType, VacuumStmt};

use super::super::code::{Language, code};
use super::super::effects::Pin;
use super::super::facts::{Kind, StatementFacts, everything, pin, plain, releasing};
use super::super::walk::{Walk, walked};
use crate::sql::common::Writes;

/// The facts of a statement that runs code, locks, or looks after the database.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
pub(super) fn facts(node: &NodeEnum) -> Option<StatementFacts> {
    let facts = match node {
        NodeEnum::DoStmt(block) => done(block),
        NodeEnum::CallStmt(call) => {
            let mut walk = Walk::default();
            if let Some(call) = &call.funccall {
                walk.call_of_procedure(call);
            }
            walked(Kind::Code, walk)
        }
        NodeEnum::LockStmt(_) | NodeEnum::CheckPointStmt(_) => plain(Kind::Other),
        NodeEnum::VacuumStmt(vacuum) if !is_rewriting(vacuum) => in_catalogs(plain(Kind::Other)),
        // None changes what a statement means or shows that reads no catalog.
        NodeEnum::CommentStmt(_)
        | NodeEnum::SecLabelStmt(_)
        | NodeEnum::AlterDefaultPrivilegesStmt(_) => in_catalogs(plain(Kind::Other)),
        // Nor does an index of plain columns, but one of expressions runs code. What those that there are run is known.
        NodeEnum::ReindexStmt(_) => in_catalogs(plain(Kind::Other)),
        NodeEnum::IndexStmt(index) if is_plain_index(index) => in_catalogs(plain(Kind::Other)),
        NodeEnum::DropStmt(drop) if drop.remove_type() == ObjectType::ObjectIndex => {
            in_catalogs(releasing(Kind::Other))
        }
        NodeEnum::GrantStmt(grant) => granted(grant.is_grant),
        NodeEnum::GrantRoleStmt(grant) => granted(grant.is_grant),
        NodeEnum::DropStmt(_) | NodeEnum::DropOwnedStmt(_) => {
            StatementFacts { may_release_pin: true, ..everything(Kind::Ddl) }
        }
        _ => return None,
    };
    Some(facts)
}

/// A block of code, in PL/pgSQL unless it says otherwise.
fn done(block: &DoStmt) -> StatementFacts {
    let option = |name: &str| {
        let mut options = block.args.iter().filter_map(|node| match &node.node {
            Some(NodeEnum::DefElem(option)) if option.defname == name => option.arg.as_deref(),
            Some(_) | None => None,
        });
        options.find_map(|value| match &value.node {
            Some(NodeEnum::String(text)) => Some(&*text.sval),
            Some(_) | None => None,
        })
    };
    let is_known = option("language").is_none_or(|language| language == "plpgsql");
    let text = option("as").filter(|text| is_known && text.len() <= MAX_BLOCK_BYTES);
    let code = text.and_then(|text| code(text, Language::PlPgSql));
    let mut facts = StatementFacts { code: code.map(Box::new), ..plain(Kind::Code) };
    let pins: Vec<Pin> = match facts.code.as_deref() {
        Some(code) if !code.is_opaque => code.pins.iter().copied().collect(),
        // A text that it runs may be among its constants.
        Some(_) | None => code_pins(&format!("{:?}", block.args)).collect(),
    };
    pins.into_iter().for_each(|reason| pin(&mut facts, reason));
    facts
}

/// A longer block is not looked into.
const MAX_BLOCK_BYTES: usize = 65_536;

/// Whether an index runs no code but that of its columns' types.
fn is_plain_index(index: &IndexStmt) -> bool {
    index.where_clause.is_none()
        && index.index_params.iter().all(|node| match &node.node {
            Some(NodeEnum::IndexElem(element)) => {
                element.expr.is_none() && element.opclass.is_empty()
            }
            Some(_) | None => false,
        })
}

/// A right that is taken away must be missed at once.
fn granted(is_grant: bool) -> StatementFacts {
    if is_grant { in_catalogs(plain(Kind::Other)) } else { everything(Kind::Other) }
}

/// The same statement, which changes what is read of catalogs.
fn in_catalogs(facts: StatementFacts) -> StatementFacts {
    StatementFacts { writes: Writes::catalogs(), ..facts }
}

/// VACUUM FULL rewrites the table; ANALYZE and plain VACUUM change nothing a query can see.
fn is_rewriting(vacuum: &VacuumStmt) -> bool {
    vacuum.options.iter().any(|option| match &option.node {
        Some(NodeEnum::DefElem(option)) => option.defname == "full",
        Some(_) | None => true,
    })
}

/// What a block of code may leave behind, by its words: pinned once too often is slow, once too
/// seldom is wrong.
fn code_pins(code: &str) -> impl Iterator<Item = Pin> {
    let code = code.to_ascii_lowercase();
    CODE_WORDS.iter().filter(move |(word, _)| code.contains(word)).map(|&(_, reason)| reason)
}

const CODE_WORDS: [(&str, Pin); 10] = [
    ("advisory_lock", Pin::AdvisoryLock),
    ("temp", Pin::TempTable),
    ("listen", Pin::Listen),
    ("with hold", Pin::HoldCursor),
    ("load ", Pin::Load),
    ("pg_backup_start", Pin::Backup),
    ("pg_start_backup", Pin::Backup),
    ("prepare ", Pin::SqlPrepare),
    ("set_config", Pin::UnknownSetting),
    ("set ", Pin::UnknownSetting),
];
