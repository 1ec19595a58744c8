//! A tunnel's token on its way to whoever runs the connector: shown once, or in a file that its owner alone may read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::args::edge::ShownToken;

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct FileError {
    /// Which.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

/// Writes the token to its file, or shows it; returns what to print.
///
/// # Errors
///
/// Where the file cannot be written.
pub fn give(
    (name, id): (&str, &str),
    token: &str,
    shown: &ShownToken,
    out: Option<PrivateFile<'_>>,
) -> Result<String, FileError> {
    if shown.quiet {
        return Ok(token.to_owned());
    }
    let where_to = match out {
        Some(file) => {
            let path = file.path.display().to_string();
            file.fill(format!("{token}\n").as_bytes())?;
            format!("Its token, which holds its secret, is in {path}; only you may read it.")
        }
        None => format!("Its token holds its secret and is not shown again:\n\n{token}"),
    };
    let edges = "--edge EDGE:7844 ".repeat(5);
    Ok(format!(
        "The tunnel {name} is {id}. {where_to}\n\n\
         In the private network, with the edge's ca.pem and the token in the file tunnel.token, run\n  \
           jumpgate connector --edge EDGE:7844 --cacert ca.pem --allow 127.0.0.1:5432 --token-file tunnel.token\n\
         or\n  \
           cloudflared tunnel {edges}--cacert ca.pem --protocol http2 --no-autoupdate --no-prechecks \
           run --token-file tunnel.token"
    ))
}

/// A file that only its owner may read, and that is there as a whole or not at all.
#[derive(Debug)]
pub struct PrivateFile<'a> {
    path: &'a Path,
    /// What is written, until it takes the place of `path`.
    new: PathBuf,
    file: File,
}

impl<'a> PrivateFile<'a> {
    /// One that must not be there yet.
    ///
    /// # Errors
    ///
    /// Where it is there, or cannot be made.
    pub fn create(path: &'a Path) -> Result<Self, FileError> {
        if path.exists() {
            return Err(failed(path, io::ErrorKind::AlreadyExists.into()));
        }
        Self::replace(path)
    }

    /// One that takes the place of what is there.
    ///
    /// # Errors
    ///
    /// Where it cannot be made.
    pub fn replace(path: &'a Path) -> Result<Self, FileError> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        // What a crash has left behind.
        let _not_there = fs::remove_file(&new);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
        let file = file.map_err(|source| failed(path, source))?;
        Ok(Self { path, new, file })
    }

    /// Writes it, and gives it its name.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn fill(mut self, content: &[u8]) -> Result<(), FileError> {
        let written = self
            .file
            .write_all(content)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| fs::rename(&self.new, self.path));
        written.map_err(|source| failed(self.path, source))
    }
}

impl Drop for PrivateFile<'_> {
    fn drop(&mut self) {
        // After a change that was refused; else it has its new name.
        let _renamed = fs::remove_file(&self.new);
    }
}

fn failed(path: &Path, source: io::Error) -> FileError {
    FileError { path: path.to_owned(), source }
}
