//! Several messages in flight: Syncs, Flush, errors in the middle.

use e2e::wire::say;

use super::{Conversation, End, step, step_until};

/// The conversations.
#[expect(clippy::too_many_lines, reason = "a table of conversations, not logic")]
pub(super) fn pipelines() -> Vec<Conversation> {
    let run = |sql: &str| {
        [
            say::parse("", sql, &[]),
            say::bind("", "", &[], &[], &[]),
            say::describe(b'P', ""),
            say::execute("", 0),
        ]
        .concat()
    };
    vec![
        (
            "three statements, one Sync",
            vec![step(&[run("SELECT 1"), run("SELECT 2"), run("SELECT 3"), say::sync()])],
        ),
        (
            "three statements, three Syncs",
            vec![step_until(
                &[
                    run("SELECT 1"),
                    say::sync(),
                    run("SELECT 2"),
                    say::sync(),
                    run("SELECT 3"),
                    say::sync(),
                ],
                End::Ready(3),
            )],
        ),
        (
            "an error in the middle, one Sync",
            vec![step(&[run("SELECT 1"), run("SELECT 1/0"), run("SELECT 3"), say::sync()])],
        ),
        (
            "an error in the middle, several Syncs",
            vec![step_until(
                &[
                    run("SELECT 1"),
                    say::sync(),
                    run("SELEKT 1"),
                    run("SELECT 2"),
                    say::sync(),
                    run("SELECT 3"),
                    say::sync(),
                ],
                End::Ready(3),
            )],
        ),
        (
            "errors everywhere",
            vec![step_until(
                &[
                    run("SELECT 1/0"),
                    say::sync(),
                    run("SELECT x"),
                    say::sync(),
                    run("SELECT 3"),
                    say::sync(),
                    say::sync(),
                ],
                End::Ready(4),
            )],
        ),
        (
            "a transaction in one pipeline",
            vec![step(&[
                run("BEGIN"),
                run("UPDATE account SET balance = 7 WHERE id = 2"),
                run("ROLLBACK"),
                say::sync(),
            ])],
        ),
        (
            "two transactions in flight",
            vec![step_until(
                &[
                    run("BEGIN"),
                    run("SELECT 1"),
                    say::sync(),
                    run("COMMIT"),
                    say::sync(),
                    run("BEGIN"),
                    say::sync(),
                    run("ROLLBACK"),
                    say::sync(),
                ],
                End::Ready(4),
            )],
        ),
        (
            "an implicit transaction is rolled back",
            vec![
                step(&[
                    run("UPDATE account SET balance = 1 WHERE id = 2"),
                    run("SELECT 1/0"),
                    say::sync(),
                ]),
                step(&[say::query("SELECT balance FROM account WHERE id = 2")]),
            ],
        ),
        (
            "reads and writes mixed",
            vec![step_until(
                &[
                    run("SELECT balance FROM account WHERE id = 1"),
                    run("UPDATE account SET balance = 55 WHERE id = 1"),
                    run("SELECT balance FROM account WHERE id = 1"),
                    say::sync(),
                    run("UPDATE account SET balance = 100 WHERE id = 1"),
                    say::sync(),
                    run("SELECT balance FROM account WHERE id = 1"),
                    say::sync(),
                ],
                End::Ready(3),
            )],
        ),
        (
            "simple after extended before Sync",
            vec![step_until(
                &[run("SELECT 1"), say::query("SELECT 2"), run("SELECT 3"), say::sync()],
                End::Ready(2),
            )],
        ),
        (
            "simple queries in flight",
            vec![step_until(
                &[say::query("SELECT 1"), say::query("SELECT 1/0"), say::query("SELECT 3")],
                End::Ready(3),
            )],
        ),
        ("only Syncs", vec![step_until(&[say::sync(), say::sync()], End::Ready(2))]),
        (
            "Flush after Parse",
            vec![
                step_until(
                    &[say::parse("", "SELECT $1::int", &[]), say::describe(b'S', ""), say::flush()],
                    End::Tag(b'T'),
                ),
                step(&[
                    say::bind("", "", &[], &[Some(b"4")], &[]),
                    say::execute("", 0),
                    say::sync(),
                ]),
            ],
        ),
        (
            "Flush after Execute",
            vec![
                step_until(&[run("SELECT 1"), say::flush()], End::Tag(b'C')),
                step_until(&[run("SELECT 2"), say::flush()], End::Tag(b'C')),
                step(&[say::sync()]),
            ],
        ),
        (
            "Flush, then an error, then Sync",
            vec![
                step_until(&[run("SELECT 1/0"), run("SELECT 2"), say::flush()], End::Tag(b'E')),
                step(&[run("SELECT 3"), say::sync()]),
            ],
        ),
        (
            "many in one write",
            vec![step_until(
                &[[run("SELECT id, name FROM item ORDER BY id"), say::sync()].concat().repeat(50)],
                End::Ready(50),
            )],
        ),
    ]
}
