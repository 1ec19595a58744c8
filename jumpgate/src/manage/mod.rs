//! The tools that manage a fleet: `create`, `list`, `update` and so on, through a control node or in its store.
//!
//! Each is a request of the API and a way to show the answer; there is no second implementation of anything.

mod access;
mod asker;
mod client;
mod cloudflared;
mod configs;
mod error;
mod login;
mod private;
mod rest;
mod show;
mod top;
mod tunnels;

use std::path::Path;

pub use self::error::ManageError;
use self::{asker::Asker, client::Client, top::Source};
use crate::{
    args::{
        edge::{AccessAction, TunnelAction},
        manage::{Manage, Target},
        top::Top,
    },
    config::Document,
};

/// Runs a tool and returns what to print.
///
/// # Errors
///
/// [`ManageError`] says what to do.
pub async fn run(config: &Path, tool: &Manage) -> Result<String, ManageError> {
    if let Manage::Login { url, cacert } = tool {
        return login::login(url, cacert.as_deref()).await;
    }
    let asker = asker(config, target(tool)).await?;
    match tool {
        Manage::Create { name, config, client_user, private, .. } => {
            configs::create(&asker, name, config, client_user.as_deref(), private).await
        }
        Manage::List { .. } => configs::list(&asker).await,
        Manage::Get { name, .. } => configs::get(&asker, name).await,
        Manage::Update { name, rename, config, .. } => {
            configs::update(&asker, name, rename.as_deref(), config).await
        }
        Manage::Delete { name, .. } => configs::delete(&asker, name).await,
        Manage::Restart { name, .. } => configs::restart(&asker, name).await,
        Manage::Credentials(action) => rest::credentials(&asker, action).await,
        Manage::Cert(action) => rest::certificates(&asker, action).await,
        Manage::Token(action) => rest::tokens(&asker, action).await,
        Manage::CloudflaredLogin { out, name, .. } => {
            cloudflared::login(&asker, name, out.as_deref()).await
        }
        Manage::Nodes { .. } => rest::nodes(&asker).await,
        Manage::Audit { count, .. } => rest::audit(&asker, *count).await,
        Manage::Login { .. } => Err(ManageError::Nowhere),
    }
}

/// Whether a control plane is asked where an edge's folder could be: the flags say so, or the file is not that of an edge
/// without one.
pub fn is_asked(config: &Path, target: &Target) -> bool {
    let is_elsewhere =
        |document: Document| document.has_control() || document.follows() || !document.has_edge();
    target.api_url.is_some() || !config.exists() || Document::read(config).is_ok_and(is_elsewhere)
}

/// Runs `jumpgate tunnel …` and returns what to print.
///
/// # Errors
///
/// [`ManageError`] says what to do.
pub async fn tunnel(
    config: &Path,
    target: &Target,
    action: &TunnelAction,
) -> Result<String, ManageError> {
    tunnels::run(&asker(config, target).await.map_err(of_edge)?, action).await
}

/// Runs `jumpgate access …` and returns what to print.
///
/// # Errors
///
/// [`ManageError`] says what to do.
pub async fn access(
    config: &Path,
    target: &Target,
    action: &AccessAction,
) -> Result<String, ManageError> {
    access::run(&asker(config, target).await.map_err(of_edge)?, action).await
}

fn of_edge(error: ManageError) -> ManageError {
    if matches!(error, ManageError::Nowhere) { ManageError::NowhereForEdge } else { error }
}

/// Has all proxies forget what they keep of a config, or of some tables; returns what to print.
///
/// # Errors
///
/// [`ManageError`] says what to do.
pub async fn purge(
    config: &Path,
    target: &Target,
    name: &str,
    tables: &[String],
) -> Result<String, ManageError> {
    let asker = asker(config, target).await?;
    asker.needs_nodes("has proxies forget")?;
    configs::purge(&asker, name, tables).await
}

