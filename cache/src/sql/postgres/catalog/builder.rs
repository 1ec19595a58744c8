//! From the rows of the catalog queries to the catalog.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::super::analyse::analyse;
use super::super::built_in;
use super::super::code::{Code, Language, code};
use super::super::effects::{Deeds, Pin};
use super::super::facts::Analysis;
use super::super::reads::Value;
use super::super::stable::{DependsOn, depends_on, of_extension};
use super::body::queries;
use super::node::{Node, Usage, is_users};
use super::{
    Catalog, CatalogError, CatalogQuery, Operator, Overload, Relation, RelationKind, Schema, Type,
    Unnamed, Volatility,
};
use crate::sql::common::{Graph, Problem, TableName, Writes, all};

/// Collects the rows of the catalog queries.
#[derive(Clone, Debug, Default)]
pub struct CatalogBuilder {
    catalog: Catalog,
    graph: Graph<Node, Pin>,
    bodies: Vec<(u32, Code)>,
    /// What functions in SQL ask.
    asks: HashMap<u32, Box<Analysis>>,
    /// Views, by what stands behind them: writing the one writes the other.
    behind: Vec<(u32, u32)>,
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
            CatalogQuery::Functions => self.function(row),
            CatalogQuery::Operators => self.operator(row),
            CatalogQuery::Relations => self.relation(row),
            CatalogQuery::Links => {
                let (from, to) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
                self.catalog.links.entry(from).or_default().push(to);
                Ok(())
            }
            CatalogQuery::Types => self.type_or_cast(row),
            CatalogQuery::Columns => {
                let (name, of_type) = (row.text(0)?.to_owned(), row.object(1)?);
                self.catalog.columns.entry(name).or_default().push(of_type);
                Ok(())
            }
            CatalogQuery::Casts => {
                self.catalog.casts.entry(row.object(0)?).or_default().push(row.object(1)?);
                Ok(())
            }
            CatalogQuery::Bodies => self.body(row),
            CatalogQuery::Uses => self.usage(row),
        }
    }

    fn function(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let is_variadic = row.boolean(5)?;
        let (schema, name) = (Schema::of(row.text(0)?), row.text(1)?.to_owned());
        let object = row.object(7)?;
        let volatility = match row.volatility(2)? {
            Volatility::Stable(_) if schema == Schema::BuiltIn => {
                Volatility::Stable(depends_on(object, &name))
            }
            Volatility::Stable(_) => Volatility::Stable(of_extension(row.optional(12), &name)),
            volatility => volatility,
        };
        let overload = Overload {
            schema,
            volatility,
            does: None,
            object,
            defaults: row.analysed(11),
            asks: None,
            fewest: row.number(3)?,
            most: Some(row.number(4)?).filter(|_| !is_variadic),
            takes_row: row.boolean(6)?,
            takes: row.objects(8)?,
            gives: row.object(9)?,
            columns: row.optional(10).unwrap_or_default().lines().map(Into::into).collect(),
        };
        self.catalog.functions.entry(name).or_default().push(overload);
        Ok(())
    }

    fn operator(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let operator = Operator {
            schema: Schema::of(row.text(0)?),
            volatility: row.volatility(2)?,
            does: None,
            object: row.object(3)?,
            left: row.object(4)?,
            right: row.object(5)?,
            gives: row.object(6)?,
        };
        self.catalog.operators.entry(row.text(1)?.to_owned()).or_default().push(operator);
        Ok(())
    }

    fn relation(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let kind = match row.text(2)? {
            "r" | "p" | "m" => RelationKind::Table,
            "v" => match row.optional(4) {
                Some(definition) => RelationKind::View(Box::new(analyse(definition))),
                None => RelationKind::Other(Problem::HiddenView),
            },
            "f" => RelationKind::Other(Problem::ForeignTable),
            "S" => RelationKind::Other(Problem::Sequence),
            _ => RelationKind::Other(Problem::NotATable),
        };
        let problem = row.optional(3).map(|problem| match problem {
            "has a foreign partition" => Problem::ForeignPartition,
            _ => Problem::VolatileOutput,
        });
        let relation = Relation {
            schema: row.text(0)?.to_owned(),
            kind,
            problem,
            has_offsets: row.boolean(7)?,
            policy: row.analysed(6),
            read: None,
            written: None,
            object: row.object(5)?,
        };
        self.catalog.relations.entry(row.text(1)?.to_owned()).or_default().push(relation);
        Ok(())
    }

    fn type_or_cast(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let name = row.text(1)?.to_owned();
        let kind = row.text(2)?.chars().next().unwrap_or('?');
        if kind == 'C' {
            self.catalog.volatile_cast = Some(name);
            return Ok(());
        }
        let schema = Schema::of(row.text(0)?);
        let (mut checks, object) = (row.analysed(4), row.object(3)?);
        let statements = checks.iter_mut().flat_map(|checks| &mut checks.statements);
        // VALUE is no column of that name.
        statements.for_each(|checks| checks.reads.names("value", Value::Unknown));
        let is_array = [built_in::INT2VECTOR, built_in::OIDVECTOR].contains(&object);
        if matches!(kind, 'b' | 'e' | 'r' | 'm') && !is_array {
            self.catalog.plain.insert(object, kind);
        }
        let known = Type { schema, kind, checks, does: None, object };
        self.catalog.types.entry(name).or_default().push(known);
        Ok(())
    }

    fn body(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let object = row.object(0)?;
        let language = match row.text(1)? {
            "quiet" => return Ok(()),
            "sql" => Some(Language::Sql),
            "plpgsql" => Some(Language::PlPgSql),
            "definition" => Some(Language::Definition),
            _ => None,
        };
        let text = row.optional(2);
        if let (Some(text), Some(language), Some(signature)) = (text, language, row.optional(3))
            && let Some(asks) = queries(text, language, signature)
        {
            self.asks.insert(object, Box::new(asks));
        }
        match text.zip(language).and_then(|(text, language)| code(text, language)) {
            Some(code) => self.bodies.push((object, code)),
            None => self.graph.does(call(object), &Deeds::opaque()),
        }
        Ok(())
    }

    fn usage(&mut self, row: Row<'_>) -> Result<(), CatalogError> {
        let user = Node { usage: row.usage(0)?, object: row.object(1)? };
        let used = row.object(3)?;
        match row.text(2)? {
            "x" => self.graph.does(user, &Deeds::opaque()),
            "s" => self.graph.does(user, &Deeds { asks_sequences: true, ..Deeds::default() }),
            "n" => {
                self.behind.push((user.object, used));
                self.graph.edge(user, Node { usage: Usage::Write, object: used });
            }
            _ => self.graph.edge(user, Node { usage: row.usage(2)?, object: used }),
        }
        Ok(())
    }

    /// The catalog.
    pub fn build(mut self) -> Catalog {
        let names: HashMap<u32, TableName> = self
            .catalog
            .relations
            .iter()
            .flat_map(|(name, all)| all.iter().map(|one| (one.object, TableName::bare(name))))
            .collect();
        for (view, table) in std::mem::take(&mut self.behind) {
            let name = names.get(&table).cloned();
            let deeds = name.map_or_else(Deeds::everything, |name| Deeds::of(Writes::table(name)));
            self.graph.does(Node { usage: Usage::Write, object: view }, &deeds);
        }
        let (mut readers, mut callers) = (Vec::new(), HashMap::new());
        for (object, code) in std::mem::take(&mut self.bodies) {
            if self.follow(object, &code, &mut callers) {
                readers.push(object);
            }
        }
        let readers = with_callers(readers, &callers);
        let Self { mut catalog, mut graph, mut asks, .. } = self;
        graph.close();
        catalog.has_asking = graph.any(|deeds| deeds.asks_sequences);
        for overload in catalog.functions.values_mut().flatten() {
            overload.does = graph.deeds(&Node { usage: Usage::Call, object: overload.object });
            overload.asks = asks.remove(&overload.object);
            // It says that it is constant, and reads what changes.
            if readers.contains(&overload.object) {
                overload.volatility = overload.volatility.max(STABLE);
            }
        }
        for operator in catalog.operators.values_mut().flatten() {
            operator.does = graph.deeds(&Node { usage: Usage::Operate, object: operator.object });
        }
        for known in catalog.types.values_mut().flatten() {
            known.does = graph.deeds(&Node { usage: Usage::Type, object: known.object });
        }
        for relation in catalog.relations.values_mut().flatten() {
            relation.read = graph.deeds(&Node { usage: Usage::Read, object: relation.object });
            relation.written = graph.deeds(&Node { usage: Usage::Write, object: relation.object });
        }
        catalog.unnamed = unnamed(&catalog, &graph);
        catalog
    }

    /// Puts into the graph what the text of a function does and uses. True when it may read a relation.
    fn follow(&mut self, object: u32, code: &Code, callers: &mut Callers) -> bool {
        let Self { catalog, graph, .. } = self;
        let mut reads = false;
        catalog.used_by(code, |Node { usage, object: used }, _does| {
            if usage.is_of_all() || is_users(used) {
                graph.edge(call(object), Node { usage, object: used });
                reads |= usage == Usage::Read;
                if usage == Usage::Call {
                    callers.entry(used).or_default().push(object);
                }
            }
        });
        graph.does(call(object), &catalog.deeds_of(code));
        reads
    }
}

