//! Behind the way to a database: whether its changes can be captured, and the commands that help where they cannot.

use serving::{
    capture::Finding,
    config::{DatabaseConfig, Engine},
};

/// What was found, as it is shown, and whether nothing is missing. Nothing where no capture is asked for.
///
/// # Cancel safety
///
/// Dropped before it ends, its connections are closed.
pub async fn capture(database: &DatabaseConfig) -> (Vec<String>, bool) {
    let found = match database.engine {
        Engine::Postgres => postgres::findings(database).await,
        Engine::MySql => mysql::findings(database).await,
    };
    let is_complete = !found.iter().any(|finding| matches!(finding, Finding::Missing(..)));
    (found.iter().flat_map(lines).collect(), is_complete)
}

fn lines(finding: &Finding) -> Vec<String> {
    let (mark, what, remedy) = match finding {
        Finding::Fine(what) => ('✓', what, &[][..]),
        Finding::Gap(what, remedy) => ('!', what, &remedy[..]),
        Finding::Missing(what, remedy) => ('✗', what, &remedy[..]),
    };
    // Below the steps, which have times.
    let line = format!("  {mark} {:<16} {:>10}  {:>17}  {what}", "capture", "", "");
    let remedy = remedy.iter().map(|command| format!("      → {command}"));
    std::iter::once(line).chain(remedy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_shown_with_the_commands_that_help() {
        let missing = Finding::Missing("no slot is free".into(), vec!["DO IT;".into()]);
        let shown = lines(&missing).join("\n");
        assert!(
            shown.starts_with("  ✗ capture ") && shown.contains("  no slot is free\n"),
            "{shown}"
        );
        assert!(shown.ends_with("\n      → DO IT;"), "{shown}");
    }
}
