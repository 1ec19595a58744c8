//! The service token that a request shows, in either form.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{CLIENT_ID_HEADER, CLIENT_SECRET_HEADER, ServiceToken};
use crate::http1::Headers;

/// What a request shows of a service token.
#[derive(Debug)]
pub(super) enum Shown {
    Nothing,
    /// Half a token, one that is there twice, or what could be none.
    Malformed,
    Token(ServiceToken),
}

impl Shown {
    /// Reads the pair of headers, and where there is none, the header that holds both halves.
    pub(super) fn read(headers: &Headers, token_header: Option<&str>) -> Self {
        if headers.has(CLIENT_ID_HEADER) || headers.has(CLIENT_SECRET_HEADER) {
            let pair = headers.single(CLIENT_ID_HEADER).zip(headers.single(CLIENT_SECRET_HEADER));
            return Self::from_pair(pair);
        }
        let Some(name) = token_header.filter(|name| headers.has(name)) else {
            return Self::Nothing;
        };
        let json = headers.single(name).filter(|json| json.len() <= MAX_JSON_LEN);
        // The text of a JSON error could quote the secret, so it is dropped.
        let pair = json.and_then(|json| serde_json::from_str::<Pair>(json).ok());
        Self::from_pair(pair.as_ref().map(|pair| (pair.id.as_str(), pair.secret.as_str())))
    }

    fn from_pair(pair: Option<(&str, &str)>) -> Self {
        let token = pair.and_then(|(id, secret)| ServiceToken::new(id, secret).ok());
        token.map_or(Self::Malformed, Self::Token)
    }
}

/// The JSON of the single header. Cloudflare takes the keys in lower case only.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    #[serde(rename = "cf-access-client-id")]
    id: String,
    #[serde(rename = "cf-access-client-secret")]
    secret: Zeroizing<String>,
}

const MAX_JSON_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Request;

    fn read(headers: &str, token_header: Option<&str>) -> String {
        let head = format!("GET / HTTP/1.1\r\n{headers}\r\n");
        let request = Request::parse(head.as_bytes()).expect("a head");
        match Shown::read(&request.headers, token_header) {
            Shown::Nothing => "nothing".to_owned(),
            Shown::Malformed => "malformed".to_owned(),
            Shown::Token(token) => format!("{} {}", token.id(), token.secret()),
        }
    }

    #[test]
    fn a_token_is_read_from_exactly_one_place() {
        const ID: &str = "CF-Access-Client-Id: a\r\n";
        const SECRET: &str = "cf-access-client-secret: s\r\n";
        const JSON: &str =
            "Authorization: {\"cf-access-client-id\":\"b\",\"cf-access-client-secret\":\"t\"}\r\n";
        let long = JSON.replace("\"t\"", &format!("\"{}\"", "t".repeat(MAX_JSON_LEN)));
        for (headers, token_header, expected) in [
            (String::new(), None, "nothing"),
            (format!("{ID}{SECRET}"), None, "a s"),
            (format!("{ID}{SECRET}{JSON}"), Some("authorization"), "a s"),
            (ID.to_owned(), None, "malformed"),
            (SECRET.to_owned(), None, "malformed"),
            (format!("{ID}{ID}{SECRET}"), None, "malformed"),
            (format!("{ID}{SECRET}{SECRET}"), None, "malformed"),
            (format!("{ID}{JSON}"), Some("Authorization"), "malformed"),
            (format!("{ID}Cf-Access-Client-Secret: \r\n"), None, "malformed"),
            (format!("{ID}Cf-Access-Client-Secret: s s\r\n"), None, "malformed"),
            (format!("{ID}Cf-Access-Client-Secret: {}\r\n", "s".repeat(257)), None, "malformed"),
            (JSON.to_owned(), Some("Authorization"), "b t"),
            (JSON.to_owned(), None, "nothing"),
            (JSON.to_owned(), Some("X-Token"), "nothing"),
            (format!("{JSON}{JSON}"), Some("Authorization"), "malformed"),
            (
                JSON.replace("cf-access-client-id", "CF-Access-Client-Id"),
                Some("Authorization"),
                "malformed",
            ),
            (JSON.replace("\"}", "\",\"x\":1}"), Some("Authorization"), "malformed"),
            (
                JSON.replace("\"}", "\",\"cf-access-client-id\":\"c\"}"),
                Some("Authorization"),
                "malformed",
            ),
            (JSON.replace('}', "} "), Some("Authorization"), "b t"),
            (JSON.replace('}', "}{"), Some("Authorization"), "malformed"),
            (JSON.replace("\"t\"", "7"), Some("Authorization"), "malformed"),
            (long, Some("Authorization"), "malformed"),
            ("Authorization: Bearer x\r\n".to_owned(), Some("Authorization"), "malformed"),
            ("Authorization: \r\n".to_owned(), Some("Authorization"), "malformed"),
        ] {
            assert_eq!(read(&headers, token_header), expected, "{headers} {token_header:?}");
        }
    }
}
