//! Configs: `create`, `list`, `get`, `update`, `delete`, `restart`.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::{
    asker::{Asker, segment},
    error::ManageError,
    private, show,
};
use crate::{
    args::manage::{ConfigFlags, PrivateFlags, Scheme},
    report,
};

/// More than any password has.
const PASSWORD_MAX: u64 = 64 << 10;

pub(super) async fn create(
    asker: &Asker<'_>,
    name: &str,
    flags: &ConfigFlags,
    user: Option<&str>,
    private: &PrivateFlags,
) -> Result<String, ManageError> {
    let account = asker.account().await?;
    let mut body = body(flags)?;
    body.insert(String::from("name"), json!(name));
    let way = private::make(asker, &account, name, private, &mut body).await?;
    let path = format!("{account}/hyperdrive/configs");
    let asked = async {
        if let Some(way) = way.as_ref().filter(|_| !asker.client.is_beside()) {
            report::problem(&format!("{}\nWaiting for it…", way.words()));
            way.connected(asker, &account).await?;
        }
        asker.ask(Method::POST, &path, Some(&Value::from(body))).await
    };
    let made = match (asked.await, &way) {
        (Ok(made), _) => made,
        (Err(error), Some(way)) => {
            way.undo(asker, &account).await;
            return Err(error);
        }
        (Err(error), None) => return Err(error),
    };
    let id = made["id"].as_str().unwrap_or_default();
    let asked = json!({ "user": user.unwrap_or(name) });
    let path = format!("{path}/{}/credentials", segment(id));
    let credential = asker.ask(Method::POST, &path, Some(&asked)).await?;
    let both = json!({ "config": made, "credential": credential, "private": way.as_ref().map(private::Made::json) });
    let untested = asker.client.is_beside();
    Ok(asker.shown(&both, |both| {
        let text = |path: &str| show::cell(both, path);
        let mut words = format!(
            "Made the config {name} ({id}).{tested}\n\
             \n\
             Clients connect with this; its password is not shown again:\n  \
               {string}\n\
             \n\
             A Worker of wrangler:\n  \
               \"hyperdrive\": [{{ \"binding\": \"HYPERDRIVE\", \"id\": \"{id}\", \"localConnectionString\": \"{string}\" }}]",
            tested = if untested { " No node was asked whether the database can be reached." } else { "" },
            string = text("credential.connection_string"),
        );
        if let Some(way) = &way {
            words.push_str("\n\n");
            words.push_str(&way.words());
        }
        words
    }))
}

pub(super) async fn list(asker: &Asker<'_>) -> Result<String, ManageError> {
    let account = asker.account().await?;
    let all = asker.all(&format!("{account}/hyperdrive/configs")).await?;
    let columns = [
        ("NAME", "name"),
        ("SCHEME", "origin.scheme"),
        ("HOST", "origin.host"),
        ("PORT", "origin.port"),
        ("DATABASE", "origin.database"),
        ("USER", "origin.user"),
        ("CACHING OFF", "caching.disabled"),
        ("MAX AGE", "caching.max_age"),
        ("LIMIT", "origin_connection_limit"),
        ("CHANGED", "modified_on"),
        ("ID", "id"),
    ];
    Ok(asker.shown(&Value::from(all.clone()), |_| {
        if all.is_empty() {
            return String::from("There are no configs yet; `jumpgate create` makes one.");
        }
        show::table(&columns, &all)
    }))
}

pub(super) async fn get(asker: &Asker<'_>, name: &str) -> Result<String, ManageError> {
    let config = asker.ask(Method::GET, &one(asker, name).await?, None).await?;
    Ok(show::json(&config))
}

pub(super) async fn update(
    asker: &Asker<'_>,
    name: &str,
    rename: Option<&str>,
    flags: &ConfigFlags,
) -> Result<String, ManageError> {
    let mut body = body(flags)?;
    body.extend(rename.map(|name| (String::from("name"), json!(name))));
    if body.is_empty() {
        let message = "say what is to change; `jumpgate update --help` lists what can";
        return Err(ManageError::Given(message.to_owned()));
    }
    let path = one(asker, name).await?;
    let changed = asker.ask(Method::PATCH, &path, Some(&Value::from(body))).await?;
    Ok(show::json(&changed))
}

pub(super) async fn delete(asker: &Asker<'_>, name: &str) -> Result<String, ManageError> {
    let answer = asker.ask(Method::DELETE, &one(asker, name).await?, None).await?;
    Ok(asker.shown(&answer, |_| format!("Deleted the config {name}.")))
}

pub(super) async fn restart(asker: &Asker<'_>, name: &str) -> Result<String, ManageError> {
    let path = format!("{}/restart", one(asker, name).await?);
    let answer = asker.ask(Method::POST, &path, None).await?;
    Ok(asker.shown(&answer, |_| {
        format!(
            "All connections of {name} are opened anew; those in use end with their transaction."
        )
    }))
}

pub(super) async fn purge(
    asker: &Asker<'_>,
    name: &str,
    tables: &[String],
) -> Result<String, ManageError> {
    let path = format!("{}/purge", one(asker, name).await?);
    let answer = asker.ask(Method::POST, &path, Some(&json!({ "tables": tables }))).await?;
    Ok(asker.shown(&answer, |answer| {
        let what = if tables.is_empty() { String::from("all") } else { tables.join(", ") };
        let nodes = show::cell(answer, "nodes");
        format!("Purged of {name:?} on {nodes} proxies: {what}")
    }))
}

