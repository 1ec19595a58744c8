//! The rules of a tunnel, and the hostnames that can lead to one: what an edge and a connector can keep of what is asked.
//!
//! An edge matches hostnames exactly. A rule for `*.example.com`, or for everything, is a service for hostnames that were led
//! to the tunnel one by one; by itself it leads nothing there.

use serde_json::Value;

use crate::mistake::{Mistake, Mistakes};

/// Where streams for a hostname go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// In lower case; with `*.` in front for all below it; empty for everything.
    pub(crate) hostname: String,
    /// `tcp://host:port`; `None` refuses (`http_status:404`).
    pub(crate) service: Option<String>,
}

impl Rule {
    /// Whether it leads a hostname to the tunnel by itself.
    pub(crate) fn is_exact(&self) -> bool {
        !self.hostname.is_empty() && !self.hostname.starts_with('*')
    }

    fn matches(&self, host: &str) -> bool {
        match self.hostname.strip_prefix('*') {
            Some(end) => host.len() > end.len() && host.ends_with(end),
            None => self.hostname.is_empty() || self.hostname == host,
        }
    }
}

/// The service for a hostname: the first rule that matches decides.
pub(crate) fn service<'a>(rules: &'a [Rule], hostname: &str) -> Option<&'a str> {
    rules.iter().find(|rule| rule.matches(hostname))?.service.as_deref()
}

/// The rules of a configuration, `{"ingress": [{"hostname", "service"}, …], …}`.
///
/// # Errors
///
/// All that could not be kept.
pub(crate) fn rules(configuration: &Value) -> Result<Vec<Rule>, Mistakes> {
    let mut mistakes = Mistakes::default();
    let warp = &configuration["warp-routing"]["enabled"];
    if warp == &Value::Bool(true) {
        let problem = "there are no private networks here";
        mistakes.add(Mistake::new("config.warp-routing", problem, "leave it out"));
    }
    let ingress = configuration["ingress"].as_array().map_or(&[][..], Vec::as_slice);
    let Some((last, _)) = ingress.split_last() else {
        let remedy = r#"end it with {"service": "http_status:404"}"#;
        mistakes.add(Mistake::new("config.ingress", "there is no rule", remedy));
        return Err(mistakes);
    };
    if text(last, "hostname").is_some() || text(last, "path").is_some() {
        let remedy = r#"end it with {"service": "http_status:404"}"#;
        mistakes.add(Mistake::new(
            "config.ingress",
            "the last rule must be for everything",
            remedy,
        ));
    }
    let count = ingress.len();
    let mut rules = Vec::with_capacity(count);
    for (number, asked) in ingress.iter().enumerate() {
        let at = format!("config.ingress.{number}");
        if let Some(rule) = mistakes.keep(rule(asked, &at, number + 1 == count)) {
            rules.push(rule);
        }
    }
    mistakes.or(Some(rules))
}

fn rule(asked: &Value, at: &str, is_last: bool) -> Result<Rule, Mistake> {
    let wrong = |key: &str, problem: &str, remedy: &str| {
        Mistake::new(format!("{at}.{key}"), problem, remedy)
    };
    if text(asked, "path").is_some() {
        return Err(wrong("path", "a TCP service has no path", "leave it out"));
    }
    let hostname = match text(asked, "hostname") {
        None if !is_last => {
            return Err(wrong("hostname", "only the last rule may be for everything", "add it"));
        }
        None | Some("*") => String::new(),
        Some(name) => {
            let (star, rest) = name.strip_prefix("*.").map_or(("", name), |rest| ("*.", rest));
            let rest = hostname(rest).map_err(|problem| wrong("hostname", problem, ""))?;
            format!("{star}{rest}")
        }
    };
    let remedy = "write tcp://host:port, or http_status:404 to refuse";
    let asked = text(asked, "service").ok_or_else(|| wrong("service", "is missing", remedy))?;
    let service = match asked.strip_prefix("http_status:") {
        Some(status) => {
            let is_status = status.parse().is_ok_and(|status: u16| (100..1000).contains(&status));
            if !is_status {
                return Err(wrong("service", "the status must have three digits", remedy));
            }
            None
        }
        None => {
            check_service(asked).map_err(|problem| wrong("service", problem, remedy))?;
            Some(asked.to_owned())
        }
    };
    Ok(Rule { hostname, service })
}

/// A text that says something: Terraform and the SDKs send empty ones and nulls for what is left out.
fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value[key].as_str().filter(|text| !text.is_empty())
}

/// Whether a connector can dial this.
pub(crate) fn check_service(text: &str) -> Result<(), &'static str> {
    let rest = text.strip_prefix("tcp://").ok_or("only TCP services can be reached here")?;
    let (host, port) = rest.rsplit_once(':').ok_or("it has no port")?;
    if port.parse::<u16>().unwrap_or_default() == 0 {
        return Err("its port is not a number from 1 to 65535");
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_address = bracketed.is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    if !is_address && (host.is_empty() || !host.bytes().all(is_allowed)) {
        return Err("its host is neither a name nor an address");
    }
    Ok(())
}

