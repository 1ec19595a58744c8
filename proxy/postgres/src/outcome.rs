//! What became of a statement: whether it ran, and so whether it has done what its text may do.
//!
//! What a statement may write is under way from before it is sent until all is answered. Then it counts as written, well
//! or in an error, and whatever becomes of its transaction: code can commit in its middle, or write by another connection.
//! Only what provably never ran does not count: what the parser or the analysis of the client's own text refused, and what
//! was skipped behind that. Else a typing error would take everybody's replies out of the cache.

use cache::sql::postgres::{Kind, StatementFacts};
use protocol::postgres::{message, pipeline::TransactionStatus};

use super::{backend::Note, client::Client, ledger::Footprint, work::Work};

impl Work {
    /// A request of the client's has ended that may have done what its text says.
    pub(crate) fn ran(&mut self, note: &Note) {
        if let Some(footprint) = note.footprint() {
            self.ledger.ran(footprint);
        }
    }

    /// An error has ended what the backend was at: if that is a simple query of which nothing ran, it never will.
    pub(crate) fn query_failed(&mut self, error: &[u8]) {
        if let Some(Note::Query { analysis, footprint, completed: 0, .. }) =
            self.loan.pipeline.current()
            && analysis.statements.first().is_some_and(|first| refuses(error, first))
        {
            // Its ReadyForQuery comes still.
            self.ledger.never_ran(&std::mem::take(footprint));
        }
    }

    /// An error has ended a request of the extended protocol, and those behind it are skipped.
    pub(crate) fn end_skipped(&mut self, error: &[u8], failed: Option<&Note>, skipped: &[Note]) {
        let never_ran = match failed {
            Some(Note::Parse { statement, .. } | Note::Prepare(statement)) => {
                let mut statements = statement.analysis.statements.iter();
                statements.next().is_some_and(|first| refuses(error, first))
            }
            Some(Note::Text(analysis)) => {
                analysis.statements.first().is_some_and(|first| refuses(error, first))
            }
            _ => false,
        };
        for footprint in failed.into_iter().chain(skipped).filter_map(Note::footprint) {
            if never_ran {
                self.ledger.never_ran(&footprint);
            } else {
                self.ledger.ran(footprint);
            }
        }
    }
}

impl Client {
    /// Nothing is owed any more: what was written is out of the cache, and all else is as it was.
    pub(crate) fn end_writing(&self, work: &mut Work) {
        let Some(writing) = work.writing.take() else { return };
        if work.loan.pipeline.status() != TransactionStatus::Idle {
            // A commit in the middle makes visible what was written, and the next block is open.
            self.invalidate(work.ledger.written(), Some(&writing));
        }
        writing.settle();
    }
}

impl Note {
    /// What may have been done once the request has ended.
    fn footprint(&self) -> Option<Footprint> {
        match self {
            Self::Query { footprint, .. } | Self::Execute(_, footprint, ..) => {
                Some(footprint.clone())
            }
            Self::Unseen | Self::Call(_) => Some(Footprint::unseen()),
            _ => None,
        }
    }
}

/// Whether an error refuses a text, whose first statement this is, before anything of it was executed.
///
/// The parser and the analysis alone know a place in the client's text (`P`). What fails within code tells of its own text
/// (`p`, `q`: `_SPI_error_callback` in spi.c) or of the code (`W`). There are exceptions, which the file (`F`) tells from it:
/// the value of a literal is read at a place (and a domain's check is run for that), and an error in a function's body is
/// moved to where the client's text holds the same (`function_parse_error_transpose` in pg_proc.c), as may be one in a type's
/// name. EXECUTE runs its arguments before its statement is analysed, and definitions the triggers of events.
fn refuses(error: &[u8], first: &StatementFacts) -> bool {
    let has = |code| message::error_field(error, code).is_some();
    let file = message::error_field(error, b'F').unwrap_or_default();
    let is_of_file = match first.kind {
        // Neither could we parse it.
        Kind::Unknown => matches!(file, b"scan.l" | b"gram.y"),
        Kind::Select | Kind::Write | Kind::Code => {
            file.starts_with(b"parse_") && file != b"parse_type.c"
        }
        _ => false,
    };
    is_of_file && has(b'P') && !has(b'W') && !has(b'p') && !has(b'q')
}

#[cfg(test)]
mod tests {
    use cache::sql::postgres::analyse;

    use super::*;

    fn is_refused(sql: &str, fields: &str) -> bool {
        let error = format!("SERROR\0VERROR\0{}\0\0", fields.replace('|', "\0"));
        refuses(error.as_bytes(), &analyse(sql).statements[0])
    }

    /// FAULTS §4: errors as PostgreSQL 15 sends them.
    #[test]
    fn what_the_parser_or_the_analysis_refuses_never_ran() {
        for (sql, fields) in [
            ("selct 1", "C42601|Msyntax error at or near \"selct\"|P1|Fscan.l|Rscanner_yyerror"),
            ("explain selct", "C42601|Msyntax error|P9|Fscan.l|Rscanner_yyerror"),
            ("select nosuch()", "C42883|Mno|HNo function|P8|Fparse_func.c|RParseFuncOrColumn"),
            ("call nosuch()", "C42883|Mno|P6|Fparse_func.c|RParseFuncOrColumn"),
            ("insert into a values (b)", "C42703|Mno|P23|Fparse_relation.c|RerrorMissingColumn"),
        ] {
            assert!(is_refused(sql, fields), "{sql}");
            for within in ["WPL/pgSQL function f() line 1 at EXECUTE", "p1", "qselct"] {
                assert!(!is_refused(sql, &format!("{fields}|{within}")), "{sql}: {within}");
            }
            assert!(!is_refused(sql, &fields.replace("|P", "|H")), "{sql} without a place");
        }
    }

    #[test]
    fn what_may_have_run_is_not_refused() {
        let analysis = "C42883|Mno|P8|Fparse_func.c|RParseFuncOrColumn";
        for (sql, fields) in [
            ("select f(1/0)", "C22012|Mdivision by zero|Fint.c|Rint4div"),
            ("select '{1}'::checked[]", "C23514|Mno|P8|Fdomains.c|Rdomain_check_input"),
            ("select f(), 'body of g', g()", "C42601|Msyntax error|P14|Fscan.l|Rscanner_yyerror"),
            ("select f(), 'body of g', g()", "C42704|Mno type|P14|Fparse_type.c|Rtypename"),
            ("execute a(f())", analysis),
            ("explain execute a(f())", analysis),
            ("create view v as select nosuch()", analysis),
            ("selct 1", analysis),
            ("select f()", ""),
        ] {
            assert!(!is_refused(sql, fields), "{sql}: {fields}");
        }
    }
}
