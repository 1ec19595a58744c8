//! One top-level statement to its kind, its effects and its writes.
//!
//! What is not known by name counts as DDL: it writes everything. Nothing here asks the catalog.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CopyStmt, CreateTableAsStmt, DeallocateStmt, DeclareCursorStmt, DiscardMode, DiscardStmt,
    ExplainStmt, IndexStmt, Node, ObjectType, OnCommitAction, RangeVar, RawStmt, SelectStmt,
    TransactionStmt, TransactionStmtKind, TruncateStmt, VacuumStmt,
};

use super::asked;
use super::effects::{Effect, Pin};
use super::facts::{Discarded, Kind, StatementFacts};
use super::nodes::table_name;
use super::settings;
use super::summary;
use super::walk::Walk;
use crate::sql::common::Writes;

/// The facts of one statement of `text`.
pub(super) fn facts_of(raw: &RawStmt, text: &str) -> StatementFacts {
    let node = raw.stmt.as_ref().and_then(|stmt| stmt.node.as_ref());
    let mut facts = node.map_or_else(StatementFacts::default, facts_of_node);
    if facts.reads.is_partial {
        match summary::add_all_named(&mut facts.reads, text) {
            Some(()) => {}
            None => facts.writes = Writes::Everything,
        }
    }
    // Any object may be named into the temporary schema; where is not worth knowing.
    if matches!(facts.kind, Kind::Ddl) && slice(raw, text).contains("pg_temp") {
        pin(&mut facts, Pin::TempTable);
    }
    // What becomes an object, or is only explained, is the server's.
    let asked = std::mem::take(&mut facts.asked);
    if facts.kind == Kind::Select && !asked.is_empty() {
        facts.asked = asked::located(asked, text);
    }
    if facts.effects.iter().any(Effect::is_reset) {
        let start = usize::try_from(raw.stmt_location).unwrap_or_default();
        facts.resets_until = Some(start.saturating_add(slice(raw, text).len()));
    }
    facts
}

fn facts_of_node(node: &NodeEnum) -> StatementFacts {
    query(node)
        .or_else(|| control(node))
        .or_else(|| utility(node))
        .unwrap_or_else(|| definition(node))
}

/// Reads and writes of rows.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
fn query(node: &NodeEnum) -> Option<StatementFacts> {
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
        NodeEnum::RefreshMatViewStmt(refresh) => Some(StatementFacts {
            kind: Kind::Write,
            writes: refresh
                .relation
                .as_ref()
                .map_or(Writes::Everything, |relation| Writes::table(table_name(relation))),
            ..StatementFacts::default()
        }),
        NodeEnum::DeclareCursorStmt(declare) => Some(declare_facts(declare)),
        NodeEnum::FetchStmt(_) => Some(plain(Kind::Cursor)),
        NodeEnum::ClosePortalStmt(_) => Some(releasing(Kind::Cursor)),
        NodeEnum::ExplainStmt(explain) => Some(explain_facts(explain)),
        _ => None,
    }
}

/// Transactions, settings and session state.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
fn control(node: &NodeEnum) -> Option<StatementFacts> {
    let facts = match node {
        NodeEnum::TransactionStmt(transaction) => transaction_facts(transaction),
        NodeEnum::VariableSetStmt(set) => {
            let effect = settings::set_effects(set);
            let may_release_pin = effect == Some(Effect::ResetAll);
            let effects = effect.into_iter().collect();
            StatementFacts { effects, may_release_pin, ..plain(Kind::Set) }
        }
        NodeEnum::VariableShowStmt(show) => plain(Kind::Show(show.name.to_lowercase())),
        NodeEnum::PrepareStmt(prepare) => {
            let inner = prepare.query.as_deref().and_then(|query| query.node.as_ref());
            let prepared = inner.map(|inner| Box::new(facts_of_node(inner)));
            let kind = Kind::Prepare(prepare.name.clone());
            StatementFacts { prepared, ..pinning(kind, Pin::SqlPrepare) }
        }
        NodeEnum::ExecuteStmt(execute) => {
            let mut walk = Walk::default();
            walk.list(&execute.params);
            let mut facts = walked(Kind::Execute(execute.name.clone()), walk);
            facts.writes = Writes::Everything;
            facts
        }
        NodeEnum::DeallocateStmt(deallocate) => {
            releasing(Kind::Deallocate(deallocated(deallocate)))
        }
        NodeEnum::DiscardStmt(discard) => discard_facts(discard),
        NodeEnum::ListenStmt(_) => pinning(Kind::Listen, Pin::Listen),
        NodeEnum::UnlistenStmt(_) => releasing(Kind::Unlisten),
        NodeEnum::NotifyStmt(_) => plain(Kind::Notify),
        NodeEnum::LoadStmt(_) => pinning(Kind::Other, Pin::Load),
        NodeEnum::ConstraintsSetStmt(_) => plain(Kind::Set),
        _ => return None,
    };
    Some(facts)
}

