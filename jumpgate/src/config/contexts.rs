//! TLS towards origins and edges. A context takes tens of kilobytes and a reading of certificates, so that there is one for
//! all configs that ask for the same.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use control::Mtls;
use origin::net::tls::{self, IdentityPem, SslMode, TlsError};
use rustls::ClientConfig;
use serving::config::{Engine, Fingerprint};

/// The contexts in use.
#[derive(Debug, Default)]
pub(super) struct Contexts(HashMap<Fingerprint, Arc<ClientConfig>>);

impl Contexts {
    /// Towards an edge that has a certificate of these CAs, of the public ones where none are given.
    pub(super) fn edge(&mut self, roots: Option<&[u8]>) -> Result<Arc<ClientConfig>, TlsError> {
        self.get(&("edge", roots), || {
            let mut context = tls::edge_client(roots)?;
            // As the tunnel's clients have it: each would make a copy without names.
            Arc::make_mut(&mut context).alpn_protocols.clear();
            Ok(context)
        })
    }

    /// Towards a database.
    pub(super) fn database(
        &mut self,
        engine: Engine,
        mode: SslMode,
        mtls: &Mtls,
    ) -> Result<Arc<ClientConfig>, TlsError> {
        self.get(&("database", engine, mtls), || {
            let identity = mtls.identity.as_ref().map(|(certificates, key)| IdentityPem {
                certificates,
                key: key.expose().as_bytes(),
            });
            tls::database_client(engine.alpn(), mode, mtls.ca_certificate.as_deref(), identity)
        })
    }

    /// The context that is made of this.
    fn get(
        &mut self,
        made_of: &impl Hash,
        make: impl FnOnce() -> Result<Arc<ClientConfig>, TlsError>,
    ) -> Result<Arc<ClientConfig>, TlsError> {
        let key = Fingerprint::of(made_of);
        if let Some(made) = self.0.get(&key) {
            return Ok(Arc::clone(made));
        }
        let made = make()?;
        self.0.insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// Forgets those that nobody has.
    pub(super) fn keep_used(&mut self) {
        self.0.retain(|_, context| Arc::strong_count(context) > 1);
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
