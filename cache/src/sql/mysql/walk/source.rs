//! Queries and what stands in their FROM.

use sqlparser::ast::{
    Cte, Distinct, GroupByExpr, GroupByWithModifier, Ident, Join, JoinConstraint, JoinOperator,
    LimitClause, NamedWindowExpr, ObjectName, OrderBy, OrderByExpr, OrderByKind, Query, Select,
    SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetQuantifier, TableAlias,
    TableFactor, TableIndexDirective, TableWithJoins, WildcardAdditionalOptions, WindowSpec, With,
};

use super::super::facts::Use;
use super::expression::is_column;
use super::{Place, Walk, ident};
use crate::sql::common::{Obstacle, TableName};

impl Walk<'_> {
    pub(super) fn query(&mut self, query: &Query, place: Place) {
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
        self.body(body, place);
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
            self.query(query, Place::Inner);
            self.alias(Some(alias));
            if !with.recursive {
                self.scope.push(alias.name.value.clone());
            }
        }
    }

    /// A chain of UNIONs hangs to the left; it is walked in a loop, for it may be long.
    fn body(&mut self, body: &SetExpr, place: Place) {
        let mut body = body;
        let mut place = place;
        loop {
            match body {
                SetExpr::SetOperation { left, op: _, set_quantifier, right } => {
                    if !matches!(
                        set_quantifier,
                        SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None
                    ) {
                        self.unknown();
                    }
                    place = Place::Inner;
                    // Parentheses make the right side deep, and they are limited by the parser.
                    self.body(right, place);
                    body = left;
                    continue;
                }
                SetExpr::Select(select) => self.select(select, place),
                SetExpr::Query(query) => self.query(query, place),
                SetExpr::Values(values) => {
                    values.rows.iter().for_each(|row| self.all(&row.content));
                }
                SetExpr::Table(_)
                | SetExpr::Insert(_)
                | SetExpr::Update(_)
                | SetExpr::Delete(_)
                | SetExpr::Merge(_) => self.unknown(),
            }
            return;
        }
    }

    fn select(&mut self, select: &Select, place: Place) {
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
        select.projection.iter().for_each(|item| self.item(item, place));
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

    fn item(&mut self, item: &SelectItem, place: Place) {
        match item {
            SelectItem::UnnamedExpr(expression) => {
                // Showing a column does nothing with it.
                if place == Place::Inner || !is_column(expression) {
                    self.expression(expression);
                }
            }
            SelectItem::ExprWithAlias { expr, alias: _ } => self.expression(expr),
            SelectItem::Wildcard(options) => self.wildcard(options, place),
            SelectItem::QualifiedWildcard(kind, options) => {
                if !matches!(kind, SelectItemQualifiedWildcardKind::ObjectName(_)) {
                    self.unknown();
                }
                self.wildcard(options, place);
            }
            SelectItem::ExprWithAliases { .. } => self.unknown(),
        }
    }

    /// A star inside stands for every column of its tables.
    fn wildcard(&mut self, options: &WildcardAdditionalOptions, place: Place) {
        let WildcardAdditionalOptions {
            wildcard_token: _,
            opt_ilike,
            opt_exclude,
            opt_except,
            opt_replace,
            opt_rename,
            opt_alias,
        } = options;
        if opt_ilike.is_some()
            || opt_exclude.is_some()
            || opt_except.is_some()
            || opt_replace.is_some()
            || opt_rename.is_some()
            || opt_alias.is_some()
        {
            self.unknown();
        }
        self.uses(Use::AllColumns);
        if place == Place::Inner {
            self.uses(Use::Star);
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
            JoinConstraint::On(condition) => self.expression(condition),
            JoinConstraint::Using(columns) => {
                columns.iter().for_each(|column| self.column(column.0.last().and_then(ident)));
            }
            // Which columns are compared is not said.
            JoinConstraint::Natural => self.uses(Use::Star),
            JoinConstraint::UsingAlias(..) => self.unknown(),
            JoinConstraint::None => {}
        }
    }

    fn factor(&mut self, factor: &TableFactor) {
        match factor {
            TableFactor::Table { name, alias, .. } if is_plain(factor) => {
                self.alias(alias.as_ref());
                self.relation(name);
            }
            TableFactor::Derived { lateral: _, subquery, alias, sample: None } => {
                self.alias(alias.as_ref());
                self.query(subquery, Place::Inner);
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                self.tables(table_with_joins);
            }
            _ => self.unknown(),
        }
    }

    fn alias(&mut self, alias: Option<&TableAlias>) {
        let Some(TableAlias { explicit: _, name: _, columns, at }) = alias else { return };
        if at.is_some() {
            self.unknown();
        }
        // New names for columns: what they hold is not followed.
        if !columns.is_empty() {
            self.uses(Use::Star);
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
            OrderByKind::Expressions(list) => self.orders(list),
            OrderByKind::All(_) => self.unknown(),
        }
    }

    /// Ordering by a column compares it with itself only.
    pub(super) fn orders(&mut self, list: &[OrderByExpr]) {
        for OrderByExpr { expr, options: _, with_fill } in list {
            if with_fill.is_some() {
                self.unknown();
            }
            if !is_column(expr) {
                self.expression(expr);
            }
        }
    }

    pub(super) fn window(&mut self, spec: &WindowSpec) {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = spec;
        self.all(partition_by);
        self.orders(order_by);
        if let Some(frame) = window_frame {
            self.bound(&frame.start_bound);
            if let Some(end) = &frame.end_bound {
                self.bound(end);
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
