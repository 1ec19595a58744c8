//! The rules about the passwords of a user: one, and at most one that it had before.

use crate::{
    mistake::Mistake,
    model::{Hashes, Password, Salting, Secret},
};

/// A password itself is salted as the verifier beside it: with more than so many iterations that would keep a processor
/// busy with every read of the config.
const ITERATIONS_MAX: u32 = 1_000_000;

/// One password, as it may be written.
pub(super) struct Forms<'a> {
    /// The user's.
    pub(super) table: &'a str,
    /// What its keys begin with.
    pub(super) before: &'static str,
    pub(super) password: Option<Secret>,
    pub(super) verifier: Option<Secret>,
    pub(super) hashes: Option<Hashes>,
}

/// The password, and the one before.
pub(super) fn both(
    now: Forms<'_>,
    previous: Forms<'_>,
) -> Result<(Password, Option<Password>), Mistake> {
    let key = |forms: &Forms<'_>| {
        let word = if forms.hashes.is_some() { "hashes" } else { "verifier" };
        forms.key(word)
    };
    let (table, keys) = (now.table, [key(&now), key(&previous)]);
    if previous.password.as_ref().is_some_and(|password| password.expose().is_empty()) {
        // Whoever blanks it means to end it, and does not mean to let everybody in.
        let problem = "is empty";
        return Err(Mistake::new(previous.key("password"), problem, "leave it out to end it"));
    }
    let (now, previous) = (now.check()?, previous.check()?);
    let Some(now) = now else {
        let remedy = "add a password or a verifier";
        return Err(Mistake::new(table, "the user has no password", remedy));
    };
    let Some(previous) = previous else { return Ok((now, None)) };
    let [key, previous_key] = keys;
    match (now.salting(), previous.salting()) {
        (Some(one), Some(other)) if one != other => {
            let problem = "differs in salt or iterations from that of the current password, and SCRAM tells both \
                           before it hears which password is meant";
            let remedy = "give one of the two passwords itself, or make both with one salt";
            Err(Mistake::new(previous_key, problem, remedy))
        }
        (Some(salting), None) => bounded(&salting, key),
        (None, Some(salting)) => bounded(&salting, previous_key),
        _ => Ok(()),
    }?;
    Ok((now, Some(previous)))
}

/// A salting that a password may be given, too.
fn bounded(Salting { iterations, .. }: &Salting, key: String) -> Result<(), Mistake> {
    if iterations.get() > ITERATIONS_MAX {
        let problem =
            format!("has more than {ITERATIONS_MAX} iterations, beside a password itself");
        return Err(Mistake::new(key, problem, "make it with fewer"));
    }
    Ok(())
}

impl Forms<'_> {
    fn key(&self, word: &str) -> String {
        format!("{}.{}{word}", self.table, self.before)
    }

    /// The one form that was given.
    fn check(self) -> Result<Option<Password>, Mistake> {
        let (verifier_key, hashes_key) = (self.key("verifier"), self.key("hashes"));
        let before = self.before;
        match (self.password, self.verifier, self.hashes) {
            (None, None, None) => Ok(None),
            (Some(password), None, None) => Ok(Some(Password::Plain(password))),
            (None, Some(verifier), None) => {
                let made = Password::Verifier(verifier);
                if made.salting().is_none() {
                    let problem = "is no SCRAM-SHA-256 verifier";
                    let remedy = "take it from pg_authid.rolpassword, or give a password";
                    return Err(Mistake::new(verifier_key, problem, remedy));
                }
                Ok(Some(made))
            }
            (None, None, Some(hashes)) => {
                if !hashes.are_well_formed() {
                    let problem = "are not a SCRAM-SHA-256 verifier and two hashes in hex";
                    return Err(Mistake::new(hashes_key, problem, ""));
                }
                Ok(Some(Password::Hashed(hashes)))
            }
            (Some(_), Some(_), _) => {
                let problem = format!("{before}verifier and {before}password are both given");
                Err(Mistake::new(verifier_key, problem, "keep one"))
            }
            (_, _, Some(_)) => {
                let problem = "a password and its hashes are both given";
                Err(Mistake::new(hashes_key, problem, "keep one"))
            }
        }
    }
}