/// Has a proxy walk the way to a config's database; returns what to print.
///
/// # Errors
///
/// [`ManageError`] says where the way ends.
pub async fn check(config: &Path, target: &Target, name: &str) -> Result<String, ManageError> {
    configs::check(&asker(config, target).await?, name).await
}

/// Shows what clients do until somebody has seen enough, and returns what to print then: what was seen last or, with `--once`,
/// a table.
///
/// # Errors
///
/// [`ManageError`] says what to do.
///
/// # Cancel safety
///
/// The terminal is given back when it is dropped.
pub async fn top(config: &Path, args: &Top) -> Result<String, ManageError> {
    let source = match Source::proxy(config, args)? {
        Some(proxy) => proxy,
        None => Source::control(asker(config, &args.target).await?, args).await?,
    };
    top::run(&source, args).await
}

async fn asker<'a>(config: &Path, target: &'a Target) -> Result<Asker<'a>, ManageError> {
    let client = match &target.api_url {
        Some(url) => {
            let remedy = "give --api-token, or JUMPGATE_API_TOKEN, with --api-url";
            let token = target.api_token.clone();
            let token = token.ok_or_else(|| ManageError::Given(remedy.to_owned()))?;
            Client::remote(url, token, target.api_cacert.clone())?
        }
        None => match beside(config) {
            Some(setup) => {
                Client::beside(setup.map_err(|it| ManageError::Store(it.into()))?).await?
            }
            None => login::remembered()?.ok_or(ManageError::Nowhere)?,
        },
    };
    Ok(Asker { client, target })
}

/// The store of a control node's own file, where that is what the file is.
fn beside(
    config: &Path,
) -> Option<Result<crate::config::ControlSetup, crate::config::ConfigError>> {
    let document = Document::read(config).ok()?;
    document.has_control().then(|| document.control())
}

fn target(tool: &Manage) -> &Target {
    use crate::args::manage::{Cert, Credentials, Token};
    match tool {
        Manage::Create { target, .. }
        | Manage::List { target }
        | Manage::Get { target, .. }
        | Manage::Update { target, .. }
        | Manage::Delete { target, .. }
        | Manage::Restart { target, .. }
        | Manage::CloudflaredLogin { target, .. }
        | Manage::Nodes { target }
        | Manage::Audit { target, .. }
        | Manage::Credentials(
            Credentials::List { target, .. }
            | Credentials::Create { target, .. }
            | Credentials::Rotate { target, .. }
            | Credentials::Delete { target, .. },
        )
        | Manage::Cert(
            Cert::List { target } | Cert::Upload { target, .. } | Cert::Delete { target, .. },
        )
        | Manage::Token(
            Token::List { target }
            | Token::Create { target, .. }
            | Token::Roll { target, .. }
            | Token::Delete { target, .. },
        ) => target,
        Manage::Login { .. } => &NOTHING,
    }
}

static NOTHING: Target =
    Target { api_url: None, api_token: None, api_cacert: None, account: None, json: false };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_or_a_flag_says_whether_a_control_plane_is_asked() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("jumpgate.toml");
        let nothing = Target::default();
        assert!(is_asked(&file, &nothing), "there is no file");
        let edge = "[edge]\nstate = \"edge\"\n";
        let follows = "[control]\nurl = \"https://c.test\"\ntoken_file = \"t\"\n";
        let store = "[control]\nstore = \"sqlite:c.db\"\n";
        for (text, is_plane) in [
            (edge.to_owned(), false),
            (format!("{edge}{follows}"), true),
            (store.to_owned(), true),
            (String::from("[listen]\npostgres = \"127.0.0.1:0\"\n"), true),
            // The edge's way says what is wrong with it.
            (String::from("[edge\n"), false),
        ] {
            std::fs::write(&file, &text).unwrap();
            assert_eq!(is_asked(&file, &nothing), is_plane, "{text}");
            let told =
                Target { api_url: Some(String::from("https://c.test")), ..Target::default() };
            assert!(is_asked(&file, &told), "{text}");
        }
    }
}
