//! The dialogue in which a client shows that it knows its password.
//!
//! ```text
//!   response ──► fits the method? ──no──► AuthSwitch ──► response
//!                     │ yes                                  │
//!                     ▼                                      ▼
//!            native: proven or refused       caching_sha2: proven (0x03) │ 0x04 ──► the password, within TLS
//!                                                                        │     └──► 0x02, public key, RSA
//! ```
//!
//! It takes one path for all names (see [`Account`]), and ends with a verdict; telling it to the client is the
//! caller's.

use std::io;

use bytes::{Bytes, BytesMut};
use origin::net::Framed;
use protocol::mysql::{
    auth::{self, Nonce},
    capabilities::CapabilityFlags,
    handshake::{self, AuthSwitch},
    packet::{self, Packet},
};
use serving::error::{ClientError, SessionError};
use zeroize::Zeroizing;

use super::{
    super::rsa::{CIPHERTEXT_LEN, Vault},
    account::Account,
};

/// The longest packet of a dialogue after its first: a password, in clear text or under RSA.
const MAX_AUTH_PACKET: usize = 1024;

/// How a dialogue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The client knows the password.
    Proven,
    /// It does not.
    Refused {
        /// Whether it gave any.
        with_password: bool,
    },
    /// It has no method that we have.
    NoMethod,
}

/// What a client said for a beginning.
pub(super) struct First<'a> {
    /// Its method; `None` from clients that know no names.
    pub(super) plugin: Option<&'a [u8]>,
    /// Its proof.
    pub(super) response: &'a [u8],
    /// The proof may be for a nonce of which the client has another idea (COM_CHANGE_USER): if it is wrong, that
    /// says nothing yet.
    pub(super) is_guess: bool,
}

/// A dialogue under way.
pub(super) struct Dance<'a> {
    pub(super) framed: &'a mut Framed,
    /// The sequence id of our next packet.
    pub(super) sequence: u8,
    pub(super) capabilities: CapabilityFlags,
    pub(super) nonce: Nonce,
    pub(super) account: &'a Account,
    pub(super) vault: &'a Vault,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Native,
    Sha2,
}

impl Method {
    fn plugin(self) -> &'static str {
        match self {
            Self::Native => auth::NATIVE,
            Self::Sha2 => auth::CACHING_SHA2,
        }
    }
}