pub(super) async fn check(asker: &Asker<'_>, name: &str) -> Result<String, ManageError> {
    let path = format!("{}/check", one(asker, name).await?);
    let answer = asker.ask(Method::POST, &path, Some(&json!({}))).await?;
    Ok(asker.shown(&answer, |answer| {
        let steps = answer["steps"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let steps = steps.map(|step| format!("\n  {step}")).collect::<String>();
        format!("The way to {name:?} is open.{steps}")
    }))
}

/// The path of a config.
pub(super) async fn one(asker: &Asker<'_>, name: &str) -> Result<String, ManageError> {
    Ok(format!("{}/hyperdrive/configs/{}", asker.account().await?, segment(name)))
}

/// What flags say, as the API reads it.
fn body(flags: &ConfigFlags) -> Result<Map<String, Value>, ManageError> {
    let mut origin = match &flags.connection_string {
        Some(url) => parts(url)?,
        None => Map::new(),
    };
    let scheme = flags.scheme.map(|scheme| match scheme {
        Scheme::Postgres => "postgres",
        Scheme::Mysql => "mysql",
    });
    let password = match &flags.password_file {
        Some(path) => Some(first_line(path)?),
        None => flags.password.clone(),
    };
    origin.extend(given([
        ("scheme", json!(scheme)),
        ("host", json!(flags.host)),
        ("port", json!(flags.port)),
        ("database", json!(flags.database)),
        ("user", json!(flags.user)),
        ("password", json!(password)),
        ("access_client_id", json!(flags.access_client_id)),
        ("access_client_secret", json!(flags.access_client_secret)),
    ]));
    let caching = given([
        ("disabled", json!(flags.caching_disabled)),
        ("max_age", json!(flags.max_age)),
        ("stale_while_revalidate", json!(flags.swr)),
    ]);
    let mtls = given([
        ("sslmode", json!(flags.sslmode)),
        ("ca_certificate_id", json!(flags.ca_certificate_id)),
        ("mtls_certificate_id", json!(flags.mtls_certificate_id)),
    ]);
    let pool = given([("min_idle", json!(flags.min_idle))]);
    let tables = [("origin", origin), ("caching", caching), ("pool", pool), ("mtls", mtls)];
    let tables = tables.into_iter().filter(|(_, table)| !table.is_empty());
    let mut body: Map<String, Value> =
        tables.map(|(key, table)| (key.to_owned(), Value::from(table))).collect();
    body.extend(given([("origin_connection_limit", json!(flags.origin_connection_limit))]));
    Ok(body)
}

fn given<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    let given = fields.into_iter().filter(|(_, value)| !value.is_null());
    given.map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A connection string taken apart. What stands behind its `?` has flags of its own, and is refused rather than dropped.
fn parts(url: &str) -> Result<Map<String, Value>, ManageError> {
    let wrong = |what: &str| {
        let form = "postgres://USER:PASSWORD@HOST:PORT/DATABASE, or mysql://…";
        ManageError::Given(format!("the connection string {what}; it is {form}"))
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("has no scheme"))?;
    if !matches!(scheme, "postgres" | "postgresql" | "mysql") {
        return Err(wrong("must begin with postgres:// or mysql://"));
    }
    if rest.contains('?') {
        return Err(wrong("has parameters, which have flags of their own (--sslmode)"));
    }
    let (login, rest) = rest.rsplit_once('@').ok_or_else(|| wrong("names no user"))?;
    let (user, password) = login.split_once(':').ok_or_else(|| wrong("has no password"))?;
    let (place, database) = rest.split_once('/').ok_or_else(|| wrong("names no database"))?;
    let usual = if scheme == "mysql" { 3306 } else { 5432 };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().map_err(|_not_a_port| wrong("has a port that is none"))?)
        }
        _ => (place, usual),
    };
    let decoded = |text: &str| {
        let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
        decoded.map(String::from).map_err(|_not_utf8| wrong("is not UTF-8"))
    };
    Ok(given([
        ("scheme", json!(scheme)),
        ("host", json!(decoded(host)?)),
        ("port", json!(port)),
        ("database", json!(decoded(database)?)),
        ("user", json!(decoded(user)?)),
        ("password", json!(decoded(password)?)),
    ]))
}

/// The first line of a file, or of standard input.
fn first_line(path: &Path) -> Result<String, ManageError> {
    let failed = |source| ManageError::File { path: path.to_owned(), source };
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().lock().take(PASSWORD_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(PASSWORD_MAX).read_to_string(&mut text))
    }
    .map_err(failed)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// What a file holds, as text.
pub(super) fn text_of(path: &PathBuf) -> Result<String, ManageError> {
    std::fs::read_to_string(path).map_err(|source| ManageError::File { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_taken_apart() {
        let origin = parts("postgres://us%40er:p%3Aw@[::1]:5433/d").unwrap();
        let expected = json!({
            "scheme": "postgres", "host": "[::1]", "port": 5433, "database": "d", "user": "us@er", "password": "p:w",
        });
        assert_eq!(Value::from(origin), expected);
        assert_eq!(parts("mysql://a:b@h/d").unwrap()["port"], 3306);
        assert_eq!(parts("mysql://a:b@[::1]/d").unwrap()["host"], "[::1]");
        for wrong in [
            "x",
            "oracle://a:b@h/d",
            "postgres://h/d",
            "postgres://a@h/d",
            "postgres://a:b@h",
            "mysql://a:b@h:x/d",
            "mysql://a:b@h/d?ssl=1",
        ] {
            let error = parts(wrong).unwrap_err().to_string();
            assert!(error.contains("postgres://USER:PASSWORD@"), "{error}");
        }
    }
}
