//! A parsed file and what reading its values needs: places, paths, secrets.

use std::{
    collections::HashMap,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use origin::secret::Secret;
use parking_lot::Mutex;
use toml::Spanned;

use super::{
    error::{Complaint, ConfigError, Mistakes, key_at, position},
    file::{FileSection, Plain, Typed},
    places::Places,
    words,
};

/// A place in the file.
pub(super) type Span = Range<usize>;

/// Two values and their places.
type Both<'v, A, B> = (&'v Spanned<A>, &'v Spanned<B>);

/// Reads environment variables; tests bring their own.
type Environment = fn(&str) -> Option<String>;

/// A file that has been read and whose keys are known, but whose values are not yet checked.
#[derive(Debug)]
pub struct Document {
    pub(super) source: Source,
    pub(super) sections: FileSection,
    /// Where the keys of its configs stand, by their ids.
    pub(super) places: Mutex<HashMap<String, Places>>,
}

impl Document {
    /// Reads and parses a file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where it cannot be read, is not TOML, or holds an unknown key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, text)
    }

    /// Parses a text; `path` is for messages, and relative paths in the text start at its folder.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the text is not TOML, or holds an unknown key.
    pub fn parse(path: &Path, text: String) -> Result<Self, ConfigError> {
        let source =
            Source { path: path.to_owned(), text, environment: |name| std::env::var(name).ok() };
        let (mut mistakes, mut rest) = (Mistakes::default(), source.text.clone());
        loop {
            let error = match toml::from_str(&rest) {
                Ok(sections) => {
                    return mistakes.or(Some(Self { source, sections, places: Mutex::default() }));
                }
                Err(error) => error,
            };
            // Only the message: the snippet that toml would show may hold a password.
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            let (span, is_of_a_value) =
                (error.span().unwrap_or(0..0), words::is_of_a_value(&message));
            if is_of_a_value || mistakes.is_empty() {
                let typed = source.text.get(span.clone()).unwrap_or_default();
                let key = key_at(&source.text, span.start);
                let (problem, remedy) = words::in_plain_words(&message, &key, typed);
                mistakes.keep::<()>(Err(source.error(&span, problem, remedy)));
            }
            // The parser stops at the first: without that one it finds the next.
            match without_lines(&rest, &span) {
                Some(others) if is_of_a_value => rest = others,
                _ => return mistakes.or(None),
            }
        }
    }

    /// Reads `*_env` settings from this instead of the process's environment.
    #[cfg(test)]
    pub(super) fn with_environment(mut self, environment: Environment) -> Self {
        self.source.environment = environment;
        self
    }
}

/// The text with spaces in the place of the lines of a value, so that all else stays where it is. `None` where that is
/// the head of a table, without which what is below it would belong to another.
fn without_lines(text: &str, span: &Span) -> Option<String> {
    let begin = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let end = text.get(span.end..)?.find('\n').map_or(text.len(), |length| span.end + length);
    let lines = text.get(begin..end)?;
    if lines.trim().is_empty() || lines.trim_start().starts_with('[') {
        return None;
    }
    let blank = lines.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' });
    Some([text.get(..begin)?, &blank.collect::<String>(), text.get(end..)?].concat())
}

/// The text behind a [`Document`].
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    pub(super) text: String,
    environment: Environment,
}

/// The three ways to give a secret.
pub(super) struct SecretKeys<'a> {
    /// The key's name without `_file` or `_env`.
    pub(super) key: &'static str,
    pub(super) plain: &'a Plain,
    pub(super) file: &'a Typed<String>,
    pub(super) environment: &'a Typed<String>,
}

impl Source {
    /// A complaint about a place.
    pub(super) fn error(
        &self,
        span: &Span,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        let (line, column) = position(&self.text, span.start);
        ConfigError::At(Box::new(Complaint {
            path: self.path.clone(),
            line,
            column,
            key: key_at(&self.text, span.start),
            problem: problem.into(),
            remedy: remedy.into(),
        }))
    }

    /// A complaint about the file as a whole.
    pub(super) fn missing_section(&self, section: &str, role: &str) -> ConfigError {
        let problem = format!("there is no [{section}], which {role} needs");
        self.error(&(0..0), problem, "see jumpgate.example.toml")
    }

