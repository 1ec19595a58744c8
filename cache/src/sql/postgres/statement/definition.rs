//! CREATE, ALTER, DROP and their kin.

use pg_query::NodeEnum;
use pg_query::protobuf::{OnCommitAction, RangeVar};

use super::super::effects::Pin;
use super::super::facts::{Kind, StatementFacts, everything, pinning, plain};
use crate::sql::common::Writes;

/// The facts of a statement that makes or changes objects, and of whatever is not known by name.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not known counts as DDL")]
pub(super) fn facts(node: &NodeEnum) -> StatementFacts {
    match node {
        NodeEnum::CreateStmt(create) => created(
            create.relation.as_ref(),
            create.oncommit == OnCommitAction::OncommitDrop as i32,
        ),
        NodeEnum::ViewStmt(view) => created(view.view.as_ref(), false),
        NodeEnum::CreateSeqStmt(sequence) => created(sequence.sequence.as_ref(), false),
        _ => everything(Kind::Ddl),
    }
}

/// A relation was made: in the temporary schema it pins, elsewhere it changes the catalog.
pub(super) fn created(relation: Option<&RangeVar>, dropped_on_commit: bool) -> StatementFacts {
    if !relation.is_some_and(is_temporary) {
        return everything(Kind::Ddl);
    }
    let made =
        if dropped_on_commit { plain(Kind::Other) } else { pinning(Kind::Other, Pin::TempTable) };
    // Others see that it is there.
    StatementFacts { writes: Writes::catalogs(), ..made }
}

fn is_temporary(relation: &RangeVar) -> bool {
    relation.relpersistence == "t" || relation.schemaname.starts_with("pg_temp")
}
