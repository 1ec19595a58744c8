//! Expressions: the names that the catalog must judge, and what only holds others.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AExpr, AExprKind, ColumnRef, FuncCall, Node, SqlValueFunction, SqlValueFunctionOp, SubLink,
    SubLinkType, WindowDef, a_const,
};

use super::super::nodes::{qualified, strings};
use super::super::reads::{FunctionCall, OperatorUse, Value};
use super::super::time_words::is_time_word;
use super::Walk;
use super::cast::is_date_name;
use super::value::{call_of, name_of_target, operator_of, value};
use crate::sql::common::{Clock, Obstacle, Volatile};

impl Walk {
    /// Expressions that name something the catalog must judge, and leaves.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
    pub(super) fn expression(&mut self, node: &NodeEnum) -> bool {
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
            NodeEnum::SqlvalueFunction(function) => self.value_function(function),
            NodeEnum::WindowDef(window) => self.window(window),
            NodeEnum::XmlExpr(expr) => {
                self.obstacle(Obstacle::SqlXml);
                self.list(&expr.named_args);
                self.list(&expr.args);
            }
            NodeEnum::XmlSerialize(expr) => {
                self.obstacle(Obstacle::SqlXml);
                self.boxed(expr.expr.as_deref());
            }
            NodeEnum::CurrentOfExpr(_) => self.obstacle(Obstacle::CursorPosition),
            _ => return false,
        }
        true
    }

    /// Expressions that only hold others.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for the next function")]
    pub(super) fn compound(&mut self, node: &NodeEnum) -> bool {
        self.reads.mixes.values |= matches!(
            node,
            NodeEnum::CaseExpr(_)
                | NodeEnum::CoalesceExpr(_)
                | NodeEnum::MinMaxExpr(_)
                | NodeEnum::AArrayExpr(_)
        );
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
                let name = name_of_target(target);
                self.alias(&name.unwrap_or_default(), value(target.val.as_deref()));
                self.fields(&target.indirection);
                self.boxed(target.val.as_deref());
            }
            _ => return false,
        }
        true
    }

    fn column(&mut self, column: &ColumnRef) {
        let names: Vec<&str> = strings(&column.fields);
        if let Some(name) = names.last().filter(|name| SYSTEM_COLUMNS.contains(name)) {
            self.obstacle(Obstacle::SystemColumn((*name).to_owned()));
        }
        if let [_, .., name] = names.as_slice() {
            self.reads.columns.insert((*name).to_owned());
        }
        let last = column.fields.last().and_then(|field| field.node.as_ref());
        self.rows.column(&names, matches!(last, Some(NodeEnum::AStar(_))));
    }

    /// Parts after a value: subscripts and field names.
    fn fields(&mut self, nodes: &[Node]) {
        for node in nodes {
            match &node.node {
                Some(NodeEnum::String(name)) => {
                    self.rows.name(&name.sval);
                    self.reads.columns.insert(name.sval.clone());
                }
                _ => self.node(node),
            }
        }
    }

    fn text(&mut self, text: &str) {
        if is_time_word(text.as_bytes()) {
            // `'now'` is a moment, and `'today'` a date; prose may hold both.
            self.clock(Clock::Date, Volatile::TimeWord);
        }
    }

    /// A function without parentheses.
    fn value_function(&mut self, function: &SqlValueFunction) {
        use SqlValueFunctionOp as Op;
        match function.op() {
            Op::SvfopCurrentDate => self.clock(Clock::Date, Volatile::CurrentDate),
            // Of the user, who is in the key.
            Op::SvfopCurrentRole
            | Op::SvfopCurrentUser
            | Op::SvfopUser
            | Op::SvfopSessionUser
            | Op::SvfopCurrentCatalog => {}
            Op::SvfopCurrentSchema => {
                let (schema, name) = (Some("pg_catalog".to_owned()), "current_schema".to_owned());
                let (arguments, values) = (Some(0), Vec::new());
                self.reads.functions.insert(FunctionCall { schema, name, arguments, values });
            }
            _ => self.clock(Clock::Moment, Volatile::CurrentTimestamp),
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
            | AExprKind::AexprSimilar => self.reads.operators.extend(operator_of(expr)),
        }
        self.boxed(expr.lexpr.as_deref());
        self.boxed(expr.rexpr.as_deref());
    }

    fn named_operator(&mut self, name: &[Node]) {
        if let Some((schema, name)) = qualified(name) {
            self.operator(schema, name);
        }
    }

    pub(super) fn operator(&mut self, schema: Option<&str>, name: &str) {
        let schema = schema.map(str::to_owned);
        let (name, left, right) = (name.to_owned(), Value::Unknown, Value::Unknown);
        self.reads.operators.insert(OperatorUse { schema, name, left, right });
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

    pub(in super::super) fn call(&mut self, call: &FuncCall) {
        let called = call_of(call);
        let name = &*called.name;
        if called.schema.as_deref().is_none_or(|schema| schema == "pg_catalog") {
            self.built_in_effect(name, call);
            self.asks(name, call);
        }
        // `tsrange(x)` is also a way to write `x::tsrange` (func_get_detail in parse_func.c).
        if let [arg] = call.args.as_slice()
            && is_date_name(name)
        {
            self.date_cast(Some(arg));
        }
        self.reads.functions.insert(called);
        self.in_calls += 1;
        self.list(&call.args);
        self.list(&call.agg_order);
        self.boxed(call.agg_filter.as_deref());
        if let Some(window) = &call.over {
            self.window(window);
        }
        self.in_calls -= 1;
    }

    /// The call of a procedure. Which one it is the number of arguments does not tell: some only come out of it.
    pub(in super::super) fn call_of_procedure(&mut self, call: &FuncCall) {
        self.list(&call.args);
        let called = call_of(call);
        self.reads.functions.insert(FunctionCall { arguments: None, values: Vec::new(), ..called });
    }

    fn window(&mut self, window: &WindowDef) {
        self.list(&window.partition_clause);
        self.list(&window.order_clause);
        self.boxed(window.start_offset.as_deref());
        self.boxed(window.end_offset.as_deref());
    }
}

const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];
