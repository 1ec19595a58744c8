//! `jumpgate why NAME "SELECT …"`: whether a statement's reply can be cached, and why not.

use cache::sql::{self, Analysis, Catalog, TableName, Verdict, Writes};

use crate::{
    config::{CachingConfig, DatabaseConfig},
    postgres::catalog::{self, CatalogError},
};

/// Reads the origin's catalog and explains a statement, line by line.
///
/// # Errors
///
/// [`CatalogError`] where the origin cannot be asked.
pub async fn explain(database: &DatabaseConfig, text: &str) -> Result<Vec<String>, CatalogError> {
    let catalog = catalog::read(database).await?;
    Ok(lines(&sql::analyse(text), &catalog, &database.caching))
}

fn lines(analysis: &Analysis, catalog: &Catalog, caching: &CachingConfig) -> Vec<String> {
    let hint = &analysis.hint;
    let mut lines = Vec::new();
    match sql::classify(analysis, catalog) {
        Verdict::Refused(reason) => {
            lines.push(format!("not cached ({}): {reason}", reason.status()));
        }
        Verdict::Cacheable { .. } if caching.disabled => {
            lines.push("not cached (disabled): caching.disabled is set for this database".into());
        }
        Verdict::Cacheable { .. } if hint.no_cache => {
            lines.push("not cached: the statement's own hint says no-cache".into());
        }
        Verdict::Cacheable { tables } => {
            let max_age = hint.max_age.unwrap_or(caching.max_age).as_secs_f64();
            let stale = hint.stale_while_revalidate.unwrap_or(caching.stale_while_revalidate);
            let stale = stale.as_secs_f64();
            lines.push(format!(
                "cached outside of transactions: fresh for {max_age} s, then stale for {stale} s \
                 while it is refreshed",
            ));
            if !tables.is_empty() {
                lines.push(format!("  a write to {} makes it miss", list(&tables)));
            }
        }
    }
    match sql::writes(analysis, catalog) {
        Writes::None => {}
        Writes::Tables(tables) => {
            lines.push(format!("  it makes cached reads of {} miss", list(&tables)));
        }
        Writes::Everything => {
            lines.push("  it makes every cached read of the database miss".into());
        }
    }
    if let Some(malformed) = &hint.malformed {
        lines.push(format!("  of its hint this was not understood: {malformed}"));
    }
    lines
}

fn list(tables: &[TableName]) -> String {
    tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use cache::sql::CatalogBuilder;

    use super::*;

    #[test]
    fn a_refusal_names_its_status_and_reason() {
        let catalog = CatalogBuilder::new().build();
        let shown = |text: &str| lines(&sql::analyse(text), &catalog, &CachingConfig::default());
        assert!(shown("SELEC 1")[0].starts_with("not cached (parseerror): "));
        assert!(shown("SELECT 1; SELECT 2")[0].starts_with("not cached (multiplestatements): "));
        let update = shown("UPDATE shop.orders SET paid = true");
        assert!(update[0].starts_with("not cached (notaquery): "), "{update:?}");
        assert!(update[1].contains(" miss"), "{update:?}");
        assert!(shown("SELECT 1")[0].starts_with("cached outside of transactions: fresh for 60 s"));
        let hinted = shown("/* jumpgate: no-cache */ SELECT 1");
        assert_eq!(hinted, ["not cached: the statement's own hint says no-cache"]);
    }
}
