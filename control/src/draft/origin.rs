//! The rules about an origin and its TLS.

use super::{
    hosts::{self, several},
    name::name,
    written::{MtlsDraft, OriginDraft},
};
use crate::{
    mistake::{Mistake, Mistakes},
    model::{Access, Compression, Mtls, Origin, Scheme, SslMode, Way},
};

/// The word that allows a database without TLS.
const PLAINTEXT: &str = "plaintext-for-local-development";

/// What the origin speaks, which decides what everything else may be.
pub(super) fn scheme(written: Option<&str>) -> Result<Scheme, Mistake> {
    let key = "origin.scheme";
    match written {
        None => Err(Mistake::missing("origin", "scheme")),
        Some("postgres") => Ok(Scheme::Postgres),
        Some("postgresql") => Ok(Scheme::Postgresql),
        Some("mysql") => Ok(Scheme::MySql),
        Some("mariadb") => Err(Mistake::new(key, "must be \"mysql\"", "for MariaDB too")),
        Some(_) => Err(Mistake::new(key, "must be \"postgres\" or \"mysql\"", "")),
    }
}

pub(super) fn check(
    scheme: Scheme,
    draft: OriginDraft,
    mtls: MtlsDraft,
    mistakes: &mut Mistakes,
) -> Option<Origin> {
    let compression = mistakes.keep(compression(scheme, draft.compression.as_deref()));
    let database = mistakes.keep(name(scheme, draft.database.clone(), "origin", "database"));
    let user = mistakes.keep(name(scheme, draft.user.clone(), "origin", "user"));
    let password = draft.password.clone();
    let session_attrs = mistakes.keep(hosts::session_attrs(&draft));
    let way = mistakes.keep(way(scheme, draft));
    let mtls = mistakes.keep(self::mtls(mtls));
    Some(Origin {
        scheme,
        way: way?,
        session_attrs: session_attrs?,
        database: database?,
        user: user?,
        password,
        mtls: mtls?,
        compression: compression?,
    })
}

/// Directly with a port, or through the tunnel with a service token and no port.
fn way(scheme: Scheme, draft: OriginDraft) -> Result<Way, Mistake> {
    if let Some(written) = &draft.hosts {
        return several(scheme, &draft, written);
    }
    let host = draft.host.ok_or_else(|| Mistake::missing("origin", "host"))?;
    let access = match (draft.access_client_id, draft.access_client_secret) {
        (Some(client_id), Some(client_secret)) => Some(Access { client_id, client_secret }),
        (None, None) => None,
        (Some(_), None) => {
            let problem = "access_client_id is given without access_client_secret";
            return Err(Mistake::new("origin.access_client_id", problem, "give both or neither"));
        }
        (None, Some(_)) => {
            let problem = "access_client_secret is given without access_client_id";
            return Err(Mistake::new("origin", problem, "give both or neither"));
        }
    };
    let (edge_address, edge_ca_certificate) = (draft.edge_address, draft.edge_ca_certificate);
    if let Some(access) = access {
        if draft.port.is_some() {
            let problem = "port is given together with access_client_id";
            let remedy = "remove the port: the tunnel's hostname decides where it ends";
            return Err(Mistake::new("origin.port", problem, remedy));
        }
        return Ok(Way::Tunnel { host, access, edge_address, edge_ca_certificate });
    }
    let of_tunnels = [
        ("origin.edge_address", edge_address.is_some()),
        ("origin.edge_ca_certificate", edge_ca_certificate.is_some()),
    ];
    if let Some((key, _)) = of_tunnels.into_iter().find(|(_, is_given)| *is_given) {
        let problem = "is given, but the origin is not behind a tunnel";
        let remedy = "add access_client_id and access_client_secret, or remove it";
        return Err(Mistake::new(key, problem, remedy));
    }
    if let Some((name, port)) = host.split_once(':')
        && port.parse::<u16>().is_ok()
    {
        let problem = "must be a host name or an address alone";
        let remedy = format!("host = \"{name}\" and port = {port}");
        return Err(Mistake::new("origin.host", problem, remedy));
    }
    if !hosts::is_host(&host) {
        let problem = "must be a host name or an address";
        return Err(Mistake::new("origin.host", problem, "a /path needs a tunnel"));
    }
    match draft.port {
        Some(0) => Err(Mistake::new("origin.port", "must be at least 1", "")),
        Some(port) => Ok(Way::Direct { host, port }),
        None => {
            let port = scheme.default_port();
            let remedy = format!(
                "add port = {port}, or access_client_id and access_client_secret for a tunnel"
            );
            Err(Mistake::new("origin", "`port` is missing", remedy))
        }
    }
}

fn mtls(draft: MtlsDraft) -> Result<Mtls, Mistake> {
    let sslmode = match draft.sslmode.as_deref() {
        None | Some("require") => SslMode::Require,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        Some(PLAINTEXT) => SslMode::Plaintext,
        Some(_) => {
            let problem =
                format!("must be \"require\", \"verify-ca\", \"verify-full\" or \"{PLAINTEXT}\"");
            return Err(Mistake::new("mtls.sslmode", problem, "TLS is not optional"));
        }
    };
    if sslmode == SslMode::Require && draft.ca_certificate.is_some() {
        let problem = "ca_certificate has no effect with sslmode = \"require\"";
        let remedy = "use \"verify-ca\" or \"verify-full\"";
        return Err(Mistake::new("mtls.ca_certificate", problem, remedy));
    }
    let alone = |key: &str, other| {
        let problem = format!("{key} is given without {other}");
        Err(Mistake::new(format!("mtls.{key}"), problem, "give both or neither"))
    };
    let identity = match (draft.client_certificate, draft.client_key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return alone("client_certificate", "client_key"),
        (None, Some(_)) => return alone("client_key", "client_certificate"),
    };
    Ok(Mtls { sslmode, ca_certificate: draft.ca_certificate, identity })
}

/// How packets to the origin and back are compressed: not at all, unless somebody says so.
fn compression(scheme: Scheme, written: Option<&str>) -> Result<Option<Compression>, Mistake> {
    let key = "origin.compression";
    match written {
        None => Ok(None),
        Some(_) if !scheme.is_mysql() => {
            let problem = "PostgreSQL's protocol has no compression";
            Err(Mistake::new(key, problem, "remove the key"))
        }
        Some("zlib") => Ok(Some(Compression::Zlib)),
        Some("zstd") => Ok(Some(Compression::Zstd)),
        Some(_) => {
            let remedy =
                "zstd is MySQL's alone, MariaDB has zlib; without the key nothing is compressed";
            Err(Mistake::new(key, "must be \"zlib\" or \"zstd\"", remedy))
        }
    }
}
