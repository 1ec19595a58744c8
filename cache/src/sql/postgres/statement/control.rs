//! Transactions, settings and session state.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    DeallocateStmt, DiscardMode, DiscardStmt, TransactionStmt, TransactionStmtKind,
};

use super::super::effects::{Effect, Pin};
use super::super::facts::{Discarded, Kind, StatementFacts, everything, pinning, plain, releasing};
use super::super::settings;
use super::super::walk::{Walk, walked};
use crate::sql::common::Writes;

/// The facts of a statement that controls the session, or asks of it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
pub(super) fn facts(node: &NodeEnum) -> Option<StatementFacts> {
    let facts = match node {
        NodeEnum::TransactionStmt(transaction) => transaction_facts(transaction),
        NodeEnum::VariableSetStmt(set) => {
            let effects = settings::set_effects(set);
            let may_release_pin = effects.contains(&Effect::ResetAll);
            StatementFacts { effects, may_release_pin, ..plain(Kind::Set) }
        }
        NodeEnum::VariableShowStmt(show) => plain(Kind::Show(show.name.to_lowercase())),
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
    // Others could see what was temporary. Of DISCARD ALL, which drivers say at each turn, the session knows whether anything was.
    let writes = if what == Discarded::Temp { Writes::catalogs() } else { Writes::None };
    StatementFacts { effects: vec![effect], writes, ..releasing(Kind::Discard(what)) }
}
