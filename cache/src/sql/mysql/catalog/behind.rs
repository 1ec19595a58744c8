//! What runs behind functions, triggers and views: from their texts to all that they may write.

use std::collections::{HashMap, HashSet};

use super::super::effects::{Deeds, Pin};
use super::super::facts::FunctionCall;
use super::code::Body;
use super::{Catalog, Place, RelationKind};
use crate::sql::common::{Graph, TableName, Writes};

/// Stored code, before it is known what its names mean.
#[derive(Clone, Debug, Default)]
pub(super) struct Behind {
    /// Without a body it may do anything.
    code: Vec<(Node, Option<Body>)>,
}

/// One way to use one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Node {
    /// A function is called.
    Call(Place),
    /// A procedure is called.
    Procedure(Place),
    /// A view is read.
    Read(Place),
    /// Some view is read.
    ReadAny,
    /// A table is written: what its triggers do.
    Write(Place),
}

impl Node {
    /// The schema that bare names in its code mean.
    fn schema(&self) -> &str {
        match self {
            Self::Call((schema, _))
            | Self::Procedure((schema, _))
            | Self::Read((schema, _))
            | Self::Write((schema, _)) => schema,
            Self::ReadAny => "",
        }
    }
}

impl Behind {
    /// A function, and its body if that can be read.
    pub(super) fn function(&mut self, place: Place, body: Option<Body>) {
        self.code.push((Node::Call(place), body));
    }

    /// A procedure, and its body if that can be read.
    pub(super) fn procedure(&mut self, place: Place, body: Option<Body>) {
        self.code.push((Node::Procedure(place), body));
    }

    /// Believes functions whose bodies cannot be read.
    pub(super) fn believe(&mut self, functions: &HashSet<Place>) {
        self.code.retain(|(node, body)| {
            let is_one = matches!(node, Node::Call(place) if functions.contains(place));
            body.is_some() || !is_one
        });
    }

    /// A trigger of a table, and its body if that can be read.
    pub(super) fn trigger(&mut self, table: Place, body: Option<Body>) {
        self.code.push((Node::Write(table), body));
    }

    /// Finds out what the code does, and tells the functions and relations.
    pub(super) fn look_through(self, catalog: &mut Catalog) {
        let views = views(catalog);
        let mut graph = Graph::default();
        let place = |node: &Node| match node {
            Node::Procedure(place) => Some(place.clone()),
            _ => None,
        };
        let procedures: HashSet<Place> =
            self.code.iter().filter_map(|(node, _)| place(node)).collect();
        for (node, body) in self.code {
            match body {
                Some(body) => {
                    follow(&mut graph, (&node, &body), catalog, &views);
                    calls(&mut graph, (&node, &body), &procedures);
                }
                None => graph.does(node, &Deeds::opaque()),
            }
        }
        read_views(&mut graph, catalog, &views);
        graph.close();
        for (name, functions) in &mut catalog.functions {
            for function in functions {
                function.does = graph.deeds(&Node::Call((function.schema.clone(), name.clone())));
            }
        }
        for (name, relations) in &mut catalog.relations {
            for relation in relations {
                let place = || (relation.schema.clone(), name.clone());
                (relation.read, relation.written) =
                    (graph.deeds(&Node::Read(place())), graph.deeds(&Node::Write(place())));
            }
        }
        catalog.reading = graph.deeds(&Node::ReadAny);
        let known = procedures.into_iter().map(|place| {
            let does = graph.deeds(&Node::Procedure(place.clone()));
            (place, does)
        });
        catalog.procedures = known.collect();
    }
}

/// Puts into the graph which procedures a body calls.
fn calls(graph: &mut Graph<Node, Pin>, (node, body): (&Node, &Body), procedures: &HashSet<Place>) {
    for FunctionCall { schema, name } in &body.procedures {
        let schema = schema.as_deref().unwrap_or(node.schema());
        let place = (schema.to_owned(), name.clone());
        if procedures.contains(&place) {
            graph.edge(node.clone(), Node::Procedure(place));
        } else {
            graph.does(node.clone(), &Deeds::opaque());
        }
    }
}