/// For each function who calls it.
type Callers = HashMap<u32, Vec<u32>>;

/// These functions with all that call them, and so on.
fn with_callers(mut open: Vec<u32>, callers: &Callers) -> HashSet<u32> {
    let mut found = HashSet::new();
    while let Some(one) = open.pop() {
        if found.insert(one) {
            open.extend(callers.get(&one).into_iter().flatten());
        }
    }
    found
}

/// Of what depends on something that nobody has looked at.
const STABLE: Volatility = Volatility::Stable(DependsOn::More);

/// What may be done although no name in a statement says so.
fn unnamed(catalog: &Catalog, graph: &Graph<Node, Pin>) -> Unnamed {
    let casting = graph.deeds(&Node { usage: Usage::Casts, object: 0 });
    let functions = catalog.functions.values().flatten().filter(|one| one.takes_row);
    let reading = all(casting
        .iter()
        .chain(catalog.operators.values().flatten().filter_map(|one| one.does.as_ref()))
        .chain(catalog.types.values().flatten().filter_map(|one| one.does.as_ref()))
        .chain(functions.filter_map(|one| one.does.as_ref())));
    Unnamed {
        casting,
        reading,
        keeping: graph.deeds(&Node { usage: Usage::DefinesObjects, object: 0 }),
    }
}

