//! How an operator changes what an edge knows: by names, with the secrets shown once.
//!
//! Pure changes of a [`State`](crate::state::State); [`crate::store`] keeps it.
//!
//! * `tunnels`: tunnels and hostnames.
//! * `access`: service tokens, policies, applications.

mod access;
mod tunnels;

use uuid::Uuid;

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

/// What an application is to have otherwise from now on; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplicationChange {
    /// Who passes, and nobody else: names of policies, and whom a policy of its own includes.
    pub passes: Option<(Vec<String>, Vec<Selector>)>,
    /// Whether it refuses with 401 and not with 403.
    pub service_auth_401: Option<bool>,
    /// Whether it also reads a token from a header, and from which.
    pub token_header: Option<Option<String>>,
}

/// What a policy is to say otherwise from now on; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChange {
    /// One must apply.
    pub include: Option<Vec<Selector>>,
    /// All must apply.
    pub require: Option<Vec<Selector>>,
    /// None may apply.
    pub exclude: Option<Vec<Selector>>,
}

/// A rule of a policy, with the token by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The service token of this name.
    Token(String),
    /// Any valid service token.
    AnyToken,
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
