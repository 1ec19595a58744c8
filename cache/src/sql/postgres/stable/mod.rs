//! What PostgreSQL's own stable functions depend on besides their arguments, as somebody has reviewed it.
//!
//! `functions.tsv` has a line for each of them in PostgreSQL 15 to 18: oid, name with the types of the arguments, and one
//! of four words. What is not in it, as a newer version's, is refused like what is there as `never`. It was made from what
//! `list.sql` prints, and a test in `tests/e2e` holds that nothing is missing of what the servers there have.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a stable function depends on besides its arguments. The order is from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DependsOn {
    /// Nothing but settings and the user, all of which are in the key of each reply.
    Settings,
    /// The database's own catalogs too, which only DDL changes.
    Catalogs,
    /// The time.
    Clock,
    /// The session, its transaction, the server, statistics, sizes; or texts that are read as whatever type.
    More,
}

/// What a stable function of PostgreSQL's own depends on, by its number and name.
pub(super) fn depends_on(object: u32, name: &str) -> DependsOn {
    match REVIEWED.get(&object) {
        // A number may be another function's in another version.
        Some((known, depends_on)) if *known == name => *depends_on,
        Some(_) | None => DependsOn::More,
    }
}

/// The same of a function in C of an extension.
pub(super) fn of_extension(extension: Option<&str>, name: &str) -> DependsOn {
    match (extension, name) {
        // It looks its dictionary up. That reads a file of the server's once, as those of `to_tsvector(regconfig, text)` do,
        // which PostgreSQL calls immutable.
        (Some("unaccent"), "unaccent") => DependsOn::Catalogs,
        // Settings of the extension's own.
        (Some("pg_trgm"), _) => DependsOn::Settings,
        _ => DependsOn::More,
    }
}

type Reviewed = HashMap<u32, (&'static str, DependsOn)>;

static REVIEWED: LazyLock<Reviewed> =
    LazyLock::new(|| include_str!("functions.tsv").lines().filter_map(reviewed).collect());

fn reviewed(line: &'static str) -> Option<(u32, (&'static str, DependsOn))> {
    let mut columns = line.split('\t');
    let (object, signature) = (columns.next()?.parse().ok()?, columns.next()?);
    let depends_on = match columns.next()? {
        "settings" => DependsOn::Settings,
        "catalog" => DependsOn::Catalogs,
        "clock" => DependsOn::Clock,
        _ => return None,
    };
    let (name, _) = signature.split_once('(')?;
    Some((object, (name, depends_on)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_read() {
        for line in include_str!("functions.tsv").lines() {
            assert_ne!(reviewed(line).is_some(), line.ends_with("\tnever"), "{line}");
        }
        assert!(REVIEWED.len() > 200);
    }

    #[test]
    fn a_number_of_another_name_is_not_reviewed() {
        assert_eq!(depends_on(1217, "date_trunc"), DependsOn::Settings);
        assert_eq!(depends_on(1217, "date_truncate"), DependsOn::More);
        assert_eq!(depends_on(1299, "now"), DependsOn::Clock);
    }
}
