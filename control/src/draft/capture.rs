//! The rules about capture: from written to meant.

use std::time::Duration;

use super::{name::name, seconds::seconds, written::CaptureDraft};
use crate::{
    mistake::{Mistake, Mistakes},
    model::{Capture, Login, Scheme},
};

/// A shorter one would be over with each pause of a network.
const LAG_MIN: Duration = Duration::from_millis(100);
const LAG_MAX: Duration = Duration::from_secs(3600);

/// `None` where nothing is captured; what is written of it must be right all the same.
pub(super) fn capture(
    scheme: Scheme,
    draft: Option<CaptureDraft>,
    mistakes: &mut Mistakes,
) -> Option<Capture> {
    let draft = draft?;
    let enabled = draft.enabled.unwrap_or_default();
    let made = Capture {
        slot: mistakes.keep(slot(scheme, draft.slot)).flatten(),
        publication: mistakes.keep(publication(scheme, draft.publication)).flatten(),
        max_lag: mistakes.keep(lag(draft.max_lag)).flatten(),
        until_changed: draft.until_changed.unwrap_or_default(),
        login: match (draft.user, draft.password) {
            (None, None) => None,
            (None, Some(_)) => {
                let problem = "password is given without user";
                mistakes.add(Mistake::new("capture.password", problem, "add user"));
                None
            }
            (Some(user), password) => {
                let user = mistakes.keep(name(scheme, Some(user), "capture", "user"));
                user.map(|user| Login { user, password })
            }
        },
    };
    enabled.then_some(made)
}

/// As PostgreSQL names them (`ReplicationSlotValidateName`).
fn slot(scheme: Scheme, written: Option<String>) -> Result<Option<String>, Mistake> {
    let key = "capture.slot";
    let Some(slot) = written else { return Ok(None) };
    is_of_postgres(scheme, key)?;
    let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if slot.is_empty() || slot.len() > 63 || !slot.bytes().all(is_fit) {
        let problem = "must be 1 to 63 small letters, digits and underscores";
        return Err(Mistake::new(key, problem, "or leave it out for a temporary slot"));
    }
    Ok(Some(slot))
}

fn publication(scheme: Scheme, written: Option<String>) -> Result<Option<String>, Mistake> {
    if written.is_none() {
        return Ok(None);
    }
    is_of_postgres(scheme, "capture.publication")?;
    name(scheme, written, "capture", "publication").map(Some)
}

fn is_of_postgres(scheme: Scheme, key: &str) -> Result<(), Mistake> {
    if scheme.is_mysql() {
        let problem = "is for PostgreSQL: MySQL and MariaDB write one binary log for all";
        return Err(Mistake::new(key, problem, "remove the key"));
    }
    Ok(())
}

fn lag(written: Option<f64>) -> Result<Option<Duration>, Mistake> {
    seconds(written, LAG_MIN, "capture.max_lag").and_then(|lag| match lag {
        Some(lag) if lag > LAG_MAX => {
            let problem = format!("must be at most {}", LAG_MAX.as_secs());
            Err(Mistake::new("capture.max_lag", problem, "times are in seconds"))
        }
        lag => Ok(lag),
    })
}