/// Code, locks and upkeep.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
fn utility(node: &NodeEnum) -> Option<StatementFacts> {
    let facts = match node {
        NodeEnum::DoStmt(block) => {
            let mut facts = everything(Kind::Code);
            code_pins(&format!("{:?}", block.args)).for_each(|reason| pin(&mut facts, reason));
            facts
        }
        NodeEnum::CallStmt(call) => {
            let mut walk = Walk::default();
            if let Some(call) = &call.funccall {
                walk.call(call);
            }
            StatementFacts { writes: Writes::Everything, ..walked(Kind::Code, walk) }
        }
        NodeEnum::LockStmt(_) | NodeEnum::CheckPointStmt(_) => plain(Kind::Other),
        NodeEnum::VacuumStmt(vacuum) if !is_rewriting(vacuum) => plain(Kind::Other),
        // Neither changes what a statement means or shows.
        NodeEnum::CommentStmt(_)
        | NodeEnum::SecLabelStmt(_)
        | NodeEnum::AlterDefaultPrivilegesStmt(_) => plain(Kind::Other),
        // Nor does an index of plain columns, but one of expressions runs code. What those that there are run is known.
        NodeEnum::ReindexStmt(_) => plain(Kind::Other),
        NodeEnum::IndexStmt(index) if is_plain_index(index) => plain(Kind::Other),
        NodeEnum::DropStmt(drop) if drop.remove_type() == ObjectType::ObjectIndex => {
            releasing(Kind::Other)
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
    if is_grant { plain(Kind::Other) } else { everything(Kind::Other) }
}

/// What makes or changes objects, and whatever is not known by name.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not known counts as DDL")]
fn definition(node: &NodeEnum) -> StatementFacts {
    match node {
        NodeEnum::CreateStmt(create) => created(
            create.relation.as_ref(),
            create.oncommit == OnCommitAction::OncommitDrop as i32,
        ),
        NodeEnum::ViewStmt(view) => created(view.view.as_ref(), false),
        NodeEnum::CreateSeqStmt(sequence) => created(sequence.sequence.as_ref(), false),
        NodeEnum::CreateTableAsStmt(create) => create_as_facts(create),
        _ => everything(Kind::Ddl),
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

/// A relation was made: in the temporary schema it pins, elsewhere it changes the catalog.
fn created(relation: Option<&RangeVar>, dropped_on_commit: bool) -> StatementFacts {
    if !relation.is_some_and(is_temporary) {
        return everything(Kind::Ddl);
    }
    if dropped_on_commit { plain(Kind::Other) } else { pinning(Kind::Other, Pin::TempTable) }
}

fn is_temporary(relation: &RangeVar) -> bool {
    relation.relpersistence == "t" || relation.schemaname.starts_with("pg_temp")
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

fn explain_facts(explain: &ExplainStmt) -> StatementFacts {
    let analyze = explain.options.iter().any(is_analyze);
    let inner = explain.query.as_deref().and_then(|query| query.node.as_ref());
    let facts = match inner.filter(|_| analyze) {
        Some(inner) => facts_of_node(inner),
        // Planning may call functions that say that they are immutable.
        None => StatementFacts {
            reads: inner.map(|inner| facts_of_node(inner).reads).unwrap_or_default(),
            ..StatementFacts::default()
        },
    };
    StatementFacts { kind: Kind::Explain { analyze }, ..facts }
}

/// Whether an option of EXPLAIN runs the statement. What is not plainly "no" is "yes".
fn is_analyze(option: &Node) -> bool {
    let Some(NodeEnum::DefElem(option)) = &option.node else { return true };
    let refused = match option.arg.as_deref().and_then(|arg| arg.node.as_ref()) {
        Some(NodeEnum::String(word)) => {
            ["false", "off"].iter().any(|no| word.sval.eq_ignore_ascii_case(no))
        }
        Some(NodeEnum::Integer(number)) => number.ival == 0,
        Some(NodeEnum::Boolean(word)) => !word.boolval,
        Some(_) | None => false,
    };
    option.defname == "analyze" && !refused
}

fn transaction_facts(transaction: &TransactionStmt) -> StatementFacts {
    let name = || transaction.savepoint_name.clone();
    match transaction.kind() {
        TransactionStmtKind::TransStmtBegin | TransactionStmtKind::TransStmtStart => {
            plain(Kind::Begin)
        }
        TransactionStmtKind::TransStmtCommit => plain(Kind::Commit),
        TransactionStmtKind::TransStmtRollback => releasing(Kind::Rollback),
        TransactionStmtKind::TransStmtSavepoint => plain(Kind::Savepoint(name())),
        TransactionStmtKind::TransStmtRelease => plain(Kind::Release(name())),
        TransactionStmtKind::TransStmtRollbackTo => releasing(Kind::RollbackTo(name())),
        TransactionStmtKind::TransStmtPrepare => plain(Kind::PrepareTransaction),
        TransactionStmtKind::TransStmtRollbackPrepared => plain(Kind::FinishPrepared),
        // What the prepared transaction wrote becomes visible now, and the text does not show it.
        TransactionStmtKind::TransStmtCommitPrepared => everything(Kind::FinishPrepared),
        TransactionStmtKind::Undefined => everything(Kind::Other),
    }
}

fn deallocated(deallocate: &DeallocateStmt) -> Option<String> {
    (!deallocate.isall && !deallocate.name.is_empty()).then(|| deallocate.name.clone())
}

fn discard_facts(discard: &DiscardStmt) -> StatementFacts {
    let (what, effect) = match discard.target() {
        DiscardMode::DiscardAll | DiscardMode::Undefined => (Discarded::All, Effect::DiscardAll),
        DiscardMode::DiscardPlans => (Discarded::Plans, Effect::DiscardPlans),
        DiscardMode::DiscardSequences => (Discarded::Sequences, Effect::DiscardSequences),
        DiscardMode::DiscardTemp => (Discarded::Temp, Effect::DiscardTemp),
    };
    StatementFacts { effects: vec![effect], ..releasing(Kind::Discard(what)) }
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

fn walked(kind: Kind, walk: Walk) -> StatementFacts {
    StatementFacts {
        kind,
        effects: walk.pins.into_iter().map(Effect::Pin).chain(walk.sets).collect(),
        writes: walk.writes,
        may_release_pin: walk.unlocks,
        reads: walk.reads,
        ..StatementFacts::default()
    }
}

fn plain(kind: Kind) -> StatementFacts {
    StatementFacts { kind, ..StatementFacts::default() }
}

fn pinning(kind: Kind, reason: Pin) -> StatementFacts {
    StatementFacts { effects: vec![Effect::Pin(reason)], ..plain(kind) }
}

fn releasing(kind: Kind) -> StatementFacts {
    StatementFacts { may_release_pin: true, ..plain(kind) }
}

fn everything(kind: Kind) -> StatementFacts {
    StatementFacts { writes: Writes::Everything, ..plain(kind) }
}

fn pin(facts: &mut StatementFacts, reason: Pin) {
    let effect = Effect::Pin(reason);
    if !facts.effects.contains(&effect) {
        facts.effects.push(effect);
    }
}

/// The statement's own part of the text; a length of 0 means up to the end.
fn slice<'t>(raw: &RawStmt, text: &'t str) -> &'t str {
    let start = usize::try_from(raw.stmt_location).unwrap_or_default();
    let tail = text.get(start..).unwrap_or(text);
    let len = usize::try_from(raw.stmt_len).ok().filter(|&len| len > 0);
    len.and_then(|len| tail.get(..len)).unwrap_or(tail)
}

/// `CURSOR_OPT_HOLD` of parsenodes.h.
const CURSOR_OPT_HOLD: i32 = 0x0020;

const CODE_WORDS: [(&str, Pin); 8] = [
    ("advisory_lock", Pin::AdvisoryLock),
    ("temp", Pin::TempTable),
    ("listen", Pin::Listen),
    ("with hold", Pin::HoldCursor),
    ("load ", Pin::Load),
    ("prepare ", Pin::SqlPrepare),
    ("set_config", Pin::UnknownSetting),
    ("set ", Pin::UnknownSetting),
];
