//! Where clients reach a proxy, where that is not where it listens: told to a control node, and by that to whoever asks for a
//! connection string.

use serving::config::Engine;

use super::{document::Document, error::ConfigError, file::Typed};

/// As a file says it for each engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advertised {
    postgres: Option<HostPort>,
    mysql: Option<HostPort>,
}

/// A name or an address, and a port if it is not the listener's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// An address of IPv6 without brackets.
    pub host: String,
    /// None for the listener's.
    pub port: Option<u16>,
}

impl Advertised {
    /// Of an engine.
    pub const fn of(&self, engine: Engine) -> Option<&HostPort> {
        match engine {
            Engine::Postgres => self.postgres.as_ref(),
            Engine::MySql => self.mysql.as_ref(),
        }
    }
}

impl Document {
    /// Where clients reach this proxy, as far as the file says so.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for what is no `host` and no `host:port`.
    pub fn advertised(&self) -> Result<Advertised, ConfigError> {
        let Some(section) = &self.sections.listen else { return Ok(Advertised::default()) };
        let section = section.get_ref();
        let read = |typed: &Typed<String>| {
            let Some(typed) = typed else { return Ok(None) };
            let place = host_port(typed.get_ref()).ok_or_else(|| {
                let remedy = "for example \"db.example.com\" or \"db.example.com:5432\"";
                self.source.error(&typed.span(), "is no host and no host:port", remedy)
            });
            place.map(Some)
        };
        Ok(Advertised {
            postgres: read(&section.advertise_postgres)?,
            mysql: read(&section.advertise_mysql)?,
        })
    }
}

fn host_port(text: &str) -> Option<HostPort> {
    // What URLs have behind their scheme has exactly this form.
    let authority: axum::http::uri::Authority = text.parse().ok()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = authority.port_u16();
    let is_whole = port.is_some() || authority.host().len() == text.len();
    let is_whole = is_whole && !text.contains('@');
    (is_whole && !host.is_empty() && port != Some(0)).then_some(HostPort { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_port() {
        let made = |host: &str, port| Some(HostPort { host: host.to_owned(), port });
        for (text, read) in [
            ("db.example.com", made("db.example.com", None)),
            ("db.example.com:5432", made("db.example.com", Some(5432))),
            ("192.0.2.1:1", made("192.0.2.1", Some(1))),
            ("[2001:db8::1]:5432", made("2001:db8::1", Some(5432))),
            ("", None),
            (":5432", None),
            ("db:0", None),
            ("db:port", None),
            ("db:99999", None),
            ("user@db", None),
            ("a b", None),
            ("postgres://db", None),
        ] {
            assert_eq!(host_port(text), read, "{text}");
        }
    }
}
