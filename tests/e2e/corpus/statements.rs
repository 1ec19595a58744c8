//! Statements by name: used again, taken twice, forgotten.

use e2e::wire::say;

use super::{Conversation, End, step, step_until};

/// The conversations.
#[expect(clippy::too_many_lines, reason = "a table of conversations, not logic")]
pub(super) fn statements() -> Vec<Conversation> {
    let parse = |name: &str| say::parse(name, "SELECT name FROM item WHERE id = $1", &[]);
    let run =
        |name: &str| [say::bind("", name, &[], &[Some(b"5")], &[]), say::execute("", 0)].concat();
    vec![
        (
            "a named statement, used again",
            vec![
                step(&[parse("s"), say::describe(b'S', "s"), say::sync()]),
                step(&[run("s"), say::sync()]),
                step(&[run("s"), run("s"), say::sync()]),
                step(&[say::close(b'S', "s"), say::sync()]),
                step(&[run("s"), say::sync()]),
            ],
        ),
        (
            "a name taken twice",
            vec![
                step(&[parse("s"), say::sync()]),
                step(&[parse("s"), say::sync()]),
                step(&[run("s"), say::sync()]),
            ],
        ),
        (
            "a name never prepared",
            vec![
                step(&[run("none"), say::sync()]),
                step(&[say::describe(b'S', "none"), say::sync()]),
                step(&[say::close(b'S', "none"), say::sync()]),
            ],
        ),
        (
            "a Parse that fails",
            vec![
                step(&[say::parse("s", "SELEKT", &[]), say::sync()]),
                step(&[run("s"), say::sync()]),
                step(&[parse("s"), run("s"), say::sync()]),
            ],
        ),
        (
            "Close and Parse again under one name",
            vec![step(&[
                parse("s"),
                run("s"),
                say::close(b'S', "s"),
                say::parse("s", "SELECT 2", &[]),
                say::bind("", "s", &[], &[], &[]),
                say::execute("", 0),
                say::sync(),
            ])],
        ),
        (
            "the unnamed statement lives on",
            vec![
                step(&[parse(""), say::sync()]),
                step(&[run(""), say::sync()]),
                step(&[run(""), say::sync()]),
                step(&[say::query("SELECT 1")]),
                step(&[run(""), say::sync()]),
            ],
        ),
        (
            "the unnamed statement outlives errors in group after group",
            vec![
                step(&[parse(""), say::sync()]),
                step_until(
                    &[
                        run("none"),
                        say::close(b'S', ""),
                        say::parse("", "SELECT 1", &[]),
                        say::sync(),
                        say::execute("none", 1),
                        say::parse("", "SELECT 2", &[]),
                        say::sync(),
                        say::describe(b'S', ""),
                        say::sync(),
                    ],
                    End::Ready(3),
                ),
            ],
        ),
        (
            "a statement outlives a rollback",
            vec![
                step(&[say::query("BEGIN")]),
                step(&[parse("s"), say::sync()]),
                step(&[say::query("ROLLBACK")]),
                step(&[run("s"), say::sync()]),
            ],
        ),
        (
            "no Parse in a failed transaction",
            vec![
                step(&[say::query("BEGIN; SELECT 1/0")]),
                step(&[parse("s"), say::sync()]),
                step(&[say::query("ROLLBACK")]),
                step(&[run("s"), say::sync()]),
            ],
        ),
        (
            "a long name and odd names",
            vec![step(&[
                parse(&"n".repeat(100)),
                run(&"n".repeat(100)),
                parse("Ünïcode \"quoted\""),
                run("Ünïcode \"quoted\""),
                say::sync(),
            ])],
        ),
        (
            "DEALLOCATE of a protocol statement",
            vec![
                step(&[parse("s"), say::sync()]),
                step(&[say::query("DEALLOCATE s")]),
                step(&[run("s"), say::sync()]),
            ],
        ),
        (
            "DEALLOCATE ALL",
            vec![
                step(&[parse("s"), parse("t"), say::sync()]),
                step(&[say::query("DEALLOCATE ALL")]),
                step(&[run("t"), say::sync()]),
            ],
        ),
        (
            "DISCARD ALL forgets statements",
            vec![
                step(&[parse("s"), say::sync()]),
                step(&[say::query("DISCARD ALL")]),
                step(&[run("s"), say::sync()]),
            ],
        ),
        (
            "EXECUTE of a protocol statement",
            vec![
                step(&[say::parse("s", "SELECT 11", &[]), say::sync()]),
                step(&[say::query("EXECUTE s")]),
            ],
        ),
        (
            "EXECUTE of what an error of an earlier group skips",
            vec![step_until(
                &[
                    say::describe(b'S', "none"),
                    say::parse("s", "SELECT 11", &[]),
                    say::sync(),
                    say::parse("e", "EXECUTE s", &[]),
                    say::describe(b'S', "e"),
                    say::sync(),
                ],
                End::Ready(2),
            )],
        ),
        (
            "an error of an EXECUTE of an EXECUTE",
            vec![
                step(&[say::parse("s", "SELECT $1::int", &[]), say::sync()]),
                step(&[say::parse("e", "EXECUTE s", &[]), say::sync()]),
                step(&[say::query("EXECUTE e")]),
                step(&[run("e"), say::sync()]),
            ],
        ),
        (
            "EXECUTE of what a query ahead prepares",
            vec![step_until(
                &[
                    say::query("PREPARE q AS SELECT 11"),
                    say::parse("e", "EXECUTE q", &[]),
                    say::describe(b'S', "e"),
                    say::sync(),
                ],
                End::Ready(2),
            )],
        ),
        (
            "the description of an EXECUTE behind a group that fails its block",
            vec![
                step(&[
                    say::parse("a", "BEGIN", &[]),
                    say::parse("b", "EXECUTE a", &[]),
                    say::sync(),
                ]),
                step_until(
                    &[
                        say::bind("p", "a", &[], &[], &[]),
                        say::execute("p", 0),
                        say::execute("none", 0),
                        say::sync(),
                        say::describe(b'S', "b"),
                        say::sync(),
                    ],
                    End::Ready(2),
                ),
            ],
        ),
        (
            "what is parsed behind an EXECUTE of DEALLOCATE ALL",
            vec![
                step(&[say::parse("b", "DEALLOCATE ALL", &[]), say::sync()]),
                step_until(
                    &[say::query("EXECUTE b"), say::parse("a", "SELECT 1", &[]), say::sync()],
                    End::Ready(2),
                ),
                step(&[say::parse("a", "SELECT 2", &[]), say::sync()]),
            ],
        ),
        (
            "what is parsed behind an EXECUTE of its DEALLOCATE",
            vec![
                step(&[
                    say::parse("a", "SELECT 1", &[]),
                    say::parse("b", "DEALLOCATE a", &[]),
                    say::parse("c", "EXECUTE b", &[]),
                    say::sync(),
                ]),
                step_until(
                    &[say::query("EXECUTE b"), say::parse("a", "SELECT 2", &[]), say::sync()],
                    End::Ready(2),
                ),
                step_until(
                    &[say::query("EXECUTE c"), say::parse("a", "SELECT 3", &[]), say::sync()],
                    End::Ready(2),
                ),
                step(&[say::query("EXECUTE a")]),
            ],
        ),
        (
            "what is read behind an EXECUTE of a SET",
            vec![
                step(&[say::parse("b", "SET standard_conforming_strings = off", &[]), say::sync()]),
                step_until(
                    &[
                        say::query("EXECUTE b"),
                        say::parse("a", "SELECT 'a\\\\b'", &[]),
                        say::describe(b'S', "a"),
                        say::sync(),
                    ],
                    End::Ready(2),
                ),
                step(&[say::query("EXECUTE a; RESET standard_conforming_strings")]),
            ],
        ),
        (
            "an EXECUTE that fails, of what is closed behind it",
            vec![
                step(&[say::parse("s", "SELECT $1::int", &[]), say::sync()]),
                step(&[
                    say::parse("", "EXECUTE s", &[]),
                    say::bind("", "", &[], &[], &[]),
                    say::execute("", 0),
                    say::close(b'S', "s"),
                    say::sync(),
                ]),
            ],
        ),
        (
            "Bind of a SQL statement",
            vec![
                step(&[say::query("PREPARE q(int) AS SELECT name FROM item WHERE id = $1")]),
                step(&[run("q"), say::sync()]),
            ],
        ),
        (
            "an unknown message between",
            vec![
                step(&[say::query("SELECT 1")]),
                step(&[say::parse("", "SELECT 1", &[]), say::describe(b'X', ""), say::sync()]),
                step(&[say::query("SELECT 2")]),
            ],
        ),
    ]
}
