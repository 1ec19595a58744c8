//! How an operator changes what an edge knows: by names, with the secrets shown once.
//!
//! Pure changes of a [`State`]; [`crate::store`] keeps it.

use std::time::Duration;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    access::ServiceToken,
    connector::Service,
    state::{
        Application, Policy, PreviousSecret, Route, Rule, SecretHash, State, TokenRecord, Tunnel,
        UnixSeconds,
    },
    token::{TunnelId, TunnelToken},
};

/// What a new application is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewApplication {
    /// The hostname that it guards.
    pub hostname: String,
    /// The path below which it guards; empty for all.
    pub path: String,
    /// Names of policies that let requests pass.
    pub policies: Vec<String>,
    /// Who else passes: a policy of this application's own.
    pub include: Vec<Selector>,
    /// Refuses with 401 and not with 403.
    pub service_auth_401: bool,
    /// Also reads a token from this header.
    pub token_header: Option<String>,
}

/// A rule of a policy, with the token by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The service token of this name.
    Token(String),
    /// Any valid service token.
    AnyToken,
}

impl State {
    /// Makes a tunnel and returns its token, which holds the secret and cannot be had again.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the name is not fit or taken.
    pub fn create_tunnel(
        &mut self,
        name: &str,
        now: UnixSeconds,
    ) -> Result<TunnelToken, ChangeError> {
        check_name(name)?;
        free(Kind::Tunnel, name, self.tunnels.iter().map(|tunnel| &*tunnel.name))?;
        let account_tag = self.tunnels.first().map(|tunnel| tunnel.account_tag.clone());
        let account_tag = account_tag.unwrap_or_else(random_hex::<16>);
        let id = TunnelId::random();
        let (token, secret) = tunnel_token(&account_tag, id);
        let name = name.to_owned();
        self.tunnels.push(Tunnel {
            id,
            name,
            account_tag,
            secret,
            created_at: now,
            managed: false,
        });
        Ok(token)
    }

    /// Gives a tunnel another secret and returns its token; connectors with the old one are let go.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when there is none of that name.
    pub fn rotate_tunnel(&mut self, name: &str) -> Result<TunnelToken, ChangeError> {
        let at = self.find_tunnel(name)?;
        let tunnel = self.tunnels.get_mut(at).ok_or(ChangeError::Gone)?;
        let (token, secret) = tunnel_token(&tunnel.account_tag, tunnel.id);
        tunnel.secret = secret;
        Ok(token)
    }

    /// Forgets a tunnel; its connectors are let go.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when there is none of that name, or a hostname still leads to it.
    pub fn delete_tunnel(&mut self, name: &str) -> Result<(), ChangeError> {
        let at = self.find_tunnel(name)?;
        let id = self.tunnels.get(at).map(|tunnel| tunnel.id);
        if let Some(route) = self.routes.iter().find(|route| Some(route.tunnel) == id) {
            let by = format!("the hostname {}", route.hostname);
            return Err(ChangeError::InUse { kind: Kind::Tunnel, name: name.to_owned(), by });
        }
        self.tunnels.remove(at);
        Ok(())
    }

    /// Leads a hostname to a tunnel, and away from where it led before.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the hostname is not one, or there is no such tunnel.
    pub fn route(
        &mut self,
        hostname: &str,
        tunnel: &str,
        service: Option<Service>,
    ) -> Result<(), ChangeError> {
        let hostname = check_hostname(hostname)?;
        let at = self.find_tunnel(tunnel)?;
        let tunnel = self.tunnels.get_mut(at).ok_or(ChangeError::Gone)?;
        tunnel.managed |= service.is_some();
        let tunnel = tunnel.id;
        self.routes.retain(|route| route.hostname != hostname);
        self.routes.push(Route { hostname, tunnel, service });
        Ok(())
    }

    /// Forgets a hostname; its streams end.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when it leads nowhere.
    pub fn unroute(&mut self, hostname: &str) -> Result<(), ChangeError> {
        let hostname = hostname.to_ascii_lowercase();
        let known = self.routes.iter().map(|route| &*route.hostname);
        let at = find(Kind::Hostname, &hostname, known)?;
        self.routes.remove(at);
        Ok(())
    }

    /// Makes a service token, valid for so long, and returns both its halves, of which the secret one cannot be
    /// had again.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the name is not fit or taken.
    pub fn create_token(
        &mut self,
        name: &str,
        duration: Option<Duration>,
        now: UnixSeconds,
    ) -> Result<ServiceToken, ChangeError> {
        check_name(name)?;
        free(Kind::Token, name, self.service_tokens.iter().map(|token| &*token.name))?;
        let client_id = format!("{}.access", random_hex::<16>());
        let (token, secret) = service_token(&client_id)?;
        self.service_tokens.push(TokenRecord {
            id: random_id(),
            name: name.to_owned(),
            client_id,
            secret,
            previous: None,
            expires_at: duration.map(|duration| now.saturating_add(duration.as_secs())),
            created_at: now,
            secret_version: 1,
        });
        Ok(token)
    }

