//! Telling a connector where its hostnames lead.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::{Request, Version};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    backoff::Backoff,
    carrier::{CONFIGURATION, UPGRADE_HEADER},
    state::State,
    token::TunnelId,
};

/// The rules for one tunnel, of one version of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Push {
    version: u32,
    rules: serde_json::Value,
}

impl Push {
    /// The rules for the tunnel. `None` when none of its hostnames says what it leads to: then the connector
    /// has rules of its own.
    pub(super) fn of(state: &State, tunnel: TunnelId) -> Option<Self> {
        let is_managed = state.tunnels.iter().any(|known| known.id == tunnel && known.managed);
        let routes = state.routes.iter().filter(|route| route.tunnel == tunnel);
        let mut rules: Vec<_> = routes
            .filter_map(|route| Some((&route.hostname, route.service.as_ref()?)))
            .map(|(hostname, service)| {
                json!({"hostname": hostname, "service": service, "originRequest": {}})
            })
            .collect();
        if rules.is_empty() && !is_managed {
            return None;
        }
        rules.push(catch_all());
        Some(Self { version: state.version, rules: rules.into() })
    }

    /// No rules any more, for a connector that has been told some: its own do not come back by themselves, and those
    /// that it has would go on for ever.
    fn nothing(version: u32) -> Self {
        Self { version, rules: vec![catch_all()].into() }
    }

    /// Does it say the same, whatever the version?
    fn is_same(&self, other: &Self) -> bool {
        self.rules == other.rules
    }

    /// Sends the rules, and says whether they have reached the connector. What it makes of them is
    /// only logged: it goes on with what it has.
    async fn send(&self, requests: SendRequest<Bytes>) -> bool {
        let version = self.version;
        match timeout(PUSH_TIMEOUT, self.exchange(requests)).await {
            Ok(Ok(answer)) if answer.version == i64::from(version) => {
                tracing::info!(version, "the connector has applied its rules");
                true
            }
            // An error may come as an empty object, so only the version counts.
            Ok(Ok(Answer { version: applied, error })) => {
                let error = error.to_string();
                tracing::warn!(version, applied, error, "the connector keeps other rules");
                true
            }
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(version, error, "the rules did not reach the connector");
                false
            }
            Err(_elapsed) => {
                // It may have as many streams as it admits.
                tracing::warn!(version, "the connector does not answer to its rules");
                false
            }
        }
    }

    async fn exchange(&self, requests: SendRequest<Bytes>) -> Result<Answer, PushError> {
        let request = Request::builder()
            .version(Version::HTTP_2)
            .method("PUT")
            .uri("https://localhost/")
            .header(UPGRADE_HEADER, CONFIGURATION)
            .body(())?;
        let body = json!({"version": self.version, "config": {"ingress": self.rules}});
        let (response, mut send) = requests.ready().await?.send_request(request, false)?;
        send.send_data(body.to_string().into(), true)?;
        let mut body = response.await?.into_body();
        let mut answer = BytesMut::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            if answer.len() + chunk.len() > MAX_ANSWER_LEN {
                return Err(PushError::TooLong);
            }
            answer.extend_from_slice(&chunk);
            body.flow_control().release_capacity(chunk.len())?;
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}

/// Keeps one connector in step with the state.
///
/// One of its connections is enough, for its rules are those of its process: the first one.
#[derive(Debug)]
pub(super) struct Pusher {
    states: watch::Receiver<Arc<State>>,
    tunnel: TunnelId,
    requests: SendRequest<Bytes>,
    is_first: bool,
    last: Option<Push>,
}

impl Pusher {
    /// Has told nothing yet.
    pub(super) fn new(
        states: watch::Receiver<Arc<State>>,
        tunnel: TunnelId,
        conn_index: u8,
        requests: SendRequest<Bytes>,
    ) -> Self {
        Self { states, tunnel, requests, is_first: conn_index == 0, last: None }
    }

    /// Do the rules of the tunnel come from the edge?
    pub(super) fn has_rules(&self) -> bool {
        Push::of(&self.states.borrow(), self.tunnel).is_some()
    }

