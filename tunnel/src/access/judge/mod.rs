//! Whether a request may pass: Service Auth as Cloudflare Access defines it.
//!
//! ```text
//!   host, path ─► application ─► the token shown ─► is it valid? ─► does a policy let it pass?
//! ```
//!
//! Pure decisions about values. What is not allowed is refused: a place without an application, an
//! application without a policy, a policy without an `include`.

use subtle::{Choice, ConstantTimeEq as _};
use uuid::Uuid;

use super::{ServiceToken, shown::Shown};
use crate::{
    http1::Headers,
    state::{Application, Policy, Rule, SecretHash, State, TokenRecord, UnixSeconds},
};

/// Where a request goes: the host in lower case, the path without a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) path: String,
}

/// A request that may pass, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// The application's name.
    pub(crate) application: String,
    /// The application's audience.
    pub(crate) aud: String,
    /// The policy's name.
    pub(crate) policy: String,
    /// The token's name.
    pub(crate) token: String,
    pub(crate) identity: Identity,
    /// From then on it may not, unless something changes.
    pub(crate) until: Option<UnixSeconds>,
}

/// What a request has proven to hold. With it, it can be judged again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    token: Uuid,
    /// The public half.
    pub(crate) client_id: String,
    secret: SecretHash,
}

/// A request that may not pass, and why. The reason is for the audit log, never for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    /// The application's name.
    pub(crate) application: Option<String>,
    /// The name of the policy that speaks against it most clearly.
    pub(crate) policy: Option<String>,
    /// Name and client id of the token, if it is known.
    pub(crate) token: Option<(String, String)>,
    pub(crate) reason: Reason,
    /// The application asks for this status.
    pub(crate) wants_401: bool,
}

/// Why a request may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    NoApplication,
    NoCredentials,
    Malformed,
    UnknownToken,
    WrongSecret,
    /// Right until its rotation's overlap was over.
    RotatedAway,
    Expired,
    // What policies say, in the order in which one reason outweighs another.
    NotIncluded,
    NotRequired,
    Excluded,
}

impl Reason {
    /// The reason in the audit log.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::NoApplication => "no_application",
            Self::NoCredentials => "no_credentials",
            Self::Malformed => "malformed_credentials",
            Self::UnknownToken => "unknown_token",
            Self::WrongSecret => "wrong_secret",
            Self::RotatedAway => "secret_rotated_away",
            Self::Expired => "token_expired",
            Self::NotIncluded => "not_included",
            Self::NotRequired => "requirement_not_met",
            Self::Excluded => "excluded",
        }
    }
}

/// Judges a request by its headers.
pub(crate) fn judge(
    state: &State,
    place: &Place,
    headers: &Headers,
    now: UnixSeconds,
) -> Result<Allowed, Denied> {
    let application = find_application(state, place).ok_or_else(Denied::without_application)?;
    let token = match Shown::read(headers, application.token_header.as_deref()) {
        Shown::Nothing => return Err(Denied::by(application, Reason::NoCredentials, None)),
        Shown::Malformed => return Err(Denied::by(application, Reason::Malformed, None)),
        Shown::Token(token) => token,
    };
    match authenticate(&state.service_tokens, &token, now) {
        Ok((record, secret)) => authorise(state, application, record, secret),
        Err((reason, record)) => Err(Denied::by(application, reason, record)),
    }
}

/// Judges a request that has passed before, perhaps under another state.
pub(crate) fn judge_again(
    state: &State,
    place: &Place,
    identity: &Identity,
    now: UnixSeconds,
) -> Result<Allowed, Denied> {
    let application = find_application(state, place).ok_or_else(Denied::without_application)?;
    let record = state
        .service_tokens
        .iter()
        .find(|record| record.id == identity.token && record.client_id == identity.client_id);
    let Some(record) = record else {
        return Err(Denied::by(application, Reason::UnknownToken, None));
    };
    match validity(record, identity.secret, now) {
        Ok(()) => authorise(state, application, record, identity.secret),
        Err(reason) => Err(Denied::by(application, reason, Some(record))),
    }
}

/// The application with the longest path that the place is at or below.
fn find_application<'a>(state: &'a State, place: &Place) -> Option<&'a Application> {
    let guards = |application: &&Application| {
        let rest = place.path.strip_prefix(&*application.path);
        application.domain == place.host
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let applications = state.applications.iter().filter(guards);
    applications.max_by_key(|application| application.path.len())
}

type Proven<'a> = (&'a TokenRecord, SecretHash);
type Unproven<'a> = (Reason, Option<&'a TokenRecord>);

