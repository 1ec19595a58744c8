//! Tables of SQL against a real PostgreSQL 15 catalog, and texts made to break the parser.

mod behind;
mod classification;
mod functions;
mod hostile;
mod look_ups;
mod state;
mod written;

use super::{Analysis, Catalog, CatalogBuilder, CatalogQuery, analyse, classify};
use crate::sql::{Reason, Verdict};

/// The catalog of the database in `fixtures/schema.sql`.
fn catalog() -> Catalog {
    let mut builder = CatalogBuilder::new();
    for query in CatalogQuery::ALL {
        for line in rows_of(query).lines() {
            let columns: Vec<Option<String>> = line.split('\t').map(copied).collect();
            let columns: Vec<Option<&str>> = columns.iter().map(Option::as_deref).collect();
            builder.row(query, &columns).unwrap();
        }
    }
    builder.build()
}

fn rows_of(query: CatalogQuery) -> &'static str {
    match query {
        CatalogQuery::Functions => include_str!("../../../../fixtures/postgres15/functions.tsv"),
        CatalogQuery::Operators => include_str!("../../../../fixtures/postgres15/operators.tsv"),
        CatalogQuery::Relations => include_str!("../../../../fixtures/postgres15/relations.tsv"),
        CatalogQuery::Links => include_str!("../../../../fixtures/postgres15/links.tsv"),
        CatalogQuery::Types => include_str!("../../../../fixtures/postgres15/types.tsv"),
        CatalogQuery::Columns => include_str!("../../../../fixtures/postgres15/columns.tsv"),
        CatalogQuery::Casts => include_str!("../../../../fixtures/postgres15/casts.tsv"),
        CatalogQuery::Bodies => include_str!("../../../../fixtures/postgres15/bodies.tsv"),
        CatalogQuery::Uses => include_str!("../../../../fixtures/postgres15/uses.tsv"),
    }
}

/// One column as COPY writes it.
fn copied(column: &str) -> Option<String> {
    (column != "\\N").then(|| column.replace("\\n", "\n").replace("\\\\", "\\"))
}

fn verdict(sql: &str) -> Verdict {
    classify(&analyse(sql), &catalog())
}

/// What one statement is.
fn only(sql: &str) -> super::StatementFacts {
    let Analysis { statements, .. } = analyse(sql);
    let [facts] = statements.try_into().unwrap();
    facts
}

fn refused(verdict: Verdict) -> Option<Reason> {
    match verdict {
        Verdict::Timed { reason, .. } | Verdict::Refused(reason) => Some(reason),
        Verdict::Cacheable { .. } => None,
    }
}
