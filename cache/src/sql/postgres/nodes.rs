//! Names in the nodes of a parse tree.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RangeVar};

use crate::sql::common::TableName;

/// The table that a range variable names.
pub(super) fn table_name(relation: &RangeVar) -> TableName {
    let schema = Some(relation.schemaname.clone()).filter(|schema| !schema.is_empty());
    TableName { schema, name: relation.relname.clone() }
}

/// The strings of a list of names.
pub(super) fn strings(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().filter_map(string_of).collect()
}

/// A name with its schema, where that is spelled; of a list without names nothing.
pub(super) fn qualified(nodes: &[Node]) -> Option<(Option<&str>, &str)> {
    match strings(nodes).as_slice() {
        [] => None,
        [name] => Some((None, name)),
        [.., schema, name] => Some((Some(schema), name)),
    }
}

fn string_of(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::String(text)) => Some(text.sval.as_str()),
        Some(_) | None => None,
    }
}