/// Finds the record of a token. It takes the same time whether the id or the secret is wrong.
fn authenticate<'a>(
    records: &'a [TokenRecord],
    token: &ServiceToken,
    now: UnixSeconds,
) -> Result<Proven<'a>, Unproven<'a>> {
    let nobody = SecretHash::from_bytes([0; 32]);
    let mut best: Result<Proven<'a>, Unproven<'a>> = Err((Reason::UnknownToken, None));
    let mut is_compared = false;
    for record in records {
        let is_same: Choice = record.client_id.as_bytes().ct_eq(token.id().as_bytes());
        if !bool::from(is_same) {
            continue;
        }
        is_compared = true;
        let verdict = match matching_secret(record, &nobody, token) {
            Some(secret) => validity(record, secret, now).map(|()| secret),
            None => Err(Reason::WrongSecret),
        };
        // More than one may have this id while it is rotated: the furthest one counts.
        best = match (best, verdict) {
            (Ok(proven), _) => Ok(proven),
            (Err(_), Ok(secret)) => Ok((record, secret)),
            (Err((reason, _)), Err(other)) if other > reason => Err((other, Some(record))),
            (unproven, Err(_)) => unproven,
        };
    }
    if !is_compared {
        std::hint::black_box((is_of(&nobody, token), is_of(&nobody, token)));
    }
    best
}

/// Which of the record's two secrets was shown. Both are always compared.
fn matching_secret(
    record: &TokenRecord,
    nobody: &SecretHash,
    token: &ServiceToken,
) -> Option<SecretHash> {
    let previous = record.previous.as_ref().map(|previous| previous.secret);
    let is_current = is_of(&record.secret, token);
    let is_previous = is_of(previous.as_ref().unwrap_or(nobody), token);
    if is_current { Some(record.secret) } else { previous.filter(|_| is_previous) }
}

fn is_of(hash: &SecretHash, token: &ServiceToken) -> bool {
    hash.is_of(token.secret().as_bytes())
}

/// Is the secret, which has been proven, valid for this token at this time?
fn validity(record: &TokenRecord, secret: SecretHash, now: UnixSeconds) -> Result<(), Reason> {
    let previous = record.previous.as_ref().filter(|previous| previous.secret == secret);
    let has_passed = |end: UnixSeconds| end <= now;
    match previous {
        _ if record.expires_at.is_some_and(has_passed) => Err(Reason::Expired),
        _ if record.secret == secret => Ok(()),
        Some(previous) if has_passed(previous.expires_at) => Err(Reason::RotatedAway),
        Some(_) => Ok(()),
        None => Err(Reason::RotatedAway),
    }
}

/// Does one of the application's policies let this valid token pass?
fn authorise(
    state: &State,
    application: &Application,
    record: &TokenRecord,
    secret: SecretHash,
) -> Result<Allowed, Denied> {
    let mut refused = Denied::by(application, Reason::NotIncluded, Some(record));
    for id in &application.policies {
        let Some(policy) = state.policies.iter().find(|policy| policy.id == *id) else { continue };
        match apply(policy, record.id) {
            Ok(()) => {
                return Ok(Allowed {
                    application: application.name.clone(),
                    aud: application.aud.clone(),
                    policy: policy.name.clone(),
                    token: record.name.clone(),
                    until: end_of(record, secret),
                    identity: Identity {
                        token: record.id,
                        client_id: record.client_id.clone(),
                        secret,
                    },
                });
            }
            Err(reason) if refused.policy.is_none() || reason > refused.reason => {
                refused = Denied { policy: Some(policy.name.clone()), reason, ..refused };
            }
            Err(_weaker) => {}
        }
    }
    Err(refused)
}

/// include is OR, require is AND, exclude is NOT.
fn apply(policy: &Policy, token: Uuid) -> Result<(), Reason> {
    let holds = |rule: &Rule| match rule {
        Rule::ServiceToken { token_id } => *token_id == token,
        Rule::AnyValidServiceToken {} => true,
    };
    if policy.exclude.iter().any(holds) {
        Err(Reason::Excluded)
    } else if !policy.include.iter().any(holds) {
        Err(Reason::NotIncluded)
    } else if !policy.require.iter().all(holds) {
        Err(Reason::NotRequired)
    } else {
        Ok(())
    }
}

/// The end of the token or of the secret before, whichever comes first.
fn end_of(record: &TokenRecord, secret: SecretHash) -> Option<UnixSeconds> {
    let previous = record.previous.as_ref();
    let overlap = previous
        .filter(|previous| record.secret != secret && previous.secret == secret)
        .map(|previous| previous.expires_at);
    [record.expires_at, overlap].into_iter().flatten().min()
}

impl Denied {
    const fn without_application() -> Self {
        Self {
            application: None,
            policy: None,
            token: None,
            reason: Reason::NoApplication,
            wants_401: false,
        }
    }

    fn by(application: &Application, reason: Reason, record: Option<&TokenRecord>) -> Self {
        Self {
            application: Some(application.name.clone()),
            policy: None,
            token: record.map(|record| (record.name.clone(), record.client_id.clone())),
            reason,
            wants_401: application.service_auth_401,
        }
    }
}

#[cfg(test)]
mod tests;
