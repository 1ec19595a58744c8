//! The connector's credentials: which tunnel, and the secret that proves it.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

const MAX_TOKEN_LEN: usize = 4 * 1024;
const MAX_ACCOUNT_TAG_LEN: usize = 128;

/// Names a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TunnelId(Uuid);

impl TunnelId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// A fresh random name.
    pub fn random() -> Self {
        Self(uuid::Builder::from_random_bytes(rand::random()).into_uuid())
    }
}

impl fmt::Display for TunnelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for TunnelId {
    type Err = InvalidTunnelToken;

    fn from_str(text: &str) -> Result<Self, InvalidTunnelToken> {
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_no_uuid| InvalidTunnelToken("the tunnel id is not a UUID"))
    }
}

/// What `--token` carries: account, tunnel and secret.
#[derive(Clone)]
pub struct TunnelToken {
    account_tag: String,
    tunnel: TunnelId,
    secret: Zeroizing<Vec<u8>>,
}

impl TunnelToken {
    /// Puts credentials together.
    ///
    /// # Errors
    ///
    /// [`InvalidTunnelToken`] when the account tag or the secret is empty or too long.
    pub fn new(
        account_tag: impl Into<String>,
        tunnel: TunnelId,
        secret: impl Into<Vec<u8>>,
    ) -> Result<Self, InvalidTunnelToken> {
        let token =
            Self { account_tag: account_tag.into(), tunnel, secret: Zeroizing::new(secret.into()) };
        if !(1..=MAX_ACCOUNT_TAG_LEN).contains(&token.account_tag.len()) {
            return Err(InvalidTunnelToken("the account tag is empty or too long"));
        }
        if !(1..=MAX_TOKEN_LEN / 4).contains(&token.secret.len()) {
            return Err(InvalidTunnelToken("the secret is empty or too long"));
        }
        Ok(token)
    }

    /// The same of parts that are known to be good.
    pub(crate) fn of_parts(account_tag: &str, tunnel: TunnelId, secret: [u8; 32]) -> Self {
        Self {
            account_tag: account_tag.to_owned(),
            tunnel,
            secret: Zeroizing::new(secret.to_vec()),
        }
    }

    /// The account the tunnel belongs to.
    pub fn account_tag(&self) -> &str {
        &self.account_tag
    }

    /// The tunnel.
    pub fn tunnel(&self) -> TunnelId {
        self.tunnel
    }

    /// The secret's bytes, for the registration only.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The token as one line of text, for `--token`. It holds the secret: show it once, to its owner.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let json = Zeroizing::new(
            serde_json::json!({
                "a": self.account_tag,
                "t": self.tunnel.to_string(),
                "s": STANDARD.encode(&*self.secret),
            })
            .to_string(),
        );
        Zeroizing::new(STANDARD.encode(json.as_bytes()))
    }
}

impl TunnelToken {
    /// The credentials file of `cloudflared`. It holds the secret.
    pub fn to_secret_credentials(&self) -> Zeroizing<String> {
        Zeroizing::new(
            serde_json::json!({
                "AccountTag": self.account_tag,
                "TunnelSecret": STANDARD.encode(&*self.secret),
                "TunnelID": self.tunnel.to_string(),
            })
            .to_string(),
        )
    }
}

impl fmt::Debug for TunnelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelToken")
            .field("account_tag", &self.account_tag)
            .field("tunnel", &self.tunnel)
            .finish_non_exhaustive()
    }
}

impl FromStr for TunnelToken {
    type Err = InvalidTunnelToken;

    fn from_str(text: &str) -> Result<Self, InvalidTunnelToken> {
        let text = text.trim();
        if text.len() > MAX_TOKEN_LEN {
            return Err(InvalidTunnelToken("it is too long"));
        }
        let json = if text.starts_with('{') {
            Zeroizing::new(text.as_bytes().to_vec())
        } else {
            let decoded = STANDARD.decode(text).map(Zeroizing::new);
            decoded.map_err(|_invalid| InvalidTunnelToken("it is not base64"))?
        };
        // The text of a JSON error could quote the secret, so it is dropped.
        let fields: Fields = serde_json::from_slice(&json)
            .map_err(|_invalid| InvalidTunnelToken("it is not the JSON of a token"))?;
        let secret = STANDARD
            .decode(fields.secret.as_bytes())
            .map_err(|_invalid| InvalidTunnelToken("its secret is not base64"))?;
        Self::new(fields.account_tag, fields.tunnel.parse()?, secret)
    }
}

/// The JSON inside, or that of a credentials file; an endpoint may be there and does not concern us.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "a", alias = "AccountTag")]
    account_tag: String,
    #[serde(rename = "t", alias = "TunnelID")]
    tunnel: String,
    #[serde(rename = "s", alias = "TunnelSecret")]
    secret: Zeroizing<String>,
}

/// Why a text is no tunnel token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tunnel token is not valid: {0}")]
pub struct InvalidTunnelToken(&'static str);

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "7f1e9b1a-3a50-4c54-9a3e-0d6b0d1c2e3f";

    fn encoded(json: &str) -> String {
        STANDARD.encode(json)
    }

    #[test]
    fn a_token_of_the_other_tool_is_understood() {
        let json = format!(r#"{{ "a":"abc", "t":"{ID}", "s":"c2VjcmV0", "e":"fed" }}"#);
        let token: TunnelToken = format!(" {}\n", encoded(&json)).parse().expect("valid");
        assert_eq!(token.account_tag(), "abc");
        assert_eq!(token.tunnel().to_string(), ID);
        assert_eq!(token.secret(), b"secret");
    }

    #[test]
    fn a_token_survives_the_way_through_its_text() {
        let token = TunnelToken::new("tag", TunnelId::random(), [7; 32]).expect("valid");
        let back: TunnelToken = token.to_secret_text().parse().expect("valid");
        assert_eq!(back.account_tag(), token.account_tag());
        assert_eq!(back.tunnel(), token.tunnel());
        assert_eq!(back.secret(), token.secret());
    }

    #[test]
    fn what_is_no_token_is_refused_without_its_text_in_the_error() {
        for text in [
            String::new(),
            "hunter2".to_owned(),
            encoded("hunter2"),
            encoded(r#"{"a":"abc"}"#),
            encoded(r#"{"a":"abc","t":"hunter2","s":"c2VjcmV0"}"#),
            encoded(&format!(r#"{{"a":"abc","t":"{ID}","s":"hunter2!"}}"#)),
            encoded(&format!(r#"{{"a":"","t":"{ID}","s":"c2VjcmV0"}}"#)),
            encoded(&format!(r#"{{"a":"abc","t":"{ID}","s":""}}"#)),
            "A".repeat(MAX_TOKEN_LEN + 4),
        ] {
            let error = text.parse::<TunnelToken>().expect_err("invalid");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_secret_is_not_in_the_debug_text() {
        let token = TunnelToken::new("tag", TunnelId::random(), *b"hunter2").expect("valid");
        let shown = format!("{token:?}");
        // Two bytes of it, for the random id may have the digits of one.
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    }
}
