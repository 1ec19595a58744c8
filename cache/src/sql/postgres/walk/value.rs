//! What a text says of the types of its values, for the catalog to make types of (`types`).

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, AExpr, AExprKind, FuncCall, MinMaxOp, Node, RangeFunction, ResTarget,
    SqlValueFunctionOp, SubLink, SubLinkType, TypeName, a_const,
};

use super::super::built_in;
use super::super::nodes::{qualified, strings};
use super::super::reads::{FunctionCall, OperatorUse, TypeUse, Value};

/// What is said of a value.
pub(super) fn value(node: Option<&Node>) -> Value {
    below(node, MAX_DEPTH)
}

/// What is called.
pub(super) fn call_of(call: &FuncCall) -> FunctionCall {
    function(call, MAX_DEPTH)
}

/// What an operator is between.
pub(super) fn operator_of(expr: &AExpr) -> Option<OperatorUse> {
    operation(expr, MAX_DEPTH)
}

/// What a column is that is defined with this type.
pub(super) fn declared(name: Option<&TypeName>) -> Value {
    let name = name.filter(|name| name.array_bounds.is_empty() && !name.setof && !name.pct_type);
    // Such is the type of an array.
    let is_element = |name: &&TypeName| !strings(&name.names).iter().any(|it| it.starts_with('_'));
    name.filter(is_element).and_then(use_of).map_or(Value::Unknown, Value::Cast)
}

/// The type that is named; of an array its elements'.
pub(super) fn use_of(name: &TypeName) -> Option<TypeUse> {
    let (schema, name) = qualified(&name.names)?;
    Some(TypeUse { schema: schema.map(str::to_owned), name: element(name) })
}

/// The element type of an array's internal name.
pub(super) fn element(name: &str) -> String {
    name.strip_prefix('_').unwrap_or(name).to_owned()
}

/// What the only column is, or the first, that a place in FROM with one function has.
pub(super) fn returned(function: &RangeFunction) -> Option<Value> {
    let [only] = function.functions.as_slice() else { return None };
    let call = match &only.node {
        Some(NodeEnum::List(list)) => list.items.first()?,
        _ => only,
    };
    match &call.node {
        Some(NodeEnum::FuncCall(_)) if function.coldeflist.is_empty() => Some(value(Some(call))),
        _ => None,
    }
}

/// The name that the column of a target has (`FigureColname` in parse_target.c); none of a column that keeps its own.
pub(super) fn name_of_target(target: &ResTarget) -> Option<String> {
    if !target.name.is_empty() {
        return Some(target.name.clone());
    }
    match target.val.as_deref()?.node.as_ref()? {
        NodeEnum::ColumnRef(_) => None,
        _ => figured(target.val.as_deref()?).map(|(name, _is_sure)| name),
    }
}

/// A name for a column, and whether it is one that no type of a cast comes before.
fn figured(node: &Node) -> Option<(String, bool)> {
    let sure = |name: &str| Some((name.to_owned(), true));
    match node.node.as_ref()? {
        NodeEnum::ColumnRef(column) => sure(strings(&column.fields).last()?),
        NodeEnum::FuncCall(call) => sure(strings(&call.funcname).last()?),
        NodeEnum::AIndirection(value) => match strings(&value.indirection).last() {
            Some(name) => sure(name),
            None => figured(value.arg.as_deref()?),
        },
        NodeEnum::TypeCast(cast) => {
            let inner = cast.arg.as_deref().and_then(figured).filter(|(_, is_sure)| *is_sure);
            let of_type =
                || Some((strings(&cast.type_name.as_ref()?.names).last()?.to_string(), false));
            inner.or_else(of_type)
        }
        NodeEnum::CollateClause(clause) => figured(clause.arg.as_deref()?),
        NodeEnum::CaseExpr(case) => {
            let inner = case.defresult.as_deref().and_then(figured);
            inner.filter(|(_, is_sure)| *is_sure).or_else(|| Some(("case".to_owned(), false)))
        }
        NodeEnum::SubLink(link) => match link.sub_link_type() {
            SubLinkType::ExprSublink => {
                let target = only_target(link)?;
                let own = || figured(target.val.as_deref()?).map(|(name, _is_sure)| name);
                Some((name_of_target(target).or_else(own)?, true))
            }
            SubLinkType::ExistsSublink => sure("exists"),
            SubLinkType::ArraySublink => sure("array"),
            _ => None,
        },
        NodeEnum::AExpr(expr) if expr.kind() == AExprKind::AexprNullif => sure("nullif"),
        NodeEnum::AArrayExpr(_) => sure("array"),
        NodeEnum::RowExpr(_) => sure("row"),
        NodeEnum::CoalesceExpr(_) => sure("coalesce"),
        NodeEnum::GroupingFunc(_) => sure("grouping"),
        NodeEnum::MinMaxExpr(expr) if expr.op() == MinMaxOp::IsLeast => sure("least"),
        NodeEnum::MinMaxExpr(_) => sure("greatest"),
        NodeEnum::SqlvalueFunction(function) => {
            let name = function.op().as_str_name();
            let name = name.strip_prefix("SVFOP_").unwrap_or(name);
            sure(&name.strip_suffix("_N").unwrap_or(name).to_lowercase())
        }
        _ => None,
    }
}

