//! Who is asked what goes on: a control node for all its proxies, or one proxy.

use std::{net::SocketAddr, path::Path, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request, Uri, header},
};
use control::{live::Live, nodes::activity::Activity};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::{net::TcpStream, time::timeout};

use super::super::{
    asker::{Asker, segment},
    client::send,
    error::ManageError,
};
use crate::{args::top::Top, config::Document};

/// Of each database.
const STATEMENTS: usize = 200;
const SESSIONS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(10);

/// Who is asked.
pub(in crate::manage) enum Source<'a> {
    /// A control node, and the path of the question.
    Control(Asker<'a>, String),
    /// A proxy's admin port, and the path of the question.
    Proxy(String, String),
}

impl<'a> Source<'a> {
    /// The proxy that the flags name, or whose file it is.
    ///
    /// # Errors
    ///
    /// Where that says nothing of its admin port.
    pub(in crate::manage) fn proxy(config: &Path, args: &Top) -> Result<Option<Self>, ManageError> {
        let own = if args.target.api_url.is_none() { admin_of(config)? } else { None };
        let named = args.admin.as_deref().map(place).transpose()?;
        Ok(named.or(own).map(|place| {
            let database = args
                .name
                .as_deref()
                .map(|name| format!("&database={}", utf8_percent_encode(name, NON_ALPHANUMERIC)));
            Self::Proxy(place, format!("/activity?{}{}", counts(), database.unwrap_or_default()))
        }))
    }

    /// A control node.
    ///
    /// # Errors
    ///
    /// Where none runs there, or there is no such account.
    pub(in crate::manage) async fn control(
        asker: Asker<'a>,
        args: &Top,
    ) -> Result<Self, ManageError> {
        asker.needs_nodes("can ask proxies what goes on")?;
        let all = format!("{}/hyperdrive", asker.account().await?);
        let path = match &args.name {
            Some(name) => format!("{all}/configs/{}/activity?{}", segment(name), counts()),
            None => format!("{all}/activity?{}", counts()),
        };
        Ok(Self::Control(asker, path))
    }

    /// What goes on now.
    ///
    /// # Errors
    ///
    /// Why nobody has said.
    pub(super) async fn look(&self) -> Result<Live, ManageError> {
        match self {
            Self::Control(asker, path) => {
                let told = asker.ask(Method::GET, path, None).await?;
                serde_json::from_value(told).map_err(|_other| ManageError::NoApi { status: 200 })
            }
            Self::Proxy(place, path) => {
                let asked = timeout(PATIENCE, ask(place, path)).await;
                let activity = asked.unwrap_or_else(|late| Err(unreachable(place, late.into())))?;
                let answers = vec![(String::new(), activity)];
                Ok(Live::of(1, answers, STATEMENTS, SESSIONS))
            }
        }
    }
}

fn counts() -> String {
    format!("statements={STATEMENTS}&sessions={SESSIONS}")
}

async fn ask(place: &str, path: &str) -> Result<Activity, ManageError> {
    let stream = TcpStream::connect(place).await.map_err(|error| unreachable(place, error))?;
    // It wants to be asked by its address.
    let address = stream.peer_addr().map_err(|error| unreachable(place, error))?;
    let request = Request::builder().uri(path).header(header::HOST, address.to_string());
    let request = request.body(Body::empty()).map_err(ManageError::Request)?;
    let answer = send(stream, request).await;
    let (status, body) =
        answer.map_err(|error| unreachable(place, std::io::Error::other(error)))?;
    serde_json::from_slice(&body).ok().filter(|_| status == 200).ok_or_else(|| {
        let message = format!(
            "what answers at {place} with status {status} does not say what clients do; is it the [admin] of a proxy of this \
             version?"
        );
        ManageError::Given(message)
    })
}

fn unreachable(place: &str, source: std::io::Error) -> ManageError {
    ManageError::File { path: format!("the proxy at {place}").into(), source }
}

/// `http://HOST:PORT`, or without the scheme.
fn place(url: &str) -> Result<String, ManageError> {
    let wrong = || ManageError::Given(format!("{url:?} is no http://ADDRESS:PORT of an [admin]"));
    let uri: Uri = url.trim_end_matches('/').parse().map_err(|_invalid| wrong())?;
    let authority = uri.authority().filter(|it| it.port_u16().is_some());
    let is_plain = uri.scheme_str().is_none_or(|scheme| scheme == "http");
    let authority = authority.filter(|_| is_plain && uri.path().len() < 2).ok_or_else(wrong)?;
    Ok(authority.as_str().to_owned())
}

/// The admin port of a proxy's own file, as `jumpgate purge` finds it; none where the file is that of something else.
fn admin_of(config: &Path) -> Result<Option<String>, ManageError> {
    let Some(document) = Document::read(config).ok().filter(Document::has_proxy) else {
        return Ok(None);
    };
    let config = document.proxy().map_err(|error| ManageError::Given(error.to_string()))?;
    let remedy = "the file has no [admin] with `listen`, by which the running proxy could be asked; give --api-url for a \
        control node";
    let admin: Option<SocketAddr> = config.admin;
    let admin = admin.ok_or_else(|| ManageError::Given(remedy.to_owned()))?;
    Ok(Some(admin.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_port_is_named_with_or_without_its_scheme() {
        for good in ["http://127.0.0.1:9090", "http://127.0.0.1:9090/", "127.0.0.1:9090"] {
            assert_eq!(place(good).unwrap(), "127.0.0.1:9090");
        }
        assert_eq!(place("http://[::1]:1").unwrap(), "[::1]:1");
        for wrong in ["", "127.0.0.1", "https://127.0.0.1:1", "http://h:1/metrics", "a b:1"] {
            place(wrong).unwrap_err();
        }
    }
}
