//! What is asked of a config, and what it makes of one: from nothing, in its place, or over it.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::{
    api::{body::Field, envelope::ApiError},
    draft::{CachingDraft, CaptureDraft, OriginDraft, PoolDraft},
    model::{RoundTrips, Secret},
    moment::Moment,
    resources::Hyperdrive,
};

/// The body of a request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    name: Field<String>,
    origin: Field<Origin>,
    caching: Field<CachingDraft>,
    mtls: Field<Mtls>,
    origin_connection_limit: Field<u32>,
    /// Ours: what else can be said of the connections.
    pool: Field<PoolDraft>,
    round_trips: Field<RoundTrips>,
    capture: Field<CaptureDraft>,
}

/// Where a database is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Origin {
    scheme: Field<String>,
    host: Field<String>,
    port: Field<u16>,
    database: Field<String>,
    user: Field<String>,
    password: Field<String>,
    access_client_id: Field<String>,
    access_client_secret: Field<String>,
    service_id: Field<String>,
    compression: Field<String>,
    edge_address: Field<SocketAddr>,
    edge_ca_certificate: Field<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Mtls {
    sslmode: Field<String>,
    ca_certificate_id: Field<String>,
    mtls_certificate_id: Field<String>,
}

/// How what is asked goes over what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// PUT: the origin as a whole, and caching anew; what else is left out stays.
    Replace,
    /// PATCH: what is left out stays.
    Update,
}

impl Asked {
    /// A new config.
    pub(super) fn config(
        self,
        id: String,
        account: String,
        now: Moment,
    ) -> Result<Hyperdrive, ApiError> {
        let nothing = Hyperdrive {
            id,
            account,
            name: String::new(),
            origin: OriginDraft::default(),
            caching: CachingDraft::default(),
            sslmode: None,
            ca_certificate_id: None,
            mtls_certificate_id: None,
            pool: PoolDraft::default(),
            round_trips: RoundTrips::default(),
            capture: None,
            created_on: now,
            modified_on: now,
            restarted_on: None,
        };
        self.over(&nothing, Way::Replace, now)
    }

    /// Whether the connection has to be tested: all but a name and caching says how it is made.
    pub(super) const fn concerns_connections(&self) -> bool {
        !self.origin.is_absent() || !self.mtls.is_absent()
    }

    /// What it makes of a config.
    pub(super) fn over(
        &self,
        before: &Hyperdrive,
        way: Way,
        now: Moment,
    ) -> Result<Hyperdrive, ApiError> {
        let mut after = Hyperdrive { modified_on: now, ..before.clone() };
        match (self.name.clone(), way) {
            (Field::Value(name), _) if !name.is_empty() => after.name = name,
            (_, Way::Update) => {}
            (_, Way::Replace) => return Err(ApiError::invalid("name is missing: add \"name\"")),
        }
        match (&self.origin, way) {
            (Field::Value(origin), Way::Replace) => {
                after.origin = origin.over(&OriginDraft::default())?;
                let has_certificate = match &self.mtls {
                    Field::Value(mtls) => !mtls.mtls_certificate_id.is_absent(),
                    Field::Absent => before.mtls_certificate_id.is_some(),
                    Field::Null => false,
                };
                if after.origin.password.is_none() && !has_certificate {
                    return Err(ApiError::invalid("origin.password is missing: add it"));
                }
            }
            (Field::Value(origin), Way::Update) => after.origin = origin.over(&before.origin)?,
            (_, Way::Update) => {}
            (_, Way::Replace) => {
                return Err(ApiError::invalid("origin is missing: add \"origin\""));
            }
        }
        self.caching(&mut after, way);
        self.mtls(&mut after);
        after.pool = match (&self.pool, way) {
            (Field::Value(pool), _) => PoolDraft {
                origin_connection_limit: after.pool.origin_connection_limit,
                ..pool.clone()
            },
            (Field::Null, _) => PoolDraft {
                origin_connection_limit: after.pool.origin_connection_limit,
                ..PoolDraft::default()
            },
            (Field::Absent, _) => after.pool,
        };
        after.round_trips = match &self.round_trips {
            Field::Value(round_trips) => round_trips.clone(),
            Field::Null => RoundTrips::default(),
            Field::Absent => after.round_trips,
        };
        after.capture = self.captured(after.capture);
        let limit = self.origin_connection_limit.clone();
        after.pool.origin_connection_limit = limit.over(after.pool.origin_connection_limit);
        Ok(after)
    }

