//! Tunnels, and the hostnames that lead to them.

use std::time::Duration;

use super::{ChangeError, Kind, check_hostname, check_name, find, free, random_hex};
use crate::{
    connector::Service,
    state::{PreviousSecret, Route, SecretHash, State, Tunnel, UnixSeconds},
    token::{TunnelId, TunnelToken},
};
use zeroize::Zeroizing;

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
            previous: None,
            created_at: now,
            managed: false,
        });
        Ok(token)
    }

    /// Gives a tunnel another secret and returns its token. Connectors with the old one are let go when the
    /// overlap is over.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when there is none of that name.
    pub fn rotate_tunnel(
        &mut self,
        name: &str,
        overlap: Duration,
        now: UnixSeconds,
    ) -> Result<TunnelToken, ChangeError> {
        let at = self.find_tunnel(name)?;
        let tunnel = self.tunnels.get_mut(at).ok_or(ChangeError::Gone)?;
        let (token, secret) = tunnel_token(&tunnel.account_tag, tunnel.id);
        let before = std::mem::replace(&mut tunnel.secret, secret);
        tunnel.previous = PreviousSecret::for_overlap(before, overlap, now);
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
        let tunnel = self.tunnels.get(at).ok_or(ChangeError::Gone)?.id;
        let before = self.routes.iter().find(|route| route.hostname == hostname);
        let before = before.map(|route| route.tunnel);
        self.routes.retain(|route| route.hostname != hostname);
        self.routes.push(Route { hostname, tunnel, service });
        self.manage(tunnel);
        if let Some(before) = before {
            self.manage(before);
        }
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
        let tunnel = self.routes.remove(at).tunnel;
        self.manage(tunnel);
        Ok(())
    }

    /// Decides anew whose word counts for a tunnel's hostnames: the edge's, once one of them has a service, the
    /// connector's own where none has. With no hostname left it stays as it was, so that a connector that has rules of
    /// the edge's hears that they are gone.
    fn manage(&mut self, tunnel: TunnelId) {
        let mut services =
            self.routes.iter().filter(|route| route.tunnel == tunnel).map(|route| &route.service);
        let Some(first) = services.next() else { return };
        let managed = first.is_some() || services.any(Option::is_some);
        if let Some(known) = self.tunnels.iter_mut().find(|known| known.id == tunnel) {
            known.managed = managed;
        }
    }

    fn find_tunnel(&self, name: &str) -> Result<usize, ChangeError> {
        find(Kind::Tunnel, name, self.tunnels.iter().map(|tunnel| &*tunnel.name))
    }
}

fn tunnel_token(account_tag: &str, tunnel: TunnelId) -> (TunnelToken, SecretHash) {
    let secret = Zeroizing::new(rand::random::<[u8; 32]>());
    let token = TunnelToken::of_parts(account_tag, tunnel, *secret);
    (token, SecretHash::of(&*secret))
}
