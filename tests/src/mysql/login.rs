//! Logging in: `mysql_native_password`, and `caching_sha2_password` on its fast path, inside TLS and with the RSA key.

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Buf, Bytes};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{
    flags::capability,
    reply::{Done, Refusal},
    say,
    wire::Wire,
};
use crate::wire::Endpoint;

/// The plugin of MariaDB's accounts.
pub const NATIVE: &str = "mysql_native_password";
/// The plugin of MySQL's accounts.
pub const SHA2: &str = "caching_sha2_password";

/// What a client asks for beside user, password and database.
#[derive(Clone, Debug)]
pub struct Options {
    /// Capabilities beyond [`USUAL`].
    pub with: u32,
    /// Capabilities of [`USUAL`] that it does not have.
    pub without: u32,
    /// The collation byte.
    pub collation: u8,
    /// The plugin that it says first; empty for the server's own.
    pub plugin: &'static str,
    /// What it asks for of MariaDB's capabilities beyond 32 bits.
    pub extended: u32,
    /// Connection attributes.
    pub attributes: Vec<(&'static str, &'static str)>,
}

/// What almost every driver asks for.
pub const USUAL: u32 = capability::LONG_PASSWORD
    | capability::LONG_FLAG
    | capability::CONNECT_WITH_DB
    | capability::PROTOCOL_41
    | capability::TRANSACTIONS
    | capability::SECURE_CONNECTION
    | capability::MULTI_RESULTS
    | capability::PS_MULTI_RESULTS
    | capability::PLUGIN_AUTH
    | capability::PLUGIN_AUTH_LENENC
    | capability::CONNECT_ATTRS;

impl Default for Options {
    fn default() -> Self {
        // utf8mb4_general_ci, which both servers know by this number.
        Self { with: 0, without: 0, collation: 45, plugin: "", extended: 0, attributes: Vec::new() }
    }
}

impl Options {
    /// The usual ones and these capabilities.
    pub fn with(capabilities: u32) -> Self {
        Self { with: capabilities, ..Self::default() }
    }
}

/// What the server said first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// Its version.
    pub version: String,
    /// The number of this connection.
    pub thread: u32,
    /// The nonce.
    pub scramble: Vec<u8>,
    /// What it can do.
    pub capabilities: u32,
    /// What it can do beyond 32 bits.
    pub extended: u32,
    /// Its default collation.
    pub collation: u8,
    /// Its status flags.
    pub status: u16,
    /// Its default plugin.
    pub plugin: String,
}

impl Greeting {
    /// Reads a handshake packet of protocol 10.
    pub fn decode(mut body: Bytes) -> Self {
        assert_eq!(body.get_u8(), 10, "protocol 10");
        let version = zero_ended(&mut body);
        let thread = body.get_u32_le();
        let mut scramble = body.split_to(8).to_vec();
        assert_eq!(body.get_u8(), 0, "a filler");
        let low = body.get_u16_le();
        let collation = body.get_u8();
        let status = body.get_u16_le();
        let capabilities = u32::from(low) | (u32::from(body.get_u16_le()) << 16);
        let length = body.get_u8();
        // "The remaining ten bytes are reserved": MariaDB keeps its extended capabilities in the last four.
        body.advance(6);
        let extended =
            if capabilities & capability::LONG_PASSWORD == 0 { body.get_u32_le() } else { 0 };
        if capabilities & capability::LONG_PASSWORD != 0 {
            body.advance(4);
        }
        scramble.extend(body.split_to(12));
        assert_eq!((length, body.get_u8()), (21, 0), "a nonce of 20 bytes and a zero");
        let plugin = zero_ended(&mut body);
        assert!(!body.has_remaining(), "nothing follows the plugin: {body:?}");
        Self { version, thread, scramble, capabilities, extended, collation, status, plugin }
    }
}

fn zero_ended(body: &mut Bytes) -> String {
    let end = body.iter().position(|byte| *byte == 0).expect("a text ends with zero");
    let text = String::from_utf8_lossy(&body.split_to(end)).into_owned();
    body.advance(1);
    text
}

/// The proof of a password under a plugin.
pub fn proof(plugin: &str, password: &str, nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let xor = |left: &[u8], right: &[u8]| left.iter().zip(right).map(|(l, r)| l ^ r).collect();
    match plugin {
        NATIVE => {
            let first = Sha1::digest(password);
            let second = Sha1::digest(first);
            xor(&first, &Sha1::new().chain_update(nonce).chain_update(second).finalize())
        }
        SHA2 => {
            let first = Sha256::digest(password);
            let second = Sha256::digest(first);
            xor(&first, &Sha256::new().chain_update(second).chain_update(nonce).finalize())
        }
        other => panic!("the plugin {other}"),
    }
}

/// A password as caching_sha2_password sends it without TLS: mixed with the nonce, and encrypted with the server's key.
pub fn encrypted(password: &str, nonce: &[u8], pem: &[u8]) -> Vec<u8> {
    let pem = String::from_utf8_lossy(pem);
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).expect("a key in PEM");
    let key = PublicEncryptingKey::from_der(&der).expect("an RSA key");
    let key = OaepPublicEncryptingKey::new(key).expect("a key for OAEP");
    let mixed: Vec<u8> = password
        .bytes()
        .chain([0])
        .zip(nonce.iter().cycle())
        .map(|(byte, mask)| byte ^ mask)
        .collect();
    let mut sealed = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA1_MGF1SHA1, &mixed, &mut sealed, None).expect("OAEP").to_vec()
}

