//! Data-modifying statements, at the top or in a WITH clause.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    DeleteStmt, InferClause, InsertStmt, MergeStmt, OnConflictClause, RangeVar, ReturningClause,
    UpdateStmt,
};

use super::super::effects::Pin;
use super::super::nodes::table_name;
use super::Walk;
use crate::sql::common::{Obstacle, Writes};

impl Walk {
    /// Takes a data-modifying statement or a part of one.
    #[expect(clippy::wildcard_enum_match_arm, reason = "an unknown node is the caller's affair")]
    pub(super) fn write(&mut self, node: &NodeEnum) -> bool {
        match node {
            NodeEnum::InsertStmt(insert) => self.insert(insert),
            NodeEnum::UpdateStmt(update) => self.update(update),
            NodeEnum::DeleteStmt(delete) => self.delete(delete),
            NodeEnum::MergeStmt(merge) => self.merge(merge),
            NodeEnum::MergeWhenClause(when) => {
                self.boxed(when.condition.as_deref());
                self.list(&when.target_list);
                self.list(&when.values);
            }
            NodeEnum::IndexElem(element) => self.boxed(element.expr.as_deref()),
            _ => return false,
        }
        true
    }

    fn insert(&mut self, insert: &InsertStmt) {
        let outer = self.depth();
        self.with(insert.with_clause.as_ref());
        self.target(insert.relation.as_ref());
        self.list(&insert.cols);
        self.boxed(insert.select_stmt.as_deref());
        self.conflict(insert.on_conflict_clause.as_deref());
        self.returning(insert.returning_clause.as_ref());
        self.leave(outer);
    }

    fn update(&mut self, update: &UpdateStmt) {
        let outer = self.depth();
        self.with(update.with_clause.as_ref());
        self.target(update.relation.as_ref());
        self.list(&update.target_list);
        self.list(&update.from_clause);
        self.boxed(update.where_clause.as_deref());
        self.returning(update.returning_clause.as_ref());
        self.leave(outer);
    }

    fn delete(&mut self, delete: &DeleteStmt) {
        let outer = self.depth();
        self.with(delete.with_clause.as_ref());
        self.target(delete.relation.as_ref());
        self.list(&delete.using_clause);
        self.boxed(delete.where_clause.as_deref());
        self.returning(delete.returning_clause.as_ref());
        self.leave(outer);
    }

    fn merge(&mut self, merge: &MergeStmt) {
        let outer = self.depth();
        self.with(merge.with_clause.as_ref());
        self.target(merge.relation.as_ref());
        self.boxed(merge.source_relation.as_deref());
        self.boxed(merge.join_condition.as_deref());
        self.list(&merge.merge_when_clauses);
        self.returning(merge.returning_clause.as_ref());
        self.leave(outer);
    }

    /// The table that is written. A CTE cannot be, so a CTE's name means a table here.
    pub(in super::super) fn target(&mut self, relation: Option<&RangeVar>) {
        self.obstacle(Obstacle::Writes);
        let Some(relation) = relation else { return };
        let name = table_name(relation);
        if name.name == "pg_settings" {
            // A rule of this view calls set_config.
            self.pins.insert(Pin::UnknownSetting);
        }
        self.reads.relations.insert(name.clone());
        self.writes.merge(Writes::table(name));
    }

    fn conflict(&mut self, clause: Option<&OnConflictClause>) {
        let Some(clause) = clause else { return };
        if let Some(infer) = clause.infer.as_deref() {
            self.infer(infer);
        }
        self.list(&clause.target_list);
        self.boxed(clause.where_clause.as_deref());
    }

    fn infer(&mut self, infer: &InferClause) {
        self.list(&infer.index_elems);
        self.boxed(infer.where_clause.as_deref());
    }

    fn returning(&mut self, clause: Option<&ReturningClause>) {
        if let Some(clause) = clause {
            self.list(&clause.exprs);
        }
    }
}