/// A hostname that can lead to a tunnel, in lower case.
///
/// # Errors
///
/// Why it cannot.
pub(crate) fn hostname(text: &str) -> Result<String, &'static str> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if name.contains('*') {
        return Err("has a `*`, and hostnames are matched exactly; give each one by itself");
    }
    let has_labels = name.split('.').all(|label| (1..=LABEL_MAX).contains(&label.len()));
    if name.len() > HOSTNAME_MAX || !has_labels || !name.bytes().all(is_allowed) {
        return Err("is not a hostname: it has no scheme, no port and no path");
    }
    let is_below = |zone: &&str| {
        name.strip_suffix(*zone).is_some_and(|start| start.is_empty() || start.ends_with('.'))
    };
    if RESERVED_ZONES.iter().any(is_below) {
        return Err("belongs to the tunnel protocol itself; choose another name");
    }
    Ok(name)
}

/// What connectors ask an edge for themselves.
const RESERVED_ZONES: [&str; 2] = ["argotunnel.com", "cftunnel.com"];
const HOSTNAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_rule_that_matches_says_the_service() {
        let rules = rules(&json!({ "ingress": [
            { "hostname": "DB.example.com", "service": "tcp://127.0.0.1:5432", "originRequest": {} },
            { "hostname": "off.example.com", "service": "http_status:403" },
            { "hostname": "*.example.com", "path": null, "service": "tcp://[::1]:3306" },
            { "hostname": "", "service": "tcp://db.internal:1" },
        ] }))
        .unwrap();
        for (host, expected) in [
            ("db.example.com", Some("tcp://127.0.0.1:5432")),
            ("off.example.com", None),
            ("a.b.example.com", Some("tcp://[::1]:3306")),
            ("example.com", Some("tcp://db.internal:1")),
        ] {
            assert_eq!(service(&rules, host), expected, "{host}");
        }
        let exact: Vec<_> = rules.iter().map(Rule::is_exact).collect();
        assert_eq!(exact, [true, true, false, false]);
    }

    #[test]
    fn what_cannot_be_kept_is_named() {
        let last = json!({ "service": "http_status:404" });
        let one = |rule: Value| json!({ "ingress": [rule, last] });
        for (configuration, expected) in [
            (json!({}), "config.ingress: there is no rule"),
            (json!({ "ingress": [] }), "config.ingress: there is no rule"),
            (
                json!({ "ingress": [{ "hostname": "a.test", "service": "tcp://h:1" }] }),
                "config.ingress: the last rule must be for everything",
            ),
            (one(json!({ "service": "tcp://h:1" })), "config.ingress.0.hostname: only the last"),
            (one(json!({ "hostname": "a.test" })), "config.ingress.0.service: is missing"),
            (
                one(json!({ "hostname": "a.test", "service": "http://h:1" })),
                "config.ingress.0.service: only TCP services can be reached here (write tcp://",
            ),
            (one(json!({ "hostname": "a.test", "service": "tcp://h" })), "it has no port"),
            (one(json!({ "hostname": "a.test", "service": "tcp://h:0" })), "its port is not"),
            (one(json!({ "hostname": "a.test", "service": "tcp://a b:1" })), "its host is neither"),
            (one(json!({ "hostname": "a.test", "service": "http_status:x" })), "three digits"),
            (one(json!({ "hostname": "a:1", "service": "tcp://h:1" })), "is not a hostname"),
            (one(json!({ "hostname": "a.*", "service": "tcp://h:1" })), "matched exactly"),
            (one(json!({ "hostname": "a", "path": "/x", "service": "tcp://h:1" })), "has no path"),
            (
                json!({ "ingress": [last], "warp-routing": { "enabled": true } }),
                "config.warp-routing: there are no private networks here",
            ),
        ] {
            let text = rules(&configuration).unwrap_err().to_string();
            assert!(text.contains(expected), "{text}\n  should hold\n{expected}");
        }
    }

    #[test]
    fn a_hostname_is_a_plain_name_in_lower_case() {
        assert_eq!(hostname("DB.Example.com."), Ok("db.example.com".to_owned()));
        assert_eq!(hostname("_a-1.b"), Ok("_a-1.b".to_owned()));
        let long = "a".repeat(64);
        for wrong in [
            "",
            ".",
            "a..b",
            "a b",
            "a:1",
            "http://a",
            "a/b",
            "é",
            "*.a",
            &long,
            "x.argotunnel.com",
        ] {
            assert!(hostname(wrong).is_err(), "{wrong}");
        }
    }
}
