//! COPY in both directions, ended well and badly.

use e2e::wire::say;

use super::{Conversation, End, step, step_until};

/// The conversations.
#[expect(clippy::too_many_lines, reason = "a table of conversations, not logic")]
pub(super) fn copies() -> Vec<Conversation> {
    let start = || step_until(&[say::query("COPY account FROM STDIN")], End::Tag(b'G'));
    let clean = || step(&[say::query("DELETE FROM account WHERE id > 2")]);
    let pipelined = |end: Vec<u8>| {
        step(&[
            say::parse("", "COPY account FROM STDIN", &[]),
            say::bind("", "", &[], &[], &[]),
            say::execute("", 0),
            say::copy_data("12\t1\n"),
            end,
            say::sync(),
        ])
    };
    vec![
        (
            "COPY out",
            vec![step(&[say::query("COPY (SELECT id, name FROM item ORDER BY id) TO STDOUT")])],
        ),
        (
            "COPY out as csv",
            vec![step(&[say::query(
                "COPY (SELECT id, tags FROM item ORDER BY id LIMIT 5) TO STDOUT (FORMAT csv, HEADER)",
            )])],
        ),
        (
            "COPY out, binary",
            vec![step(&[say::query(
                "COPY (SELECT id, name FROM item ORDER BY id LIMIT 9) TO STDOUT (FORMAT binary)",
            )])],
        ),
        (
            "COPY out, large",
            vec![step(&[say::query("COPY (SELECT * FROM wide ORDER BY id) TO STDOUT")])],
        ),
        (
            "COPY out, extended",
            vec![step(&[
                say::parse("", "COPY (SELECT 1) TO STDOUT", &[]),
                say::bind("", "", &[], &[], &[]),
                say::describe(b'P', ""),
                say::execute("", 0),
                say::sync(),
            ])],
        ),
        (
            "COPY out that fails halfway",
            vec![step(&[say::query(
                "COPY (SELECT 1 / (id - 40) FROM item ORDER BY id) TO STDOUT",
            )])],
        ),
        (
            "COPY in",
            vec![
                start(),
                step(&[say::copy_data("10\t5\n"), say::copy_data("11\t6\n"), say::copy_done()]),
                clean(),
            ],
        ),
        ("COPY in of nothing", vec![start(), step(&[say::copy_done()])]),
        (
            "COPY in aborted by the client",
            vec![
                start(),
                step(&[say::copy_data("10\t5\n"), say::copy_fail("enough")]),
                step(&[say::query("SELECT count(*) FROM account")]),
            ],
        ),
        (
            "COPY in refused by the server",
            vec![
                start(),
                step(&[say::copy_data("x\ty\n"), say::copy_data("z\n"), say::copy_done()]),
                step(&[say::query("SELECT 1")]),
            ],
        ),
        (
            "COPY in with a Sync before its end",
            vec![
                start(),
                step(&[say::sync(), say::flush(), say::copy_data("13\t5\n"), say::copy_done()]),
                clean(),
            ],
        ),
        ("COPY in, extended", vec![pipelined(say::copy_done()), clean()]),
        (
            "COPY in, extended, aborted",
            vec![pipelined(say::copy_fail("no")), step(&[say::query("SELECT 1")])],
        ),
        (
            "COPY in between other statements",
            vec![
                step_until(
                    &[say::query("SELECT 1; COPY account FROM STDIN; SELECT 2")],
                    End::Tag(b'G'),
                ),
                step(&[say::copy_data("14\t5\n"), say::copy_done()]),
                clean(),
            ],
        ),
        ("COPY in of a missing table", vec![step(&[say::query("COPY missing FROM STDIN")])]),
    ]
}
