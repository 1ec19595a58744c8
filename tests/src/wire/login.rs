//! Logging in: startup, then SCRAM-SHA-256 with or without channel binding.
//!
//! Cleartext and md5 are not spoken: neither the test clusters nor jumpgate ask for them.

use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};

use super::{Endpoint, Frame, Wire, say};

/// Which mechanism a client insists on.
#[derive(Debug)]
pub enum Binding {
    /// It has no TLS: `n,,`.
    None,
    /// It has TLS and believes the server cannot bind: `y,,`.
    Unsupported,
    /// SCRAM-SHA-256-PLUS with this `tls-server-end-point`.
    EndPoint(Vec<u8>),
}

impl Wire {
    /// Startup with protocol 3.0, SCRAM, and everything up to the first ReadyForQuery.
    ///
    /// # Errors
    ///
    /// The ErrorResponse of a server that refuses.
    pub async fn login(
        &mut self,
        endpoint: &Endpoint,
        options: &[(&str, &str)],
    ) -> Result<(), Frame> {
        self.start(endpoint, 0x0003_0000, options).await;
        self.authenticate(endpoint, Binding::None).await
    }

    /// Sends a StartupMessage.
    pub async fn start(&mut self, endpoint: &Endpoint, version: u32, options: &[(&str, &str)]) {
        let mut parameters =
            vec![("user", endpoint.user.as_str()), ("database", endpoint.database.as_str())];
        parameters.extend_from_slice(options);
        self.send(say::startup(version, &parameters)).await;
    }

    /// Everything between the StartupMessage and the first ReadyForQuery.
    ///
    /// # Errors
    ///
    /// The ErrorResponse of a server that refuses.
    pub async fn authenticate(
        &mut self,
        endpoint: &Endpoint,
        binding: Binding,
    ) -> Result<(), Frame> {
        let (mechanism, binding) = match binding {
            Binding::None => (SCRAM_SHA_256, ChannelBinding::unsupported()),
            Binding::Unsupported => (SCRAM_SHA_256, ChannelBinding::unrequested()),
            Binding::EndPoint(hash) => {
                (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash))
            }
        };
        let mut scram = ScramSha256::new(endpoint.password.as_bytes(), binding);
        loop {
            let frame = self.frame().await;
            let (code, rest) = frame.body.split_at(frame.body.len().min(4));
            match (frame.tag, code) {
                (b'E', _) => return Err(frame),
                (b'R', [0, 0, 0, 10]) => {
                    let offered = rest.split(|byte| *byte == 0);
                    let found = offered.into_iter().any(|name| name == mechanism.as_bytes());
                    assert!(found, "{mechanism} is not offered: {frame:?}");
                    self.send(say::sasl_initial(mechanism, scram.message())).await;
                }
                (b'R', [0, 0, 0, 11]) => {
                    scram.update(rest).expect("the server's first message is SCRAM");
                    self.send(say::password(scram.message())).await;
                }
                (b'R', [0, 0, 0, 12]) => scram.finish(rest).expect("the server knows the password"),
                (b'R', [0, 0, 0, 0]) => break,
                (b'v', _) => self.greeting.push(frame),
                _ => panic!("not a step of authentication: {frame:?}"),
            }
        }
        loop {
            let frame = self.frame().await;
            match frame.tag {
                b'E' => return Err(frame),
                b'K' => {
                    let (pid, secret) =
                        frame.body.split_first_chunk::<4>().expect("BackendKeyData has a pid");
                    self.key = Some((u32::from_be_bytes(*pid), secret.to_vec().into()));
                }
                b'Z' => {
                    self.greeting.push(frame);
                    return Ok(());
                }
                _ => {}
            }
            self.greeting.push(frame);
        }
    }

    /// The message that cancels what this connection does.
    ///
    /// # Panics
    ///
    /// Before the login.
    pub fn cancel_request(&self) -> Vec<u8> {
        let (pid, secret) = self.key.as_ref().expect("BackendKeyData came");
        say::cancel(*pid, secret)
    }
}
