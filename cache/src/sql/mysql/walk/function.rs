//! Calls of functions.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, Value, WindowType,
};

use super::super::facts::FunctionCall;
use super::super::functions::{BuiltIn, built_in};
use super::super::times::{Kinds, Operand};
use super::convert::FORMATTED;
use super::{Place, Walk, ident};
use crate::sql::common::Clock;

/// The arguments of a call.
#[derive(Default)]
struct Arguments<'a> {
    /// Those that are expressions, in order.
    expressions: Vec<&'a Expr>,
    /// What each may be.
    values: Vec<Operand>,
}

impl Walk<'_> {
    pub(super) fn function(&mut self, function: &Function) -> Operand {
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
        let arguments = self.arguments(args);
        let call = match parts.as_deref() {
            Some([name]) => FunctionCall { schema: None, name: name.value.to_lowercase() },
            Some([schema, name]) => FunctionCall {
                schema: Some(schema.value.to_lowercase()),
                name: name.value.to_lowercase(),
            },
            Some(_) | None => {
                self.unknown();
                return Operand::default();
            }
        };
        let result = self.result(&call, &arguments);
        self.reads.functions.insert(call);
        match over {
            Some(WindowType::WindowSpec(spec)) => self.window(spec),
            Some(WindowType::NamedWindow(_)) | None => {}
        }
        result
    }

    /// What a function makes of its arguments.
    fn result(&mut self, call: &FunctionCall, arguments: &Arguments<'_>) -> Operand {
        let Arguments { expressions, values } = arguments;
        let Some(native) = built_in(&call.name).filter(|_| call.schema.is_none()) else {
            // What its parameters are is not known, nor its result; but it has no TIME among them (`catalog`).
            values.iter().for_each(|value| self.dated_without_day(value));
            return Kinds::DATE.into();
        };
        match native {
            BuiltIn::Constant | BuiltIn::Volatile => Operand::default(),
            BuiltIn::Either => self.reads.times.mixed(values),
            BuiltIn::Json => Kinds::JSON.into(),
            BuiltIn::Time => Kinds::TIME.into(),
            BuiltIn::TimeOrDate => made_by(&call.name, expressions).into(),
            BuiltIn::Clock(_, kinds) => kinds.into(),
            BuiltIn::Date => {
                let taken = if call.name == "datediff" { 2 } else { 1 };
                values.iter().take(taken).for_each(|value| self.reads.times.dated(value));
                Kinds::DATE.into()
            }
            BuiltIn::Moment => self.moment(&call.name, arguments),
        }
    }

    /// What a function makes of a date with a time of day.
    fn moment(&mut self, name: &str, arguments: &Arguments<'_>) -> Operand {
        let Arguments { expressions, values } = arguments;
        match (name, expressions.as_slice(), values.as_slice()) {
            // Without an argument it is the clock.
            ("unix_timestamp", [], _) => {
                self.reads.times.clock.insert((Clock::Moment, "unix_timestamp()"));
                Operand::default()
            }
            (_, [_, Expr::Interval(by)], [value, _]) => self.moved(value.clone(), by),
            ("timestampadd" | "timestampdiff", _, [_unit, values @ ..]) => {
                let mut either = Operand::from(Kinds::DATE);
                for value in values {
                    self.dated_without_day(value);
                    either.absorb(value);
                }
                either
            }
            (_, _, [value, ..]) => {
                self.dated_without_day(value);
                let mut moved = Operand::from(Kinds::DATE);
                moved.absorb(value);
                moved
            }
            (_, _, []) => Kinds::DATE.into(),
        }
    }

    /// Walks the arguments.
    fn arguments<'a>(&mut self, args: &'a FunctionArguments) -> Arguments<'a> {
        let mut arguments = Arguments::default();
        let list = match args {
            FunctionArguments::None => return arguments,
            FunctionArguments::Subquery(query) => {
                arguments.values.push(self.query(query, Place::Inner).value());
                return arguments;
            }
            FunctionArguments::List(list) => list,
        };
        let FunctionArgumentList { duplicate_treatment: _, args, clauses } = list;
        for arg in args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => {
                    arguments.expressions.push(expression);
                    arguments.values.push(self.expression(expression));
                }
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
                FunctionArgumentClause::OrderBy(list) => drop(self.orders(list)),
                FunctionArgumentClause::Separator(_) => {}
                FunctionArgumentClause::Limit(limit) => self.all([limit]),
                FunctionArgumentClause::IgnoreOrRespectNulls(_)
                | FunctionArgumentClause::Where(_)
                | FunctionArgumentClause::OnOverflow(_)
                | FunctionArgumentClause::Having(_)
                | FunctionArgumentClause::JsonNullClause(_)
                | FunctionArgumentClause::JsonReturningClause(_) => self.unknown(),
            }
        }
        arguments
    }
}

/// What ADDTIME, SUBTIME and STR_TO_DATE make.
fn made_by(name: &str, arguments: &[&Expr]) -> Kinds {
    let format = match arguments {
        [_, Expr::Value(value)] if name.eq_ignore_ascii_case(FORMATTED) => &value.value,
        _ => return Kinds::TIME.or(Kinds::DATE),
    };
    match format {
        Value::SingleQuotedString(format) => of_format(format),
        _ => Kinds::TIME.or(Kinds::DATE),
    }
}

/// What a text of this format is. Letters that the servers do not count as those of a date or of a time decide nothing
/// (MySQL: `get_date_time_result_type`).
fn of_format(format: &str) -> Kinds {
    let pairs = || format.bytes().zip(format.bytes().skip(1)).filter(|(sign, _)| *sign == b'%');
    let is_in = |letters: &str, letter: u8| letters.as_bytes().contains(&letter);
    if pairs().next().is_none() || pairs().any(|(_, letter)| letter == b'%') {
        Kinds::TIME.or(Kinds::DATE)
    } else if pairs().any(|(_, letter)| is_in("MVUXYWabcjmvuxyw", letter)) {
        Kinds::DATE
    } else if pairs().all(|(_, letter)| is_in("HISThiklrs", letter)) {
        Kinds::TIME
    } else {
        Kinds::TIME.or(Kinds::DATE)
    }
}