    /// Tells the connector its rules whenever there are new ones, for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, what was not told is told by the next call.
    pub(super) async fn run(&mut self) {
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        while self.is_first {
            let state = Arc::clone(&self.states.borrow_and_update());
            let push = Push::of(&state, self.tunnel)
                .or_else(|| self.last.is_some().then(|| Push::nothing(state.version)));
            let is_told = match (&push, &self.last) {
                (None, _) => true,
                (Some(push), Some(last)) if push.is_same(last) => true,
                (Some(push), _) => push.send(self.requests.clone()).await,
            };
            if is_told {
                self.last = push;
                backoff.reset();
            }
            tokio::select! {
                changed = self.states.changed() => if changed.is_err() { break },
                () = sleep(backoff.pause()), if !is_told => {}
            }
        }
        std::future::pending::<()>().await;
    }
}

fn catch_all() -> serde_json::Value {
    json!({"service": "http_status:404"})
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(rename = "lastAppliedVersion")]
    version: i64,
    #[serde(default, rename = "err")]
    error: serde_json::Value,
}

#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("the request cannot be made")]
    Request(#[from] http::Error),
    #[error("the HTTP/2 connection broke")]
    Http(#[from] h2::Error),
    #[error("the answer is too long")]
    TooLong,
    #[error("the answer is not understood")]
    Json(#[from] serde_json::Error),
}

const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(120);
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER_LEN: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Route, Tunnel};

    #[test]
    fn only_hostnames_of_the_tunnel_that_name_a_service_are_told() {
        let [one, two] = [TunnelId::random(), TunnelId::random()];
        let route = |hostname: &str, tunnel, service: Option<&str>| Route {
            hostname: hostname.to_owned(),
            tunnel,
            service: service.map(|service| service.parse().expect("valid")),
        };
        let state = State {
            version: 7,
            routes: vec![
                route("a.test", one, Some("tcp://127.0.0.1:5432")),
                route("b.test", one, None),
                route("c.test", two, None),
            ],
            ..State::default()
        };
        let push = Push::of(&state, one).expect("one service");
        let rules: serde_json::Value = serde_json::from_str(&push.rules.to_string()).expect("JSON");
        let expected = serde_json::json!([
            { "hostname": "a.test", "originRequest": {}, "service": "tcp://127.0.0.1:5432" },
            { "service": "http_status:404" },
        ]);
        assert_eq!(rules, expected);
        let later = State { version: 8, ..state.clone() };
        assert!(push.is_same(&Push::of(&later, one).expect("one service")));
        assert_eq!(Push::of(&state, two), None);
        let token = crate::token::TunnelToken::new("tag", two, [7; 32]).expect("valid");
        let tunnel = Tunnel { managed: true, ..Tunnel::from(&token) };
        let state = State { tunnels: vec![tunnel], ..state };
        let push = Push::of(&state, two).expect("it has had rules");
        assert_eq!(push.rules.to_string(), r#"[{"service":"http_status:404"}]"#);
    }

    #[tokio::test(start_paused = true)]
    async fn rules_that_did_not_arrive_are_told_again() {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (requests, connection) = h2::client::handshake(near).await.expect("sent unasked");
        let mut state = State { version: 1, ..State::default() };
        let tunnel = TunnelId::random();
        state.routes.push(Route {
            hostname: "a.test".to_owned(),
            tunnel,
            service: Some("tcp://127.0.0.1:5432".parse().expect("valid")),
        });
        let states = watch::Sender::new(Arc::new(state));
        let mut pusher = Pusher::new(states.subscribe(), tunnel, 0, requests);
        let connector = async {
            let mut connection = h2::server::handshake(far).await.expect("a client");
            let (_push, mut respond) = connection.accept().await.expect("told").expect("a request");
            respond.send_reset(h2::Reason::REFUSED_STREAM);
            connection.accept().await.expect("told again").expect("a request");
        };
        tokio::select! {
            () = connector => {}
            () = pusher.run() => unreachable!("it never ends"),
            ended = connection => unreachable!("{ended:?}"),
        }
    }
}
