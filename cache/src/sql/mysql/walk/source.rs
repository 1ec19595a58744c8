//! Queries and what stands in their FROM.

use sqlparser::ast::{
    Cte, Distinct, GroupByExpr, GroupByWithModifier, Ident, Join, JoinConstraint, JoinOperator,
    LimitClause, NamedWindowExpr, ObjectName, OrderBy, OrderByExpr, OrderByKind, Query, Select,
    SelectFlavor, SetExpr, SetQuantifier, TableAlias, TableFactor, TableIndexDirective,
    TableWithJoins, WindowSpec, With,
};

use super::super::facts::Use;
use super::super::times::{Kinds, Operand};
use super::columns::Columns;
use super::{Place, Walk, ident};
use crate::sql::common::{Obstacle, TableName};

impl Walk<'_> {
    pub(super) fn query(&mut self, query: &Query, place: Place) -> Columns {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        if fetch.is_some()
            || for_clause.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || !pipe_operators.is_empty()
        {
            self.unknown();
        }
        if !locks.is_empty() {
            self.obstacle(Obstacle::LocksRows);
        }
        let outer = self.scope.len();
        if let Some(with) = with {
            self.with(with);
        }
        let columns = self.body(body, place);
        if let Some(order) = order_by {
            self.order(order);
        }
        match limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                self.all(limit);
                self.all(offset.iter().map(|offset| &offset.value));
                self.all(limit_by);
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => self.all([offset, limit]),
            None => {}
        }
        self.scope.truncate(outer);
        columns
    }

    fn with(&mut self, with: &With) {
        for Cte { alias, query, from, materialized, closing_paren_token: _ } in &with.cte_tables {
            if from.is_some() || materialized.is_some() {
                self.unknown();
            }
            // Without RECURSIVE the name means a table within its own query.
            if with.recursive {
                self.scope.push(alias.name.value.clone());
            }
            let columns = self.query(query, Place::Inner);
            self.alias(Some(alias), &columns.value());
            if !with.recursive {
                self.scope.push(alias.name.value.clone());
            }
        }
    }

    /// A chain of UNIONs hangs to the left; it is walked in a loop, for it may be long.
    fn body(&mut self, body: &SetExpr, place: Place) -> Columns {
        let mut arms = Vec::new();
        let mut first = body;
        while let SetExpr::SetOperation { left, op: _, set_quantifier, right } = first {
            if !matches!(
                set_quantifier,
                SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None
            ) {
                self.unknown();
            }
            arms.push(&**right);
            first = left;
        }
        if arms.is_empty() {
            return self.arm(first, place);
        }
        arms.push(first);
        // Parentheses make the others deep, and they are limited by the parser.
        let arms = arms.into_iter().rev().map(|arm| self.arm(arm, Place::Inner)).collect();
        self.united(arms)
    }

    fn arm(&mut self, arm: &SetExpr, place: Place) -> Columns {
        match arm {
            SetExpr::Select(select) => self.select(select, place),
            SetExpr::Query(query) => self.query(query, place),
            SetExpr::SetOperation { .. } => self.body(arm, place),
            SetExpr::Values(values) => {
                let rows = values.rows.iter().map(|row| {
                    let values = row.content.iter().enumerate();
                    let items = values.map(|(at, value)| {
                        let name = self.reads.times.number(&format!("column_{at}"));
                        let value = self.expression(value);
                        self.reads.times.called(None, &value);
                        (Some(name), value)
                    });
                    Columns { items: items.collect(), has_star: false }
                });
                let rows = rows.collect();
                self.united(rows)
            }
            SetExpr::Table(_)
            | SetExpr::Insert(_)
            | SetExpr::Update(_)
            | SetExpr::Delete(_)
            | SetExpr::Merge(_) => {
                self.unknown();
                Columns::default()
            }
        }
    }

    fn select(&mut self, select: &Select, place: Place) -> Columns {
        self.refuse_foreign(select);
        match &select.distinct {
            Some(Distinct::On(_)) => self.unknown(),
            Some(Distinct::All | Distinct::Distinct) | None => {}
        }
        if let Some(modifiers) = &select.select_modifiers
            && (modifiers.sql_no_cache || modifiers.sql_calc_found_rows)
        {
            self.obstacle(Obstacle::SaysNoCache);
        }
        select.from.iter().for_each(|from| self.tables(from));
        let mut columns = Columns::default();
        select.projection.iter().for_each(|item| self.item(item, place, &mut columns));
        self.all(&select.selection);
        self.all(&select.having);
        match &select.group_by {
            GroupByExpr::Expressions(expressions, modifiers) => {
                self.all(expressions);
                if modifiers.iter().any(|modifier| *modifier != GroupByWithModifier::Rollup) {
                    self.unknown();
                }
            }
            GroupByExpr::All(_) => self.unknown(),
        }
        for window in &select.named_window {
            match &window.1 {
                NamedWindowExpr::NamedWindow(_) => {}
                NamedWindowExpr::WindowSpec(spec) => self.window(spec),
            }
        }
        columns
    }

    /// Parts of a SELECT that MySQL does not have.
    fn refuse_foreign(&mut self, select: &Select) {
        let is_foreign = select.top.is_some()
            || select.exclude.is_some()
            || select.into.is_some()
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || select.qualify.is_some()
            || select.value_table_mode.is_some()
            || select.flavor != SelectFlavor::Standard;
        if is_foreign {
            self.unknown();
        }
    }

    fn tables(&mut self, tables: &TableWithJoins) {
        self.factor(&tables.relation);
        for Join { relation, global, join_operator } in &tables.joins {
            if *global {
                self.unknown();
            }
            self.factor(relation);
            match join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::CrossJoin(constraint)
                | JoinOperator::StraightJoin(constraint) => self.constraint(constraint),
                JoinOperator::FullOuter(_)
                | JoinOperator::Semi(_)
                | JoinOperator::LeftSemi(_)
                | JoinOperator::RightSemi(_)
                | JoinOperator::Anti(_)
                | JoinOperator::LeftAnti(_)
                | JoinOperator::RightAnti(_)
                | JoinOperator::CrossApply
                | JoinOperator::OuterApply
                | JoinOperator::AsOf { .. }
                | JoinOperator::ArrayJoin
                | JoinOperator::LeftArrayJoin
                | JoinOperator::InnerArrayJoin => self.unknown(),
            }
        }
    }

    fn constraint(&mut self, constraint: &JoinConstraint) {
        match constraint {
            JoinConstraint::On(condition) => self.all([condition]),
            JoinConstraint::Using(columns) => {
                for column in columns {
                    let value = self.column(column.0.last().and_then(ident));
                    self.reads.times.mixed_with_itself(value);
                }
            }
            // Which columns are compared is not said.
            JoinConstraint::Natural => {
                self.uses(Use::Star);
                self.reads.times.mixed_with_itself(Kinds::ANY.into());
            }
            JoinConstraint::UsingAlias(..) => self.unknown(),
            JoinConstraint::None => {}
        }
    }

    fn factor(&mut self, factor: &TableFactor) {
        match factor {
            TableFactor::Table { name, alias, .. } if is_plain(factor) => {
                self.alias(alias.as_ref(), &Kinds::ANY.into());
                self.relation(name);
            }
            TableFactor::Derived { lateral: _, subquery, alias, sample: None } => {
                let columns = self.query(subquery, Place::Inner);
                self.alias(alias.as_ref(), &columns.value());
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                self.tables(table_with_joins);
            }
            _ => self.unknown(),
        }
    }

    fn alias(&mut self, alias: Option<&TableAlias>, value: &Operand) {
        let Some(TableAlias { explicit: _, name: _, columns, at }) = alias else { return };
        if at.is_some() {
            self.unknown();
        }
        // New names for columns: which is which is not followed.
        if !columns.is_empty() {
            self.uses(Use::Star);
        }
        for column in columns {
            let name = self.number(&column.name);
            self.reads.times.called(Some(name), value);
        }
    }

    fn relation(&mut self, name: &ObjectName) {
        let parts: Option<Vec<&Ident>> = name.0.iter().map(ident).collect();
        let relation = match parts.as_deref() {
            Some([name]) if self.scope.contains(&name.value) => return,
            // Every server has it, and it has one row.
            Some([name])
                if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("dual") =>
            {
                return;
            }
            Some([name]) => TableName::bare(&name.value.to_lowercase()),
            Some([schema, name]) => {
                TableName::qualified(&schema.value.to_lowercase(), &name.value.to_lowercase())
            }
            Some(_) | None => return self.unknown(),
        };
        self.reads.relations.insert(relation);
    }

    fn order(&mut self, order: &OrderBy) {
        let OrderBy { kind, interpolate } = order;
        if interpolate.is_some() {
            self.unknown();
        }
        match kind {
            OrderByKind::Expressions(list) => drop(self.orders(list)),
            OrderByKind::All(_) => self.unknown(),
        }
    }

    /// Ordering by a column compares it with itself only. Returns what is ordered by.
    pub(super) fn orders(&mut self, list: &[OrderByExpr]) -> Operand {
        let mut any = Operand::default();
        for OrderByExpr { expr, options: _, with_fill } in list {
            if with_fill.is_some() {
                self.unknown();
            }
            any.absorb(&self.expression(expr));
        }
        any
    }

    pub(super) fn window(&mut self, spec: &WindowSpec) {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = spec;
        self.all(partition_by);
        let order = self.orders(order_by);
        if let Some(frame) = window_frame {
            self.bound(&frame.start_bound, &order);
            if let Some(end) = &frame.end_bound {
                self.bound(end, &order);
            }
        }
    }
}

/// Whether a table is named with nothing else than an alias, partitions and hints for indexes.
fn is_plain(factor: &TableFactor) -> bool {
    let TableFactor::Table {
        name: _,
        alias: _,
        args: None,
        with_hints,
        version: None,
        with_ordinality: false,
        partitions: _,
        json_path: None,
        sample: None,
        index_directives,
        inheritance: None,
    } = factor
    else {
        return false;
    };
    let is_hint =
        |directive: &TableIndexDirective| matches!(directive, TableIndexDirective::MySql(_));
    with_hints.is_empty() && index_directives.iter().all(is_hint)
}
