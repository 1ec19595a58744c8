//! The file as it was typed: every field optional, unknown keys refused.
//!
//! A value keeps its place in the file ([`Spanned`]), so that a rule broken later can still say its
//! line. `jumpgate.example.toml` in the repository describes each key.

use std::net::SocketAddr;

use control::RoundTrips;
use serde::Deserialize;
use toml::Spanned;

/// A value that may be missing, and where it stands.
pub(super) type Typed<T> = Option<Spanned<T>>;

/// A secret as it was typed. Any TOML value, so that a wrong type is refused by us and never shown.
pub(super) type Plain = Option<Spanned<toml::Value>>;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSection {
    pub(super) listen: Typed<ListenSection>,
    pub(super) admin: Typed<AdminSection>,
    pub(super) log: Typed<LogSection>,
    pub(super) cache: Typed<CacheSection>,
    pub(super) cluster: Typed<ClusterSection>,
    #[serde(default)]
    pub(super) database: Vec<Spanned<DatabaseSection>>,
    pub(super) edge: Typed<EdgeSection>,
    pub(super) connector: Typed<ConnectorSection>,
    pub(super) control: Typed<ControlSection>,
}

/// `[listen]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenSection {
    pub(super) postgres: Typed<SocketAddr>,
    pub(super) mysql: Typed<SocketAddr>,
    pub(super) advertise_postgres: Typed<String>,
    pub(super) advertise_mysql: Typed<String>,
    pub(super) mysql_server_version: Typed<String>,
    pub(super) mysql_compression: Typed<bool>,
    pub(super) tls_certificate: Typed<String>,
    pub(super) tls_key: Typed<String>,
    pub(super) require_tls: Typed<bool>,
    pub(super) direct_tls_without_alpn: Typed<bool>,
    pub(super) max_clients: Typed<u32>,
    pub(super) login_timeout: Typed<f64>,
    pub(super) max_failed_logins: Typed<u32>,
    pub(super) write_timeout: Typed<f64>,
}

/// `[admin]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdminSection {
    pub(super) listen: Typed<SocketAddr>,
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogSection {
    pub(super) format: Typed<String>,
    pub(super) filter: Typed<String>,
}

/// `[cache]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheSection {
    pub(super) capacity_bytes: Typed<u64>,
    pub(super) max_entry_bytes: Typed<u32>,
}

/// `[cluster]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterSection {
    pub(super) url: Plain,
    pub(super) url_file: Typed<String>,
    pub(super) url_env: Typed<String>,
    pub(super) ca_certificate: Typed<String>,
    pub(super) namespace: Typed<String>,
    pub(super) lease: Typed<f64>,
    pub(super) timeout: Typed<f64>,
    pub(super) write_wait: Typed<f64>,
    pub(super) unreachable: Typed<String>,
    pub(super) replicas: Typed<u32>,
    pub(super) max_entry_bytes: Typed<u32>,
    pub(super) seal_key: Plain,
    pub(super) seal_key_file: Typed<String>,
    pub(super) seal_key_env: Typed<String>,
}

/// `[[database]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatabaseSection {
    pub(super) id: Typed<String>,
    pub(super) name: Typed<String>,
    #[serde(default)]
    pub(super) user: Vec<Spanned<UserSection>>,
    pub(super) origin: Typed<OriginSection>,
    pub(super) mtls: Typed<MtlsSection>,
    pub(super) caching: Typed<CachingSection>,
    pub(super) round_trips: Typed<RoundTrips>,
    pub(super) capture: Typed<CaptureSection>,
    pub(super) pool: Typed<PoolSection>,
}

/// `[[database.user]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserSection {
    pub(super) name: Typed<String>,
    pub(super) password: Plain,
    pub(super) password_file: Typed<String>,
    pub(super) password_env: Typed<String>,
    pub(super) verifier: Plain,
    pub(super) previous_password: Plain,
    pub(super) previous_password_file: Typed<String>,
    pub(super) previous_password_env: Typed<String>,
    pub(super) previous_verifier: Plain,
    pub(super) statement_timeout: Typed<f64>,
    pub(super) max_connections: Typed<u32>,
}

/// `[database.origin]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OriginSection {
    pub(super) scheme: Typed<String>,
    pub(super) host: Typed<String>,
    pub(super) port: Typed<u16>,
    pub(super) hosts: Typed<Vec<String>>,
    pub(super) target_session_attrs: Typed<String>,
    pub(super) database: Typed<String>,
    pub(super) user: Typed<String>,
    pub(super) password: Plain,
    pub(super) password_file: Typed<String>,
    pub(super) password_env: Typed<String>,
    pub(super) access_client_id: Typed<String>,
    pub(super) access_client_secret: Plain,
    pub(super) access_client_secret_file: Typed<String>,
    pub(super) access_client_secret_env: Typed<String>,
    pub(super) compression: Typed<String>,
    pub(super) edge_address: Typed<SocketAddr>,
    pub(super) edge_ca_certificate: Typed<String>,
}

