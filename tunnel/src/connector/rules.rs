//! The ingress rules in force: the connector's own, or those that its edge pushes.
//!
//! A connector with rules of its own takes no others. Pushed rules are JSON with a version;
//! they say where streams go, and the allow-list whether they may.

use std::sync::Arc;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::{
    ingress::{self, Ingress, Service},
    targets::Targets,
};

/// No pushed configuration may be longer.
pub(super) const MAX_PUSH_LEN: usize = 256 * 1024;

/// The rules in force. They can change while streams run.
#[derive(Debug)]
pub(super) struct Rules {
    own: bool,
    current: RwLock<Arc<Set>>,
}

/// One version of the rules.
#[derive(Debug)]
struct Set {
    version: i32,
    ingress: Vec<Ingress>,
}

/// What a connector answers to a push. Success shows in the version (B4).
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Applied {
    #[serde(rename = "lastAppliedVersion")]
    version: i32,
    #[serde(rename = "err")]
    error: Option<String>,
}

impl Rules {
    /// Begins with the connector's own rules; without any it waits for the edge's.
    pub(super) fn new(own: Vec<Ingress>) -> Self {
        let is_own = !own.is_empty();
        let set = Set { version: NOTHING_APPLIED, ingress: own };
        Self { own: is_own, current: RwLock::new(Arc::new(set)) }
    }

    /// The service for a host.
    pub(super) fn find(&self, host: &str) -> Option<Service> {
        let set = Arc::clone(&self.current.read());
        ingress::find(&set.ingress, host).cloned()
    }

    /// The version in force; -1 as long as nothing was pushed.
    pub(super) fn version(&self) -> i32 {
        self.current.read().version
    }

    /// The connector's own rules as it tells them to an edge. `None` when they come from the edge.
    pub(super) fn own_json(&self) -> Option<Vec<u8>> {
        if !self.own {
            return None;
        }
        let set = Arc::clone(&self.current.read());
        let rule = |rule: &Ingress| Rule {
            hostname: Some(rule.hostname.clone()),
            path: None,
            service: rule.service.to_string(),
        };
        let mut ingress: Vec<_> = set.ingress.iter().map(rule).collect();
        ingress.push(Rule { hostname: None, path: None, service: CATCH_ALL.to_owned() });
        serde_json::to_vec(&Config { ingress }).ok()
    }

    /// Takes in what the edge has pushed, if it is newer and every rule is one that can be kept.
    ///
    /// # Errors
    ///
    /// What is not even JSON of the right shape.
    pub(super) fn apply(&self, json: &[u8], targets: &Targets) -> Result<Applied, NotAConfig> {
        let push: Push = serde_json::from_slice(json).map_err(|_invalid| NotAConfig)?;
        let ingress = if self.own {
            Err("this connector has ingress rules of its own".to_owned())
        } else if !targets.is_list() {
            Err("this connector has no allow-list, so it takes no rules".to_owned())
        } else {
            push.config.check()
        };
        let mut current = self.current.write();
        match ingress {
            _ if push.version <= current.version => {
                Ok(Applied { version: current.version, error: None })
            }
            Ok(ingress) => {
                tracing::info!(version = push.version, rules = ingress.len(), "rules of the edge");
                *current = Arc::new(Set { version: push.version, ingress });
                Ok(Applied { version: push.version, error: None })
            }
            Err(error) => {
                tracing::warn!(version = push.version, error, "rules of the edge refused");
                Ok(Applied { version: current.version, error: Some(error) })
            }
        }
    }
}

#[derive(Deserialize)]
struct Push {
    version: i32,
    config: Config,
}

/// The part of a configuration that concerns TCP services. Other keys are not ours.
#[derive(Serialize, Deserialize)]
struct Config {
    ingress: Vec<Rule>,
}

#[derive(Serialize, Deserialize)]
struct Rule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    service: String,
}

impl Rule {
    fn is_catch_all(&self) -> bool {
        let is_open = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
        is_open(&self.hostname) && is_open(&self.path)
    }
}

impl Config {
    /// Makes rules of it: TCP services by hostname, and in the end a status for everything else.
    fn check(self) -> Result<Vec<Ingress>, String> {
        let Some((last, rules)) = self.ingress.split_last() else {
            return Err("there is no rule".to_owned());
        };
        if !last.is_catch_all() || !last.service.starts_with(STATUS_SERVICE) {
            return Err("the last rule must be http_status:404 for every hostname".to_owned());
        }
        rules.iter().map(Self::rule).collect()
    }

