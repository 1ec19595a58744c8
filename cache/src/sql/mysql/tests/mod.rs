//! Tables of SQL against real catalogs of MariaDB 10.11 and MySQL 9, and texts made to break the reader.

mod classification;
mod hostile;
mod lexer;
mod look_ups;
mod state;
mod times;
mod written;

use super::{
    Analysis, Catalog, CatalogBuilder, CatalogQuery, Effect, Kind, Modes, StatementFacts, analyse,
};

const PLAIN: Modes = Modes { ansi_quotes: false, no_backslash_escapes: false };

fn analysed(sql: &str) -> Analysis {
    analyse(sql, PLAIN)
}

/// What one statement is.
fn only(sql: &str) -> StatementFacts {
    let Analysis { statements, .. } = analysed(sql);
    let [facts] = statements.try_into().unwrap_or_else(|all| panic!("{sql}: {all:?}"));
    facts
}

fn kind(sql: &str) -> Kind {
    only(sql).kind
}

fn effects(sql: &str) -> Vec<Effect> {
    analysed(sql).effects().cloned().collect()
}

/// The catalogs of the database in `fixtures/mysql/schema.sql`, with the names of their servers.
fn catalogs() -> [(&'static str, Catalog); 2] {
    [("mariadb", catalog(mariadb)), ("mysql", catalog(mysql))]
}

fn catalog(rows_of: fn(CatalogQuery) -> &'static str) -> Catalog {
    let mut builder = CatalogBuilder::new();
    for query in CatalogQuery::ALL {
        for line in rows_of(query).lines() {
            let columns: Vec<Option<String>> = line.split('\t').map(written).collect();
            let columns: Vec<Option<&str>> = columns.iter().map(Option::as_deref).collect();
            builder.row(query, &columns).unwrap();
        }
    }
    builder.build()
}

/// One column as the command line client writes it.
fn written(column: &str) -> Option<String> {
    (column != "NULL").then(|| column.replace("\\n", "\n").replace("\\\\", "\\"))
}

fn mariadb(query: CatalogQuery) -> &'static str {
    match query {
        CatalogQuery::Tables => include_str!("../../../../fixtures/mysql/mariadb10/tables.tsv"),
        CatalogQuery::Views => include_str!("../../../../fixtures/mysql/mariadb10/views.tsv"),
        CatalogQuery::Cascades => include_str!("../../../../fixtures/mysql/mariadb10/cascades.tsv"),
        CatalogQuery::Functions => {
            include_str!("../../../../fixtures/mysql/mariadb10/functions.tsv")
        }
        CatalogQuery::Columns => include_str!("../../../../fixtures/mysql/mariadb10/columns.tsv"),
        CatalogQuery::Code => include_str!("../../../../fixtures/mysql/mariadb10/code.tsv"),
    }
}

fn mysql(query: CatalogQuery) -> &'static str {
    match query {
        CatalogQuery::Tables => include_str!("../../../../fixtures/mysql/mysql9/tables.tsv"),
        CatalogQuery::Views => include_str!("../../../../fixtures/mysql/mysql9/views.tsv"),
        CatalogQuery::Cascades => include_str!("../../../../fixtures/mysql/mysql9/cascades.tsv"),
        CatalogQuery::Functions => include_str!("../../../../fixtures/mysql/mysql9/functions.tsv"),
        CatalogQuery::Columns => include_str!("../../../../fixtures/mysql/mysql9/columns.tsv"),
        CatalogQuery::Code => include_str!("../../../../fixtures/mysql/mysql9/code.tsv"),
    }
}
