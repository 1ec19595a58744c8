//! Many statements together: which share of them is cached, and why the rest is not.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use cache::sql::{
    MAX_TEXT_BYTES, Reason, Verdict,
    shown::{Script, shown},
};
use serving::{
    config::CachingConfig,
    verdict::{Never, why_not},
};

use super::judge::Judge;

/// A longer file is not read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// More statements are not judged.
const MAX_STATEMENTS: usize = 100_000;
/// So many reasons are told of.
const MAX_REASONS: usize = 50;
/// So much of a reason and of an example is shown, in characters.
const MAX_CHARS: usize = 120;

/// Why statements cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is longer than is read.
    #[error("{path}: the file is longer than {} MiB; give it in parts", MAX_BYTES >> 20, path = path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// It holds more statements than are judged.
    #[error("there are more than {MAX_STATEMENTS} statements; give them in parts")]
    TooMany,
}

/// Reads a file of statements. What is no UTF-8 in it is replaced.
///
/// # Errors
///
/// It cannot be read, or is too long.
pub fn read_script(path: &Path) -> Result<String, FileError> {
    let unreadable = |error| FileError::Unreadable { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let length = file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if length as u64 > MAX_BYTES {
        return Err(FileError::TooLong { path: path.to_owned() });
    }
    Ok(text(bytes))
}

/// Reads one statement, no more of it than what tells that it is too long to be cached. What is no UTF-8 in it is replaced.
///
/// # Errors
///
/// It cannot be read.
pub fn read_statement(from: impl io::Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(MAX_TEXT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(text(bytes))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// How many statements are cached, and why others are not.
#[derive(Debug, Default)]
pub(super) struct Shares {
    total: usize,
    cached: usize,
    /// Would be, with `clock_max_age`.
    timed: usize,
    /// What does not only read, or is not understood.
    no_reads: usize,
    /// By the words for it.
    reasons: HashMap<String, Refused>,
}

/// Statements that are not cached for the same reason.
#[derive(Debug)]
struct Refused {
    count: usize,
    status: &'static str,
    /// The first of them: its line, and its text without constants.
    line: usize,
    example: String,
}

impl Shares {
    /// Judges all statements of a script.
    ///
    /// # Errors
    ///
    /// There are too many.
    pub(super) fn of(
        script: &str,
        judge: &Judge,
        caching: &CachingConfig,
    ) -> Result<Self, FileError> {
        let (mut shares, dialect) = (Self::default(), judge.dialect());
        for statement in Script::new(script, dialect) {
            if shares.total == MAX_STATEMENTS {
                return Err(FileError::TooMany);
            }
            shares.total += 1;
            let judged = judge.judge(statement.text);
            let is_unknown = judged.verdict == Verdict::Refused(Reason::ParseError);
            let is_no_read = matches!(judged.verdict, Verdict::Refused(Reason::NotAQuery(_)));
            shares.no_reads += usize::from(is_unknown || is_no_read);
            let Some(never) = why_not(Some(&judged.verdict), &judged.hint, caching) else {
                shares.cached += 1;
                continue;
            };
            shares.timed += usize::from(matches!(never, Never::Timed(_)));
            let refused = shares.reasons.entry(never.to_string()).or_insert_with(|| Refused {
                count: 0,
                status: never.status().word(),
                line: statement.line,
                example: shown(statement.text, dialect, !is_unknown),
            });
            refused.count += 1;
        }
        Ok(shares)
    }

    /// The report.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { total, cached, timed, no_reads, .. } = *self;
        let row = |count, what: &str| format!("{count:7}  {:5.1} %  {what}", percent(count, total));
        let mut lines = vec![
            row(total, "statements"),
            row(cached, "cached"),
            row(timed, "cached with clock_max_age, or with max_age in a hint"),
            row(total - cached - timed, "not cached"),
        ];
        let reads = total - no_reads;
        lines.push(format!(
            "Of {reads} that only read, {:.1} % are cached, {:.1} % with clock_max_age.",
            percent(cached, reads),
            percent(cached + timed, reads),
        ));
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(words, refused)| (usize::MAX - refused.count, words.as_str()));
        if !reasons.is_empty() {
            lines.push("Why the others are not:".to_owned());
        }
        for (words, Refused { count, status, line, example }) in reasons.iter().take(MAX_REASONS) {
            lines.push(row(*count, &format!("{status}: {}", one_line(words))));
            lines.push(format!("{:18}line {line}: {}", "", one_line(example)));
        }
        let more = reasons.get(MAX_REASONS..).unwrap_or_default();
        if !more.is_empty() {
            let count = more.iter().map(|(_, refused)| refused.count).sum();
            lines.push(row(count, &format!("for {} more reasons", more.len())));
        }
        lines
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer statements than 2^52")]
fn percent(count: usize, total: usize) -> f64 {
    count as f64 * 100.0 / total.max(1) as f64
}

/// A text in one line, cut to what is shown.
fn one_line(text: &str) -> String {
    let mut words = text.split_whitespace().flat_map(|word| [" ", word]).skip(1);
    let line: String = words.by_ref().collect();
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(script: &str, caching: &CachingConfig) -> Vec<String> {
        let judge = Judge::of_nothing();
        Shares::of(script, &judge, caching).map(|shares| shares.lines()).unwrap()
    }

    const SCRIPT: &str = "\\set id 5
SELECT 1; SELECT 2;
SELECT current_timestamp;
SELECT :id;
-- locks
SELECT 'secret' FOR UPDATE;
SELECT 3 FOR UPDATE;
UPDATE t SET a = $$;$$";

    #[test]
    fn shares_and_reasons_are_told_with_an_example_each() {
        assert_eq!(
            report(SCRIPT, &CachingConfig::default()),
            [
                "      8  100.0 %  statements",
                "      2   25.0 %  cached",
                "      1   12.5 %  cached with clock_max_age, or with max_age in a hint",
                "      5   62.5 %  not cached",
                "Of 5 that only read, 40.0 % are cached, 60.0 % with clock_max_age.",
                "Why the others are not:",
                "      2   25.0 %  uncacheable: locks rows (FOR UPDATE or FOR SHARE)",
                "                  line 5: SELECT ? FOR UPDATE",
                "      2   25.0 %  parseerror: the text is not valid SQL",
                "                  line 1: …",
                "      1   12.5 %  volatile: CURRENT_TIMESTAMP and its like depend on the clock",
                "                  line 3: SELECT current_timestamp",
                "      1   12.5 %  notaquery: the statement writes",
                "                  line 8: UPDATE t SET a = ?",
            ]
        );
    }

    #[test]
    fn the_config_has_its_say() {
        let clock = CachingConfig {
            clock_max_age: std::time::Duration::from_secs(1),
            ..CachingConfig::default()
        };
        assert_eq!(report(SCRIPT, &clock)[1], "      3   37.5 %  cached");
        let disabled = CachingConfig { disabled: true, ..CachingConfig::default() };
        let told = report("SELECT 1", &disabled);
        assert_eq!(told[1], "      0    0.0 %  cached");
        assert!(told[6].contains("disabled: caching.disabled is set"), "{told:?}");
        assert_eq!(report("", &clock)[0], "      0    0.0 %  statements");
    }

    #[test]
    fn more_than_is_judged_is_an_error() {
        let (judge, caching) = (Judge::of_nothing(), CachingConfig::default());
        let script = "x;".repeat(MAX_STATEMENTS + 1);
        assert!(matches!(Shares::of(&script, &judge, &caching), Err(FileError::TooMany)));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.sql");
        File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(matches!(read_script(&path), Err(FileError::TooLong { .. })));
        assert!(read_script(folder.path()).is_err());
    }
}