    fn rule(rule: &Rule) -> Result<Ingress, String> {
        let hostname = rule.hostname.as_deref().filter(|hostname| !hostname.is_empty());
        let hostname = hostname.ok_or("only the last rule may be for every hostname")?;
        if rule.path.as_deref().is_some_and(|path| !path.is_empty()) {
            return Err(format!("{hostname}: TCP services have no path"));
        }
        let service = rule.service.parse().map_err(|error| format!("{hostname}: {error}"))?;
        Ok(Ingress { hostname: hostname.to_owned(), service })
    }
}

/// What was pushed is no configuration at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAConfig;

const NOTHING_APPLIED: i32 = -1;
const STATUS_SERVICE: &str = "http_status:";
const CATCH_ALL: &str = "http_status:404";

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Targets {
        Targets::parse("127.0.0.1:*").expect("a list")
    }

    fn push(version: i32, rules: &str) -> Vec<u8> {
        format!(r#"{{"version":{version},"config":{{"ingress":[{rules}],"warp-routing":{{}}}}}}"#)
            .into()
    }

    const ONE: &str = r#"{"hostname":"a.test","service":"tcp://127.0.0.1:1","originRequest":{}},
                         {"service":"http_status:404"}"#;
    const TWO: &str =
        r#"{"hostname":"a.test","service":"tcp://127.0.0.1:2"},{"service":"http_status:404"}"#;

    #[test]
    fn only_a_newer_version_is_applied() {
        let rules = Rules::new(Vec::new());
        assert_eq!((rules.version(), rules.find("a.test")), (-1, None));
        for (version, json, now, service) in [
            (3, ONE, 3, "tcp://127.0.0.1:1"),
            (3, TWO, 3, "tcp://127.0.0.1:1"),
            (2, TWO, 3, "tcp://127.0.0.1:1"),
            (4, TWO, 4, "tcp://127.0.0.1:2"),
        ] {
            let applied = rules.apply(&push(version, json), &list()).expect("a configuration");
            assert_eq!(applied, Applied { version: now, error: None });
            assert_eq!(rules.find("A.TEST").expect("a rule").to_string(), service);
        }
    }

    #[test]
    fn rules_that_cannot_be_kept_change_nothing() {
        let rules = Rules::new(Vec::new());
        rules.apply(&push(1, ONE), &list()).expect("a configuration");
        for wrong in [
            "",
            r#"{"hostname":"a.test","service":"tcp://127.0.0.1:2"}"#,
            r#"{"service":"tcp://127.0.0.1:2"},{"service":"http_status:404"}"#,
            r#"{"hostname":"a.test","service":"http://127.0.0.1:2"},{"service":"http_status:404"}"#,
            r#"{"hostname":"a.test","path":"/x","service":"tcp://127.0.0.1:2"},{"service":"http_status:404"}"#,
            r#"{"hostname":"a.test","service":"tcp://127.0.0.1:2"},{"service":"bastion"}"#,
        ] {
            let applied = rules.apply(&push(2, wrong), &list()).expect("a configuration");
            assert!(applied.version == 1 && applied.error.is_some(), "{wrong}");
        }
        assert_eq!(rules.find("a.test").expect("a rule").to_string(), "tcp://127.0.0.1:1");
        for wrong in ["", "{}", "[]", r#"{"version":"2"}"#] {
            assert_eq!(rules.apply(wrong.as_bytes(), &list()), Err(NotAConfig), "{wrong}");
        }
    }

    #[test]
    fn without_an_allow_list_or_with_own_rules_nothing_is_taken() {
        let rules = Rules::new(Vec::new());
        let applied = rules.apply(&push(1, ONE), &Targets::Any).expect("a configuration");
        assert!(applied.error.expect("refused").contains("allow-list"));
        assert_eq!(rules.own_json(), None);
        let service = "tcp://127.0.0.1:9".parse().expect("valid");
        let own = Rules::new(vec![Ingress { hostname: "a.test".to_owned(), service }]);
        let applied = own.apply(&push(1, ONE), &list()).expect("a configuration");
        assert!(applied.error.expect("refused").contains("of its own"));
        assert_eq!(own.find("a.test").expect("a rule").to_string(), "tcp://127.0.0.1:9");
        let told = String::from_utf8(own.own_json().expect("own rules")).expect("JSON");
        assert_eq!(
            told,
            r#"{"ingress":[{"hostname":"a.test","service":"tcp://127.0.0.1:9"},{"service":"http_status:404"}]}"#
        );
    }
}
