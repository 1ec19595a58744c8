//! What stands in FROM, and in WITH.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    Alias, CommonTableExpr, FuncCall, Node, RangeFunction, RangeVar, WithClause,
};

use super::super::built_in;
use super::super::look_ups::is_restless;
use super::super::nodes::{qualified, strings, table_name};
use super::super::reads::{FunctionCall, Value};
use super::Walk;
use super::cast::is_date;
use super::value::{declared, returned};
use crate::sql::common::{Obstacle, Volatile};

impl Walk {
    /// What stands in FROM, and queries.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
    pub(super) fn source(&mut self, node: &NodeEnum) -> bool {
        match node {
            NodeEnum::SelectStmt(select) => self.select(select),
            NodeEnum::RangeVar(relation) => self.relation(relation),
            NodeEnum::RangeSubselect(subselect) => {
                self.boxed(subselect.subquery.as_deref());
                self.row_names(subselect.alias.as_ref());
            }
            NodeEnum::RangeFunction(function) => self.function(function),
            NodeEnum::ColumnDef(column) => {
                self.alias(&column.colname, declared(column.type_name.as_ref()));
                if let Some(name) = &column.type_name {
                    self.type_use(name);
                    self.reads.date_casts.extend(is_date(name).then_some(Value::Unknown));
                }
            }
            NodeEnum::RangeTableSample(sample) => {
                self.volatile(Volatile::Sample);
                self.boxed(sample.relation.as_deref());
                self.list(&sample.args);
            }
            NodeEnum::JoinExpr(join) => {
                if join.is_natural || !join.using_clause.is_empty() {
                    self.operator(None, "=");
                }
                if join.is_natural {
                    self.rows.compares_all();
                }
                strings(&join.using_clause).iter().for_each(|name| self.rows.name(name));
                self.boxed(join.larg.as_deref());
                self.boxed(join.rarg.as_deref());
                self.boxed(join.quals.as_deref());
                self.row_names(join.alias.as_ref());
                self.row_names(join.join_using_alias.as_ref());
                if let Some(alias) = &join.alias {
                    self.rows.joined(&alias.aliasname, !alias.colnames.is_empty());
                }
            }
            NodeEnum::CommonTableExpr(cte) => self.cte(cte),
            _ => return false,
        }
        true
    }

    /// One place in FROM. A function without column names gives its column the name of the alias.
    fn function(&mut self, function: &RangeFunction) {
        self.in_calls += 1;
        self.functions(&function.functions);
        self.in_calls -= 1;
        self.list(&function.coldeflist);
        match (&function.alias, returned(function)) {
            (Some(alias), Some(value)) => {
                let names = strings(&alias.colnames);
                let (first, others) = match names.split_first() {
                    Some((first, others)) => {
                        self.alias(&alias.aliasname, Value::Unknown);
                        (*first, others)
                    }
                    None => (&*alias.aliasname, &[][..]),
                };
                self.alias(first, value);
                others.iter().for_each(|name| self.alias(name, Value::Unknown));
            }
            (alias, _) => self.row_names(alias.as_ref()),
        }
        if function.ordinality {
            self.alias("ordinality", Value::Constant(built_in::INT8));
        }
    }

    /// The functions of one place in FROM, each in a list with its columns.
    fn functions(&mut self, functions: &[Node]) {
        for node in functions {
            if let Some(NodeEnum::FuncCall(call)) = &node.node
                && let Some((_schema, name)) = qualified(&call.funcname)
            {
                // So its column is called without an alias.
                self.alias(name, Value::Unknown);
            }
            match &node.node {
                Some(NodeEnum::List(list)) => self.functions(&list.items),
                Some(NodeEnum::FuncCall(call)) if is_unnest_of_several(call) => {
                    let schema = Some("pg_catalog".to_owned());
                    let name = "unnest".to_owned();
                    let (arguments, values) = (Some(1), Vec::new());
                    let call_of_one = FunctionCall { schema, name, arguments, values };
                    self.reads.functions.insert(call_of_one);
                    self.list(&call.args);
                }
                _ => self.node(node),
            }
        }
    }

    /// Brings the CTEs into scope. The caller takes them out again.
    pub(super) fn with(&mut self, with: Option<&WithClause>) {
        let Some(with) = with else { return };
        let ctes = || {
            with.ctes.iter().filter_map(|node| match &node.node {
                Some(NodeEnum::CommonTableExpr(cte)) => Some(cte),
                _ => None,
            })
        };
        if with.recursive {
            self.scope.extend(ctes().map(|cte| cte.ctename.clone()));
        }
        for cte in ctes() {
            self.cte(cte);
            self.scope.push(cte.ctename.clone());
        }
    }

    fn cte(&mut self, cte: &CommonTableExpr) {
        if cte.search_clause.is_some() || cte.cycle_clause.is_some() {
            self.obstacle(Obstacle::SearchOrCycle);
        }
        self.alias(&cte.ctename, Value::Unknown);
        self.column_names(&cte.aliascolnames);
        self.boxed(cte.ctequery.as_deref());
    }

    pub(super) fn depth(&self) -> usize {
        self.scope.len()
    }

    /// Leaves a statement: `outer` is what [`Self::depth`] said at its start.
    pub(super) fn leave(&mut self, outer: usize) {
        self.scope.truncate(outer);
    }

    pub(in super::super) fn relation(&mut self, relation: &RangeVar) {
        // Each name would be looked for among them.
        if self.scope.len() > MAX_CTES {
            self.obstacle(Obstacle::ManyWithQueries);
        }
        let is_cte = relation.schemaname.is_empty()
            && self.scope.len() <= MAX_CTES
            && self.scope.contains(&relation.relname);
        if !is_cte {
            let name = table_name(relation);
            if is_restless(&name) {
                let alias = relation.alias.as_ref();
                let known_as = alias.map_or(&relation.relname, |alias| &alias.aliasname);
                let is_renamed = alias.is_some_and(|alias| !alias.colnames.is_empty());
                self.rows.named(known_as, is_renamed);
            }
            self.reads.relations.insert(name);
            self.asks_relation(relation);
        }
        self.alias(&relation.relname, Value::Unknown);
        self.row_names(relation.alias.as_ref());
    }

    /// The names that rows of FROM and their columns are given.
    fn row_names(&mut self, alias: Option<&Alias>) {
        if let Some(alias) = alias {
            self.alias(&alias.aliasname, Value::Unknown);
            self.column_names(&alias.colnames);
        }
    }

    fn column_names(&mut self, names: &[Node]) {
        strings(names).into_iter().for_each(|name| self.alias(name, Value::Unknown));
    }
}

/// Whether it stands for several calls of PostgreSQL's own `unnest` (`transformRangeFunction` in parse_clause.c).
fn is_unnest_of_several(call: &FuncCall) -> bool {
    call.args.len() > 1
        && strings(&call.funcname) == ["unnest"]
        && !call.func_variadic
        && !call.agg_distinct
        && !call.agg_within_group
        && call.agg_order.is_empty()
        && call.agg_filter.is_none()
        && call.over.is_none()
}

/// More WITH queries than that are not told from tables.
const MAX_CTES: usize = 100;
