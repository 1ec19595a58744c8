//! From the rows of the catalog queries to the catalog.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::super::analyse::analyse;
use super::super::facts::Analysis;
use super::super::left::{Code, Codes};
use super::super::modes::Modes;
use super::super::times::{Kinds, Taken};
use super::behind::Behind;
use super::code::{Constancy, body, readings};
use super::{Catalog, CatalogError, CatalogQuery, Columns, Place, Relation, RelationKind, Stored};
use crate::sql::common::Problem;

/// Collects the rows of the catalog queries.
#[derive(Clone, Debug, Default)]
pub struct CatalogBuilder {
    catalog: Catalog,
    /// What concerns tables and functions that may not have been seen yet, by schema and name.
    definitions: HashMap<Place, Box<Analysis>>,
    behind: Behind,
    columns: HashMap<Place, Columns>,
    computed: Vec<Computed>,
    time_parameters: HashSet<Place>,
    /// Functions that say that they do nothing.
    pure: HashSet<Place>,
}

impl CatalogBuilder {
    /// An empty catalog, by which nothing may be cached but what reads nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one row.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] when the row does not have the columns that the query asks for.
    pub fn row(&mut self, query: CatalogQuery, row: &[Option<&str>]) -> Result<(), CatalogError> {
        let row = Row { query, columns: row };
        if row.columns.len() != query.width() {
            return Err(CatalogError { query, column: row.columns.len() });
        }
        let mut hasher = DefaultHasher::new();
        (query, row.columns).hash(&mut hasher);
        // Rows come in any order.
        self.catalog.fingerprint = self.catalog.fingerprint.wrapping_add(hasher.finish());
        match query {
            CatalogQuery::Tables => self.table(row),
            CatalogQuery::Views => {
                if let Some(definition) = row.optional(2) {
                    let code = Code::read(Some(definition), "");
                    Codes::add(&mut self.catalog.codes.views, row.name(1)?, code);
                }
                let definition = row.optional(2).filter(|text| is_certain(text));
                if let Some(definition) = definition {
                    let analysis = analyse(definition, Modes::default());
                    self.definitions.insert(row.place()?, Box::new(analysis));
                }
                Ok(())
            }
            CatalogQuery::Cascades => {
                let (parent, child) = (row.name(1)?, row.name(3)?);
                self.catalog.changes.entry(parent.clone()).or_default().push(child.clone());
                self.catalog.links.entry(child).or_default().push(parent);
                Ok(())
            }
            CatalogQuery::Functions => self.function(row),
            CatalogQuery::Columns => self.column(row),
            CatalogQuery::Code => self.code(row),
        }
    }

    /// The catalog.
    pub fn build(self) -> Catalog {
        let Self { mut catalog, mut definitions, mut behind, pure, .. } = self;
        let (mut columns, computed, time_parameters) =
            (self.columns, self.computed, self.time_parameters);
        for (name, relations) in &mut catalog.relations {
            for relation in relations {
                let place = (relation.schema.clone(), name.clone());
                if let RelationKind::View(definition) = &mut relation.kind {
                    *definition = definitions.remove(&place);
                }
                relation.columns = columns.remove(&place).unwrap_or_default();
            }
        }
        for Computed { place: (schema, name), kinds, expression } in computed {
            let relations = catalog.relations.get_mut(&name).into_iter().flatten();
            for relation in relations.filter(|relation| relation.schema == schema) {
                if !is_constant(&expression, kinds, &relation.columns) {
                    relation.problem = Some(Problem::ComputedColumn);
                }
            }
        }
        for (schema, name) in time_parameters {
            for function in catalog.functions.get_mut(&name).into_iter().flatten() {
                function.is_constant &= function.schema != schema;
            }
        }
        behind.believe(&pure);
        behind.look_through(&mut catalog);
        catalog.codes.resolve();
        catalog
    }

    fn table(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let kind = match row.text(2)? {
            "BASE TABLE" | "SYSTEM VERSIONED" => match row.optional(3) {
                Some(engine) if ENGINES.iter().any(|known| known.eq_ignore_ascii_case(engine)) => {
                    RelationKind::Table
                }
                Some(_) | None => RelationKind::Other(Problem::Engine),
            },
            "VIEW" => RelationKind::View(None),
            "SEQUENCE" => RelationKind::Other(Problem::Sequence),
            _ => RelationKind::Other(Problem::NotATable),
        };
        let relation = Relation {
            schema: row.name(0)?,
            kind,
            problem: None,
            read: None,
            written: None,
            columns: Columns::default(),
        };
        self.catalog.relations.entry(row.name(1)?).or_default().push(relation);
        Ok(())
    }