impl Dance<'_> {
    /// Goes on from the client's first proof to the verdict.
    pub(super) async fn run(&mut self, first: First<'_>) -> Result<Verdict, SessionError> {
        let named = first.plugin.unwrap_or(auth::NATIVE.as_bytes());
        let method = if named == auth::NATIVE.as_bytes() && self.account.has_native() {
            Method::Native
        } else {
            Method::Sha2
        };
        let knows_names = self.capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH);
        let usable = named == method.plugin().as_bytes()
            && match method {
                // A client of MariaDB whose method is not the greeting's says nothing until it is asked again
                // ("client_mpvio_read_packet" in Connector/C).
                Method::Native => first.response.len() == 20 || !knows_names,
                Method::Sha2 => first.response.len() == 32 || is_empty(first.response),
            };
        if usable {
            if self.is_proven(method, first.response).await {
                return Ok(Verdict::Proven);
            }
            if !first.is_guess || !knows_names {
                return self.not_proven(method, first.response).await;
            }
        }
        if !knows_names {
            return Ok(Verdict::NoMethod);
        }
        let response = self.switch(method).await?;
        if self.is_proven(method, &response).await {
            return Ok(Verdict::Proven);
        }
        self.not_proven(method, &response).await
    }

    /// Asks for a method, with a nonce that was never used.
    async fn switch(&mut self, method: Method) -> Result<Bytes, SessionError> {
        self.nonce = nonce();
        let mut payload = BytesMut::new();
        let plugin = method.plugin().as_bytes();
        AuthSwitch { plugin, data: &self.nonce }.encode(&mut payload);
        self.put(&payload);
        self.next().await
    }

    /// Whether the response alone shows the password.
    async fn is_proven(&mut self, method: Method, response: &[u8]) -> bool {
        if is_empty(response) {
            // Whoever says that there is no password is right if there is none.
            return self.account.takes(Zeroizing::new(Vec::new()), self.vault).await;
        }
        match method {
            Method::Native => self.account.is_proven_native(&self.nonce, response),
            Method::Sha2 => {
                let proven = self.account.is_proven_sha2(&self.nonce, response);
                if proven {
                    self.put_more_data(&[auth::FAST_AUTH_SUCCESS]);
                }
                proven
            }
        }
    }

    /// The full exchange where the method has one; it is for passwords that are not known in a form that the
    /// response could be checked against.
    async fn not_proven(
        &mut self,
        method: Method,
        response: &[u8],
    ) -> Result<Verdict, SessionError> {
        let with_password = !is_empty(response);
        if method == Method::Native || response.len() != 32 {
            return Ok(Verdict::Refused { with_password });
        }
        self.put_more_data(&[auth::PERFORM_FULL_AUTHENTICATION]);
        let answer = Zeroizing::new(self.next().await?.to_vec());
        let password = if self.framed.stream().is_encrypted() {
            Some(answer)
        } else {
            self.decrypted(answer).await?
        };
        let Some(password) = password.as_deref().and_then(|password| password.strip_suffix(b"\0"))
        else {
            return Ok(Verdict::Refused { with_password });
        };
        let password = Zeroizing::new(password.to_vec());
        let proven = self.account.takes(password, self.vault).await;
        Ok(if proven { Verdict::Proven } else { Verdict::Refused { with_password } })
    }

    /// The password that a client without TLS sends under our public key, which it may ask for first. `None` for
    /// anything else; a password in clear text is not even looked at.
    async fn decrypted(
        &mut self,
        mut answer: Zeroizing<Vec<u8>>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, SessionError> {
        if answer[..] == [auth::REQUEST_PUBLIC_KEY] {
            let pem = self.vault.public_pem().await.map_err(|error| {
                tracing::error!(%error, "no RSA key for logins without TLS");
                SessionError::from(ClientError::Internal)
            })?;
            self.put_more_data(pem.as_bytes());
            answer = Zeroizing::new(self.next().await?.to_vec());
        }
        if answer.len() != CIPHERTEXT_LEN {
            return Ok(None);
        }
        let plain = self.vault.decrypt(answer.to_vec()).await.ok();
        Ok(plain.map(|hidden| Zeroizing::new(auth::obscure(&hidden, &self.nonce))))
    }

    fn put_more_data(&mut self, data: &[u8]) {
        let mut payload = BytesMut::new();
        handshake::encode_auth_more_data(data, &mut payload);
        self.put(&payload);
    }

    fn put(&mut self, payload: &[u8]) {
        packet::put(self.framed.queue(), &mut self.sequence, payload);
    }

    /// The client's next packet.
    async fn next(&mut self) -> Result<Bytes, SessionError> {
        // Whatever it sends has an id of its own, also if it cannot be taken.
        self.sequence = self.sequence.wrapping_add(1);
        let packet = next_packet(self.framed, MAX_AUTH_PACKET).await?;
        self.sequence = packet.last_sequence.wrapping_add(1);
        Ok(packet.payload)
    }
}

/// No proof at all, or one zero byte, which says the same (`sql-common/client_authentication.cc`).
fn is_empty(response: &[u8]) -> bool {
    matches!(response, [] | [0])
}

/// Flushes, and waits for the client's next packet of at most `limit` bytes.
///
/// Its sequence id is not judged: the reply counts on from it. Miniflare, which puts TLS around a driver's
/// connection, is one off after the first packet.
pub(super) async fn next_packet(framed: &mut Framed, limit: usize) -> Result<Packet, SessionError> {
    framed.flush().await.map_err(SessionError::ClientLost)?;
    loop {
        match packet::take(framed.buffer(), limit) {
            Ok(Some(packet)) => return Ok(packet),
            Ok(None) => {}
            Err(error) => return Err(SessionError::ClientProtocol(error)),
        }
        if framed.fill().await.map_err(SessionError::ClientLost)? == 0 {
            return Err(SessionError::ClientLost(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// Random bytes for a proof. Clients may take them for text, so there is no zero byte, and none that
/// MySQL leaves out (`generate_user_salt`).
pub(super) fn nonce() -> Nonce {
    let mut nonce: Nonce = rand::random();
    for byte in &mut nonce {
        *byte &= 0x7f;
        if matches!(byte, 0 | b'$') {
            *byte += 1;
        }
    }
    nonce
}
