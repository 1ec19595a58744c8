//! The HTTP/2 connection between edge and connector, with inverted roles: the connector dials, the
//! edge asks.
//!
//! Only what both ends share is here: the vocabulary, the streams, the probing.

mod control;
mod stream;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use h2::{Ping, PingPong};
use tokio::time::{sleep, timeout};

pub(crate) use self::{
    control::{ControlError, ControlStream},
    stream::H2Stream,
};

/// The name that a connector expects of an edge, wherever that edge is (B1).
pub(crate) const EDGE_SERVER_NAME: &str = "h2.cftunnel.com";

/// What a stream is for: [`CONTROL_STREAM`], [`CONFIGURATION`] or [`WEBSOCKET`].
pub(crate) const UPGRADE_HEADER: &str = "cf-cloudflared-proxy-connection-upgrade";
pub(crate) const CONTROL_STREAM: &str = "control-stream";
pub(crate) const CONFIGURATION: &str = "update-configuration";
pub(crate) const WEBSOCKET: &str = "websocket";

/// Who made the answer: the origin or the connector itself.
pub(crate) const META_HEADER: &str = "cf-cloudflared-response-meta";
pub(crate) const META_ORIGIN: &str = r#"{"src":"origin"}"#;
pub(crate) const META_CONNECTOR: &str = r#"{"src":"cloudflared"}"#;
/// Our connector's word for a service that its allow-list does not have; others know the first key.
pub(crate) const META_NOT_ALLOWED: &str = r#"{"src":"cloudflared","jumpgate":"not_allowed"}"#;

/// The headers of the upgraded answer, serialised.
pub(crate) const RESPONSE_HEADERS: &str = "cf-cloudflared-response-headers";

/// How much may be on its way in one stream before its reader has taken it.
pub(crate) const STREAM_WINDOW: u32 = 1024 * 1024;
/// The same for all streams of a connection. Every stream whose reader stalls keeps up to its whole
/// window of this one, so it must be many of those, or a few slow clients stop all the others.
pub(crate) const CONNECTION_WINDOW: u32 = 64 * STREAM_WINDOW;
/// What h2 may hold of one stream that the peer's window does not admit yet.
pub(crate) const SEND_BUFFER_LEN: usize = 128 * 1024;
/// h2 ends the whole connection when small frames that nobody takes pile up. Windows bound the
/// bytes already, and one slow client must not cost the others their streams.
pub(crate) const SMALL_FRAMES_BUDGET: usize = 64 * 1024 * 1024;
/// Streams that the edge may have open on one connection.
pub(crate) const MAX_STREAMS: u32 = 1000;

/// A head on this connection: twice what a client's head can be.
pub(crate) const MAX_HEADER_LIST_LEN: u32 = 32 * 1024;

/// Longest for TCP, TLS and registration, each.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

const PING_INTERVAL: Duration = Duration::from_secs(15);
const PONG_TIMEOUT: Duration = Duration::from_secs(15);

/// Probes the connection for as long as it lives; ends when the peer does not answer.
pub(crate) async fn keep_alive(mut ping_pong: PingPong) {
    loop {
        sleep(PING_INTERVAL).await;
        match timeout(PONG_TIMEOUT, ping_pong.ping(Ping::opaque())).await {
            Ok(Ok(_pong)) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// Serialises headers as `base64(name):base64(value)`, joined by semicolons (B5).
pub(crate) fn serialise_headers(headers: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| {
        format!("{}:{}", STANDARD_NO_PAD.encode(name), STANDARD_NO_PAD.encode(value))
    };
    headers.iter().map(pair).collect::<Vec<_>>().join(";")
}

/// Finds one header in the serialised form; `None` when it is missing or not fit for a header.
pub(crate) fn find_serialised(serialised: &str, wanted: &str) -> Option<String> {
    serialised.split(';').find_map(|pair| {
        let (name, value) = pair.split_once(':')?;
        let name = STANDARD_NO_PAD.decode(name).ok()?;
        if !name.eq_ignore_ascii_case(wanted.as_bytes()) {
            return None;
        }
        let value = String::from_utf8(STANDARD_NO_PAD.decode(value).ok()?).ok()?;
        value.bytes().all(|byte| byte.is_ascii_graphic()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialised_headers_are_the_unpadded_pairs_of_the_other_tool() {
        let headers = [("Upgrade", "websocket"), ("Sec-Websocket-Accept", "s3pPLMBi=")];
        let text = serialise_headers(&headers);
        assert_eq!(text, "VXBncmFkZQ:d2Vic29ja2V0;U2VjLVdlYnNvY2tldC1BY2NlcHQ:czNwUExNQmk9");
        let found = find_serialised(&text, "sec-websocket-accept");
        assert_eq!(found.as_deref(), Some("s3pPLMBi="));
        assert_eq!(find_serialised(&text, "connection"), None);
    }

    #[test]
    fn a_value_that_would_split_the_head_is_not_taken() {
        let text = serialise_headers(&[("A", "b\r\nX: y")]);
        assert_eq!(find_serialised(&text, "a"), None);
        assert_eq!(find_serialised("nonsense;:;a:b:c;!:!", "a"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_answers_no_ping_is_noticed() {
        let (near, _far) = tokio::io::duplex(64 * 1024);
        let (_requests, mut connection) =
            h2::client::handshake(near).await.expect("no answer needed");
        let probes = connection.ping_pong().expect("the first to ask");
        tokio::select! {
            () = keep_alive(probes) => {}
            ended = connection => unreachable!("{ended:?}"),
        }
    }
}
