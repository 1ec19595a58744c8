//! Tables, views and the server's own catalogs that a query reads.

use super::super::catalog::{Relation, RelationKind};
use super::super::facts::Analysis;
use super::super::look_ups::{self, is_system};
use super::super::reads::Reads;
use super::{Judge, MAX_DEPTH, does_no_more, only_query, unknown};
use crate::sql::common::{Problem, Reason, TableName};

impl Judge<'_> {
    pub(super) fn relation(&mut self, name: &TableName, reads: &Reads) -> Result<(), Reason> {
        let problem = |problem| Reason::Relation { relation: name.clone(), problem };
        if name.schema.as_deref().is_some_and(is_system) && !self.is_kept {
            return Ok(());
        }
        let catalog = self.catalog;
        let known: Vec<&Relation> = catalog.relations(name).collect();
        if known.is_empty() {
            return Err(unknown("table", name.schema.as_deref(), &name.name));
        }
        let (system, others): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|relation| is_system(&relation.schema));
        let is_kept = self.is_kept;
        for relation in system.iter().filter(|_| is_kept) {
            self.system(relation, name, reads).map_err(problem)?;
        }
        if others.is_empty() {
            return Ok(());
        }
        for relation in others {
            if let Some(found) = relation.problem {
                return Err(problem(found));
            }
            does_no_more(&relation.read).map_err(|()| problem(Problem::DoesMore))?;
            if let Some(policy) = relation.policy.as_deref() {
                if self.depth == MAX_DEPTH {
                    return Err(problem(Problem::NestedPolicies));
                }
                let of_table = |reason| {
                    let (table, reason) = (name.clone(), Box::new(reason));
                    Reason::Policy { table, reason }
                };
                self.within(policy).map_err(of_table)?;
            }
            match &relation.kind {
                RelationKind::Table => {}
                // One that was judged before, by another way here, has passed.
                RelationKind::View(_) if self.tables.contains(name) => {}
                RelationKind::View(definition) => self.view(name, &relation.schema, definition)?,
                RelationKind::Other(found) => return Err(problem(*found)),
            }
        }
        self.tables.insert(name.clone());
        Ok(())
    }

    /// Judges one of the server's own relations; what is wrong with it.
    fn system(
        &mut self,
        relation: &Relation,
        name: &TableName,
        reads: &Reads,
    ) -> Result<(), Problem> {
        if !look_ups::is_steady(&relation.schema, &name.name) {
            return Err(Problem::OfTheServer);
        }
        // A function of its row sees all columns.
        let calls = |column: &String| self.catalog.called_on_row(column).next().is_some();
        if look_ups::is_restless(name)
            && (reads.restless.columns || reads.columns.iter().any(calls))
        {
            return Err(Problem::RestlessColumns);
        }
        self.looks_up = true;
        Ok(())
    }

    /// Judges a view's definition. The view itself also counts as read: replacing it is a write.
    fn view(
        &mut self,
        name: &TableName,
        schema: &str,
        definition: &Analysis,
    ) -> Result<(), Reason> {
        let view = TableName::qualified(schema, &name.name);
        // A bare name inside may mean the view itself by our rule; PostgreSQL forbids real circles.
        if self.open_views.contains(&view) {
            return Ok(());
        }
        self.open_views.push(view.clone());
        let judged = only_query(definition).and_then(|query| self.reads(&query.reads));
        self.open_views.pop();
        judged.map_err(|reason| Reason::View { view, reason: Box::new(reason) })
    }
}
