//! What code does and uses that names things by its words.

use super::super::code::Code;
use super::super::effects::{Deeds, Does};
use super::Catalog;
use super::node::{Node, Usage, is_users};
use crate::sql::common::{TableName, Writes};

impl Catalog {
    /// What code does by itself.
    pub(in super::super) fn deeds_of(&self, code: &Code) -> Deeds {
        let (pins, asks_sequences) = (code.pins.clone(), code.asks_sequences());
        let mut deeds = Deeds { pins, asks_sequences, ..Deeds::default() };
        if code.is_opaque {
            deeds.absorb(&Deeds::opaque());
        }
        if code.writes_everything {
            deeds.absorb(&Deeds::everything());
        }
        for table in &code.written {
            let is_known = self.relations(table).next().is_some();
            let is_plain = self.relations(table).all(|relation| is_users(relation.object));
            deeds.absorb(&Deeds::of(match is_known && is_plain {
                true => Writes::table(TableName::bare(&table.name)),
                false => Writes::Everything,
            }));
        }
        deeds
    }

    /// Everything that code may use, with what that does.
    pub(super) fn used_by(&self, code: &Code, mut found: impl FnMut(Node, &Does)) {
        let mut uses = |usage, object, does: &Does| found(Node { usage, object }, does);
        uses(Usage::Casts, 0, &self.unnamed.casting);
        if code.writes_everything {
            uses(Usage::DefinesObjects, 0, &self.unnamed.keeping);
        }
        for relation in code.written.iter().flat_map(|table| self.relations(table)) {
            uses(Usage::Write, relation.object, &relation.written);
        }
        for (schema, name) in &code.called {
            let known = self.functions.get(name).into_iter().flatten();
            known
                .filter(|overload| overload.schema.is_named(schema.as_deref()))
                .for_each(|overload| uses(Usage::Call, overload.object, &overload.does));
        }
        let operators = code.operators.iter().filter_map(|name| self.operators.get(name));
        for operator in operators.flatten() {
            uses(Usage::Operate, operator.object, &operator.does);
        }
        for word in &code.words {
            for overload in self.called_on_row(word) {
                uses(Usage::Call, overload.object, &overload.does);
            }
            for known in self.types.get(word).into_iter().flatten() {
                uses(Usage::Type, known.object, &known.does);
            }
            for relation in self.relations.get(word).into_iter().flatten() {
                uses(Usage::Read, relation.object, &relation.read);
            }
        }
    }

    /// What everything does that code may use.
    pub(in super::super) fn deeds_behind(&self, code: &Code) -> Deeds {
        let mut deeds = Deeds::default();
        self.used_by(code, |_node, does| {
            if let Some(does) = does {
                deeds.absorb(does);
            }
        });
        deeds
    }

    /// Whether code names what is not here: a table that it writes, or what may be a function.
    pub(in super::super) fn lacks_of(&self, code: &Code) -> bool {
        let is_function = |schema: Option<&str>, name: &str| {
            let mut known = self.functions.get(name).into_iter().flatten();
            known.any(|overload| overload.schema.is_named(schema))
        };
        let is_other = |schema: Option<&str>, name: &str| {
            let table = TableName { schema: schema.map(str::to_owned), name: name.to_owned() };
            self.relations(&table).next().is_some()
                || self.types(schema, name).next().is_some()
                || schema.is_none() && BEFORE_PARENTHESIS.contains(&name)
        };
        code.written.iter().any(|table| self.relations(table).next().is_none())
            || code.called.iter().any(|(schema, name)| {
                let schema = schema.as_deref();
                !is_function(schema, name) && !is_other(schema, name)
            })
    }
}

/// Words of SQL and PL/pgSQL that stand before a parenthesis and call no function. One that is missing costs a miss.
const BEFORE_PARENTHESIS: [&str; 64] = [
    "all",
    "and",
    "any",
    "array",
    "as",
    "between",
    "bit",
    "by",
    "case",
    "cast",
    "char",
    "character",
    "coalesce",
    "cube",
    "dec",
    "decimal",
    "distinct",
    "else",
    "elsif",
    "elseif",
    "except",
    "exists",
    "extract",
    "filter",
    "float",
    "from",
    "greatest",
    "group",
    "grouping",
    "if",
    "in",
    "int",
    "into",
    "intersect",
    "is",
    "join",
    "lateral",
    "least",
    "limit",
    "not",
    "nullif",
    "offset",
    "on",
    "or",
    "over",
    "perform",
    "return",
    "rollup",
    "row",
    "select",
    "sets",
    "some",
    "then",
    "treat",
    "trim",
    "union",
    "using",
    "values",
    "varying",
    "when",
    "where",
    "while",
    "with",
    "within",
];
