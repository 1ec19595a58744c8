//! What is wrong with a file: where, with which key, and what to do.

use std::{fmt, io, path::PathBuf};

/// Why a file was refused. Its text never holds a value that could be secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file itself cannot be read.
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Something in the file.
    #[error("{0}")]
    At(Box<Complaint>),
    /// Several things in the file, a line each.
    #[error("{}", lines(.0))]
    Several(Vec<Self>),
}

impl ConfigError {
    /// Line and column.
    fn place(&self) -> (usize, usize) {
        match self {
            Self::At(complaint) => (complaint.line, complaint.column),
            Self::Unreadable { .. } | Self::Several(_) => (0, 0),
        }
    }
}

fn lines(errors: &[ConfigError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The mistakes of a file, so that one run tells all of them.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<ConfigError>);

impl Mistakes {
    /// Keeps a mistake, if it is one.
    pub(super) fn keep<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        match result {
            Ok(value) => return Some(value),
            Err(ConfigError::Several(errors)) => self.0.extend(errors),
            Err(error) => self.0.push(error),
        }
        None
    }

    /// All of them.
    pub(super) fn into_errors(self) -> Vec<ConfigError> {
        self.0
    }

    /// Whether there was none so far.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was made, unless there was a mistake; there was one if nothing was made. They are told in the order of the
    /// file.
    pub(super) fn or<T>(mut self, made: Option<T>) -> Result<T, ConfigError> {
        self.0.sort_by_key(ConfigError::place);
        match (made, self.0.pop()) {
            (Some(made), None) => Ok(made),
            (_, Some(only)) if self.0.is_empty() => Err(only),
            (_, last) => {
                self.0.extend(last);
                Err(ConfigError::Several(self.0))
            }
        }
    }
}

/// One complaint about one place in the file.
#[derive(Debug)]
pub struct Complaint {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key with the names of its tables; empty where there is none.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it; empty where the problem says it.
    pub remedy: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.path.display(), self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)?;
        if !self.remedy.is_empty() {
            write!(f, " ({})", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for Complaint {}

/// Line and column of a byte offset, both from 1.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The dotted key that stands at a byte offset: the last table's name and the key of the line.
pub(super) fn key_at(text: &str, offset: usize) -> String {
    let line_start = text.get(..offset).unwrap_or(text).rfind('\n').map_or(0, |at| at + 1);
    let line_end = text
        .get(offset..)
        .and_then(|rest| rest.find('\n'))
        .map_or(text.len(), |length| offset + length);
    let line = text.get(line_start..line_end).unwrap_or_default();
    if let Some(table) = table_name(line) {
        return table.to_owned();
    }
    let table =
        text.get(..line_start).unwrap_or_default().lines().rev().find_map(table_name).unwrap_or("");
    match line.split_once('=') {
        Some((key, _)) if !table.is_empty() => format!("{table}.{}", key.trim()),
        Some((key, _)) => key.trim().to_owned(),
        None => table.to_owned(),
    }
}

/// The name in `[name]` or `[[name]]`.
fn table_name(line: &str) -> Option<&str> {
    let inner = line.trim().strip_prefix('[')?;
    let (name, _) = inner.strip_prefix('[').unwrap_or(inner).split_once(']')?;
    Some(name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_line_column_and_dotted_key() {
        let text = "top = 1\n[a.b] # c\nx = 1\n\n[[c]]\n  name = \"é\"\n";
        let at = |needle| {
            let offset = text.find(needle).unwrap();
            let (line, column) = position(text, offset);
            (line, column, key_at(text, offset))
        };
        assert_eq!(at("1"), (1, 7, String::from("top")));
        assert_eq!(at("x"), (3, 1, String::from("a.b.x")));
        assert_eq!(at("[[c"), (5, 1, String::from("c")));
        assert_eq!(at("\"é"), (6, 10, String::from("c.name")));
    }
}
