//! Service tokens, policies, applications.

use std::time::Duration;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    ApplicationChange, ChangeError, Kind, NewApplication, PolicyChange, Selector, check_hostname,
    check_name, find, free, random_hex, random_id,
};
use crate::{
    access::ServiceToken,
    state::{
        Application, Policy, PreviousSecret, Rule, SecretHash, State, TokenRecord, UnixSeconds,
    },
};

impl State {
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
        let before = std::mem::replace(&mut record.secret, secret);
        record.previous = PreviousSecret::for_overlap(before, overlap, now);
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

    /// Changes a policy; who does not pass it any more loses its streams, and everybody else keeps them.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when there is none of that name, or it names an unknown token.
    pub fn update_policy(&mut self, name: &str, change: &PolicyChange) -> Result<(), ChangeError> {
        let at = self.find_policy(name)?;
        let rules = |selectors: &Option<Vec<Selector>>| {
            selectors.as_deref().map(|selectors| self.rules(selectors)).transpose()
        };
        let [include, require, exclude] =
            [rules(&change.include)?, rules(&change.require)?, rules(&change.exclude)?];
        let policy = self.policies.get_mut(at).ok_or(ChangeError::Gone)?;
        let parts = [
            (&mut policy.include, include),
            (&mut policy.require, require),
            (&mut policy.exclude, exclude),
        ];
        for (part, changed) in parts {
            *part = changed.unwrap_or(std::mem::take(part));
        }
        Ok(())
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
        let mut policies = self.policy_ids(&new.policies)?;
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

    /// Changes an application, which keeps its audience; who does not pass any more loses its streams, and
    /// everybody else keeps them.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when there is none of that name, or a name in the change is not known.
    pub fn update_application(
        &mut self,
        name: &str,
        change: &ApplicationChange,
    ) -> Result<(), ChangeError> {
        let at = self.find_application(name)?;
        let app = self.applications.get(at).ok_or(ChangeError::Gone)?;
        let (name, before) = (app.name.clone(), app.policies.clone());
        let policies = match &change.passes {
            Some((names, include)) => {
                let mut policies = self.policy_ids(names)?;
                policies.extend(self.change_own_policy(&name, &before, include)?);
                policies
            }
            None => before,
        };
        let app = self.applications.get_mut(at).ok_or(ChangeError::Gone)?;
        app.policies = policies;
        if let Some(wants_401) = change.service_auth_401 {
            app.service_auth_401 = wants_401;
        }
        if let Some(header) = &change.token_header {
            app.token_header = header.clone();
        }
        Ok(())
    }

    /// Has an application's own policy include these. It has none where it includes nobody.
    fn change_own_policy(
        &mut self,
        name: &str,
        before: &[Uuid],
        include: &[Selector],
    ) -> Result<Option<Uuid>, ChangeError> {
        let rules = self.rules(include)?;
        let is_own = |policy: &Policy| policy.name == name && before.contains(&policy.id);
        match self.policies.iter_mut().find(|policy| is_own(policy)) {
            Some(own) if !rules.is_empty() => {
                own.include = rules;
                Ok(Some(own.id))
            }
            Some(own) => {
                let id = own.id;
                let uses = |app: &Application| app.name != name && app.policies.contains(&id);
                if !self.applications.iter().any(uses) {
                    self.policies.retain(|policy| policy.id != id);
                }
                Ok(None)
            }
            None if rules.is_empty() => Ok(None),
            None => self.create_policy(name, [include, &[], &[]]).map(Some),
        }
    }

    /// Forgets an application, and the policy that was made with it. Its hostname lets nobody pass then.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when there is none of that name.
    pub fn delete_application(&mut self, name: &str) -> Result<(), ChangeError> {
        let app = self.applications.remove(self.find_application(name)?);
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

    fn policy_ids(&self, names: &[String]) -> Result<Vec<Uuid>, ChangeError> {
        let id = |name: &String| {
            let policy = self.policies.get(self.find_policy(name)?);
            policy.map(|policy| policy.id).ok_or(ChangeError::Gone)
        };
        names.iter().map(id).collect()
    }

    fn find_application(&self, name: &str) -> Result<usize, ChangeError> {
        let known = self.applications.iter().map(|app| &*app.name);
        find(Kind::Application, &name.to_ascii_lowercase(), known)
    }

    fn find_token(&self, name: &str) -> Result<usize, ChangeError> {
        find(Kind::Token, name, self.service_tokens.iter().map(|token| &*token.name))
    }

    fn find_policy(&self, name: &str) -> Result<usize, ChangeError> {
        find(Kind::Policy, name, self.policies.iter().map(|policy| &*policy.name))
    }
}

fn service_token(client_id: &str) -> Result<(ServiceToken, SecretHash), ChangeError> {
    let secret = Zeroizing::new(random_hex::<32>());
    let hash = SecretHash::of(secret.as_bytes());
    let token = ServiceToken::new(client_id, secret.to_string());
    token.map(|token| (token, hash)).map_err(|_unfit| ChangeError::Gone)
}