    /// What a function declares is believed only where its body does not say otherwise, for the server
    /// does not check it. Of a body that the account may not see, DETERMINISTIC NO SQL is believed, which
    /// nobody gets who did not ask for it; CONTAINS SQL is what every function has that declares nothing.
    fn function(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let results = row.optional(4).map(|shown| {
            readings(shown, false)
                .map(|text| body(&text, None).result)
                .max()
                .unwrap_or(Constancy::Changing)
        });
        let (is_deterministic, data) = (row.text(2)? == "YES", row.text(3)?);
        let is_pure = is_deterministic && data == "NO SQL";
        let declared = is_pure || (is_deterministic && data == "CONTAINS SQL");
        let is_constant = results.map_or(is_pure, |result| result == Constancy::Constant);
        let stored =
            Stored { schema: row.name(0)?, is_constant: declared && is_constant, does: None };
        if is_pure {
            self.pure.insert(row.place()?);
        }
        self.catalog.functions.entry(row.name(1)?).or_default().push(stored);
        Ok(())
    }

    fn code(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let (name, place) = (row.name(1)?, row.place()?);
        let (kind, sql_mode, is_exact) = (row.text(2)?, row.text(3)?, row.text(5)? == "YES");
        let Some(shown) = row.optional(4) else {
            self.read_code(kind, (name, place), None, sql_mode);
            return Ok(());
        };
        for text in readings(shown, is_exact) {
            self.read_code(kind, (name.clone(), place.clone()), Some(&text), sql_mode);
        }
        Ok(())
    }

    /// Takes code; what is read of one piece more than once is all believed.
    fn read_code(
        &mut self,
        kind: &str,
        (name, place): (String, Place),
        text: Option<&str>,
        sql_mode: &str,
    ) {
        let modes = Modes::of_code(sql_mode);
        let body = text.filter(|_| modes.is_some()).map(|text| body(text, modes));
        let codes = &mut self.catalog.codes;
        let known = match kind {
            "TRIGGER" => {
                self.behind.trigger(place, body);
                &mut codes.triggers
            }
            "PROCEDURE" => {
                codes.procedures.insert(name.clone());
                self.behind.procedure(place, body);
                &mut codes.routines
            }
            _ => {
                self.behind.function(place, body);
                &mut codes.routines
            }
        };
        Codes::add(known, name, Code::read(text, sql_mode));
    }

    fn column(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let place = row.place()?;
        let kinds = match row.text(3)? {
            "time" => Kinds::TIME,
            // MySQL compares a YEAR with a TIME as dates.
            "date" | "datetime" | "timestamp" | "year" => Kinds::DATE,
            "json" => Kinds::JSON,
            TIME_PARAMETER => {
                self.time_parameters.insert(place);
                return Ok(());
            }
            _ => Kinds::NONE,
        };
        if let Some(expression) = row.optional(4).filter(|expression| !expression.is_empty()) {
            // MySQL shows the quotes of texts with a backslash before each.
            let expression = expression.replace("\\'", "'");
            self.computed.push(Computed { place: place.clone(), kinds, expression });
        }
        self.columns.entry(place).or_default().add(row.name(2)?, kinds);
        Ok(())
    }
}

/// A column that is computed when it is read, or may be.
#[derive(Clone, Debug)]
struct Computed {
    /// Its table.
    place: Place,
    /// What it holds.
    kinds: Kinds,
    expression: String,
}

/// Whether a computed column of a table with these columns has the same value whenever it is read.
fn is_constant(expression: &str, kinds: Kinds, columns: &Columns) -> bool {
    match body(expression, None).result {
        Constancy::Constant if columns.any == Kinds::NONE => true,
        Constancy::Constant | Constancy::OfDates => {
            let sql = if kinds.has(Kinds::DATE) {
                format!("SELECT CAST(({expression}) AS DATETIME)")
            } else {
                format!("SELECT ({expression})")
            };
            let analysis = analyse(&sql, Modes::default());
            let Some(one) = analysis.statements.first() else { return false };
            let taken = one.reads.times.taken(columns.any, |name| columns.held(name));
            one.reads.is_complete && taken == Taken::default()
        }
        Constancy::Changing => false,
    }
}

/// Whether a view's definition can be read without knowing the modes it was stored in.
fn is_certain(definition: &str) -> bool {
    !definition.is_empty() && !definition.contains('\\')
}

/// One row, with the query to name in an error.
#[derive(Clone, Copy)]
struct Row<'r> {
    query: CatalogQuery,
    columns: &'r [Option<&'r str>],
}

impl<'r> Row<'r> {
    fn optional(self, column: usize) -> Option<&'r str> {
        self.columns.get(column).copied().flatten()
    }

    fn text(self, column: usize) -> Result<&'r str, CatalogError> {
        self.optional(column).ok_or(CatalogError { query: self.query, column })
    }

    fn name(self, column: usize) -> Result<String, CatalogError> {
        self.text(column).map(str::to_lowercase)
    }

    /// The schema and the name that every row begins with.
    fn place(self) -> Result<Place, CatalogError> {
        Ok((self.name(0)?, self.name(1)?))
    }
}

/// Engines whose tables change by statements only, and for others when the transaction commits. A write to a
/// table without transactions is seen before its transaction ends.
const ENGINES: [&str; 1] = ["InnoDB"];

/// What the query says instead of a type of a parameter of a function.
const TIME_PARAMETER: &str = "time parameter";
