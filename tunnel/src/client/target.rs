//! The hostname as it is configured: `host`, `host:port`, `host/path` or `host:port/path`.

use std::str::FromStr;

use rustls_pki_types::ServerName;

const HTTPS_PORT: u16 = 443;
const MAX_LEN: usize = 2048;

/// A parsed hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The name to resolve and to verify, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The path of the request, with its leading slash.
    pub(super) path: String,
    /// The value of the `Host` header.
    pub(super) authority: String,
    /// The name the certificate must be for.
    pub(super) server_name: ServerName<'static>,
}

impl FromStr for Target {
    type Err = InvalidHostname;

    fn from_str(text: &str) -> Result<Self, InvalidHostname> {
        if text.len() > MAX_LEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidHostname("it may hold visible ASCII characters only"));
        }
        if text.contains("://") || text.contains(['@', '#']) {
            return Err(InvalidHostname("it is host, host:port or host/path, without a scheme"));
        }
        let (authority, path) = match text.split_once('/') {
            Some((authority, path)) => (authority, format!("/{path}")),
            None => (text, "/".to_owned()),
        };
        let (host, port) = split_port(authority)?;
        let server_name = ServerName::try_from(host.to_owned())
            .map_err(|_invalid| InvalidHostname("it is neither a DNS name nor an IP address"))?;
        let bare = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let authority = if port == HTTPS_PORT { bare } else { format!("{bare}:{port}") };
        Ok(Self { host: host.to_owned(), port, path, authority, server_name })
    }
}

/// Why a text is no hostname that can be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tunnel hostname is not valid: {0}")]
pub struct InvalidHostname(&'static str);

/// Splits `host:port` or `[v6]:port`, the port being optional.
fn split_port(authority: &str) -> Result<(&str, u16), InvalidHostname> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) =
                rest.split_once(']').ok_or(InvalidHostname("a bracket is not closed"))?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(InvalidHostname("something follows the bracket")),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let Some(port) = port else { return Ok((host, HTTPS_PORT)) };
    match port.parse() {
        Ok(port) if port != 0 => Ok((host, port)),
        Ok(_) | Err(_) => Err(InvalidHostname("the port is not a number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostname_may_carry_a_port_and_a_path() {
        for (text, host, port, path, authority) in [
            ("db.example.test", "db.example.test", 443, "/", "db.example.test"),
            ("db.example.test:443", "db.example.test", 443, "/", "db.example.test"),
            ("db.example.test:8443", "db.example.test", 8443, "/", "db.example.test:8443"),
            ("example.test/database", "example.test", 443, "/database", "example.test"),
            ("example.test:8443/a/b?c=d", "example.test", 8443, "/a/b?c=d", "example.test:8443"),
            ("[::1]:8443", "::1", 8443, "/", "[::1]:8443"),
            ("127.0.0.1", "127.0.0.1", 443, "/", "127.0.0.1"),
        ] {
            let target: Target = text.parse().expect(text);
            assert_eq!((&*target.host, target.port), (host, port), "{text}");
            assert_eq!((&*target.path, &*target.authority), (path, authority), "{text}");
        }
    }

    #[test]
    fn what_is_no_hostname_is_refused() {
        for text in [
            "",
            "https://db.test",
            "a b",
            "db.test:0",
            "db.test:x",
            "db.test\r\nX: y",
            "[::1",
            "u@h",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text:?}");
        }
    }
}
