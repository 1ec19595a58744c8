//! What a text does besides answering, with what only the catalog knows.
//!
//! A statement names a function or a table; what runs behind it (triggers, rules, defaults, checks, policies,
//! functions of functions) the catalog has found out beforehand. What the catalog does not know does
//! anything.

use std::collections::BTreeSet;

use super::catalog::Catalog;
use super::code::{Code, RUNS_A_TEXT};
use super::effects::{Deeds, Does, Effect, Pin};
use super::facts::{Analysis, Kind, NamedBy, StatementFacts};
use super::look_ups::is_system;
use super::reads::Reads;
use crate::sql::common::{Parse, TableName, Writes};

/// What a text does besides answering.
pub fn deeds(analysis: &Analysis, catalog: &Catalog) -> Deeds {
    doing(analysis, catalog).0
}

/// What a text writes.
pub fn writes(analysis: &Analysis, catalog: &Catalog) -> Writes {
    deeds(analysis, catalog).writes
}

/// Why a session that runs a text must keep its backend behind it, as far as the text and the code behind it say.
pub fn pins(analysis: &Analysis, catalog: &Catalog) -> BTreeSet<Pin> {
    let mut pins = deeds(analysis, catalog).pins;
    if !is_lone_prepare(analysis) {
        pins.extend(analysis.effects().filter_map(|effect| match effect {
            Effect::Pin(pin) => Some(*pin),
            _ => None,
        }));
    }
    pins
}

/// Whether a text is one PREPARE and does nothing else, so that a session can follow it.
pub fn is_lone_prepare(analysis: &Analysis) -> bool {
    let ([_one], [name]) = (analysis.statements.as_slice(), &*analysis.names) else {
        return false;
    };
    name.by == NamedBy::Prepare
        && analysis.parse == Parse::Full
        && analysis.effects().all(|effect| *effect == Effect::Pin(Pin::SqlPrepare))
}

/// What a text does besides answering, and whether it names what the catalog does not know.
pub(super) fn doing(analysis: &Analysis, catalog: &Catalog) -> (Deeds, bool) {
    let mut doing = Doing { catalog, deeds: Deeds::default(), lacks: false };
    analysis.statements.iter().for_each(|statement| doing.statement(statement));
    (doing.deeds, doing.lacks)
}

struct Doing<'c> {
    catalog: &'c Catalog,
    deeds: Deeds,
    lacks: bool,
}

impl Doing<'_> {
    fn statement(&mut self, statement: &StatementFacts) {
        if statement.kind != Kind::Unknown {
            self.reads(&statement.reads);
        }
        let unnamed = self.catalog.unnamed();
        match statement.kind {
            Kind::Select
            | Kind::Write
            | Kind::Copy { .. }
            | Kind::Cursor
            | Kind::Explain { .. } => self.adds(&unnamed.casting),
            Kind::Code => match &statement.code {
                Some(code) => self.code(code),
                // A block that cannot be read, or nothing that is called.
                None if statement.reads.functions.is_empty() => self.does(&Deeds::opaque()),
                None => self.adds(&unnamed.casting),
            },
            // What EXECUTE runs its text does not show.
            Kind::Execute(_) | Kind::Unknown => self.does(&Deeds::opaque()),
            // Event triggers and the functions of indexes may run.
            Kind::Other | Kind::Ddl => self.adds(&unnamed.keeping),
            _ => {}
        }
        match &statement.writes {
            Writes::Tables(tables) => tables.iter().for_each(|table| self.written(table)),
            writes => self.does(&Deeds::of(writes.clone())),
        }
    }

    fn reads(&mut self, reads: &Reads) {
        let catalog = self.catalog;
        for call in &reads.functions {
            if RUNS_A_TEXT.contains(&call.name.as_str()) {
                self.does(&Deeds::opaque());
            }
            let mut known = catalog.called(call).peekable();
            if known.peek().is_none() {
                self.lacks = true;
                self.does(&Deeds::opaque());
            }
            known.for_each(|known| self.adds(&known.does));
        }
        for name in &reads.columns {
            catalog.called_on_row(name).for_each(|known| self.adds(&known.does));
        }
        for operator in &reads.operators {
            let mut known = catalog.operators(operator).peekable();
            self.lacks |= known.peek().is_none();
            known.for_each(|known| self.adds(&known.does));
        }
        for used in &reads.types {
            let mut known = catalog.types(used.schema.as_deref(), &used.name).peekable();
            self.lacks |= known.peek().is_none();
            known.for_each(|known| self.adds(&known.does));
        }
        for name in &reads.relations {
            let mut known = catalog.relations(name).peekable();
            self.lacks |= known.peek().is_none();
            known.for_each(|known| self.adds(&known.read));
        }
        if reads.is_partial {
            self.adds(&catalog.unnamed().reading);
        }
    }

    fn code(&mut self, code: &Code) {
        let catalog = self.catalog;
        self.does(&catalog.deeds_of(code));
        self.does(&catalog.deeds_behind(code));
        if catalog.lacks_of(code) {
            self.lacks = true;
            self.does(&Deeds::opaque());
        }
    }

    fn written(&mut self, table: &TableName) {
        self.does(&Deeds::of(Writes::table(table.clone())));
        let mut known = self.catalog.relations(table).peekable();
        if known.peek().is_none() && !table.are_catalogs() {
            self.lacks = true;
            self.does(&Deeds::everything());
        }
        for relation in known {
            if is_system(&relation.schema) {
                self.does(&Deeds::everything());
            }
            self.adds(&relation.written);
        }
    }

    fn adds(&mut self, does: &Does) {
        if let Some(deeds) = does {
            self.does(deeds);
        }
    }

    fn does(&mut self, deeds: &Deeds) {
        self.deeds.absorb(deeds);
    }
}
