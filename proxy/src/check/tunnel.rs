//! The steps of a dial through the tunnel, and what to do where it ends.
//!
//! Access and the tunnel are one exchange on the wire: it is shown as two steps, as two different people can be asked.

use std::time::Duration;

use tokio::time::Instant;
use tunnel::client::{AccessDenied, Client, DialError, Stage, Stages};

use super::{Took, Walk};
use crate::{net::Stream, report::chain};

pub(super) const DNS: &str = "DNS of the edge";
pub(super) const TCP: &str = "TCP to the edge";
pub(super) const TLS: &str = "TLS to the edge";
pub(super) const ACCESS: &str = "Access";
pub(super) const TUNNEL: &str = "tunnel";

/// Dials, and takes down each stage.
pub(super) async fn reach(walk: &mut Walk, client: &Client, timeout: Duration) -> Option<Stream> {
    let (started, mut stages) = (Instant::now(), Stages::default());
    let dialled = tokio::time::timeout(timeout, client.dial_timed(&mut stages)).await;
    let took = started.elapsed();
    let dialled = dialled.unwrap_or_else(|_elapsed| Err(DialError::Timeout(next(&stages))));
    passed(walk, &stages);
    match dialled {
        Ok(stream) => {
            let ray = stages.ray.map_or_else(String::new, |ray| format!(" (cf-ray {ray})"));
            walk.passed(ACCESS, format!("lets us pass{ray}"), Took::Untimed);
            let took = Took::Far(stages.upgrade.unwrap_or_default());
            walk.passed(TUNNEL, "the connector reached the database", took);
            Some(Stream::Tunnel(stream))
        }
        Err(error) => {
            let before = [stages.dns, stages.tcp, stages.tls].into_iter().flatten().sum();
            failed(walk, &error, took.saturating_sub(before));
            None
        }
    }
}

/// The stage that a dial is in.
fn next(stages: &Stages) -> Stage {
    match (stages.dns, stages.tcp, stages.tls) {
        (None, ..) => Stage::Dns,
        (_, None, _) => Stage::Tcp,
        (.., None) => Stage::Tls,
        _ => Stage::Upgrade,
    }
}

/// The stages that passed, up to TLS.
fn passed(walk: &mut Walk, stages: &Stages) {
    if let Some(dns) = stages.dns {
        let shown: Vec<_> = stages.addresses.iter().map(ToString::to_string).collect();
        walk.passed(DNS, shown.join(", "), Took::Alone(dns));
    }
    if let Some(tcp) = stages.tcp {
        walk.round_trips.near = Some(tcp);
        let peer = stages.peer.map_or_else(String::new, |peer| peer.to_string());
        walk.passed(TCP, peer, Took::Near(tcp));
    }
    if let Some(tls) = stages.tls {
        walk.passed(TLS, "its certificate is good", Took::Near(tls));
    }
}

fn failed(walk: &mut Walk, error: &DialError, took: Duration) {
    let at = step(error);
    if matches!(error, DialError::TunnelDown(_) | DialError::OriginRefused(_)) {
        // An edge says so only to those whom Access lets pass.
        walk.passed(ACCESS, "lets us pass", Took::Untimed);
    }
    let took = if at == DNS { Took::Alone(took) } else { Took::Near(took) };
    walk.stopped(at, chain(error), remedy(error), took);
}

/// The step at which a dial ended.
fn step(error: &DialError) -> &'static str {
    match error {
        DialError::Dns { .. } | DialError::Timeout(Stage::Dns) => DNS,
        DialError::Tcp { .. }
        | DialError::ConnectionRefused { .. }
        | DialError::Timeout(Stage::Tcp) => TCP,
        DialError::Tls { .. } | DialError::Timeout(Stage::Tls) => TLS,
        DialError::Access { .. } => ACCESS,
        DialError::TunnelDown(_)
        | DialError::OriginRefused(_)
        | DialError::Status { .. }
        | DialError::Timeout(Stage::Upgrade)
        | DialError::Protocol(_)
        | DialError::Closed(_) => TUNNEL,
    }
}