    /// Gives a service token another secret; the one before stays valid for the overlap.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when there is none of that name.
    pub fn rotate_token(
        &mut self,
        name: &str,
        overlap: Duration,
        now: UnixSeconds,
    ) -> Result<ServiceToken, ChangeError> {
        let at = self.find_token(name)?;
        let record = self.service_tokens.get_mut(at).ok_or(ChangeError::Gone)?;
        let (token, secret) = service_token(&record.client_id)?;
        let expires_at = now.saturating_add(overlap.as_secs());
        let before = PreviousSecret { secret: record.secret, expires_at };
        record.previous = (expires_at > now).then_some(before);
        record.secret = secret;
        record.secret_version = record.secret_version.saturating_add(1);
        Ok(token)
    }

    /// Forgets a service token; streams that were opened with it end.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when there is none of that name.
    pub fn revoke_token(&mut self, name: &str) -> Result<(), ChangeError> {
        let at = self.find_token(name)?;
        let id = self.service_tokens.remove(at).id;
        for policy in &mut self.policies {
            // A rule in `require` stays: without it the policy would let more pass than before.
            let names = |rule: &Rule| *rule == Rule::ServiceToken { token_id: id };
            policy.include.retain(|rule| !names(rule));
            policy.exclude.retain(|rule| !names(rule));
        }
        Ok(())
    }

    /// Makes a Service Auth policy: one of `include`, all of `require`, none of `exclude`.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the name is not fit or taken, or it names an unknown token.
    pub fn create_policy(
        &mut self,
        name: &str,
        [include, require, exclude]: [&[Selector]; 3],
    ) -> Result<Uuid, ChangeError> {
        check_name(name)?;
        free(Kind::Policy, name, self.policies.iter().map(|policy| &*policy.name))?;
        let id = random_id();
        let policy = Policy {
            id,
            name: name.to_owned(),
            include: self.rules(include)?,
            require: self.rules(require)?,
            exclude: self.rules(exclude)?,
        };
        self.policies.push(policy);
        Ok(id)
    }

    /// Forgets a policy.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when there is none of that name, or an application still names it.
    pub fn delete_policy(&mut self, name: &str) -> Result<(), ChangeError> {
        let at = self.find_policy(name)?;
        let id = self.policies.get(at).map(|policy| policy.id);
        let user = self.applications.iter().find(|app| app.policies.iter().any(|p| Some(*p) == id));
        if let Some(user) = user {
            let by = format!("the application {}", user.name);
            return Err(ChangeError::InUse { kind: Kind::Policy, name: name.to_owned(), by });
        }
        self.policies.remove(at);
        Ok(())
    }

    /// Guards a hostname.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the place is guarded already, or a name in it is not known.
    pub fn create_application(&mut self, new: &NewApplication) -> Result<Uuid, ChangeError> {
        let domain = check_hostname(&new.hostname)?;
        let path = new.path.trim_end_matches('/').to_owned();
        let name = format!("{domain}{path}");
        free(Kind::Application, &name, self.applications.iter().map(|app| &*app.name))?;
        let mut policies = Vec::new();
        for name in &new.policies {
            policies.extend(self.policies.get(self.find_policy(name)?).map(|policy| policy.id));
        }
        if !new.include.is_empty() {
            policies.push(self.create_policy(&name, [&new.include, &[], &[]])?);
        }
        let id = random_id();
        self.applications.push(Application {
            id,
            name,
            domain,
            path,
            aud: random_hex::<32>(),
            policies,
            service_auth_401: new.service_auth_401,
            token_header: new.token_header.clone(),
        });
        Ok(id)
    }

    /// Forgets an application, and the policy that was made with it. Its hostname lets nobody pass then.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when there is none of that name.
    pub fn delete_application(&mut self, name: &str) -> Result<(), ChangeError> {
        let known = self.applications.iter().map(|app| &*app.name);
        let at = find(Kind::Application, &name.to_ascii_lowercase(), known)?;
        let app = self.applications.remove(at);
        let is_used = |id: &Uuid| self.applications.iter().any(|other| other.policies.contains(id));
        let own = |policy: &Policy| policy.name == app.name && app.policies.contains(&policy.id);
        self.policies.retain(|policy| !own(policy) || is_used(&policy.id));
        Ok(())
    }

