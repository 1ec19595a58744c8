//! Casts and types: which types a statement names, and what it turns into a date.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, TypeCast, TypeName};

use super::super::nodes::strings;
use super::Walk;
use super::value::{element, use_of, value};
use crate::sql::common::{DATE_TYPES, Obstacle};

impl Walk {
    pub(super) fn cast(&mut self, cast: &TypeCast) {
        if let Some(name) = &cast.type_name {
            self.type_use(name);
            if is_date(name) {
                self.date_cast(cast.arg.as_deref());
            }
        }
        self.boxed(cast.arg.as_deref());
    }

    /// Notes what is cast to a date: constants are checked as texts, parameters by the session.
    pub(super) fn date_cast(&mut self, arg: Option<&Node>) {
        match arg.and_then(|arg| arg.node.as_ref()) {
            None | Some(NodeEnum::AConst(_)) => {}
            Some(NodeEnum::TypeCast(inner)) if inner.type_name.as_ref().is_some_and(is_date) => {}
            Some(NodeEnum::TypeCast(inner)) => self.date_cast(inner.arg.as_deref()),
            Some(NodeEnum::AArrayExpr(array)) => {
                array.elements.iter().for_each(|element| self.date_cast(Some(element)));
            }
            Some(_) => {
                self.reads.date_casts.insert(value(arg));
            }
        }
    }

    pub(super) fn type_use(&mut self, name: &TypeName) {
        if name.setof || name.pct_type {
            self.obstacle(Obstacle::SetOfOrTypeOf);
        }
        self.list(&name.typmods);
        self.reads.types.extend(use_of(name));
    }
}

/// Whether texts of this type may hold a word such as `now`.
pub(super) fn is_date(name: &TypeName) -> bool {
    strings(&name.names).last().is_some_and(|name| is_date_name(&element(name)))
}

/// The same of a name.
pub(super) fn is_date_name(name: &str) -> bool {
    DATE_TYPES.contains(&name)
}
