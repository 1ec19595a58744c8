//! Expressions.
//!
//! What hangs to the left is walked in a loop and not by recursion, for chains such as `a + b + c …` may be long.

use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DataType, DateTimeField, Expr, InTarget,
    Interval, MemberOf, TypedString, UnaryOperator, WindowFrameBound,
};

use super::super::functions::clock_word;
use super::super::times::{Kinds, Operand};
use super::{Place, Walk};

/// Whether an expression is a column and nothing else.
pub(super) const fn is_column(expression: &Expr) -> bool {
    matches!(expression, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

impl Walk<'_> {
    pub(super) fn all<'a>(&mut self, expressions: impl IntoIterator<Item = &'a Expr>) {
        for expression in expressions {
            self.expression(expression);
        }
    }

    /// Walks an expression and says what it may be.
    pub(super) fn expression(&mut self, expression: &Expr) -> Operand {
        let mut chain = Vec::new();
        let mut first = expression;
        while let Some(left) = left_of(first) {
            chain.push(first);
            first = left;
        }
        let mut value = self.first(first);
        for link in chain.into_iter().rev() {
            value = self.link(link, value);
        }
        value
    }

    /// What begins a chain.
    fn first(&mut self, expression: &Expr) -> Operand {
        let known = self.leaf(expression);
        let known = known.or_else(|| self.condition(expression));
        known.or_else(|| self.special(expression)).unwrap_or_else(|| {
            self.unknown();
            Operand::default()
        })
    }

    /// What something makes of what is to its left.
    fn link(&mut self, expression: &Expr, left: Operand) -> Operand {
        match expression {
            Expr::BinaryOp { left: first, op, right } => {
                return self.binary((first, left), op, right);
            }
            Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => {
                self.compared(left, [&**right]);
            }
            Expr::Collate { .. } => return left,
            Expr::Between { expr: _, negated: _, low, high } => {
                self.compared(left, [&**low, &**high]);
            }
            Expr::Like { negated: _, any: false, expr: _, pattern, escape_char } => {
                self.all([&**pattern]);
                self.all(escape_char.as_deref());
            }
            Expr::RLike { negated: _, expr: _, pattern, regexp: _ } => self.all([&**pattern]),
            Expr::In { expr: _, target, negated: _, global: false } => match target {
                InTarget::List(list) => self.compared(left, list),
                InTarget::Subquery(query) => {
                    let found = self.query(query, Place::Inner).value();
                    self.reads.times.mixed(&[left, found]);
                }
                InTarget::Unnest(_) | InTarget::Table { .. } => self.unknown(),
            },
            Expr::AnyOp { left: _, compare_op: _, right, is_some: _ }
            | Expr::AllOp { left: _, compare_op: _, right } => self.compared(left, [&**right]),
            Expr::MemberOf(MemberOf { value: _, array }) => self.all([&**array]),
            Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_) => {}
            _ => self.unknown(),
        }
        Operand::default()
    }

    /// A value is compared with each of others.
    fn compared<'a>(&mut self, left: Operand, others: impl IntoIterator<Item = &'a Expr>) {
        let mut values = vec![left];
        values.extend(others.into_iter().map(|other| self.expression(other)));
        self.reads.times.mixed(&values);
    }

    fn binary(
        &mut self,
        (first, left): (&Expr, Operand),
        op: &BinaryOperator,
        right: &Expr,
    ) -> Operand {
        if let (BinaryOperator::Plus | BinaryOperator::Minus, Expr::Interval(by)) = (op, right) {
            self.expression(&by.value);
            return self.moved(left, by);
        }
        let right = self.expression(right);
        match (op, first) {
            (BinaryOperator::Plus, Expr::Interval(by)) => return self.moved(right, by),
            (
                BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
                | BinaryOperator::Spaceship,
                _,
            ) => drop(self.reads.times.mixed(&[left, right])),
            (BinaryOperator::Arrow, _) => return Kinds::JSON.into(),
            _ => {}
        }
        Operand::default()
    }

    /// A value with an interval added: a TIME stays one where that has no days in it; else MySQL makes a date of it.
    pub(super) fn moved(&mut self, mut value: Operand, by: &Interval) -> Operand {
        if !by.leading_field.as_ref().is_some_and(is_of_time) || by.last_field.is_some() {
            self.dated_without_day(&value);
            value.kinds = value.kinds.or(Kinds::DATE);
        } else {
            self.reads.times.moved(&value);
            if value.kinds.has(Kinds::PARAMETER) {
                // MySQL takes it for a date whatever it is.
                value.kinds = value.kinds.or(Kinds::DATE);
            }
        }
        value
    }

    /// A TIME would be turned into a date here; of the present moment nothing is cut off.
    pub(super) fn dated_without_day(&mut self, value: &Operand) {
        let mut value = value.clone();
        value.kinds = value.kinds.without(Kinds::NOW);
        self.reads.times.dated(&value);
    }

    /// Conditions, and what holds others.
    fn condition(&mut self, expression: &Expr) -> Option<Operand> {
        match expression {
            Expr::Nested(expr)
            | Expr::Prefixed { prefix: _, value: expr }
            | Expr::UnaryOp { op: UnaryOperator::Plus, expr } => {
                return Some(self.expression(expr));
            }
            Expr::UnaryOp { op: _, expr } => drop(self.expression(expr)),
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                let mut compared = Vec::new();
                compared.extend(operand.as_deref().map(|operand| self.expression(operand)));
                let mut results = Vec::new();
                for CaseWhen { condition, result } in conditions {
                    compared.push(self.expression(condition));
                    results.push(self.expression(result));
                }
                results.extend(else_result.as_deref().map(|result| self.expression(result)));
                if operand.is_some() {
                    self.reads.times.mixed(&compared);
                }
                return Some(self.reads.times.mixed(&results));
            }
            Expr::Tuple(list) => {
                let mut any = Operand::default();
                for one in list {
                    any.absorb(&self.expression(one));
                }
                return Some(any);
            }
            Expr::Exists { subquery, negated: _ } => drop(self.query(subquery, Place::Inner)),
            Expr::Subquery(subquery) => return Some(self.query(subquery, Place::Inner).value()),
            Expr::Rollup(sets) => self.all(sets.iter().flatten()),
            _ => return None,
        }
        Some(Operand::default())
    }

    /// Functions with a grammar of their own.
    fn special(&mut self, expression: &Expr) -> Option<Operand> {
        match expression {
            Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None } => {
                let value = self.expression(expr);
                return Some(self.cast(&value, data_type));
            }
            Expr::Convert {
                is_try: false,
                expr,
                data_type,
                charset: _,
                target_before_value: false,
                styles,
            } if styles.is_empty() => {
                let value = self.expression(expr);
                return Some(match data_type {
                    Some(data_type) => self.cast(&value, data_type),
                    None => Operand::default(),
                });
            }
            Expr::Extract { field, syntax: _, expr } => {
                let value = self.expression(expr);
                if !is_of_time(field) {
                    self.reads.times.dated(&value);
                }
            }
            Expr::Ceil { expr, field } | Expr::Floor { expr, field } => {
                if let CeilFloorKind::Scale(_) = field {
                    self.unknown();
                }
                // MariaDB: a TIME stays one.
                return Some(self.expression(expr));
            }
            Expr::Position { expr, r#in } => self.all([&**expr, &**r#in]),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                self.all([&**expr]);
                self.all(substring_from.as_deref());
                self.all(substring_for.as_deref());
            }
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters: None } => {
                self.all([&**expr]);
                self.all(trim_what.as_deref());
            }
            Expr::TypedString(TypedString { data_type, value: _, uses_odbc_syntax: false }) => {
                return Some(self.cast(&Operand::default(), data_type));
            }
            // Whoever adds it looks at what it is.
            Expr::Interval(Interval { value, .. }) => drop(self.expression(value)),
            Expr::MatchAgainst { columns: _, match_value: _, opt_search_modifier: _ } => {}
            Expr::Function(function) => return Some(self.function(function)),
            _ => return None,
        }
        Some(Operand::default())
    }

    fn leaf(&mut self, expression: &Expr) -> Option<Operand> {
        Some(match expression {
            Expr::Identifier(name) => {
                let word = name.quote_style.is_none().then(|| name.value.to_lowercase());
                match word.as_deref().and_then(clock_word) {
                    Some((_, _, kinds)) => kinds.into(),
                    None => self.column(Some(name)),
                }
            }
            Expr::CompoundIdentifier(parts) => self.column(parts.last()),
            Expr::Value(value) => match value.value {
                sqlparser::ast::Value::Placeholder(_) => Kinds::PARAMETER.into(),
                _ => Operand::default(),
            },
            _ => return None,
        })
    }

    pub(super) fn bound(&mut self, bound: &WindowFrameBound, order: &Operand) {
        match bound {
            WindowFrameBound::Preceding(Some(distance))
            | WindowFrameBound::Following(Some(distance)) => {
                if let Expr::Interval(by) = &**distance {
                    self.moved(order.clone(), by);
                }
                self.expression(distance);
            }
            WindowFrameBound::CurrentRow
            | WindowFrameBound::Preceding(None)
            | WindowFrameBound::Following(None) => {}
        }
    }

    /// What a cast makes.
    fn cast(&mut self, value: &Operand, data_type: &DataType) -> Operand {
        match data_type {
            DataType::Date => {
                self.reads.times.dated(value);
                Kinds::DATE.into()
            }
            DataType::Datetime(_) | DataType::Timestamp(..) => {
                self.dated_without_day(value);
                let mut cast = value.clone();
                cast.kinds = cast.kinds.without(Kinds::TIME.or(Kinds::JSON)).or(Kinds::DATE);
                cast
            }
            DataType::Time(..) => Kinds::TIME.into(),
            DataType::JSON => Kinds::JSON.into(),
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
            | DataType::DoublePrecision => Operand::default(),
            _ => {
                self.unknown();
                Operand::default()
            }
        }
    }
}

/// What an expression hangs on the right of.
fn left_of(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::BinaryOp { left, .. }
        | Expr::IsDistinctFrom(left, _)
        | Expr::IsNotDistinctFrom(left, _)
        | Expr::AnyOp { left, .. }
        | Expr::AllOp { left, .. } => Some(left),
        Expr::IsFalse(expr)
        | Expr::IsNotFalse(expr)
        | Expr::IsTrue(expr)
        | Expr::IsNotTrue(expr)
        | Expr::IsNull(expr)
        | Expr::IsNotNull(expr)
        | Expr::IsUnknown(expr)
        | Expr::IsNotUnknown(expr)
        | Expr::Collate { expr, .. }
        | Expr::Between { expr, .. }
        | Expr::Like { expr, .. }
        | Expr::RLike { expr, .. }
        | Expr::In { expr, .. } => Some(expr),
        Expr::MemberOf(MemberOf { value, .. }) => Some(value),
        _ => None,
    }
}

/// Whether a unit has no days in it. One of several fields stands here as the first of them.
const fn is_of_time(field: &DateTimeField) -> bool {
    matches!(
        field,
        DateTimeField::Hour
            | DateTimeField::Minute
            | DateTimeField::Second
            | DateTimeField::Microsecond
    )
}
