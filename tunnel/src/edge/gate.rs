//! Who may pass: the request's head against the hostname table and the Service Auth policies.
//!
//! Pure decisions. The token is looked at before anything about the tunnel is revealed, and a
//! hostname whose policy names nobody lets nobody pass.

use std::collections::HashMap;

use super::{Hostname, NamedToken};
use crate::{
    access::{CLIENT_ID_HEADER, CLIENT_SECRET_HEADER, StoredToken},
    http1::{Request, WEBSOCKET_VERSION},
    token::TunnelId,
};

/// The hostname table.
#[derive(Debug)]
pub(super) struct Gate {
    hostnames: HashMap<String, Hostname>,
}

impl Gate {
    pub(super) fn new(hostnames: Vec<Hostname>) -> Self {
        let keyed = |hostname: Hostname| (hostname.name.to_ascii_lowercase(), hostname);
        Self { hostnames: hostnames.into_iter().map(keyed).collect() }
    }

    /// Decides about one request.
    pub(super) fn admit(
        &self,
        request: &Request,
        tokens: &[NamedToken],
    ) -> Result<Admitted, Refusal> {
        let headers = &request.headers;
        let has_body =
            headers.has("Content-Length") && headers.single("Content-Length") != Some("0");
        if has_body || headers.has("Transfer-Encoding") {
            return Err(Refusal::BadRequest);
        }
        let host = headers.single("Host").ok_or(Refusal::BadRequest)?;
        let host = without_port(host).to_ascii_lowercase();
        let hostname = self.hostnames.get(&host).ok_or(Refusal::UnknownHostname)?;
        let pass = pass(hostname, request, tokens).ok_or(Refusal::AccessDenied)?;
        if request.method != "GET" || !request.target.starts_with('/') {
            return Err(Refusal::BadRequest);
        }
        let is_upgrade =
            headers.has_word("Connection", "Upgrade") && headers.has_word("Upgrade", "websocket");
        if !is_upgrade || headers.single("Sec-WebSocket-Version") != Some(WEBSOCKET_VERSION) {
            return Err(Refusal::UpgradeRequired);
        }
        let key = headers.single("Sec-WebSocket-Key").ok_or(Refusal::BadRequest)?;
        Ok(Admitted {
            hostname: host,
            tunnel: hostname.tunnel,
            pass,
            target: request.target.clone(),
            key: key.to_owned(),
            user_agent: headers.single("User-Agent").map(str::to_owned),
        })
    }
}

/// What the edge needs to know of a request that may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    pub(super) hostname: String,
    pub(super) tunnel: TunnelId,
    pub(super) pass: Pass,
    pub(super) target: String,
    pub(super) key: String,
    pub(super) user_agent: Option<String>,
}

/// The reason a request may pass: a token, under a name of the hostname's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    name: String,
    token: StoredToken,
}

impl Pass {
    /// Is the token still one of these?
    pub(super) fn still_holds(&self, tokens: &[NamedToken]) -> bool {
        tokens.iter().any(|known| known.name == self.name && known.token == self.token)
    }
}

/// Why a request goes no further. Each is one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    BadRequest,
    AccessDenied,
    UnknownHostname,
    UpgradeRequired,
    OriginRefused,
    OriginTimeout,
    NoConnector,
    /// A status that the connector chose.
    Other(u16),
}

impl Refusal {
    /// Status, reason phrase and body.
    pub(super) fn answer(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "Bad Request", "bad request"),
            Self::AccessDenied => (403, "Forbidden", "access denied"),
            Self::UnknownHostname => (404, "Not Found", "unknown hostname"),
            Self::UpgradeRequired => (426, "Upgrade Required", "a WebSocket upgrade is required"),
            Self::OriginRefused => (502, "Bad Gateway", "the origin is not reachable"),
            Self::OriginTimeout => (504, "Gateway Timeout", "the origin did not answer in time"),
            // The same as at Cloudflare, so that clients can tell it apart (A6).
            Self::NoConnector => (530, "Tunnel Unavailable", "error code: 1033"),
            Self::Other(status) => (status, "Refused", "the connector refused the stream"),
        }
    }
}

