//! What the parser of TOML says of a wrong value, in the words of whoever typed it.
//!
//! Its messages show the value, which may be a password, and name types of this program.

/// What is said of a value that is no address and port.
const ADDRESS: &str = "invalid socket address syntax";

/// What is wrong, and what to do about it: of a message, the key it is about, and the text that stands there.
pub(super) fn in_plain_words(message: &str, key: &str, typed: &str) -> (String, String) {
    if message.starts_with("unknown field") {
        let remedy = "remove it, or see jumpgate.example.toml for its place";
        return (message.to_owned(), remedy.to_owned());
    }
    if message == ADDRESS {
        let problem = String::from("must be an IP address and a port");
        return (problem, address_remedy(typed.trim_matches(['"', '\''])));
    }
    let wrong = message.strip_prefix("invalid type: ").or(message.strip_prefix("invalid value: "));
    let Some((found, expected)) = wrong.and_then(|rest| rest.rsplit_once(", expected ")) else {
        return (message.to_owned(), String::new());
    };
    let problem = format!("must be {}, not {}", wanted(expected), kind(found));
    (problem, remedy(found, expected, key))
}

/// Whether a message is about one value or key of a text that can be read otherwise.
pub(super) fn is_of_a_value(message: &str) -> bool {
    ["unknown field", "invalid type: ", "invalid value: ", ADDRESS]
        .iter()
        .any(|it| message.starts_with(it))
}

/// What the value is, without the value.
fn kind(found: &str) -> &str {
    for (begins, word) in [
        ("string", "a text"),
        ("integer", "this number"),
        ("floating point", "this number"),
        ("boolean", "true or false"),
        ("map", "a table"),
        ("sequence", "a list"),
    ] {
        if found.starts_with(begins) {
            return word;
        }
    }
    "what it is"
}

fn wanted(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, at least 0",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "a sequence" => "a list",
        "socket address" => "an IP address and a port in quotes",
        table if table.starts_with("struct ") => "a table",
        other => other,
    }
}

fn remedy(found: &str, expected: &str, key: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    match expected {
        "a sequence" if found.starts_with("map") => {
            format!("there may be several, so write [[{key}]] in double brackets")
        }
        table if table.starts_with("struct ") && found.starts_with("sequence") => {
            format!("there is one only, so write [{key}] in single brackets")
        }
        table if table.starts_with("struct ") && name == "origin" => String::from(
            "write a table [database.origin] with scheme, host, port, database, user and password_file",
        ),
        table if table.starts_with("struct ") => format!("write a table [{key}]"),
        "socket address" => String::from("for example \"127.0.0.1:6432\""),
        _ => String::new(),
    }
}

/// How to write an address that was meant.
fn address_remedy(typed: &str) -> String {
    let (host, port) = typed.rsplit_once(':').unwrap_or((typed, ""));
    let port = if port.is_empty() || port.parse::<u16>().is_err() { "6432" } else { port };
    match host {
        "localhost" => format!("\"127.0.0.1:{port}\" is this machine"),
        "" | "*" | "0" => {
            format!("\"0.0.0.0:{port}\" is every address of IPv4, \"[::]:{port}\" of IPv6 too")
        }
        _ => format!(
            "for example \"127.0.0.1:{port}\" for this machine only, \"0.0.0.0:{port}\" for every address; \
             a name cannot be listened on"
        ),
    }
}
