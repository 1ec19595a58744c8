//! What queries show: the columns that whoever stands around them may use.

use sqlparser::ast::{
    Expr, SelectItem, SelectItemQualifiedWildcardKind, WildcardAdditionalOptions,
};

use super::super::facts::Use;
use super::super::times::{Kinds, Operand};
use super::expression::is_column;
use super::{Place, Walk};

/// The columns of a query; of the outermost one nobody asks.
#[derive(Default)]
pub(super) struct Columns {
    /// The numbers of their names, where they have any, and what they hold.
    pub(super) items: Vec<(Option<u32>, Operand)>,
    /// There are more, of a star.
    pub(super) has_star: bool,
}

impl Columns {
    /// What any of them may hold.
    pub(super) fn value(&self) -> Operand {
        let kinds = if self.has_star { Kinds::ANY } else { Kinds::NONE };
        let mut any = Operand::from(kinds);
        self.items.iter().for_each(|(_, value)| any.absorb(value));
        any
    }
}

impl Walk<'_> {
    /// The columns of several queries, which go by the names of the first.
    pub(super) fn united(&mut self, arms: Vec<Columns>) -> Columns {
        if arms.iter().any(|arm| arm.has_star) {
            let values: Vec<_> = arms.iter().map(Columns::value).collect();
            let any = self.reads.times.mixed(&values);
            self.reads.times.called_anything(&any);
            return Columns { items: vec![(None, any)], has_star: true };
        }
        let mut arms = arms.into_iter();
        let Some(mut united) = arms.next() else { return Columns::default() };
        let arms: Vec<_> = arms.collect();
        for (at, (name, value)) in united.items.iter_mut().enumerate() {
            let others = arms.iter().filter_map(|arm| arm.items.get(at));
            let others = others.map(|(_, other)| other.clone());
            let values: Vec<_> = std::iter::once(std::mem::take(value)).chain(others).collect();
            *value = self.reads.times.mixed(&values);
            self.reads.times.called(*name, value);
        }
        united
    }

    pub(super) fn item(&mut self, item: &SelectItem, place: Place, columns: &mut Columns) {
        match item {
            // Showing a column does nothing with it.
            SelectItem::UnnamedExpr(expression)
                if place == Place::Outermost && is_column(expression) => {}
            SelectItem::UnnamedExpr(expression) => {
                let value = self.expression(expression);
                let name = match expression {
                    Expr::Identifier(name) => Some(name),
                    Expr::CompoundIdentifier(parts) => parts.last(),
                    _ => None,
                };
                let name = name.map(|name| self.number(name));
                self.reads.times.called(name, &value);
                columns.items.push((name, value));
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let value = self.expression(expr);
                let name = Some(self.number(alias));
                self.reads.times.called(name, &value);
                columns.items.push((name, value));
            }
            SelectItem::Wildcard(options) => {
                columns.has_star = true;
                self.wildcard(options, place);
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                if !matches!(kind, SelectItemQualifiedWildcardKind::ObjectName(_)) {
                    self.unknown();
                }
                columns.has_star = true;
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
}
