//! How long reads live.

use super::*;

/// Issue 15, item 6.
#[test]
fn rules_of_caching_are_served_in_their_order_with_the_ages_of_all() {
    let text = with_database(
        "[database.caching]\nmax_age = 7\n[[database.caching.rule]]\ntables = ['Shop.Orders', 't']\nnever = true\n\
         [[database.caching.rule]]\nuser = 'r'\nclock_max_age = 2\n",
    );
    let shown = |text: &str| {
        let config = parse(text).unwrap().proxy().unwrap();
        config.databases[0].caching.rules.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let second = "rule 2 of [database.caching]: user = \"r\", max_age = 7, stale_while_revalidate = 15, clock_max_age = 2";
    assert_eq!(
        shown(&text),
        ["rule 1 of [database.caching]: tables = [\"Shop.Orders\", \"t\"], never = true", second]
    );
    // In MySQL no two tables differ in nothing but case, as far as the analysis of a text can tell.
    let text = text.replace("'postgres'", "'mysql'").replace("postgres = ", "mysql = ");
    assert_eq!(
        shown(&text),
        ["rule 1 of [database.caching]: tables = [\"shop.orders\", \"t\"], never = true", second]
    );
}

#[test]
fn a_rule_of_caching_that_is_wrong_is_told_at_its_place() {
    refused(&[
        (
            &with_database("[[database.caching.rule]]\ntables = ['a.b.c']\nnever = true\n"),
            "jumpgate.toml:16:10: database.caching.rule.tables: \"a.b.c\" is no name of a table (write \"table\" or",
        ),
        (
            &with_database("[[database.caching.rule]]\ntable = ['a']\nnever = true\n"),
            "jumpgate.toml:16:1: database.caching.rule.table: ",
        ),
    ]);
}