    fn rules(&self, selectors: &[Selector]) -> Result<Vec<Rule>, ChangeError> {
        let rule = |selector: &Selector| match selector {
            Selector::AnyToken => Ok(Rule::AnyValidServiceToken {}),
            Selector::Token(name) => {
                let record = self.service_tokens.get(self.find_token(name)?);
                let token_id = record.ok_or(ChangeError::Gone)?.id;
                Ok(Rule::ServiceToken { token_id })
            }
        };
        selectors.iter().map(rule).collect()
    }

    fn find_tunnel(&self, name: &str) -> Result<usize, ChangeError> {
        find(Kind::Tunnel, name, self.tunnels.iter().map(|tunnel| &*tunnel.name))
    }

    fn find_token(&self, name: &str) -> Result<usize, ChangeError> {
        find(Kind::Token, name, self.service_tokens.iter().map(|token| &*token.name))
    }

    fn find_policy(&self, name: &str) -> Result<usize, ChangeError> {
        find(Kind::Policy, name, self.policies.iter().map(|policy| &*policy.name))
    }
}

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// A tunnel.
    #[error("tunnel")]
    Tunnel,
    /// A hostname that leads to a tunnel.
    #[error("hostname")]
    Hostname,
    /// A service token.
    #[error("service token")]
    Token,
    /// A policy.
    #[error("policy")]
    Policy,
    /// An application.
    #[error("application")]
    Application,
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// A name that must be new is not.
    #[error("the {kind} {name:?} is there already")]
    Taken {
        /// Of what.
        kind: Kind,
        /// The name.
        name: String,
    },
    /// A name that must be known is not.
    #[error("there is no {kind} {name:?}; there is {known}")]
    Unknown {
        /// Of what.
        kind: Kind,
        /// The name.
        name: String,
        /// The names that are known.
        known: String,
    },
    /// Something else needs it.
    #[error("{by} needs the {kind} {name:?}; change that first")]
    InUse {
        /// What.
        kind: Kind,
        /// Its name.
        name: String,
        /// Who needs it.
        by: String,
    },
    /// A text is not fit for its place.
    #[error("{0:?} {1}")]
    Invalid(String, &'static str),
    /// What was found is not there any more, which cannot be.
    #[error("it has just gone")]
    Gone,
}

fn find<'a>(
    kind: Kind,
    name: &str,
    mut names: impl Iterator<Item = &'a str> + Clone,
) -> Result<usize, ChangeError> {
    let all = names.clone();
    names.position(|known| known == name).ok_or_else(|| {
        let known: Vec<_> = all.take(SHOWN_NAMES).collect();
        let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
        ChangeError::Unknown { kind, name: name.to_owned(), known }
    })
}

fn free<'a>(
    kind: Kind,
    name: &str,
    mut names: impl Iterator<Item = &'a str>,
) -> Result<(), ChangeError> {
    if names.any(|known| known == name) {
        return Err(ChangeError::Taken { kind, name: name.to_owned() });
    }
    Ok(())
}

/// Names are shown in logs and lists.
fn check_name(name: &str) -> Result<(), ChangeError> {
    let is_fit = (1..=MAX_NAME_LEN).contains(&name.len()) && !name.chars().any(char::is_control);
    let why = "must have from 1 to 120 characters, and no control characters";
    if is_fit { Ok(()) } else { Err(ChangeError::Invalid(name.to_owned(), why)) }
}

fn check_hostname(name: &str) -> Result<String, ChangeError> {
    let lower = name.to_ascii_lowercase();
    let why = "is not a hostname that can lead to a tunnel; it has no scheme, no port and no path";
    match crate::state::check_hostname(&lower) {
        Ok(()) => Ok(lower),
        Err(_unfit) => Err(ChangeError::Invalid(name.to_owned(), why)),
    }
}

fn tunnel_token(account_tag: &str, tunnel: TunnelId) -> (TunnelToken, SecretHash) {
    let secret = Zeroizing::new(rand::random::<[u8; 32]>());
    let token = TunnelToken::of_parts(account_tag, tunnel, *secret);
    (token, SecretHash::of(&*secret))
}

fn service_token(client_id: &str) -> Result<(ServiceToken, SecretHash), ChangeError> {
    let secret = Zeroizing::new(random_hex::<32>());
    let hash = SecretHash::of(secret.as_bytes());
    let token = ServiceToken::new(client_id, secret.to_string());
    token.map(|token| (token, hash)).map_err(|_unfit| ChangeError::Gone)
}

fn random_hex<const LEN: usize>() -> String
where
    rand::distr::StandardUniform: rand::distr::Distribution<[u8; LEN]>,
{
    hex::encode(rand::random::<[u8; LEN]>())
}

fn random_id() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

const MAX_NAME_LEN: usize = 120;
const SHOWN_NAMES: usize = 20;

#[cfg(test)]
mod tests;
