//! What a request asks for, read from its head: a place, and an upgrade to a WebSocket there.
//!
//! Pure. Whether it may have that is for [`crate::access::judge`], which is asked between the two
//! steps here, so that only those who may pass learn anything of what is behind.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    access::judge::{Denied, Place},
    answers::{MISDIRECTED, NOT_ALLOWED, REFUSED_BY_CONNECTOR, UNKNOWN_HOSTNAME},
    http1::{Request, WEBSOCKET_VERSION},
    state::{State, is_plain_path},
    token::TunnelId,
};

/// Where a request wants to go, and the tunnel that leads there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) place: Place,
    pub(super) tunnel: TunnelId,
}

impl Asked {
    /// Finds the place in the table of hostnames.
    pub(super) fn read(request: &Request, state: &State) -> Result<Self, Refusal> {
        let headers = &request.headers;
        let has_body =
            headers.has("Content-Length") && headers.single("Content-Length") != Some("0");
        if has_body || headers.has("Transfer-Encoding") {
            return Err(Refusal::BadRequest);
        }
        let host = headers.single("Host").ok_or(Refusal::BadRequest)?;
        let host = without_port(host).to_ascii_lowercase();
        let route = state.routes.iter().find(|route| route.hostname == host);
        let tunnel = route.ok_or(Refusal::UnknownHostname)?.tunnel;
        let path = request.target.split_once('?').map_or(&*request.target, |(path, _query)| path);
        if !is_plain_path(path) {
            return Err(Refusal::BadRequest);
        }
        Ok(Self { place: Place { host, path: path.to_owned() }, tunnel })
    }

    /// Does the hostname still lead to the same tunnel?
    pub(super) fn is_routed(&self, state: &State) -> bool {
        let same = |route: &crate::state::Route| {
            route.hostname == self.place.host && route.tunnel == self.tunnel
        };
        state.routes.iter().any(same)
    }

    /// Does the request ask for the public keys of the assertions? Those are for everybody.
    pub(super) fn is_for_keys(&self, request: &Request) -> bool {
        request.method == "GET" && request.target == KEYS_PATH
    }
}

/// A request for a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upgrade {
    pub(super) target: String,
    pub(super) key: String,
    pub(super) user_agent: Option<String>,
}

impl Upgrade {
    /// Reads it from the head; everything else is refused.
    pub(super) fn read(request: &Request) -> Result<Self, Refusal> {
        let headers = &request.headers;
        if request.method != "GET" {
            return Err(Refusal::BadRequest);
        }
        let is_upgrade =
            headers.has_word("Connection", "Upgrade") && headers.has_word("Upgrade", "websocket");
        if !is_upgrade || headers.single("Sec-WebSocket-Version") != Some(WEBSOCKET_VERSION) {
            return Err(Refusal::UpgradeRequired);
        }
        let key = headers.single("Sec-WebSocket-Key").ok_or(Refusal::BadRequest)?;
        if !STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == NONCE_LEN) {
            return Err(Refusal::BadRequest);
        }
        let user_agent = headers.single("User-Agent").filter(|text| is_user_agent(text));
        Ok(Self {
            target: request.target.clone(),
            key: key.to_owned(),
            user_agent: user_agent.map(str::to_owned),
        })
    }
}

/// Why a request goes no further. Each is one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    BadRequest,
    /// Refused by Access, of an application that wants this to be a 401.
    Unauthorized,
    /// Refused by Access.
    AccessDenied,
    UnknownHostname,
    /// A connector that came to the port for proxies.
    Misdirected,
    UpgradeRequired,
    /// Refused by Access too often; heard again after these seconds.
    TooManyRefusals(u64),
    Internal,
    OriginRefused,
    /// The connector's allow-list does not have where the hostname leads.
    NotAllowed,
    OriginTimeout,
    /// There are as many streams as this edge carries.
    Busy,
    NoConnector,
    /// A status that the connector chose.
    Other(u16),
}

