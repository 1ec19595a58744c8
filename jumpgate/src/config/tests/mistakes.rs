//! Mistakes that people make, and what they are told.

use super::*;

/// FAULTS §4: errors without a cure, and types of this program in them. A value may be a password, so none is shown.
#[test]
fn a_mistake_is_told_in_plain_words_with_its_cure() {
    let listen = |value: &str| format!("[listen]\npostgres = {value}\n");
    refused(&[
        (
            &listen("'localhost:6432'"),
            "jumpgate.toml:2:12: listen.postgres: must be an IP address and a port (\"127.0.0.1:6432\" is this machine)",
        ),
        (
            &listen("'*:7000'"),
            "jumpgate.toml:2:12: listen.postgres: must be an IP address and a port (\"0.0.0.0:7000\" is every",
        ),
        (
            &listen("':6432'"),
            "jumpgate.toml:2:12: listen.postgres: must be an IP address and a port (\"0.0.0.0:6432\" is every",
        ),
        (
            &listen("'db.example.test'"),
            "jumpgate.toml:2:12: listen.postgres: must be an IP address and a port (for example \"127.0.0.1:6432\"",
        ),
        (
            &listen("6432"),
            "jumpgate.toml:2:12: listen.postgres: must be an IP address and a port in quotes, not this number",
        ),
        (
            "[database]\nname = 'a'\n",
            "jumpgate.toml:1:1: database: must be a list, not a table (there may be several, so write [[database]] in double",
        ),
        (
            "[[database]]\norigin = 'postgres://u:hunter2@h/d'\n",
            "jumpgate.toml:2:10: database.origin: must be a table, not a text (write a table [database.origin] with scheme",
        ),
        (
            "[[database]]\n[database.origin]\nport = 99999\n",
            "jumpgate.toml:3:8: database.origin.port: must be a whole number from 0 to 65535, not this number",
        ),
        (
            "[[database]]\n[database.origin]\nport = 'hunter2'\n",
            "jumpgate.toml:3:8: database.origin.port: must be a whole number from 0 to 65535, not a text",
        ),
        (
            "[[database]]\n[database.pool]\nidle_timeout = '10s'\n",
            "jumpgate.toml:3:16: database.pool.idle_timeout: must be a number, not a text",
        ),
        (
            "[[database]]\n[[database.user]]\nmax_connections = -1\n",
            "jumpgate.toml:3:19: database.user.max_connections: must be a whole number from 0 to 4294967295, not this number",
        ),
        (
            &with_database(
                "[[database.caching.rule]]\nuser = 'u'\nmax_age = 1\n[[database.caching.rule]]\nuser = 'u'\nnever = true\nmax_age = 1\n",
            ),
            "jumpgate.toml:18:1: database.caching.rule: never is given with an age (leave one of them out)",
        ),
        (
            &with_database("[database.capture]\nenabled = true\nslot = 'A'\n"),
            "jumpgate.toml:17:8: database.capture.slot: must be 1 to 63 small letters, digits and underscores (or leave it",
        ),
        (
            &with_database("").replace("host = 'h'", "host = 'localhost:24500'"),
            "jumpgate.toml:10:8: database.origin.host: must be a host name or an address alone (host = \"localhost\" and port = 24500)",
        ),
        (
            &format!(
                "[cache]\ncapacity_bytes = 1000\nmax_entry_bytes = 251\n{}",
                with_database("")
            ),
            "jumpgate.toml:3:19: cache.max_entry_bytes: is more than a quarter of capacity_bytes (lower it, or raise capacity_bytes)",
        ),
        (
            "[listen]\npostgres = '127.0.0.1:0'\n",
            "jumpgate.toml:1:1: listen: there is no [[database]]",
        ),
    ]);
    for text in [
        "[[database]]\norigin = 'postgres://u:hunter2@h/d'\n",
        "[cache]\ncapacity_bytes = 'hunter2'\n",
    ] {
        let error = parse(text).and_then(|document| document.proxy()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn a_mistake_in_a_password_before_is_told_once_and_at_its_key() {
    let user = |keys: &str| with_database(&format!("[[database.user]]\nname = 'v'\n{keys}\n"));
    let verifier = |text: &[u8]| postgres_protocol::password::scram_sha_256(text);
    let two = [("verifier", verifier(b"new")), ("previous_verifier", verifier(b"old"))];
    let two = two.map(|(key, verifier)| format!("{key} = '{verifier}'")).join("\n");
    for (text, expected) in [
        (
            user("password = 'p'\nprevious_password = ''"),
            "18:21: database.user.previous_password: is empty (leave it out to end it)",
        ),
        (
            user("password = 'p'\nprevious_password_env = 'UNSET'"),
            "18:25: database.user.previous_password_env: the variable UNSET is not set (export it before the start)",
        ),
        (
            user("password = 'p'\nprevious_password = 3"),
            "18:21: database.user.previous_password: must be a string, not integer (put it in quotes)",
        ),
        (
            user(&two),
            "18:21: database.user.previous_verifier: differs in salt or iterations from that of the current password, \
             and SCRAM tells both before it hears which password is meant (give one of the two passwords itself, or \
             make both with one salt)",
        ),
    ] {
        let error = parse(&text).unwrap().proxy().unwrap_err();
        assert_eq!(error.to_string(), format!("jumpgate.toml:{expected}"));
    }
}

/// Issue item 7.
#[test]
fn compression_is_for_mysql_and_by_a_known_algorithm() {
    let with = |scheme: &str, algorithm: &str| {
        let line = format!("compression = '{algorithm}'\n");
        let text = with_database(&line).replace("'postgres'", &format!("'{scheme}'"));
        text.replace("postgres = '127.0.0.1:0'", "postgres = '127.0.0.1:0'\nmysql = '127.0.0.1:0'")
    };
    refused(&[
        (
            &with("postgres", "zlib"),
            "jumpgate.toml:16:15: database.origin.compression: PostgreSQL's protocol has no compression (remove the key)",
        ),
        (
            &with("mysql", "lz4"),
            "jumpgate.toml:16:15: database.origin.compression: must be \"zlib\" or \"zstd\" (zstd is MySQL's alone",
        ),
    ]);
    let compression = |text: &str| {
        let proxy = parse(text).unwrap().proxy().unwrap();
        proxy.databases[0].origin.compression
    };
    assert_eq!(compression(&with("mysql", "zlib")), Some(Algorithm::Zlib));
    assert_eq!(compression(&with("mysql", "zstd")), Some(Algorithm::Zstd(3)));
    assert_eq!(compression(&with_database("")), None);
}

/// FAULTS §4: one mistake was told per run, not all.
#[test]
fn every_mistake_is_told_at_once() {
    let text = with_database("[database.pool]\nmode = 'x'\nmin_idle = 21\ncheckout_timeout = -1\n")
        .replace("'127.0.0.1:0'\n", "'127.0.0.1:0'\nmax_clients = 0\n")
        .replace(
            "password = 'p'\n[database.origin]",
            "\n[[database.user]]\nname = 'v'\n[database.origin]",
        )
        .replace("database = 'd'", "")
        + "[[database]]\nname = 'b'\n";
    let error = parse(&text).unwrap().proxy().unwrap_err().to_string();
    for told in [
        "listen.max_clients: must be at least 1",
        "database.pool.mode: must be",
        "database.pool.min_idle: is more than",
        "database.pool.checkout_timeout: ",
        "database.user: the user has no password",
        "database.origin: `database` is missing",
        "database: `origin` is missing",
    ] {
        assert!(error.lines().any(|line| line.contains(told)), "{told} is not in\n{error}");
    }
    assert_eq!(error.matches("the user has no password").count(), 2, "{error}");
}

/// FAULTS §4: one mistake was told per run; values of wrong types, too.
#[test]
fn every_value_of_a_wrong_type_is_told_at_once() {
    let text = "[listen]\npostgres = 'localhost:6432'\nprot = 1\n[[database]]\nname = [\n  'é',\n]\n\
                [database.origin]\nport = 99999\n[database.pool]\nmin_idle = 'é'\n";
    let error = parse(text).unwrap_err().to_string();
    let told: Vec<&str> = error.lines().collect();
    assert_eq!(told.len(), 5, "{error}");
    for begins in [
        "jumpgate.toml:2:12: listen.postgres: must be an IP address and a port",
        "jumpgate.toml:3:1: listen.prot: unknown field",
        "jumpgate.toml:5:8: database.name: must be a text in quotes, not a list",
        "jumpgate.toml:9:8: database.origin.port: must be a whole number",
        "jumpgate.toml:11:12: database.pool.min_idle: must be a whole number",
    ] {
        assert!(told.iter().any(|line| line.starts_with(begins)), "{begins} is not in\n{error}");
    }
    // What cannot be read at all, and what belongs to no table any more, is told alone.
    for alone in ["[listen]\nprot = 1\nx = = 1\n", "[database]\nname = 1\n[listen]\nprot = 1\n"] {
        let error = parse(alone).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

/// FAULTS §4: `--check` accepted an origin without a password.
#[test]
fn an_origin_without_a_password_is_noted() {
    let notes = |text: &str| parse(text).unwrap().proxy().unwrap().notes;
    let without = with_database("").replace("user = 'u'\npassword = 'p'\n", "user = 'u'\n");
    let noted = notes(&without);
    assert!(noted[0].contains("database.origin: the origin has neither a password"), "{noted:?}");
    assert!(notes(&with_database("")).is_empty());
    assert!(notes(&without.replace("user = 'u'\n", "user = 'u'\npassword = ''\n")).is_empty());
}

/// Of a control node, and of those that follow one: nothing secret goes over a network in the clear unasked.
#[test]
fn a_mistake_about_a_control_node_is_told_with_its_cure() {
    let control = |lines: &str| {
        let document = parse(&format!("[control]\n{lines}")).unwrap();
        document.control().map(drop).unwrap_err().to_string()
    };
    let store = "store = 'sqlite:c.db'\n";
    for (lines, told) in [
        ("", "`listen` is missing"),
        ("listen = '127.0.0.1:1'\n", "`store` is missing"),
        ("listen = '0.0.0.0:1'\n", "in the clear (add certificate and key, or plain_http = true"),
        (&*format!("listen = '127.0.0.1:1'\n{store}"), "`sealing_key_file` is missing"),
        (&*format!("listen = '127.0.0.1:1'\n{store}sealing_key = 'x'\n"), "lines of ID:KEY"),
    ] {
        let said = control(lines);
        assert!(said.contains(told), "{lines}: {said}");
    }
    let follow = |lines: &str| {
        let document = parse(&format!("[control]\n{lines}")).unwrap();
        document.follow().map(drop).unwrap_err().to_string()
    };
    for (lines, told) in [
        ("url = 'https://c.test'\n", "there is no token"),
        ("url = 'c.test'\ntoken = 't'\n", "is not the URL of a control node"),
        ("url = []\ntoken = 't'\n", "names no control node"),
        ("url = 'http://c.test'\ntoken = 't'\n", "in the clear (use https, or plain_http = true"),
    ] {
        let said = follow(lines);
        assert!(said.contains(told), "{lines}: {said}");
    }
    let near = "url = ['http://[::1]:1', 'http://localhost:1']\ntoken = 't'\nnode = 'n'\n";
    let far = "url = 'http://c.test'\nplain_http = true\ntoken = 't'\nnode = 'n'\n";
    for lines in [near, far] {
        let document = parse(&format!("[control]\n{lines}")).unwrap();
        assert!(document.follow().unwrap().is_some());
    }
}
