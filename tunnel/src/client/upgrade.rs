//! The upgrade from HTTP/1.1 to a WebSocket, and what each refusal means.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};
use zeroize::Zeroizing;

use super::{AccessDenied, Answer, DialError, target::Target};
use crate::{
    access::{CLIENT_ID_HEADER, CLIENT_SECRET_HEADER, ServiceToken},
    answers::{NOT_ALLOWED, REFUSED_BY_CONNECTOR, UNKNOWN_HOSTNAME},
    http1::{HeadError, Response, WEBSOCKET_VERSION, accept_key, read_head},
    websocket::{Role, WebSocket},
};

/// Asks for the upgrade, checks the answer, and gives its head.
pub(super) async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    mut io: S,
    target: &Target,
    token: Option<&ServiceToken>,
) -> Result<(WebSocket<S>, Response), DialError> {
    let key = STANDARD.encode(rand::random::<[u8; 16]>());
    let head = request_head(target, token, &key);
    io.write_all(head.as_bytes()).await.map_err(DialError::Closed)?;
    io.flush().await.map_err(DialError::Closed)?;

    let mut buffer = BytesMut::new();
    let response = loop {
        let head = read_head(&mut io, &mut buffer).await.map_err(head_error)?;
        if head.starts_with(HTTP2_PREFACE) {
            return Err(DialError::ConnectorPort);
        }
        let response = Response::parse(&head).map_err(head_error)?;
        if !response.is_interim() {
            break response;
        }
    };
    if response.status != 101 {
        let body = read_body(&mut io, buffer, &response).await;
        return Err(refusal(&response, &body, token));
    }
    check(&response, &key)?;
    Ok((WebSocket::new(io, Role::Client, buffer), response))
}

/// The request exactly as `cloudflared access tcp` sends it, under our own name.
fn request_head(target: &Target, token: Option<&ServiceToken>, key: &str) -> Zeroizing<String> {
    let access = Zeroizing::new(token.map_or_else(String::new, |token| {
        let (id, secret) = (token.id(), token.secret());
        format!("{CLIENT_ID_HEADER}: {id}\r\n{CLIENT_SECRET_HEADER}: {secret}\r\n")
    }));
    Zeroizing::new(format!(
        "GET {path} HTTP/1.1\r\n\
         Host: {authority}\r\n\
         User-Agent: {USER_AGENT}\r\n\
         {access}\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Version: {WEBSOCKET_VERSION}\r\n\
         Upgrade: websocket\r\n\
         \r\n",
        path = target.path,
        authority = target.authority,
        access = access.as_str(),
    ))
}

/// Checks that a 101 is the answer to our request (RFC 6455, 4.1).
fn check(response: &Response, key: &str) -> Result<(), DialError> {
    let headers = &response.headers;
    if !headers.has_word("Upgrade", "websocket") {
        return Err(DialError::Protocol("status 101 without `Upgrade: websocket`"));
    }
    if !headers.has_word("Connection", "Upgrade") {
        return Err(DialError::Protocol("status 101 without `Connection: Upgrade`"));
    }
    if headers.single("Sec-WebSocket-Accept") != Some(accept_key(key).as_str()) {
        return Err(DialError::Protocol("the `Sec-WebSocket-Accept` is not for our key"));
    }
    if headers.has("Sec-WebSocket-Extensions") || headers.has("Sec-WebSocket-Protocol") {
        return Err(DialError::Protocol("an extension or subprotocol that was not asked for"));
    }
    Ok(())
}

/// Reads enough of the body to show, and does not wait long for it.
async fn read_body<S: AsyncRead + Unpin>(
    io: &mut S,
    mut body: BytesMut,
    response: &Response,
) -> BytesMut {
    let declared = response.headers.single("Content-Length").and_then(|len| len.parse().ok());
    let wanted = declared.unwrap_or(BODY_READ_LEN).min(BODY_READ_LEN);
    let read = async {
        while body.len() < wanted && io.read_buf(&mut body).await.is_ok_and(|len| len > 0) {}
    };
    let _late_or_read = timeout(BODY_TIMEOUT, read).await;
    body.truncate(wanted);
    body
}

/// Names the layer that refused.
fn refusal(response: &Response, body: &[u8], token: Option<&ServiceToken>) -> DialError {
    let answer = Answer { body: sanitise(body, BODY_LEN, token), ray: ray(response, token) };
    let denied = |denied| DialError::Access { denied, answer: answer.clone() };
    match response.status {
        301..=303 | 307 | 308 if is_login(response) => denied(AccessDenied::LoginRedirect),
        401 => denied(AccessDenied::Unauthorized),
        403 => denied(AccessDenied::Forbidden),
        429 => denied(AccessDenied::TooOften),
        404 if answer.body == UNKNOWN_HOSTNAME => DialError::UnknownHostname(answer),
        502 if answer.body == NOT_ALLOWED => DialError::NotAllowed(answer),
        502 => DialError::OriginRefused(answer),
        530 => DialError::TunnelDown(answer),
        status if answer.body == REFUSED_BY_CONNECTOR => DialError::NoService { status, answer },
        status => DialError::Status { status, answer },
    }
}

