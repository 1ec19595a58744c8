//! System variables that take one another along.

/// Names of one value, or of values that take one another along. Servers report only the one that was set, as was found by
/// setting each variable of MariaDB 10.11 and MySQL 9.7.
const COUPLED: [&[&str]; 12] = [
    &["alter_algorithm", "old_alter_table"],
    &["character_set_server", "collation_server"],
    &["default_storage_engine", "storage_engine"],
    &["log_queries_not_using_indexes", "log_slow_filter"],
    &["log_slow_admin_statements", "log_slow_disabled_statements", "log_slow_slave_statements"],
    &["log_slow_min_examined_row_limit", "min_examined_row_limit"],
    &["log_slow_query", "slow_query_log"],
    &["log_slow_query_time", "long_query_time"],
    &["max_join_size", "sql_big_selects"],
    &["old", "old_mode"],
    &["tmp_memory_table_size", "tmp_table_size"],
    &["wsrep_causal_reads", "wsrep_sync_wait"],
];

/// The variables that may have become others with the one of this name.
pub(crate) fn coupled_with(name: &[u8]) -> impl Iterator<Item = &'static str> {
    let group = COUPLED.iter().find(|group| group.iter().any(|one| one.as_bytes() == name));
    let others = group.into_iter().copied().flatten().copied();
    others.filter(move |one| one.as_bytes() != name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_names_the_others_that_it_changes() {
        let others = |name: &str| coupled_with(name.as_bytes()).collect::<Vec<_>>();
        assert_eq!(others("max_join_size"), ["sql_big_selects"]);
        assert_eq!(others("collation_server"), ["character_set_server"]);
        assert_eq!(others("time_zone"), [""; 0]);
    }
}