/// Can the text be a hostname of the table?
pub(super) fn is_hostname(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=253).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Finds the token that lets the request pass. Every allowed token is compared, in constant time.
fn pass(hostname: &Hostname, request: &Request, tokens: &[NamedToken]) -> Option<Pass> {
    let id = request.headers.single(CLIENT_ID_HEADER)?;
    let secret = request.headers.single(CLIENT_SECRET_HEADER)?;
    let mut found = None;
    for known in tokens.iter().filter(|known| hostname.service_tokens.contains(&known.name)) {
        if known.token.verify(id, secret) {
            found = Some(Pass { name: known.name.clone(), token: known.token.clone() });
        }
    }
    found
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::ServiceToken;

    const ACCESS: &str = "Cf-Access-Client-Id: a.access\r\nCf-Access-Client-Secret: secret\r\n";
    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
                           Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5\r\n";

    fn tokens() -> Vec<NamedToken> {
        [("proxy", "a.access"), ("other", "b.access")]
            .map(|(name, id)| {
                let token = ServiceToken::new(id, "secret").expect("valid");
                NamedToken { name: name.to_owned(), token: StoredToken::from(&token) }
            })
            .into()
    }

    fn judge(start: &str, headers: &str) -> Result<Admitted, Refusal> {
        let gate = Gate::new(vec![
            Hostname {
                name: "DB.test".to_owned(),
                tunnel: TunnelId::random(),
                service_tokens: vec!["proxy".to_owned()],
            },
            Hostname {
                name: "closed.test".to_owned(),
                tunnel: TunnelId::random(),
                service_tokens: Vec::new(),
            },
        ]);
        let head = format!("{start} HTTP/1.1\r\n{headers}\r\n");
        gate.admit(&Request::parse(head.as_bytes()).expect("a head"), &tokens())
    }

    #[test]
    fn a_complete_request_passes() {
        let headers = format!("Host: db.test:8443\r\nUser-Agent: x/1\r\n{ACCESS}{UPGRADE}");
        let admitted = judge("GET /database", &headers).expect("admitted");
        assert_eq!((&*admitted.hostname, &*admitted.target), ("db.test", "/database"));
        assert_eq!((&*admitted.key, admitted.user_agent.as_deref()), ("a2V5", Some("x/1")));
        assert!(admitted.pass.still_holds(&tokens()));
        assert!(!admitted.pass.still_holds(&tokens()[1..]));
    }

    #[test]
    fn every_flaw_has_its_refusal() {
        use Refusal::*;
        let other = ACCESS.replace("a.access", "b.access");
        let wrong = ACCESS.replace("secret", "Secret");
        let twice = format!("{ACCESS}Cf-Access-Client-Id: a.access\r\n");
        let old = UPGRADE.replace("13", "8");
        for (start, host, access, rest, refusal) in [
            ("GET /", "Host: no.test\r\n", ACCESS, UPGRADE, UnknownHostname),
            ("GET /", "Host: x.db.test\r\n", ACCESS, UPGRADE, UnknownHostname),
            ("GET /", "Host: management.argotunnel.com\r\n", ACCESS, UPGRADE, UnknownHostname),
            ("GET /", "", ACCESS, UPGRADE, BadRequest),
            ("GET /", "Host: db.test\r\nHost: db.test\r\n", ACCESS, UPGRADE, BadRequest),
            ("GET /", "Host: db.test\r\n", "", UPGRADE, AccessDenied),
            ("GET /", "Host: db.test\r\n", &wrong, UPGRADE, AccessDenied),
            ("GET /", "Host: db.test\r\n", &other, UPGRADE, AccessDenied),
            ("GET /", "Host: db.test\r\n", &twice, UPGRADE, AccessDenied),
            ("GET /", "Host: closed.test\r\n", ACCESS, UPGRADE, AccessDenied),
            ("POST /", "Host: db.test\r\n", "", "", AccessDenied),
            ("POST /", "Host: db.test\r\n", ACCESS, UPGRADE, BadRequest),
            ("GET http://db.test/", "Host: db.test\r\n", ACCESS, UPGRADE, BadRequest),
            ("GET /", "Host: db.test\r\nContent-Length: 1\r\n", ACCESS, UPGRADE, BadRequest),
            ("GET /", "Host: db.test\r\n", ACCESS, "", UpgradeRequired),
            ("GET /", "Host: db.test\r\n", ACCESS, &old, UpgradeRequired),
        ] {
            let headers = format!("{host}{access}{rest}");
            assert_eq!(judge(start, &headers), Err(refusal), "{start}\n{headers}");
        }
    }
}