/// The edge's own name for the request, fit to be shown.
pub(super) fn ray(response: &Response, token: Option<&ServiceToken>) -> Option<String> {
    let ray = response.headers.single("cf-ray")?;
    Some(sanitise(ray.as_bytes(), RAY_LEN, token))
}

/// Does the redirect lead to the login page of Access? Only its path counts (A4).
fn is_login(response: &Response) -> bool {
    let Some(location) = response.headers.single("Location") else { return false };
    let path = match location.split_once("://") {
        Some((_scheme, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => location,
    };
    path.starts_with(LOGIN_PATH)
}

/// Makes untrusted text fit for a log line: short, one line, visible, and without our secret.
fn sanitise(bytes: &[u8], max_len: usize, token: Option<&ServiceToken>) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if let Some(token) = token {
        text = text.replace(token.secret(), "[redacted]");
    }
    let mut clean = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            let space = if clean.is_empty() { "" } else { " " };
            clean.push_str(space);
            clean.extend(word.chars().map(|c| if c.is_ascii_graphic() { c } else { '.' }));
        }
    }
    clean.truncate(max_len);
    clean
}

fn head_error(error: HeadError) -> DialError {
    match error {
        HeadError::TooLong => DialError::Protocol("the head of the answer is longer than 16 KiB"),
        HeadError::Malformed => DialError::Protocol("the answer is not HTTP/1.1"),
        HeadError::Io(error) => DialError::Closed(error),
    }
}

/// What an edge says first to a connector (RFC 9113, 3.4), up to the end of what looks like a head.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
const USER_AGENT: &str = concat!("jumpgate/", env!("CARGO_PKG_VERSION"));
const LOGIN_PATH: &str = "/cdn-cgi/access/login";
const RAY_LEN: usize = 64;
const BODY_LEN: usize = 200;
/// More than is shown, so that a secret which the body repeats is whole when it is looked for.
const BODY_READ_LEN: usize = 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> ServiceToken {
        ServiceToken::new("88bf.access", "bdd31cbc").expect("valid")
    }

    fn refused(answer: &str) -> DialError {
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let response = Response::parse(format!("{head}\r\n\r\n").as_bytes()).expect("valid");
        refusal(&response, body.as_bytes(), Some(&token()))
    }

    #[test]
    fn the_request_is_the_captured_one_under_our_own_name() {
        let target = "db.example.test:8443/database".parse().expect("valid");
        let expected = format!(
            "GET /database HTTP/1.1\r\nHost: db.example.test:8443\r\n\
             User-Agent: jumpgate/{}\r\nCf-Access-Client-Id: 88bf.access\r\n\
             Cf-Access-Client-Secret: bdd31cbc\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: a2V5\r\nSec-WebSocket-Version: 13\r\n\
             Upgrade: websocket\r\n\r\n",
            env!("CARGO_PKG_VERSION"),
        );
        assert_eq!(*request_head(&target, Some(&token()), "a2V5"), expected);
        assert!(!request_head(&target, None, "a2V5").contains("Access"));
    }

    #[test]
    fn a_redirect_to_the_login_page_is_a_refused_token() {
        for location in [
            "https://team.cloudflareaccess.com/cdn-cgi/access/login/db.test?kid=1",
            "/cdn-cgi/access/login",
        ] {
            let error = refused(&format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n"));
            let DialError::Access { denied, .. } = &error else { unreachable!("{error}") };
            assert_eq!(*denied, AccessDenied::LoginRedirect);
            assert_eq!(error.word(), "access_denied");
        }
        for location in ["https://other.test/", "https://x.test/?u=/cdn-cgi/access/login"] {
            let error = refused(&format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n"));
            assert!(matches!(error, DialError::Status { status: 302, .. }), "{error}");
        }
    }

    #[test]
    fn each_refusal_of_access_has_its_form() {
        for (status, denied) in [
            (401, AccessDenied::Unauthorized),
            (403, AccessDenied::Forbidden),
            (429, AccessDenied::TooOften),
        ] {
            let error = refused(&format!("HTTP/1.1 {status} No\r\n\r\n"));
            assert!(
                matches!(&error, DialError::Access { denied: d, .. } if *d == denied),
                "{error}"
            );
            assert_eq!(error.word(), "access_denied");
        }
    }

    #[test]
    fn what_is_shown_of_an_answer_is_short_and_one_line_and_without_the_secret() {
        let error = refused(&format!(
            "HTTP/1.1 403 Forbidden\r\ncf-ray: 8f00-AMS\r\n\r\n<p>\r\n\x1b[31mno bdd31cbc {}",
            "x".repeat(2000),
        ));
        let text = error.to_string();
        assert!(text.contains("[cf-ray 8f00-AMS]: <p> [31mno [redacted] xxx"), "{text}");
        assert!(!text.contains("bdd31cbc") && text.len() < 300, "{text}");
        assert!(!format!("{error:?}").contains("bdd31cbc"));
    }
}
