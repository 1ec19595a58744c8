//! `jumpgate login`: remembers a control node and a token.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, BufRead as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use axum::http::Method;
use serde::{Deserialize, Serialize};

use super::{client::Client, error::ManageError};

/// What is remembered, in a file that its owner alone may read.
#[derive(Serialize, Deserialize)]
struct Login {
    url: String,
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cacert: Option<PathBuf>,
}

/// Remembers a control node, if the token from standard input is one of its own.
pub(super) async fn login(url: &str, cacert: Option<&Path>) -> Result<String, ManageError> {
    let mut token = String::new();
    let read = io::stdin().lock().read_line(&mut token);
    read.map_err(|source| ManageError::File { path: PathBuf::from("standard input"), source })?;
    let token = token.trim().to_owned();
    if token.is_empty() {
        let remedy = format!("give the token on standard input: `jumpgate login {url} < token`");
        return Err(ManageError::Given(remedy));
    }
    let cacert =
        cacert.map(|path| std::path::absolute(path).unwrap_or_else(|_gone| path.to_owned()));
    let client = Client::remote(url, token.clone(), cacert.clone())?;
    let verified = client.ask(Method::GET, "/user/tokens/verify", None).await?;
    let path = path()?;
    let failed = |source| ManageError::File { path: path.clone(), source };
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let login = Login { url: url.to_owned(), token, cacert };
    let text = serde_json::to_vec_pretty(&login).map_err(|error| failed(error.into()))?;
    let new = path.with_extension("new");
    let written = || {
        let _left_behind = fs::remove_file(&new);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?.write_all(&text)?;
        fs::rename(&new, &path)
    };
    written().map_err(failed)?;
    let scope = verified["scope"].as_str().unwrap_or("?");
    Ok(format!("Logged in to {url} with a token of the scope {scope}; kept in {}.", path.display()))
}

/// The control node that was logged in to, if any.
pub(super) fn remembered() -> Result<Option<Client>, ManageError> {
    let path = path()?;
    let failed = |source| ManageError::File { path: path.clone(), source };
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let login: Login = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    Client::remote(&login.url, login.token, login.cacert).map(Some)
}

fn path() -> Result<PathBuf, ManageError> {
    let of =
        |variable: &str| std::env::var_os(variable).filter(|it| !it.is_empty()).map(PathBuf::from);
    let folder = of("XDG_CONFIG_HOME").or_else(|| Some(of("HOME")?.join(".config")));
    let folder = folder.ok_or_else(|| ManageError::Given(String::from("HOME is not set")))?;
    Ok(folder.join("jumpgate").join("login.json"))
}