fn remedy(error: &DialError) -> &'static str {
    match error {
        DialError::Dns { .. } | DialError::Timeout(Stage::Dns) => {
            "Check origin.host and the resolver of this machine, or give edge_address (IP:port)."
        }
        DialError::ConnectionRefused { .. } => {
            "Nothing listens there: is `jumpgate edge` running, and is edge_address that of its \
             `public` listener?"
        }
        DialError::Tcp { .. } | DialError::Timeout(Stage::Tcp) => {
            "Is the edge up, and does a firewall let port 443 (or that of edge_address) through?"
        }
        DialError::Tls { .. } if error.word() == "bad_certificate" => {
            "The CA in edge_ca_certificate (without it: of this machine) must have signed the \
             edge's certificate, and that must carry origin.host."
        }
        DialError::Tls { .. } | DialError::Timeout(Stage::Tls) => {
            "What listens there does not speak TLS: check origin.host and edge_address."
        }
        DialError::Access { denied: AccessDenied::LoginRedirect, .. } => {
            "Put the token into a policy with the action Service Auth, not Allow, for this \
             hostname; then check access_client_id and access_client_secret."
        }
        DialError::Access { .. } => {
            "Check access_client_id and access_client_secret. `jumpgate access token list` shows \
             the edge's tokens: is it there, valid, and allowed for this hostname?"
        }
        DialError::TunnelDown(_) => {
            "Is `jumpgate connector` running in the private network? `jumpgate tunnel list` shows \
             the connectors that the edge has; the connector's own log says why it is not there."
        }
        DialError::OriginRefused(_) => {
            "The connector is there, but cannot reach the database: check `service` in its \
             [[connector.ingress]], and that the database is up and listens there."
        }
        DialError::Status { status: 404, .. } => {
            "Nobody serves this hostname: check origin.host, the hostnames of the edge \
             (`jumpgate tunnel list`), and [[connector.ingress]]."
        }
        DialError::Timeout(Stage::Upgrade) => {
            "The edge asks the connector, who dials the database: does a firewall between those \
             two swallow the connection?"
        }
        DialError::Status { .. } | DialError::Protocol(_) | DialError::Closed(_) => {
            "Is origin.host (or edge_address) really an edge? Its log says more."
        }
    }
}

#[cfg(test)]
mod tests {
    use tunnel::client::Answer;

    use super::*;

    #[test]
    fn every_failure_ends_at_its_step_with_its_remedy() {
        let answer = Answer::default;
        let denied = |denied| DialError::Access { denied, answer: answer() };
        let refused = DialError::ConnectionRefused { address: ([127, 0, 0, 1], 1).into() };
        for (error, at, remedy) in [
            (DialError::Timeout(Stage::Dns), DNS, "edge_address"),
            (refused, TCP, "`jumpgate edge`"),
            (DialError::Timeout(Stage::Tls), TLS, "does not speak TLS"),
            (denied(AccessDenied::LoginRedirect), ACCESS, "Service Auth"),
            (denied(AccessDenied::Forbidden), ACCESS, "`jumpgate access token list`"),
            (DialError::TunnelDown(answer()), TUNNEL, "`jumpgate connector`"),
            (DialError::OriginRefused(answer()), TUNNEL, "[[connector.ingress]]"),
            (DialError::Status { status: 404, answer: answer() }, TUNNEL, "hostname"),
            (DialError::Timeout(Stage::Upgrade), TUNNEL, "swallow"),
            (DialError::Protocol("no"), TUNNEL, "really an edge"),
        ] {
            let mut walk = Walk::default();
            failed(&mut walk, &error, Duration::from_millis(1));
            let shown = walk.lines().join("\n");
            assert!(shown.contains(&format!("✗ {at} ")), "{error}: {shown}");
            assert!(shown.contains(remedy), "{error}: {shown}");
            let is_past_access = shown.contains("✓ Access");
            let wanted = matches!(error, DialError::TunnelDown(_) | DialError::OriginRefused(_));
            assert_eq!(is_past_access, wanted, "{error}");
        }
    }

    #[test]
    fn a_dial_that_was_cut_off_ended_in_the_stage_behind_the_last_one() {
        let some = Some(Duration::ZERO);
        assert_eq!(next(&Stages::default()), Stage::Dns);
        assert_eq!(next(&Stages { dns: some, tcp: some, ..Stages::default() }), Stage::Tls);
    }
}
