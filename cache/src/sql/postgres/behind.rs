//! What a statement reads behind the names in its text: relations with their policies, views, and what functions ask.

use super::catalog::{Overload, Relation, RelationKind};
use super::classify::{Judge, MAX_DEPTH, only_query, unknown};
use super::effects::Does;
use super::facts::Analysis;
use super::look_ups::{self, is_system};
use super::reads::Reads;
use crate::sql::common::{Nature, Problem, Reason, TableName, Volatile, worse};

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
        // One that was judged before, by another way here, has passed.
        if others.is_empty() || self.tables.contains(name) {
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
                self.inside(|judge| judge.within(policy), of_table)?;
            }
            match &relation.kind {
                RelationKind::Table => {}
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
        let judged = self.inside(
            |judge| only_query(definition).and_then(|query| judge.reads(&query.reads)),
            |reason| Reason::View { view: view.clone(), reason: Box::new(reason) },
        );
        self.open_views.pop();
        judged
    }

    /// Judges what a function asks. Of one that calls itself nothing more is to be found.
    pub(super) fn asks(&mut self, name: &str, known: &Overload) -> Result<(), Reason> {
        let asks = known.asks.as_deref().filter(|_| self.depth < MAX_DEPTH);
        let Some(asks) = asks else {
            let (name, nature, is_own) = (name.to_owned(), Nature::Stable, true);
            return Err(Reason::Volatile(Volatile::Function { name, nature, is_own }));
        };
        if !self.seen.insert(known.object) {
            return Ok(());
        }
        self.calls += 1;
        self.depth += 1;
        let judged = self.inside(
            |judge| asks.statements.iter().try_for_each(|query| judge.reads(&query.reads)),
            |reason| Reason::Function { function: name.to_owned(), reason: Box::new(reason) },
        );
        self.depth -= 1;
        self.calls -= 1;
        judged
    }

    /// Judges what is inside something else, of which a reason tells.
    fn inside(
        &mut self,
        judge: impl FnOnce(&mut Self) -> Result<(), Reason>,
        of: impl Fn(Reason) -> Reason,
    ) -> Result<(), Reason> {
        let outside = self.clock.take();
        let judged = judge(self);
        let inside = self.clock.take().map(|(clock, reason)| (clock, of(reason)));
        self.clock = worse(outside, inside);
        judged.map_err(of)
    }

    /// Judges what is run for each value or row.
    pub(super) fn within(&mut self, statement: &Analysis) -> Result<(), Reason> {
        self.depth += 1;
        let judged = only_query(statement).and_then(|query| self.reads(&query.reads));
        self.depth -= 1;
        judged
    }
}

fn does_no_more(does: &Does) -> Result<(), ()> {
    if does.is_none() { Ok(()) } else { Err(()) }
}
