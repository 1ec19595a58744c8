//! The walk over queries and expressions that collects what a statement reads, writes and uses.
//!
//! The walk knows every node that a query may hold, by name; whatever it does not know becomes an
//! obstacle, so a new construct of the grammar is refused and not overlooked. It recurses, which is
//! safe because the decoder of the tree (prost) refuses trees of more than a hundred levels.
//!
//! Names are only collected here; `classify` asks the catalog what they mean.

use std::collections::BTreeSet;

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AExpr, AExprKind, ColumnRef, CommonTableExpr, FuncCall, Node, RangeVar, SelectStmt, SubLink,
    SubLinkType, WindowDef, WithClause, a_const,
};

use super::asked::Mention;
use super::effects::{Effect, Pin};
use super::facts::{DateCast, FunctionCall, OperatorUse, Reads};
use super::time_words::is_time_word;
use crate::sql::common::{TableName, Writes};

mod cast;
mod session;
mod write;

/// What has been collected so far.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) reads: Reads,
    pub(super) writes: Writes,
    pub(super) pins: BTreeSet<Pin>,
    /// The settings that its calls of set_config may change, which the server reports.
    pub(super) sets: Vec<Effect>,
    /// A session-level advisory lock is given up.
    pub(super) unlocks: bool,
    /// Where it asks about its own session, each from where it begins.
    pub(super) asked: Vec<Mention>,
    /// How many calls and functions in FROM it is in.
    in_calls: usize,
    /// The names of the CTEs in scope.
    scope: Vec<String>,
}

impl Walk {
    pub(super) fn select(&mut self, select: &SelectStmt) {
        let outer = self.scope.len();
        self.with(select.with_clause.as_ref());
        if select.into_clause.is_some() {
            self.obstacle("creates a table (SELECT INTO)");
        }
        if !select.locking_clause.is_empty() {
            self.obstacle("locks rows (FOR UPDATE or FOR SHARE)");
        }
        for list in [
            &select.distinct_clause,
            &select.target_list,
            &select.from_clause,
            &select.group_clause,
            &select.window_clause,
            &select.values_lists,
            &select.sort_clause,
        ] {
            self.list(list);
        }
        for part in
            [&select.where_clause, &select.having_clause, &select.limit_offset, &select.limit_count]
        {
            self.boxed(part.as_deref());
        }
        for side in [&select.larg, &select.rarg].into_iter().flatten() {
            self.select(side);
        }
        self.scope.truncate(outer);
    }

    pub(super) fn list(&mut self, nodes: &[Node]) {
        nodes.iter().for_each(|node| self.node(node));
    }

    pub(super) fn boxed(&mut self, node: Option<&Node>) {
        if let Some(node) = node {
            self.node(node);
        }
    }

    pub(super) fn node(&mut self, node: &Node) {
        let Some(node) = &node.node else { return };
        if !self.expression(node) && !self.compound(node) && !self.source(node) && !self.write(node)
        {
            self.obstacle("uses a construct that the cache does not see through");
            self.reads.is_partial = true;
        }
    }

    pub(super) fn obstacle(&mut self, text: impl Into<String>) {
        self.reads.obstacles.insert(text.into());
    }

    fn volatile(&mut self, text: impl Into<String>) {
        self.reads.volatile.insert(text.into());
    }

    /// Expressions that name something the catalog must judge, and leaves.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
    fn expression(&mut self, node: &NodeEnum) -> bool {
        match node {
            NodeEnum::ColumnRef(column) => self.column(column),
            NodeEnum::AConst(constant) => {
                if let Some(a_const::Val::Sval(text)) = &constant.val {
                    self.text(&text.sval);
                }
            }
            NodeEnum::String(text) => self.text(&text.sval),
            NodeEnum::ParamRef(_)
            | NodeEnum::AStar(_)
            | NodeEnum::SetToDefault(_)
            | NodeEnum::Integer(_)
            | NodeEnum::Float(_)
            | NodeEnum::Boolean(_) => {}
            NodeEnum::AExpr(expr) => self.operation(expr),
            NodeEnum::FuncCall(call) => self.call(call),
            NodeEnum::TypeCast(cast) => self.cast(cast),
            NodeEnum::SubLink(link) => self.sublink(link),
            NodeEnum::SqlvalueFunction(_) => {
                self.volatile("CURRENT_TIMESTAMP, CURRENT_USER and the like are not constant");
            }
            NodeEnum::WindowDef(window) => self.window(window),
            NodeEnum::XmlExpr(expr) => {
                self.obstacle("uses SQL/XML");
                self.list(&expr.named_args);
                self.list(&expr.args);
            }
            NodeEnum::XmlSerialize(expr) => {
                self.obstacle("uses SQL/XML");
                self.boxed(expr.expr.as_deref());
            }
            NodeEnum::CurrentOfExpr(_) => self.obstacle("depends on where a cursor stands"),
            _ => return false,
        }
        true
    }

