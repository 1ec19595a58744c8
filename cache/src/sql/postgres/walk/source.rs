//! What stands in FROM, and in WITH.

use pg_query::NodeEnum;
use pg_query::protobuf::{CommonTableExpr, FuncCall, Node, RangeVar, WithClause};

use super::super::facts::{DateCast, FunctionCall};
use super::super::look_ups::is_restless;
use super::super::nodes::{strings, table_name};
use super::Walk;
use super::cast::is_date;
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
                self.column_names(subselect.alias.iter().flat_map(|alias| &alias.colnames));
            }
            NodeEnum::RangeFunction(function) => {
                self.in_calls += 1;
                self.functions(&function.functions);
                self.in_calls -= 1;
                self.list(&function.coldeflist);
                self.column_names(function.alias.iter().flat_map(|alias| &alias.colnames));
                // A function without column names gives its column the name of the alias.
                if let Some(alias) = &function.alias {
                    self.alias(&alias.aliasname);
                }
            }
            NodeEnum::ColumnDef(column) => {
                self.alias(&column.colname);
                if let Some(name) = &column.type_name {
                    self.type_use(name);
                    self.reads.date_casts.extend(is_date(name).then_some(DateCast::Expression));
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
                if let Some(alias) = &join.alias {
                    self.column_names(&alias.colnames);
                    self.rows.joined(&alias.aliasname, !alias.colnames.is_empty());
                }
            }
            NodeEnum::CommonTableExpr(cte) => self.cte(cte),
            _ => return false,
        }
        true
    }

    /// The functions of one place in FROM, each in a list with its columns.
    fn functions(&mut self, functions: &[Node]) {
        for node in functions {
            match &node.node {
                Some(NodeEnum::List(list)) => self.functions(&list.items),
                Some(NodeEnum::FuncCall(call)) if is_unnest_of_several(call) => {
                    let schema = Some("pg_catalog".to_owned());
                    let name = "unnest".to_owned();
                    self.reads.functions.insert(FunctionCall { schema, name, arguments: Some(1) });
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
        self.column_names(relation.alias.iter().flat_map(|alias| &alias.colnames));
    }

    fn column_names<'n>(&mut self, names: impl IntoIterator<Item = &'n Node>) {
        for node in names {
            if let Some(NodeEnum::String(name)) = &node.node {
                self.alias(&name.sval);
            }
        }
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
