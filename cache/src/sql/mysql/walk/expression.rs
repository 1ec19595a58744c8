//! Expressions.
//!
//! They are walked with a list of what is still to do and not by recursion, for chains such as
//! `a + b + c …` may be long.

use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DataType, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, InTarget,
    Interval, MemberOf, TypedString, WindowFrameBound, WindowType,
};

use super::super::facts::{FunctionCall, Use};
use super::{Place, Walk, ident};
use crate::sql::common::Volatile;

/// Whether an expression is a column and nothing else.
pub(super) const fn is_column(expression: &Expr) -> bool {
    matches!(expression, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

/// What is still to be walked.
type Todo<'a> = Vec<&'a Expr>;

impl Walk<'_> {
    pub(super) fn all<'a>(&mut self, expressions: impl IntoIterator<Item = &'a Expr>) {
        expressions.into_iter().for_each(|expression| self.expression(expression));
    }

    pub(super) fn expression(&mut self, expression: &Expr) {
        let mut todo = vec![expression];
        while let Some(next) = todo.pop() {
            if !self.operation(next, &mut todo)
                && !self.special(next, &mut todo)
                && !self.leaf(next, &mut todo)
            {
                self.unknown();
            }
        }
    }

    /// Operators, comparisons and conditions.
    fn operation<'a>(&mut self, expression: &'a Expr, todo: &mut Todo<'a>) -> bool {
        match expression {
            Expr::BinaryOp { left, op, right } => {
                if *op == BinaryOperator::Arrow {
                    self.uses(Use::Json);
                }
                todo.extend([&**left, &**right]);
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                todo.extend([&**left, &**right]);
            }
            Expr::UnaryOp { op: _, expr }
            | Expr::IsFalse(expr)
            | Expr::IsNotFalse(expr)
            | Expr::IsTrue(expr)
            | Expr::IsNotTrue(expr)
            | Expr::IsNull(expr)
            | Expr::IsNotNull(expr)
            | Expr::IsUnknown(expr)
            | Expr::IsNotUnknown(expr)
            | Expr::Nested(expr)
            | Expr::Collate { expr, collation: _ }
            | Expr::Prefixed { prefix: _, value: expr } => todo.push(expr),
            Expr::Between { expr, negated: _, low, high } => {
                todo.extend([&**expr, &**low, &**high]);
            }
            Expr::Like { negated: _, any: false, expr, pattern, escape_char } => {
                todo.extend([&**expr, &**pattern]);
                todo.extend(escape_char.as_deref());
            }
            Expr::RLike { negated: _, expr, pattern, regexp: _ } => {
                todo.extend([&**expr, &**pattern]);
            }
            Expr::In { expr, target, negated: _, global: false } => {
                todo.push(expr);
                match target {
                    InTarget::List(list) => todo.extend(list),
                    InTarget::Subquery(query) => self.query(query, Place::Inner),
                    InTarget::Unnest(_) | InTarget::Table { .. } => self.unknown(),
                }
            }
            Expr::AnyOp { left, compare_op: _, right, is_some: _ }
            | Expr::AllOp { left, compare_op: _, right } => todo.extend([&**left, &**right]),
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                todo.extend(operand.as_deref());
                todo.extend(else_result.as_deref());
                let pairs = conditions.iter();
                todo.extend(pairs.flat_map(|CaseWhen { condition, result }| [condition, result]));
            }
            Expr::MemberOf(MemberOf { value, array }) => todo.extend([&**value, &**array]),
            Expr::Tuple(list) => todo.extend(list),
            Expr::Exists { subquery, negated: _ } | Expr::Subquery(subquery) => {
                self.query(subquery, Place::Inner);
            }
            _ => return false,
        }
        true
    }

    /// Functions with a grammar of their own.
    fn special<'a>(&mut self, expression: &'a Expr, todo: &mut Todo<'a>) -> bool {
        match expression {
            Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None } => {
                todo.push(expr);
                self.data_type(data_type);
            }
            Expr::Convert {
                is_try: false,
                expr,
                data_type,
                charset: _,
                target_before_value: false,
                styles,
            } if styles.is_empty() => {
                todo.push(expr);
                if let Some(data_type) = data_type {
                    self.data_type(data_type);
                }
            }
            Expr::Extract { field: _, syntax: _, expr } => {
                self.uses(Use::Date);
                todo.push(expr);
            }
            Expr::Ceil { expr, field } | Expr::Floor { expr, field } => {
                todo.push(expr);
                if let CeilFloorKind::Scale(_) = field {
                    self.unknown();
                }
            }
            Expr::Position { expr, r#in } => todo.extend([&**expr, &**r#in]),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                todo.push(expr);
                todo.extend(substring_from.as_deref());
                todo.extend(substring_for.as_deref());
            }
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters: None } => {
                todo.push(expr);
                todo.extend(trim_what.as_deref());
            }
            Expr::TypedString(TypedString { data_type, value: _, uses_odbc_syntax: false }) => {
                self.data_type(data_type);
            }
            // Adding an interval makes a date of what it is added to.
            Expr::Interval(Interval { value, .. }) => {
                self.uses(Use::Date);
                todo.push(value);
            }
            Expr::MatchAgainst { columns, match_value: _, opt_search_modifier: _ } => {
                columns.iter().for_each(|column| self.column(column.0.last().and_then(ident)));
            }
            Expr::Function(function) => self.function(function, todo),
            _ => return false,
        }
        true
    }

    fn leaf<'a>(&mut self, expression: &'a Expr, todo: &mut Todo<'a>) -> bool {
        match expression {
            Expr::Identifier(name) => self.column(Some(name)),
            Expr::CompoundIdentifier(parts) => self.column(parts.last()),
            Expr::Value(value) => {
                if matches!(value.value, sqlparser::ast::Value::Placeholder(_)) {
                    self.uses(Use::Parameter);
                }
            }
            Expr::Rollup(sets) => todo.extend(sets.iter().flatten()),
            _ => return false,
        }
        true
    }

    fn function<'a>(&mut self, function: &'a Function, todo: &mut Todo<'a>) {
        let Function {
            name,
            uses_odbc_syntax,
            parameters,
            args,
            within_group,
            filter,
            // MySQL has RESPECT NULLS only, which is what there is without.
            null_treatment: _,
            over,
        } = function;
        let is_plain = !uses_odbc_syntax
            && *parameters == FunctionArguments::None
            && within_group.is_empty()
            && filter.is_none();
        if !is_plain {
            self.unknown();
        }
        let parts: Option<Vec<_>> = name.0.iter().map(ident).collect();
        let arguments = self.arguments(args, todo);
        let call = match parts.as_deref() {
            Some([name]) => FunctionCall { schema: None, name: name.value.to_lowercase() },
            Some([schema, name]) => FunctionCall {
                schema: Some(schema.value.to_lowercase()),
                name: name.value.to_lowercase(),
            },
            Some(_) | None => return self.unknown(),
        };
        if call.name == "json_extract" {
            self.uses(Use::Json);
        }
        // Without an argument it is the clock.
        if arguments == 0 && call.name == "unix_timestamp" {
            self.reads.volatile.insert(Volatile::Word("unix_timestamp()".to_owned()));
        }
        self.reads.functions.insert(call);
        match over {
            Some(WindowType::WindowSpec(spec)) => self.window(spec),
            Some(WindowType::NamedWindow(_)) | None => {}
        }
    }

    /// Walks the arguments and says how many there are.
    fn arguments<'a>(&mut self, args: &'a FunctionArguments, todo: &mut Todo<'a>) -> usize {
        let list = match args {
            FunctionArguments::None => return 0,
            FunctionArguments::Subquery(query) => {
                self.query(query, Place::Inner);
                return 1;
            }
            FunctionArguments::List(list) => list,
        };
        let FunctionArgumentList { duplicate_treatment: _, args, clauses } = list;
        for arg in args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => todo.push(expression),
                // `COUNT(*)`
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {}
                FunctionArg::Unnamed(
                    FunctionArgExpr::QualifiedWildcard(_) | FunctionArgExpr::WildcardWithOptions(_),
                )
                | FunctionArg::Named { .. }
                | FunctionArg::ExprNamed { .. } => self.unknown(),
            }
        }
        for clause in clauses {
            match clause {
                FunctionArgumentClause::OrderBy(list) => self.orders(list),
                FunctionArgumentClause::Separator(_) => {}
                FunctionArgumentClause::Limit(limit) => todo.push(limit),
                FunctionArgumentClause::IgnoreOrRespectNulls(_)
                | FunctionArgumentClause::Where(_)
                | FunctionArgumentClause::OnOverflow(_)
                | FunctionArgumentClause::Having(_)
                | FunctionArgumentClause::JsonNullClause(_)
                | FunctionArgumentClause::JsonReturningClause(_) => self.unknown(),
            }
        }
        args.len()
    }

    pub(super) fn bound(&mut self, bound: &WindowFrameBound) {
        match bound {
            WindowFrameBound::Preceding(Some(distance))
            | WindowFrameBound::Following(Some(distance)) => self.expression(distance),
            WindowFrameBound::CurrentRow
            | WindowFrameBound::Preceding(None)
            | WindowFrameBound::Following(None) => {}
        }
    }

    /// The type of a cast.
    fn data_type(&mut self, data_type: &DataType) {
        match data_type {
            DataType::Date | DataType::Datetime(_) | DataType::Timestamp(..) => {
                self.uses(Use::Date);
            }
            DataType::Time(..) => self.uses(Use::Time),
            DataType::Character(_)
            | DataType::Char(_)
            | DataType::Varchar(_)
            | DataType::Nvarchar(_)
            | DataType::Binary(_)
            | DataType::Varbinary(_)
            | DataType::Signed
            | DataType::SignedInteger
            | DataType::Unsigned
            | DataType::UnsignedInteger
            | DataType::Int(_)
            | DataType::Integer(_)
            | DataType::Decimal(_)
            | DataType::Dec(_)
            | DataType::Numeric(_)
            | DataType::Float(_)
            | DataType::Real
            | DataType::Double(_)
            | DataType::DoublePrecision
            | DataType::JSON => {}
            _ => self.unknown(),
        }
    }
}
