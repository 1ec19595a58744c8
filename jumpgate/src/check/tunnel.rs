//! The steps of a dial through the tunnel, and what to do where it ends.
//!
//! Access and the tunnel are one exchange on the wire: it is shown as two steps, as two different people can be asked.

use std::time::Duration;

use origin::net::Stream;
use rustls::CertificateError;
use tokio::time::Instant;
use tunnel::client::{AccessDenied, Client, DialError, Stage, Stages};

pub(super) use super::walk::tunnel::{ACCESS, DNS, TCP, TLS, TUNNEL};
use super::{
    step::{Fault, Took},
    walk::Walk,
};
use crate::report::chain;

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
    if is_past_access(error) {
        // An edge says so only to those whom Access lets pass.
        walk.passed(ACCESS, "lets us pass", Took::Untimed);
    }
    let took = if at == DNS { Took::Alone(took) } else { Took::Near(took) };
    walk.stopped(at, chain(error), remedy(error), took);
    let is_refused =
        matches!(error, DialError::ConnectionRefused { .. } | DialError::OriginRefused(_));
    walk.because(is_refused.then_some(Fault::Refused));
}

const fn is_past_access(error: &DialError) -> bool {
    matches!(
        error,
        DialError::TunnelDown(_)
            | DialError::OriginRefused(_)
            | DialError::NotAllowed(_)
            | DialError::NoService { .. }
    )
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
        | DialError::NotAllowed(_)
        | DialError::UnknownHostname(_)
        | DialError::NoService { .. }
        | DialError::ConnectorPort
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
        DialError::Tls { source, .. } if error.word() == "bad_certificate" => {
            certificate_remedy(source)
        }
        DialError::ConnectorPort => {
            "edge_address must be that of the edge's `public` listener (443 unless it was changed), \
             not that of its `connectors`."
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
            "Is `jumpgate connector` running in the private network (or cloudflared)? On the edge's machine `jumpgate \
             tunnel list` shows which connectors it has; the connector's own log says why it is not there."
        }
        DialError::OriginRefused(_) => {
            "The connector is there, but cannot reach the database: check the service of the hostname (`jumpgate \
             tunnel list`, or [[connector.ingress]]), and that the database is up and listens there."
        }
        DialError::NotAllowed(_) => {
            "The service of the hostname (`jumpgate tunnel list`) must be in the connector's allow-list: --allow \
             HOST:PORT, or allow and allow_file in its [connector]."
        }
        DialError::UnknownHostname(_) => {
            "Lead the hostname to a tunnel with `jumpgate tunnel route` on the edge's machine, or correct origin.host; \
             `jumpgate tunnel list` shows the hostnames there are."
        }
        DialError::NoService { .. } => NO_SERVICE_REMEDY,
        DialError::Status { status: 404, .. } => {
            "Nobody serves this hostname: check origin.host, the hostnames of the edge \
             (`jumpgate tunnel list`), and [[connector.ingress]]."
        }
        // What cloudflared answers without any rule comes through Cloudflare's edge as it is (B4).
        DialError::Status { status: 503, .. } => NO_SERVICE_REMEDY,
        DialError::Timeout(Stage::Upgrade) => {
            "The edge asks the connector, who dials the database: does a firewall between those \
             two swallow the connection?"
        }
        DialError::Status { .. } | DialError::Protocol(_) | DialError::Closed(_) => {
            "Is origin.host (or edge_address) really an edge? Its log says more."
        }
    }
}

const NO_SERVICE_REMEDY: &str = "The connector has no rule for the hostname: give it a service with `jumpgate tunnel \
     route … --service tcp://HOST:PORT` (Cloudflare: a public hostname of the tunnel), or add it to the connector's own \
     [[connector.ingress]].";

fn certificate_remedy(error: &std::io::Error) -> &'static str {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(reason)) = tls else {
        return "The edge has shown no certificate: is origin.host (or edge_address) really an edge?";
    };
    match reason {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "The certificate is not for this hostname. An edge of ours has one for each hostname that leads to a \
             tunnel: is this one among them (`jumpgate tunnel list`, `jumpgate tunnel route`)? With a certificate of \
             its own, that must carry origin.host. Or something else listens there: check edge_address."
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "The edge's certificate has expired: renew it there, and check this machine's clock."
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "The edge's certificate is not valid yet: check the clocks of both machines."
        }
        _ => {
            "The CA in edge_ca_certificate (without it: one that this machine trusts) must have signed the edge's \
             certificate: an edge of ours has it in its folder as ca.pem."
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
        let certificate = |reason| DialError::Tls {
            host: String::from("db.test"),
            source: std::io::Error::other(rustls::Error::InvalidCertificate(reason)),
        };
        let refused_stream = |status| DialError::NoService { status, answer: answer() };
        for (error, at, remedy) in [
            // FAULTS §3: an unknown hostname was reported as a fault of the CA.
            (certificate(CertificateError::NotValidForName), TLS, "`jumpgate tunnel route`"),
            (certificate(CertificateError::UnknownIssuer), TLS, "ca.pem"),
            (certificate(CertificateError::Expired), TLS, "clock"),
            (DialError::ConnectorPort, TUNNEL, "`public` listener"),
            (DialError::NotAllowed(answer()), TUNNEL, "--allow"),
            (DialError::UnknownHostname(answer()), TUNNEL, "`jumpgate tunnel route`"),
            (refused_stream(404), TUNNEL, "--service"),
            (refused_stream(503), TUNNEL, "--service"),
            (DialError::Status { status: 503, answer: answer() }, TUNNEL, "--service"),
            (DialError::Timeout(Stage::Dns), DNS, "edge_address"),
            (refused, TCP, "`jumpgate edge`"),
            (DialError::Timeout(Stage::Tls), TLS, "does not speak TLS"),
            (denied(AccessDenied::LoginRedirect), ACCESS, "Service Auth"),
            (denied(AccessDenied::Forbidden), ACCESS, "`jumpgate access token list`"),
            (DialError::TunnelDown(answer()), TUNNEL, "tunnel list` shows which connectors"),
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
            let wanted = super::is_past_access(&error);
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
