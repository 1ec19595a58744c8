//! Reads and writes of rows.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CopyStmt, CreateTableAsStmt, DeclareCursorStmt, Node, OnCommitAction, SelectStmt, TruncateStmt,
};

use super::super::asked;
use super::super::effects::Pin;
use super::super::facts::{Kind, StatementFacts, pin, plain, releasing};
use super::super::nodes::table_name;
use super::super::settings;
use super::super::walk::{Walk, walked};
use super::definition::created;
use crate::sql::common::Writes;

/// The facts of a statement that reads or writes rows.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
pub(super) fn facts(node: &NodeEnum) -> Option<StatementFacts> {
    match node {
        NodeEnum::SelectStmt(select) => Some(select_facts(select)),
        NodeEnum::InsertStmt(_)
        | NodeEnum::UpdateStmt(_)
        | NodeEnum::DeleteStmt(_)
        | NodeEnum::MergeStmt(_) => {
            let mut walk = Walk::default();
            walk.node(&Node { node: Some(node.clone()) });
            Some(walked(Kind::Write, walk))
        }
        NodeEnum::CopyStmt(copy) => Some(copy_facts(copy)),
        NodeEnum::TruncateStmt(truncate) => Some(truncate_facts(truncate)),
        NodeEnum::RefreshMatViewStmt(refresh) => {
            let written = |relation| Writes::table(table_name(relation));
            let mut writes = refresh.relation.as_ref().map_or(Writes::Everything, written);
            // Whether it is populated.
            writes.merge(Writes::catalogs());
            Some(StatementFacts { writes, ..plain(Kind::Write) })
        }
        NodeEnum::DeclareCursorStmt(declare) => Some(declare_facts(declare)),
        NodeEnum::FetchStmt(_) => Some(plain(Kind::Cursor)),
        NodeEnum::ClosePortalStmt(_) => Some(releasing(Kind::Cursor)),
        NodeEnum::CreateTableAsStmt(create) => Some(create_as_facts(create)),
        _ => None,
    }
}

fn select_facts(select: &SelectStmt) -> StatementFacts {
    let mut walk = Walk::default();
    walk.select(select);
    let wrote = walk.writes != Writes::None;
    let asked = asked::answerable(select, std::mem::take(&mut walk.asked), &walk.reads);
    let mut facts = walked(if wrote { Kind::Write } else { Kind::Select }, walk);
    facts.asked = asked;
    if let Some(effects) = settings::set_config_effects(select) {
        facts.effects = effects;
    }
    facts.given = settings::set_config_given(select);
    // Of a set operation only the first branch may hold INTO (transformSetOperationStmt).
    let mut first = select;
    while let Some(left) = &first.larg {
        first = left;
    }
    if let Some(into) = &first.into_clause {
        let dropped = into.on_commit == OnCommitAction::OncommitDrop as i32;
        let made = created(into.rel.as_ref(), dropped);
        facts.kind = made.kind;
        facts.writes.merge(made.writes);
        facts.effects.extend(made.effects);
    }
    facts
}

fn create_as_facts(create: &CreateTableAsStmt) -> StatementFacts {
    let into = create.into.as_deref();
    let dropped = into.is_some_and(|into| into.on_commit == OnCommitAction::OncommitDrop as i32);
    let mut facts = created(into.and_then(|into| into.rel.as_ref()), dropped);
    match create.query.as_deref().and_then(|query| query.node.as_ref()) {
        Some(NodeEnum::SelectStmt(select)) => {
            let inner = select_facts(select);
            facts.effects.extend(inner.effects);
            facts.writes.merge(inner.writes);
            facts.reads = inner.reads;
        }
        // EXECUTE runs what the text does not show.
        Some(_) | None => facts.writes = Writes::Everything,
    }
    facts
}

fn copy_facts(copy: &CopyStmt) -> StatementFacts {
    let mut walk = Walk::default();
    walk.boxed(copy.query.as_deref());
    walk.boxed(copy.where_clause.as_deref());
    match &copy.relation {
        Some(relation) if copy.is_from => walk.target(Some(relation)),
        Some(relation) => walk.relation(relation),
        None => {}
    }
    let with_client = copy.filename.is_empty() && !copy.is_program;
    let from_stdin = copy.is_from && with_client;
    walked(Kind::Copy { from_stdin, to_stdout: !copy.is_from && with_client }, walk)
}

fn truncate_facts(truncate: &TruncateStmt) -> StatementFacts {
    let mut walk = Walk::default();
    for node in &truncate.relations {
        if let Some(NodeEnum::RangeVar(relation)) = &node.node {
            walk.target(Some(relation));
        }
    }
    let mut facts = walked(Kind::Write, walk);
    if truncate.behavior == pg_query::protobuf::DropBehavior::DropCascade as i32 {
        facts.writes = Writes::Everything;
    }
    facts
}

fn declare_facts(declare: &DeclareCursorStmt) -> StatementFacts {
    let mut walk = Walk::default();
    walk.boxed(declare.query.as_deref());
    let mut facts = walked(Kind::Cursor, walk);
    if declare.options & CURSOR_OPT_HOLD != 0 {
        pin(&mut facts, Pin::HoldCursor);
    }
    facts
}

/// `CURSOR_OPT_HOLD` of parsenodes.h.
const CURSOR_OPT_HOLD: i32 = 0x0020;