/// Views by their names, with their schemas.
fn views(catalog: &Catalog) -> HashMap<String, Vec<String>> {
    let mut views: HashMap<String, Vec<String>> = HashMap::new();
    for (name, relations) in &catalog.relations {
        for relation in relations {
            if matches!(relation.kind, RelationKind::View(_)) {
                views.entry(name.clone()).or_default().push(relation.schema.clone());
            }
        }
    }
    views
}

/// Puts into the graph what the text of a function or trigger does and uses.
fn follow(
    graph: &mut Graph<Node, Pin>,
    (node, body): (&Node, &Body),
    catalog: &Catalog,
    views: &HashMap<String, Vec<String>>,
) {
    let schema = node.schema();
    let mut deeds = Deeds::default();
    match &body.writes {
        Writes::Tables(tables) => {
            for table in tables {
                let place = place(table, schema);
                let known = catalog.relations.get(&place.1).into_iter().flatten();
                let known = known.filter(|relation| relation.schema == place.0);
                // Through a view it writes what is behind that.
                let is_plain = known.clone().all(|one| matches!(one.kind, RelationKind::Table));
                deeds.absorb(&Deeds::of(match is_plain && known.count() > 0 {
                    true => Writes::table(TableName::qualified(&place.0, &place.1)),
                    false => Writes::Everything,
                }));
                graph.edge(node.clone(), Node::Write(place));
            }
        }
        writes => {
            deeds.absorb(&Deeds::of(writes.clone()));
        }
    }
    for FunctionCall { schema: spelled, name } in &body.calls {
        let schema = spelled.as_deref().unwrap_or(schema);
        if !is_known(catalog, schema, name) {
            // Neither a function that is known, nor a table with a list of columns.
            deeds.absorb(&Deeds::opaque());
        }
        graph.edge(node.clone(), Node::Call((schema.to_owned(), name.clone())));
    }
    for word in &body.words {
        for schema in views.get(word).into_iter().flatten() {
            graph.edge(node.clone(), Node::Read((schema.clone(), word.clone())));
        }
    }
    graph.does(node.clone(), &deeds);
}

/// Puts into the graph what the definitions of views use.
fn read_views(
    graph: &mut Graph<Node, Pin>,
    catalog: &Catalog,
    views: &HashMap<String, Vec<String>>,
) {
    for name in views.keys() {
        for relation in catalog.relations.get(name).into_iter().flatten() {
            let RelationKind::View(definition) = &relation.kind else { continue };
            let node = || Node::Read((relation.schema.clone(), name.clone()));
            graph.edge(Node::ReadAny, node());
            let Some(definition) = definition else {
                graph.does(node(), &Deeds::opaque());
                continue;
            };
            for query in &definition.statements {
                for call in &query.reads.calls {
                    let schema = call.schema.as_ref().unwrap_or(&relation.schema);
                    if call.schema.is_some() && !is_known(catalog, schema, &call.name) {
                        // A function of a package, of which the catalog shows nothing.
                        graph.does(node(), &Deeds::opaque());
                    }
                    graph.edge(node(), Node::Call((schema.clone(), call.name.clone())));
                }
                for table in &query.reads.relations {
                    graph.edge(node(), Node::Read(place(table, &relation.schema)));
                }
                if !query.reads.is_complete {
                    graph.edge(node(), Node::ReadAny);
                }
            }
        }
    }
}

/// Whether there is a function or a relation of this name.
fn is_known(catalog: &Catalog, schema: &str, name: &str) -> bool {
    let functions = catalog.functions.get(name).into_iter().flatten();
    let relations = catalog.relations.get(name).into_iter().flatten();
    let schemas = functions.map(|one| &one.schema).chain(relations.map(|one| &one.schema));
    schemas.into_iter().any(|known| known == schema)
}

/// Where a table is that code in this schema names so.
fn place(table: &TableName, schema: &str) -> Place {
    (table.schema.clone().unwrap_or_else(|| schema.to_owned()), table.name.clone())
}
