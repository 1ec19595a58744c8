//! PgBouncer: one pool of the size that Jumpgate's has, in transaction mode, and nothing that costs it time.

use std::net::SocketAddr;

use anyhow::Result;

use super::{POOL_SIZE, Peer, Program, Settings, free_address};

/// Starts one in front of a database.
///
/// Clients log in with SCRAM against `verifier`, what the database itself keeps of the password of `app`. With it
/// PgBouncer needs no password, for a client's proof is good for the database too; it is its cheapest way. `sslmode` is
/// what it does towards the database: `disable`, `require` and so on.
///
/// # Errors
///
/// It is not to be had, or does not start.
///
/// # Cancel safety
///
/// Dropping the future ends it.
pub async fn start(
    origin: SocketAddr,
    verifier: &str,
    leaf: &e2e::certificates::Leaf,
    sslmode: &str,
) -> Result<Peer> {
    let program = Program::find("PgBouncer", "usr/sbin/pgbouncer")?;
    let version = program.version("--version")?;
    let address = free_address()?;
    let files = [
        ("pgbouncer.ini", settings(origin, address, sslmode, keeps_prepared(&version))),
        ("users", format!("\"app\" \"{verifier}\"\n")),
        ("server.pem", leaf.certificate.clone()),
        ("server.key", leaf.key.clone()),
    ];
    let settings = Settings { files: &files, arguments: &["-q", "pgbouncer.ini"] };
    program.start(settings, address, version).await
}

fn settings(
    origin: SocketAddr,
    address: SocketAddr,
    sslmode: &str,
    keeps_prepared: bool,
) -> String {
    let prepared = if keeps_prepared { "max_prepared_statements = 200\n" } else { "" };
    format!(
        "[databases]\n\
         app = host={} port={} dbname=app\n\
         [pgbouncer]\n\
         listen_addr = {}\n\
         listen_port = {}\n\
         unix_socket_dir =\n\
         auth_type = scram-sha-256\n\
         auth_file = users\n\
         pool_mode = transaction\n\
         default_pool_size = {POOL_SIZE}\n\
         max_client_conn = 8000\n\
         so_reuseport = 0\n\
         ignore_startup_parameters = extra_float_digits\n\
         log_connections = 0\n\
         log_disconnections = 0\n\
         server_tls_sslmode = {sslmode}\n\
         client_tls_sslmode = allow\n\
         client_tls_cert_file = server.pem\n\
         client_tls_key_file = server.key\n\
         {prepared}",
        origin.ip(),
        origin.port(),
        address.ip(),
        address.port(),
    )
}

/// Since 1.21 statements are kept in transaction mode; before, the setting is an error.
fn keeps_prepared(version: &str) -> bool {
    let number = version.rsplit(' ').next().unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (1, 21)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_tells_whether_statements_are_kept() {
        for (version, expected) in [
            ("PgBouncer 1.18.0", false),
            ("PgBouncer 1.26.1", true),
            ("PgBouncer 2.0", true),
            ("", false),
        ] {
            assert_eq!(keeps_prepared(version), expected, "{version}");
        }
    }

    #[test]
    fn an_old_one_is_not_told_what_it_does_not_know() {
        let any = SocketAddr::from(([127, 0, 0, 1], 1));
        assert!(settings(any, any, "disable", true).contains("max_prepared_statements = 200"));
        assert!(!settings(any, any, "disable", false).contains("max_prepared_statements"));
    }
}