/// `[database.mtls]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MtlsSection {
    pub(super) sslmode: Typed<String>,
    pub(super) ca_certificate: Typed<String>,
    pub(super) client_certificate: Typed<String>,
    pub(super) client_key: Typed<String>,
}

/// `[database.caching]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CachingSection {
    pub(super) disabled: Typed<bool>,
    pub(super) max_age: Typed<f64>,
    pub(super) stale_while_revalidate: Typed<f64>,
    pub(super) in_transactions: Typed<String>,
    pub(super) clock_max_age: Typed<f64>,
    pub(super) writers: Typed<String>,
    #[serde(default)]
    pub(super) rule: Vec<Spanned<RuleSection>>,
}

/// `[[database.caching.rule]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleSection {
    pub(super) tables: Typed<Vec<String>>,
    pub(super) user: Typed<String>,
    pub(super) never: Typed<bool>,
    pub(super) max_age: Typed<f64>,
    pub(super) stale_while_revalidate: Typed<f64>,
    pub(super) clock_max_age: Typed<f64>,
}

/// `[database.capture]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaptureSection {
    pub(super) enabled: Typed<bool>,
    pub(super) slot: Typed<String>,
    pub(super) publication: Typed<String>,
    pub(super) user: Typed<String>,
    pub(super) password: Plain,
    pub(super) password_file: Typed<String>,
    pub(super) password_env: Typed<String>,
    pub(super) max_lag: Typed<f64>,
    pub(super) until_changed: Typed<bool>,
}

/// `[database.pool]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolSection {
    pub(super) mode: Typed<String>,
    pub(super) origin_connection_limit: Typed<u32>,
    pub(super) max_clients: Typed<u32>,
    pub(super) min_idle: Typed<u32>,
    pub(super) checkout_timeout: Typed<f64>,
    pub(super) connect_timeout: Typed<f64>,
    pub(super) idle_timeout: Typed<f64>,
    pub(super) max_lifetime: Typed<f64>,
    pub(super) statement_timeout: Typed<f64>,
    pub(super) idle_in_transaction_timeout: Typed<f64>,
}

/// `[edge]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EdgeSection {
    pub(super) public: Typed<SocketAddr>,
    pub(super) connectors: Typed<SocketAddr>,
    pub(super) advertise: Typed<SocketAddr>,
    pub(super) metrics: Typed<SocketAddr>,
    pub(super) drain_timeout: Typed<f64>,
    pub(super) certificate: Typed<String>,
    pub(super) key: Typed<String>,
    pub(super) state: Typed<String>,
    #[serde(default)]
    pub(super) service_token: Vec<Spanned<ServiceTokenSection>>,
    #[serde(default)]
    pub(super) tunnel: Vec<Spanned<TunnelSection>>,
    #[serde(default)]
    pub(super) hostname: Vec<Spanned<HostnameSection>>,
}

/// `[[edge.service_token]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceTokenSection {
    pub(super) name: Typed<String>,
    pub(super) id: Typed<String>,
    pub(super) secret_file: Typed<String>,
    pub(super) secret_env: Typed<String>,
    pub(super) secret_sha256: Plain,
}

/// `[[edge.tunnel]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TunnelSection {
    pub(super) id: Typed<String>,
    pub(super) account_tag: Typed<String>,
    pub(super) secret_file: Typed<String>,
    pub(super) secret_env: Typed<String>,
}

/// `[[edge.hostname]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostnameSection {
    pub(super) name: Typed<String>,
    pub(super) tunnel: Typed<String>,
    pub(super) service_tokens: Typed<Vec<String>>,
}

/// `[connector]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectorSection {
    pub(super) edge: Typed<Vec<String>>,
    pub(super) token: Plain,
    pub(super) token_file: Typed<String>,
    pub(super) token_env: Typed<String>,
    pub(super) ca_certificate: Typed<String>,
    pub(super) connections: Typed<u8>,
    pub(super) allow: Typed<Vec<String>>,
    pub(super) allow_file: Typed<String>,
    pub(super) metrics: Typed<SocketAddr>,
    pub(super) grace_period: Typed<f64>,
    #[serde(default)]
    pub(super) ingress: Vec<Spanned<IngressSection>>,
}

/// `[[connector.ingress]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IngressSection {
    pub(super) hostname: Typed<String>,
    pub(super) service: Typed<String>,
}

/// `[control]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlSection {
    pub(super) listen: Typed<SocketAddr>,
    pub(super) certificate: Typed<String>,
    pub(super) key: Typed<String>,
    pub(super) plain_http: Typed<bool>,
    pub(super) test_connections: Typed<bool>,
    pub(super) store: Plain,
    pub(super) store_file: Typed<String>,
    pub(super) store_env: Typed<String>,
    pub(super) sealing_key: Plain,
    pub(super) sealing_key_file: Typed<String>,
    pub(super) sealing_key_env: Typed<String>,
    pub(super) url: Typed<toml::Value>,
    pub(super) token: Plain,
    pub(super) token_file: Typed<String>,
    pub(super) token_env: Typed<String>,
    pub(super) ca_certificate: Typed<String>,
    pub(super) state: Typed<String>,
    pub(super) node: Typed<String>,
}