impl Refusal {
    /// Status, reason phrase and body.
    pub(super) fn answer(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "Bad Request", "bad request"),
            Self::Unauthorized => (401, "Unauthorized", "access denied"),
            Self::AccessDenied => (403, "Forbidden", "access denied"),
            Self::UnknownHostname => (404, "Not Found", UNKNOWN_HOSTNAME),
            Self::Misdirected => (421, "Misdirected Request", MISDIRECTED),
            Self::UpgradeRequired => (426, "Upgrade Required", "a WebSocket upgrade is required"),
            Self::TooManyRefusals(_) => (429, "Too Many Requests", "refused too often"),
            Self::Internal => (500, "Internal Server Error", "internal error"),
            Self::OriginRefused => (502, "Bad Gateway", "the origin is not reachable"),
            Self::NotAllowed => (502, "Bad Gateway", NOT_ALLOWED),
            Self::Busy => (503, "Service Unavailable", "there are too many streams"),
            Self::OriginTimeout => (504, "Gateway Timeout", "the origin did not answer in time"),
            // The same as at Cloudflare, so that clients can tell it apart (A6).
            Self::NoConnector => (530, "Tunnel Unavailable", "error code: 1033"),
            Self::Other(status) => (status, "Refused", REFUSED_BY_CONNECTOR),
        }
    }

    /// Header lines that this status needs.
    pub(super) fn headers(self) -> String {
        match self {
            Self::Unauthorized => "WWW-Authenticate: Cloudflare-Access\r\n".to_owned(),
            Self::UpgradeRequired => {
                format!("Upgrade: websocket\r\nSec-WebSocket-Version: {WEBSOCKET_VERSION}\r\n")
            }
            Self::TooManyRefusals(seconds) => format!("Retry-After: {seconds}\r\n"),
            _ => String::new(),
        }
    }
}

impl From<&Denied> for Refusal {
    /// Not the reason, which is nobody's business.
    fn from(denied: &Denied) -> Self {
        if denied.wants_401 { Self::Unauthorized } else { Self::AccessDenied }
    }
}