    /// Expressions that only hold others.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
    fn compound(&mut self, node: &NodeEnum) -> bool {
        match node {
            NodeEnum::List(list) => self.list(&list.items),
            NodeEnum::BoolExpr(expr) => self.list(&expr.args),
            NodeEnum::CoalesceExpr(expr) => self.list(&expr.args),
            NodeEnum::MinMaxExpr(expr) => self.list(&expr.args),
            NodeEnum::RowExpr(expr) => self.list(&expr.args),
            NodeEnum::GroupingFunc(expr) => self.list(&expr.args),
            NodeEnum::GroupingSet(set) => self.list(&set.content),
            NodeEnum::AArrayExpr(array) => self.list(&array.elements),
            NodeEnum::NullTest(test) => self.boxed(test.arg.as_deref()),
            NodeEnum::BooleanTest(test) => self.boxed(test.arg.as_deref()),
            NodeEnum::NamedArgExpr(named) => self.boxed(named.arg.as_deref()),
            NodeEnum::CollateClause(clause) => self.boxed(clause.arg.as_deref()),
            NodeEnum::MultiAssignRef(assign) => self.boxed(assign.source.as_deref()),
            NodeEnum::CaseExpr(case) => {
                if case.arg.is_some() {
                    self.operator(None, "=");
                }
                self.boxed(case.arg.as_deref());
                self.list(&case.args);
                self.boxed(case.defresult.as_deref());
            }
            NodeEnum::CaseWhen(when) => {
                self.boxed(when.expr.as_deref());
                self.boxed(when.result.as_deref());
            }
            NodeEnum::AIndirection(indirection) => {
                self.boxed(indirection.arg.as_deref());
                self.fields(&indirection.indirection);
            }
            NodeEnum::AIndices(indices) => {
                self.boxed(indices.lidx.as_deref());
                self.boxed(indices.uidx.as_deref());
            }
            NodeEnum::SortBy(sort) => {
                self.boxed(sort.node.as_deref());
                self.named_operator(&sort.use_op);
            }
            NodeEnum::ResTarget(target) => {
                self.alias(&target.name);
                self.fields(&target.indirection);
                self.boxed(target.val.as_deref());
            }
            _ => return false,
        }
        true
    }

    /// What stands in FROM, and queries.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
    fn source(&mut self, node: &NodeEnum) -> bool {
        match node {
            NodeEnum::SelectStmt(select) => self.select(select),
            NodeEnum::RangeVar(relation) => self.relation(relation),
            NodeEnum::RangeSubselect(subselect) => {
                self.boxed(subselect.subquery.as_deref());
                self.column_names(subselect.alias.iter().flat_map(|alias| &alias.colnames));
            }
            NodeEnum::RangeFunction(function) => {
                self.in_calls += 1;
                self.list(&function.functions);
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
                    self.reads
                        .date_casts
                        .extend(cast::is_date(name).then_some(DateCast::Expression));
                }
            }
            NodeEnum::RangeTableSample(sample) => {
                self.volatile("TABLESAMPLE picks other rows each time");
                self.boxed(sample.relation.as_deref());
                self.list(&sample.args);
            }
            NodeEnum::JoinExpr(join) => {
                if join.is_natural || !join.using_clause.is_empty() {
                    self.operator(None, "=");
                }
                self.boxed(join.larg.as_deref());
                self.boxed(join.rarg.as_deref());
                self.boxed(join.quals.as_deref());
                self.column_names(join.alias.iter().flat_map(|alias| &alias.colnames));
            }
            NodeEnum::CommonTableExpr(cte) => self.cte(cte),
            _ => return false,
        }
        true
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

    /// Leaves a statement: `outer` is what [`Self::depth`] said at its start.
    pub(super) fn leave(&mut self, outer: usize) {
        self.scope.truncate(outer);
    }

    pub(super) fn depth(&self) -> usize {
        self.scope.len()
    }

    fn cte(&mut self, cte: &CommonTableExpr) {
        if cte.search_clause.is_some() || cte.cycle_clause.is_some() {
            self.obstacle("uses SEARCH or CYCLE");
        }
        self.column_names(&cte.aliascolnames);
        self.boxed(cte.ctequery.as_deref());
    }

    pub(super) fn relation(&mut self, relation: &RangeVar) {
        // Each name would be looked for among them.
        if self.scope.len() > MAX_CTES {
            self.obstacle("has too many WITH queries");
        }
        let is_cte = relation.schemaname.is_empty()
            && self.scope.len() <= MAX_CTES
            && self.scope.contains(&relation.relname);
        if !is_cte {
            self.reads.relations.insert(table_name(relation));
            self.asks_relation(relation);
        }
        self.column_names(relation.alias.iter().flat_map(|alias| &alias.colnames));
    }