/// The first target of a plain SELECT.
fn only_target(link: &SubLink) -> Option<&ResTarget> {
    let Some(NodeEnum::SelectStmt(select)) = link.subselect.as_deref()?.node.as_ref() else {
        return None;
    };
    match select.target_list.first()?.node.as_ref()? {
        NodeEnum::ResTarget(target) => Some(target),
        _ => None,
    }
}

fn below(node: Option<&Node>, depth: usize) -> Value {
    let node = node.and_then(|node| node.node.as_ref());
    let (Some(node), Some(depth)) = (node, depth.checked_sub(1)) else { return Value::Unknown };
    match node {
        NodeEnum::AConst(constant) => constant_of(constant),
        NodeEnum::ColumnRef(column) => match column.fields.last().and_then(|it| it.node.as_ref()) {
            Some(NodeEnum::String(name)) => Value::Column(name.sval.clone()),
            _ => Value::Unknown,
        },
        NodeEnum::ParamRef(_) => Value::Parameter,
        NodeEnum::TypeCast(cast) => declared(cast.type_name.as_ref()),
        NodeEnum::FuncCall(call) => Value::Call(Box::new(function(call, depth))),
        NodeEnum::AExpr(expr) if expr.kind() == AExprKind::AexprOp => {
            operation(expr, depth).map_or(Value::Unknown, |used| Value::Operation(Box::new(used)))
        }
        NodeEnum::BoolExpr(_) | NodeEnum::NullTest(_) | NodeEnum::BooleanTest(_) => {
            Value::Constant(built_in::BOOL)
        }
        NodeEnum::CaseExpr(case) => {
            let results = case.args.iter().map(|when| match &when.node {
                Some(NodeEnum::CaseWhen(when)) => below(when.result.as_deref(), depth),
                _ => Value::Unknown,
            });
            let otherwise = case.defresult.as_deref().map(|node| below(Some(node), depth));
            one_of(results.chain(otherwise))
        }
        NodeEnum::CoalesceExpr(expr) => one_of(all(&expr.args, depth)),
        NodeEnum::MinMaxExpr(expr) => one_of(all(&expr.args, depth)),
        NodeEnum::CollateClause(clause) => below(clause.arg.as_deref(), depth),
        NodeEnum::SubLink(link) if link.sub_link_type() == SubLinkType::ExprSublink => {
            only_target(link).map_or(Value::Unknown, |target| below(target.val.as_deref(), depth))
        }
        NodeEnum::SqlvalueFunction(function) => match function.op() {
            SqlValueFunctionOp::SvfopCurrentDate => Value::Constant(built_in::DATE),
            SqlValueFunctionOp::SvfopCurrentTimestamp
            | SqlValueFunctionOp::SvfopCurrentTimestampN => Value::Constant(built_in::TIMESTAMPTZ),
            SqlValueFunctionOp::SvfopLocaltimestamp | SqlValueFunctionOp::SvfopLocaltimestampN => {
                Value::Constant(built_in::TIMESTAMP)
            }
            _ => Value::Unknown,
        },
        _ => Value::Unknown,
    }
}

fn constant_of(constant: &AConst) -> Value {
    match &constant.val {
        None | Some(a_const::Val::Sval(_)) => Value::Literal,
        Some(a_const::Val::Ival(_)) => Value::Constant(built_in::INT4),
        Some(a_const::Val::Fval(text)) => match text.fval.parse::<i64>() {
            Ok(_) => Value::Constant(built_in::INT8),
            Err(_) => Value::Constant(built_in::NUMERIC),
        },
        Some(a_const::Val::Boolval(_)) => Value::Constant(built_in::BOOL),
        Some(a_const::Val::Bsval(_)) => Value::Unknown,
    }
}

fn function(call: &FuncCall, depth: usize) -> FunctionCall {
    let (schema, name) = qualified(&call.funcname).unwrap_or_default();
    let ordered = if call.agg_within_group { call.agg_order.len() } else { 0 };
    let arguments = (!call.func_variadic).then_some(call.args.len() + ordered);
    let is_named = |arg: &Node| matches!(arg.node, Some(NodeEnum::NamedArgExpr(_)));
    let is_certain = !call.func_variadic && !call.args.iter().any(is_named);
    let args = call.args.iter().take(if is_certain { MAX_VALUES } else { 0 });
    let values = args.map(|arg| below(Some(arg), depth)).collect();
    let (schema, name) = (schema.map(str::to_owned), name.to_owned());
    FunctionCall { schema, name, arguments, values }
}

fn operation(expr: &AExpr, depth: usize) -> Option<OperatorUse> {
    let (schema, name) = qualified(&expr.name)?;
    let (schema, name) = (schema.map(str::to_owned), name.to_owned());
    // Of a list or an array it is each element.
    let is_plain = expr.kind() == AExprKind::AexprOp;
    let right = expr.rexpr.as_deref().filter(|_right| is_plain);
    let (left, right) = (below(expr.lexpr.as_deref(), depth), below(right, depth));
    Some(OperatorUse { schema, name, left, right })
}

fn all(nodes: &[Node], depth: usize) -> impl Iterator<Item = Value> {
    nodes.iter().map(move |node| below(Some(node), depth))
}

fn one_of(values: impl Iterator<Item = Value>) -> Value {
    let values: Vec<Value> = values.take(MAX_VALUES + 1).collect();
    if values.len() > MAX_VALUES { Value::Unknown } else { Value::OneOf(values) }
}

/// How deep an expression is looked into for the type of the whole.
const MAX_DEPTH: usize = 5;

/// How many arguments, or results of a CASE, are looked at.
const MAX_VALUES: usize = 8;