/// A handshake response.
pub fn response(
    capabilities: u32,
    endpoint: &Endpoint,
    options: &Options,
    proof: &[u8],
    plugin: &str,
) -> Vec<u8> {
    let mut body = header(capabilities, options);
    body.extend(endpoint.user.bytes());
    body.push(0);
    if capabilities & capability::PLUGIN_AUTH_LENENC != 0 {
        body.extend(say::text(proof));
    } else {
        body.push(proof.len().try_into().expect("a short proof"));
        body.extend(proof);
    }
    if capabilities & capability::CONNECT_WITH_DB != 0 {
        body.extend(endpoint.database.bytes());
        body.push(0);
    }
    if capabilities & capability::PLUGIN_AUTH != 0 {
        body.extend(plugin.bytes());
        body.push(0);
    }
    if capabilities & capability::CONNECT_ATTRS != 0 {
        let pairs = options.attributes.iter();
        let block: Vec<u8> = pairs
            .flat_map(|(name, value)| {
                [say::text(name.as_bytes()), say::text(value.as_bytes())].concat()
            })
            .collect();
        body.extend(say::text(&block));
    }
    body
}

/// The first 32 bytes of a handshake response, which are an SSLRequest of their own.
pub fn header(capabilities: u32, options: &Options) -> Vec<u8> {
    let mut body = capabilities.to_le_bytes().to_vec();
    body.extend(0x100_0000_u32.to_le_bytes());
    body.push(options.collation);
    body.extend([0; 19]);
    // A client that says LONG_PASSWORD knows nothing of these.
    body.extend(options.extended.to_le_bytes());
    body
}

impl Wire {
    /// The handshake response and everything up to the server's OK.
    ///
    /// # Errors
    ///
    /// The ERR packet of a server that refuses.
    pub async fn login(&mut self, endpoint: &Endpoint, options: &Options) -> Result<Done, Refusal> {
        self.agree(options);
        let plugin = if options.plugin.is_empty() {
            self.greeting.plugin.clone()
        } else {
            options.plugin.into()
        };
        let proof = proof(&plugin, &endpoint.password, &self.greeting.scramble);
        let body = response(self.capabilities, endpoint, options, &proof, &plugin);
        self.put(&body).await;
        self.authenticate(&endpoint.password, plugin).await
    }

    /// COM_CHANGE_USER and everything up to the server's OK.
    ///
    /// # Errors
    ///
    /// The ERR packet of a server that refuses.
    pub async fn change_user(&mut self, endpoint: &Endpoint) -> Result<Done, Refusal> {
        let plugin = self.greeting.plugin.clone();
        let proof = proof(&plugin, &endpoint.password, &self.greeting.scramble);
        let mut body = vec![super::flags::command::CHANGE_USER];
        body.extend(endpoint.user.bytes());
        body.push(0);
        body.push(proof.len().try_into().expect("a short proof"));
        body.extend(proof);
        body.extend(endpoint.database.bytes());
        body.push(0);
        body.extend(45_u16.to_le_bytes());
        if self.has(capability::PLUGIN_AUTH) {
            body.extend(plugin.bytes());
            body.push(0);
        }
        if self.has(capability::CONNECT_ATTRS) {
            body.push(0);
        }
        self.command(&body).await;
        self.authenticate(&endpoint.password, plugin).await
    }

    /// Everything after a proof was sent.
    ///
    /// # Errors
    ///
    /// The ERR packet of a server that refuses.
    pub async fn authenticate(
        &mut self,
        password: &str,
        mut plugin: String,
    ) -> Result<Done, Refusal> {
        let mut nonce = self.greeting.scramble.clone();
        loop {
            let packet = self.packet().await;
            match packet.as_ref() {
                [0x00, ..] => return Ok(Done::decode(packet, self.has(capability::SESSION_TRACK))),
                [0xff, ..] => return Err(Refusal::decode(&packet)),
                [0xfe, ..] => {
                    let mut body = packet.slice(1..);
                    plugin = zero_ended(&mut body);
                    self.steps.push(format!("switch to {plugin}"));
                    assert_eq!((body.len(), body.last()), (21, Some(&0)), "a nonce and a zero");
                    nonce = body.slice(..20).to_vec();
                    // For an unknown user MySQL feigns any plugin; whatever is said, the answer is no.
                    let known = [NATIVE, SHA2].contains(&plugin.as_str());
                    let proof = if known { proof(&plugin, password, &nonce) } else { vec![0] };
                    self.put(&proof).await;
                    // A later COM_CHANGE_USER proves with what was said last.
                    self.greeting.scramble.clone_from(&nonce);
                    self.greeting.plugin.clone_from(&plugin);
                }
                [0x01, 0x03] => self.steps.push("fast".into()),
                [0x01, 0x04] if self.is_encrypted => {
                    self.steps.push("full inside TLS".into());
                    self.put(&[password.as_bytes(), &[0]].concat()).await;
                }
                [0x01, 0x04] => {
                    self.steps.push("full with the key".into());
                    self.put(&[2]).await;
                    let key = self.packet().await;
                    assert_eq!(key.first(), Some(&1), "a key: {key:?}");
                    let sealed = encrypted(password, &nonce, &key.slice(1..));
                    self.put(&sealed).await;
                }
                other => panic!("not a step of authentication on {plugin}: {other:02x?}"),
            }
        }
    }
}