    /// A value that must be there.
    pub(super) fn required<'v, T>(
        &self,
        value: &'v Typed<T>,
        key: &str,
        section: &Span,
    ) -> Result<&'v Spanned<T>, ConfigError> {
        value
            .as_ref()
            .ok_or_else(|| self.error(section, format!("`{key}` is missing"), format!("add {key}")))
    }

    /// A path, relative to the file's folder.
    pub(super) fn path(&self, value: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(value)
    }

    /// The content of the file that a setting names.
    pub(super) fn content(&self, setting: &Spanned<String>) -> Result<Vec<u8>, ConfigError> {
        let path = self.path(setting.get_ref());
        std::fs::read(&path).map_err(|error| {
            let problem = format!("{} cannot be read: {error}", path.display());
            self.error(&setting.span(), problem, "paths are relative to this file")
        })
    }

    /// A number of seconds, at least `least`.
    pub(super) fn seconds(
        &self,
        value: &Typed<f64>,
        default: Duration,
        least: Duration,
    ) -> Result<Duration, ConfigError> {
        let Some(value) = value else { return Ok(default) };
        let wrong = |problem: String| self.error(&value.span(), problem, "times are in seconds");
        let duration = Duration::try_from_secs_f64(*value.get_ref())
            .map_err(|error| wrong(error.to_string()))?;
        if duration < least {
            return Err(wrong(format!("must be at least {} s", least.as_secs_f64())));
        }
        Ok(duration)
    }

    /// A text that must be a string, without showing it where it is not.
    pub(super) fn text(&self, value: &Spanned<toml::Value>) -> Result<Secret<String>, ConfigError> {
        value.get_ref().as_str().map(|text| Secret::new(text.to_owned())).ok_or_else(|| {
            let problem = format!("must be a string, not {}", value.get_ref().type_str());
            self.error(&value.span(), problem, "put it in quotes")
        })
    }

    /// A secret from the file itself, from a file of its own, or from the environment.
    pub(super) fn secret(
        &self,
        keys: &SecretKeys<'_>,
    ) -> Result<Option<Secret<String>>, ConfigError> {
        let key = keys.key;
        let given = [
            keys.plain.as_ref().map(Spanned::span),
            keys.file.as_ref().map(Spanned::span),
            keys.environment.as_ref().map(Spanned::span),
        ];
        if let Some(second) = given.iter().flatten().nth(1) {
            let remedy = format!("keep one of {key}, {key}_file and {key}_env");
            return Err(self.error(second, format!("{key} is given twice"), remedy));
        }
        if let Some(plain) = keys.plain {
            return self.text(plain).map(Some);
        }
        if let Some(file) = keys.file {
            let content = Secret::new(self.content(file)?);
            let text = std::str::from_utf8(content.expose()).map_err(|_not_utf8| {
                self.error(&file.span(), "the file does not hold UTF-8 text", "")
            })?;
            let text = text.trim_end_matches(['\r', '\n']);
            if text.is_empty() {
                return Err(self.error(
                    &file.span(),
                    "the file is empty",
                    "write the secret into it",
                ));
            }
            return Ok(Some(Secret::new(text.to_owned())));
        }
        let Some(variable) = keys.environment else { return Ok(None) };
        match (self.environment)(variable.get_ref()) {
            Some(text) if !text.is_empty() => Ok(Some(Secret::new(text))),
            Some(_) | None => {
                let problem = format!("the variable {} is not set", variable.get_ref());
                Err(self.error(&variable.span(), problem, "export it before the start"))
            }
        }
    }

    /// Two settings of which neither makes sense without the other.
    pub(super) fn both_or_neither<'v, A, B>(
        &self,
        (first_key, first): (&str, &'v Typed<A>),
        (second_key, second): (&str, &'v Typed<B>),
    ) -> Result<Option<Both<'v, A, B>>, ConfigError> {
        match (first, second) {
            (Some(first), Some(second)) => Ok(Some((first, second))),
            (None, None) => Ok(None),
            (Some(present), None) => {
                let problem = format!("{first_key} is given without {second_key}");
                Err(self.error(&present.span(), problem, "give both or neither"))
            }
            (None, Some(present)) => {
                let problem = format!("{second_key} is given without {first_key}");
                Err(self.error(&present.span(), problem, "give both or neither"))
            }
        }
    }
}
