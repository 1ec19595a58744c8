//! Portals: row limits, lifetimes, formats.

use e2e::wire::say;

use super::{Conversation, step};

/// The conversations.
#[expect(clippy::too_many_lines, reason = "a table of conversations, not logic")]
pub(super) fn portals() -> Vec<Conversation> {
    let open = |portal: &str, sql: &str| {
        [say::parse("", sql, &[]), say::bind(portal, "", &[], &[], &[])].concat()
    };
    let many = "SELECT id FROM item ORDER BY id";
    vec![
        (
            "row limits",
            vec![step(&[
                open("", many),
                say::execute("", 30),
                say::execute("", 30),
                say::execute("", 100),
                say::execute("", 1),
                say::sync(),
            ])],
        ),
        (
            "a row limit that is met exactly",
            vec![step(&[open("", many), say::execute("", 100), say::execute("", 1), say::sync()])],
        ),
        (
            "a portal ends with its transaction",
            vec![
                step(&[open("p", many), say::execute("p", 5), say::sync()]),
                step(&[say::execute("p", 5), say::sync()]),
            ],
        ),
        (
            "a portal lives across Syncs in a transaction",
            vec![
                step(&[say::query("BEGIN")]),
                step(&[open("p", many), say::execute("p", 5), say::sync()]),
                step(&[say::execute("p", 5), say::sync()]),
                step(&[say::query("SELECT 1")]),
                step(&[say::execute("p", 2), say::close(b'P', "p"), say::sync()]),
                step(&[say::execute("p", 2), say::sync()]),
                step(&[say::query("ROLLBACK")]),
            ],
        ),
        (
            "two portals at once",
            vec![
                step(&[say::query("BEGIN")]),
                step(&[
                    open("a", many),
                    open("b", "SELECT name FROM item ORDER BY id DESC"),
                    say::execute("a", 2),
                    say::execute("b", 2),
                    say::execute("a", 2),
                    say::sync(),
                ]),
                step(&[say::query("COMMIT")]),
            ],
        ),
        (
            "a portal's name taken twice",
            vec![
                step(&[say::query("BEGIN")]),
                step(&[open("p", many), open("p", many), say::sync()]),
                step(&[say::query("ROLLBACK")]),
            ],
        ),
        (
            "a portal that does not exist",
            vec![
                step(&[say::describe(b'P', "none"), say::sync()]),
                step(&[say::execute("none", 0), say::sync()]),
                step(&[say::close(b'P', "none"), say::sync()]),
            ],
        ),
        (
            "the empty query",
            vec![step(&[open("", ""), say::describe(b'P', ""), say::execute("", 0), say::sync()])],
        ),
        (
            "a portal of an UPDATE",
            vec![step(&[
                open("", "UPDATE account SET balance = balance RETURNING id"),
                say::describe(b'P', ""),
                say::execute("", 1),
                say::execute("", 0),
                say::sync(),
            ])],
        ),
        (
            "one result format per column",
            vec![step(&[
                say::parse("", "SELECT 1, 'a'::text, 2.5::float8", &[]),
                say::bind("", "", &[], &[], &[1, 0, 1]),
                say::describe(b'P', ""),
                say::execute("", 0),
                say::sync(),
            ])],
        ),
        (
            "too many result formats",
            vec![step(&[
                say::parse("", "SELECT 1", &[]),
                say::bind("", "", &[], &[], &[0, 1]),
                say::execute("", 0),
                say::sync(),
            ])],
        ),
    ]
}