const fn call(object: u32) -> Node {
    Node { usage: Usage::Call, object }
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

    /// A statement.
    fn analysed(self, column: usize) -> Option<Box<Analysis>> {
        self.optional(column).map(|text| Box::new(analyse(text)))
    }

    fn number(self, column: usize) -> Result<usize, CatalogError> {
        let number = self.text(column)?.parse::<usize>().ok();
        number.ok_or(CatalogError { query: self.query, column })
    }

    fn boolean(self, column: usize) -> Result<bool, CatalogError> {
        match self.text(column)? {
            "true" | "t" => Ok(true),
            "false" | "f" => Ok(false),
            _ => Err(CatalogError { query: self.query, column }),
        }
    }

    fn object(self, column: usize) -> Result<u32, CatalogError> {
        let number = self.text(column)?.parse::<u32>().ok();
        number.ok_or(CatalogError { query: self.query, column })
    }

    /// A list of numbers.
    fn objects(self, column: usize) -> Result<Box<[u32]>, CatalogError> {
        let numbers = self.text(column)?.split_ascii_whitespace().map(str::parse::<u32>);
        let numbers: Option<_> = numbers.map(Result::ok).collect();
        numbers.ok_or(CatalogError { query: self.query, column })
    }

    fn usage(self, column: usize) -> Result<Usage, CatalogError> {
        match self.text(column)? {
            "f" => Ok(Usage::Call),
            "o" => Ok(Usage::Operate),
            "t" => Ok(Usage::Type),
            "k" => Ok(Usage::Family),
            "r" => Ok(Usage::Read),
            "w" => Ok(Usage::Write),
            "c" => Ok(Usage::Casts),
            "e" => Ok(Usage::DefinesObjects),
            _ => Err(CatalogError { query: self.query, column }),
        }
    }

    fn volatility(self, column: usize) -> Result<Volatility, CatalogError> {
        match self.text(column)? {
            "i" => Ok(Volatility::Immutable),
            "k" => Ok(Volatility::Stable(DependsOn::Settings)),
            "s" => Ok(STABLE),
            "v" => Ok(Volatility::Volatile),
            _ => Err(CatalogError { query: self.query, column }),
        }
    }
}