fn is_user_agent(text: &str) -> bool {
    let is_visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    text.len() <= MAX_USER_AGENT_LEN && text.bytes().all(is_visible)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

const KEYS_PATH: &str = "/cdn-cgi/access/certs";
const NONCE_LEN: usize = 16;
const MAX_USER_AGENT_LEN: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const UPGRADE: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                           Sec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn request(start: &str, headers: &str) -> Request {
        let head = format!("{start} HTTP/1.1\r\n{headers}\r\n");
        Request::parse(head.as_bytes()).expect("a head")
    }

    fn asked(start: &str, headers: &str) -> Result<Asked, Refusal> {
        let mut state = State::default();
        state.guard("DB.test", TunnelId::from_bytes([1; 16]), &[]);
        Asked::read(&request(start, headers), &state)
    }

    #[test]
    fn a_place_is_a_hostname_of_the_table_and_a_plain_path() {
        use Refusal::*;
        for (start, headers, expected) in [
            ("GET /", "Host: db.test\r\n", Ok("/")),
            ("GET /a/b?c=/../d", "Host: DB.TEST:8443\r\n", Ok("/a/b")),
            ("POST /", "Host: db.test\r\nContent-Length: 0\r\n", Ok("/")),
            ("GET /", "", Err(BadRequest)),
            ("GET /", "Host: db.test\r\nHost: db.test\r\n", Err(BadRequest)),
            ("GET /", "Host: db.test\r\nhost: other.test\r\n", Err(BadRequest)),
            ("GET /", "Host: db.test, other.test\r\n", Err(UnknownHostname)),
            ("GET /", "Host: no.test\r\n", Err(UnknownHostname)),
            ("GET /", "Host: x.db.test\r\n", Err(UnknownHostname)),
            ("GET /", "Host: db.test.\r\n", Err(UnknownHostname)),
            ("GET /", "Host: db.test:80:80\r\n", Err(UnknownHostname)),
            ("GET /", "Host: db.test:x\r\n", Err(UnknownHostname)),
            ("GET /", "Host: user@db.test\r\n", Err(UnknownHostname)),
            ("GET /", "Host: management.argotunnel.com\r\n", Err(UnknownHostname)),
            ("GET /", "Host: no.test\r\nX-Forwarded-Host: db.test\r\n", Err(UnknownHostname)),
            ("GET http://db.test/", "Host: db.test\r\n", Err(BadRequest)),
            ("GET http://db.test/", "Host: no.test\r\n", Err(UnknownHostname)),
            ("CONNECT db.test:443", "Host: db.test\r\n", Err(BadRequest)),
            ("OPTIONS *", "Host: db.test\r\n", Err(BadRequest)),
            ("GET /a/../b", "Host: db.test\r\n", Err(BadRequest)),
            ("GET /%2e%2e/b", "Host: db.test\r\n", Err(BadRequest)),
            ("GET //b", "Host: db.test\r\n", Err(BadRequest)),
            ("POST /", "Host: db.test\r\nContent-Length: 1\r\n", Err(BadRequest)),
            ("GET /", "Host: db.test\r\nContent-Length: +0\r\n", Err(BadRequest)),
            (
                "GET /",
                "Host: db.test\r\nContent-Length: 0\r\nContent-Length: 0\r\n",
                Err(BadRequest),
            ),
            (
                "GET /",
                "Host: db.test\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n",
                Err(BadRequest),
            ),
            ("GET /", "Host: db.test\r\nTransfer-Encoding: identity\r\n", Err(BadRequest)),
        ] {
            let found = asked(start, headers);
            let found = found.as_ref().map(|asked| &*asked.place.path).map_err(|refusal| *refusal);
            assert_eq!(found, expected, "{start}\n{headers}");
        }
    }

    #[test]
    fn only_an_upgrade_to_a_websocket_goes_on() {
        use Refusal::*;
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        for (start, headers, expected) in [
            ("GET /a?b", UPGRADE.to_owned(), Ok("/a?b")),
            ("POST /", UPGRADE.to_owned(), Err(BadRequest)),
            ("HEAD /", UPGRADE.to_owned(), Err(BadRequest)),
            ("GET /", String::new(), Err(UpgradeRequired)),
            ("GET /", UPGRADE.replace("Upgrade: WebSocket\r\n", ""), Err(UpgradeRequired)),
            ("GET /", UPGRADE.replace("WebSocket", "h2c"), Err(UpgradeRequired)),
            ("GET /", UPGRADE.replace("Upgrade\r\n", "close\r\n"), Err(UpgradeRequired)),
            ("GET /", UPGRADE.replace("13", "8"), Err(UpgradeRequired)),
            ("GET /", UPGRADE.replace(key, ""), Err(BadRequest)),
            ("GET /", UPGRADE.replace("dGhl", ""), Err(BadRequest)),
            ("GET /", UPGRADE.replace("dGhl", "\u{e9}"), Err(BadRequest)),
            ("GET /", format!("{UPGRADE}{key}"), Err(BadRequest)),
        ] {
            let found = Upgrade::read(&request(start, &headers));
            let found = found.as_ref().map(|found| &*found.target).map_err(|refusal| *refusal);
            assert_eq!(found, expected, "{start}\n{headers}");
        }
    }

    #[test]
    fn a_user_agent_that_no_header_could_hold_is_left_out() {
        let long = "x".repeat(MAX_USER_AGENT_LEN + 1);
        for (typed, kept) in
            [("x/1 (y)", Some("x/1 (y)")), ("x\u{e9}", None), ("x\ty", None), (&*long, None)]
        {
            let headers = format!("User-Agent: {typed}\r\n{UPGRADE}");
            let upgrade = Upgrade::read(&request("GET /", &headers)).expect("an upgrade");
            assert_eq!(upgrade.user_agent.as_deref(), kept);
        }
    }
}
