//! The steps that were taken, and how they read as a whole.

use std::time::Duration;

use origin::failover::Server;
use serving::config::OriginTls;

use super::step::{Fault, Obstacle, RoundTrips, Step, Took, milliseconds};

pub(super) const DNS: &str = "DNS";
pub(super) const TCP: &str = "TCP";
pub(super) const DATABASE_TLS: &str = "database TLS";
pub(super) const LOGIN: &str = "login";
pub(super) const QUERY: &str = "query";

/// Names of the steps of a dial through the tunnel.
pub(super) mod tunnel {
    pub(in crate::check) const DNS: &str = "DNS of the edge";
    pub(in crate::check) const TCP: &str = "TCP to the edge";
    pub(in crate::check) const TLS: &str = "TLS to the edge";
    pub(in crate::check) const ACCESS: &str = "Access";
    pub(in crate::check) const TUNNEL: &str = "tunnel";
}

/// What the steps behind the dial say of TLS, whatever the engine.
pub(super) const CERTIFICATE_REMEDY: &str = "ca_certificate in [database.mtls] must be the CA that signed the database's certificate; \
     with sslmode = \"verify-full\" the certificate must carry origin.host, too.";
pub(super) const UNVERIFIED_REMEDY: &str = "Say in [database.mtls] whose certificates to trust: sslmode = \"verify-full\" with \
     ca_certificate, or sslmode = \"verify-ca\" where the certificate does not carry origin.host. A database that keeps \
     its password for SCRAM never asks for it.";
pub(super) const QUERY_REMEDY: &str =
    "The database accepted the login and then failed: see its log.";

/// The steps that were taken; the last one says where the way ends.
#[derive(Debug, Default)]
pub struct Walk {
    steps: Vec<Step>,
    pub(super) round_trips: RoundTrips,
    pub(super) took: Duration,
    /// What is at its end, where that was reached.
    pub(super) server: Option<Server>,
}

impl Walk {
    /// Every step, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether the last step was the query, and it was answered.
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|step| step.outcome.is_ok())
    }

    /// What a person reads: a line for each step, remedies, and a verdict.
    pub fn lines(&self) -> Vec<String> {
        let steps = self.steps.iter().flat_map(|step| step.lines(self.round_trips));
        let mut lines: Vec<_> = steps.collect();
        if self.round_trips.is_any_short() {
            lines.push(String::from(
                "Round trips of less than 1 ms are not counted: computing takes longer than they do.",
            ));
        }
        let total = milliseconds(self.took);
        let end = self.steps.iter().find(|step| step.outcome.is_err());
        lines.push(match (end, self.round_trips.far) {
            (Some(step), _) => format!("Total {total}. The way ends here: {}.", step.name),
            (None, Some(query)) => {
                let query = milliseconds(query);
                format!("Total {total}. Everything works. A query costs {query} (1 round trip).")
            }
            (None, None) => format!("Total {total}. Everything works."),
        });
        lines
    }

    pub(super) fn passed(&mut self, name: &'static str, detail: impl Into<String>, took: Took) {
        self.steps.push(Step { name, outcome: Ok(detail.into()), took });
    }

    pub(super) fn stopped(
        &mut self,
        name: &'static str,
        reason: String,
        remedy: &'static str,
        took: Took,
    ) {
        let fault = match name {
            DNS | tunnel::DNS => Fault::Hostname,
            TCP | tunnel::TCP | tunnel::TLS | tunnel::ACCESS | tunnel::TUNNEL => Fault::Unreachable,
            QUERY => Fault::Query,
            _ => Fault::Other,
        };
        self.steps.push(Step { name, outcome: Err(Obstacle { reason, remedy, fault }), took });
    }

    /// More is known of why the way ended than at which step.
    pub(super) fn because(&mut self, fault: Option<Fault>) {
        let end = self.steps.iter_mut().find_map(|step| step.outcome.as_mut().err());
        if let (Some(end), Some(fault)) = (end, fault) {
            end.fault = fault;
        }
    }

    /// The database's TLS is complete, unless the config goes without.
    pub(super) fn passed_tls(&mut self, tls: &OriginTls, took: Duration) {
        match tls {
            OriginTls::Plaintext => {
                self.passed(DATABASE_TLS, "none, as the config says", Took::Untimed);
            }
            OriginTls::Required { .. } => self.passed(DATABASE_TLS, "", Took::Far(took)),
        }
    }

    /// A query was answered twice; the faster time is that of a round trip.
    pub(super) fn passed_query(&mut self, detail: String, times: [Duration; 2]) {
        let [first, second] = times;
        let faster = first.min(second);
        self.round_trips.far = Some(faster);
        self.passed(QUERY, detail, Took::Far(faster));
    }
}