    fn column(&mut self, column: &ColumnRef) {
        let names: Vec<&str> = strings(&column.fields);
        if let Some(name) = names.last().filter(|name| SYSTEM_COLUMNS.contains(name)) {
            self.obstacle(format!("reads the system column {name}"));
        }
        if let [_, .., name] = names.as_slice() {
            self.reads.columns.insert((*name).to_owned());
        }
    }

    /// Parts after a value: subscripts and field names.
    fn fields(&mut self, nodes: &[Node]) {
        for node in nodes {
            match &node.node {
                Some(NodeEnum::String(name)) => {
                    self.reads.columns.insert(name.sval.clone());
                }
                _ => self.node(node),
            }
        }
    }

    fn text(&mut self, text: &str) {
        if is_time_word(text.as_bytes()) {
            self.volatile("a text such as 'now' or 'today' depends on the clock as a date");
        }
    }

    fn operation(&mut self, expr: &AExpr) {
        match expr.kind() {
            AExprKind::AexprBetween
            | AExprKind::AexprNotBetween
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym => {
                [">=", "<=", "<", ">"].iter().for_each(|name| self.operator(None, name));
            }
            AExprKind::AexprDistinct | AExprKind::AexprNotDistinct | AExprKind::AexprNullif => {
                self.operator(None, "=");
            }
            AExprKind::Undefined
            | AExprKind::AexprOp
            | AExprKind::AexprOpAny
            | AExprKind::AexprOpAll
            | AExprKind::AexprIn
            | AExprKind::AexprLike
            | AExprKind::AexprIlike
            | AExprKind::AexprSimilar => self.named_operator(&expr.name),
        }
        self.boxed(expr.lexpr.as_deref());
        self.boxed(expr.rexpr.as_deref());
    }

    fn named_operator(&mut self, name: &[Node]) {
        match strings(name).as_slice() {
            [] => {}
            [name] => self.operator(None, name),
            [.., schema, name] => self.operator(Some(schema), name),
        }
    }

    fn operator(&mut self, schema: Option<&str>, name: &str) {
        let schema = schema.map(str::to_owned);
        self.reads.operators.insert(OperatorUse { schema, name: name.to_owned() });
    }

    fn sublink(&mut self, link: &SubLink) {
        let compares = matches!(
            link.sub_link_type(),
            SubLinkType::AnySublink | SubLinkType::AllSublink | SubLinkType::RowcompareSublink
        );
        if compares && link.oper_name.is_empty() {
            self.operator(None, "=");
        }
        self.named_operator(&link.oper_name);
        self.boxed(link.testexpr.as_deref());
        self.boxed(link.subselect.as_deref());
    }

    pub(super) fn call(&mut self, call: &FuncCall) {
        let (schema, name) = match strings(&call.funcname).as_slice() {
            [] => (None, ""),
            [name] => (None, *name),
            [.., schema, name] => (Some((*schema).to_owned()), *name),
        };
        if schema.as_deref().is_none_or(|schema| schema == "pg_catalog") {
            self.built_in_effect(name, call);
            self.asks(name, call);
        }
        let ordered = if call.agg_within_group { call.agg_order.len() } else { 0 };
        let arguments = (!call.func_variadic).then_some(call.args.len() + ordered);
        self.reads.functions.insert(FunctionCall { schema, name: name.to_owned(), arguments });
        // `tsrange(x)` is also a way to write `x::tsrange` (func_get_detail in parse_func.c).
        if let [arg] = call.args.as_slice()
            && cast::is_date_name(name)
        {
            self.date_cast(Some(arg));
        }
        self.in_calls += 1;
        self.list(&call.args);
        self.list(&call.agg_order);
        self.boxed(call.agg_filter.as_deref());
        if let Some(window) = &call.over {
            self.window(window);
        }
        self.in_calls -= 1;
    }

    fn window(&mut self, window: &WindowDef) {
        self.list(&window.partition_clause);
        self.list(&window.order_clause);
        self.boxed(window.start_offset.as_deref());
        self.boxed(window.end_offset.as_deref());
    }

    fn alias(&mut self, name: &str) {
        if !name.is_empty() {
            self.reads.aliases.insert(name.to_owned());
        }
    }

    fn column_names<'n>(&mut self, names: impl IntoIterator<Item = &'n Node>) {
        for node in names {
            if let Some(NodeEnum::String(name)) = &node.node {
                self.alias(&name.sval);
            }
        }
    }
}

/// The table that a range variable names.
pub(super) fn table_name(relation: &RangeVar) -> TableName {
    let schema = Some(relation.schemaname.clone()).filter(|schema| !schema.is_empty());
    TableName { schema, name: relation.relname.clone() }
}

/// The strings of a list of names.
pub(super) fn strings(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().filter_map(string_of).collect()
}

fn string_of(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::String(text)) => Some(text.sval.as_str()),
        Some(_) | None => None,
    }
}

/// More WITH queries than that are not told from tables.
const MAX_CTES: usize = 100;

const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];