    fn caching(&self, after: &mut Hyperdrive, way: Way) {
        match (&self.caching, way) {
            (Field::Absent, Way::Update) => {}
            (Field::Absent | Field::Null, _) => after.caching = CachingDraft::default(),
            (Field::Value(caching), Way::Replace) => after.caching = caching.clone(),
            (Field::Value(caching), Way::Update) => {
                let before = &after.caching;
                after.caching = CachingDraft {
                    disabled: caching.disabled.or(before.disabled),
                    max_age: caching.max_age.or(before.max_age),
                    stale_while_revalidate: caching
                        .stale_while_revalidate
                        .or(before.stale_while_revalidate),
                    in_transactions: caching
                        .in_transactions
                        .clone()
                        .or_else(|| before.in_transactions.clone()),
                    clock_max_age: caching.clock_max_age.or(before.clock_max_age),
                    writers: caching.writers.clone().or_else(|| before.writers.clone()),
                    rules: caching.rules.clone().or_else(|| before.rules.clone()),
                };
            }
        }
        if after.caching.disabled == Some(true) {
            // Ages say nothing then, and are not kept.
            after.caching = CachingDraft { disabled: Some(true), ..CachingDraft::default() };
        }
    }

    /// As a whole, but for a password that is left out: the user's, whose it was, stays.
    fn captured(&self, before: Option<CaptureDraft>) -> Option<CaptureDraft> {
        match &self.capture {
            Field::Absent => before,
            Field::Null => None,
            Field::Value(asked) => {
                let known = before.filter(|before| before.user == asked.user);
                let password = asked.password.clone().or_else(|| known?.password);
                Some(CaptureDraft { password, ..asked.clone() })
            }
        }
    }

    fn mtls(&self, after: &mut Hyperdrive) {
        match &self.mtls {
            Field::Absent => {}
            Field::Null => {
                (after.sslmode, after.ca_certificate_id, after.mtls_certificate_id) =
                    (None, None, None);
            }
            Field::Value(mtls) => {
                after.sslmode = mtls.sslmode.clone().over(after.sslmode.take());
                after.ca_certificate_id =
                    mtls.ca_certificate_id.clone().over(after.ca_certificate_id.take());
                after.mtls_certificate_id =
                    mtls.mtls_certificate_id.clone().over(after.mtls_certificate_id.take());
            }
        }
    }
}

impl Origin {
    /// What it makes of an origin. A port, or what opens a tunnel, decides which kind it is; what belongs to the other kind
    /// goes.
    fn over(&self, before: &OriginDraft) -> Result<OriginDraft, ApiError> {
        if let Field::Value(_service) = &self.service_id {
            let message = "origin.service_id: there are no Workers VPC services here; give host and port, or host, \
                access_client_id and access_client_secret";
            return Err(ApiError::invalid(message));
        }
        let secret = |field: &Field<String>, there: &Option<Secret>| match field {
            Field::Value(text) => Some(Secret::from(text.as_str())),
            Field::Null => None,
            Field::Absent => there.clone(),
        };
        let mut after = OriginDraft {
            scheme: self.scheme.clone().over(before.scheme.clone()),
            host: self.host.clone().over(before.host.clone()),
            port: self.port.clone().over(before.port),
            hosts: before.hosts.clone(),
            target_session_attrs: before.target_session_attrs.clone(),
            database: self.database.clone().over(before.database.clone()),
            user: self.user.clone().over(before.user.clone()),
            password: secret(&self.password, &before.password),
            access_client_id: self.access_client_id.clone().over(before.access_client_id.clone()),
            access_client_secret: secret(&self.access_client_secret, &before.access_client_secret),
            compression: self.compression.clone().over(before.compression.clone()),
            edge_address: self.edge_address.clone().over(before.edge_address),
            edge_ca_certificate: match &self.edge_ca_certificate {
                Field::Value(pem) => Some(pem.clone().into_bytes()),
                Field::Null => None,
                Field::Absent => before.edge_ca_certificate.clone(),
            },
        };
        let names_port = matches!(self.port, Field::Value(_));
        let names_access = matches!(self.access_client_id, Field::Value(_))
            || matches!(self.access_client_secret, Field::Value(_));
        // Both of them are a mistake that the check tells.
        if names_access && !names_port {
            after.port = None;
        } else if names_port && !names_access {
            after.access_client_id = None;
            after.access_client_secret = None;
            after.edge_address = None;
            after.edge_ca_certificate = None;
        }
        Ok(after)
    }
}
