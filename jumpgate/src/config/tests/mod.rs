//! The example file, and files that must be refused with their line.

mod caching;
mod many;
mod mistakes;

use std::{fs, num::NonZeroU32, path::Path};

use protocol::mysql::compress::Algorithm;
use serving::config::{Config, Dial, Engine, LogConfig, OriginTls};

use super::*;

const EXAMPLE: &str = include_str!("../../../../jumpgate.example.toml");

fn environment(name: &str) -> Option<String> {
    (name == "SET").then(|| String::from("from-environment"))
}

fn parse(text: &str) -> Result<Document, ConfigError> {
    let document = Document::parse(Path::new("jumpgate.toml"), text.to_owned())?;
    Ok(document.with_environment(environment))
}

/// A folder with every file that the example names.
fn example_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    for name in ["server", "client", "edge"] {
        let identity = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
        put(&format!("{name}.pem"), &identity.cert.pem());
        put(&format!("{name}.key"), &identity.signing_key.serialize_pem());
    }
    for name in ["edge-ca.pem", "db-ca.pem"] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        put(name, &params.self_signed(&key).unwrap().pem());
    }
    put("app.password", "client-password\n");
    put("origin.password", "origin-password\n");
    put("access.secret", &"ab".repeat(32));
    put("tunnel.secret", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    put(
        "connector.token",
        "eyJhIjoiMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYiLCJ0IjoiN2YxZTBiZDYtMmYyYy00ZDRlLTlh\
         NTctMGMxZDhmMmE2YjNjIiwicyI6IkFBRUNBd1FGQmdjSUNRb0xEQTBPRHhBUkVoTVVGUllYR0JrYUd4d2RIaDg9In0=\n",
    );
    put("jumpgate.toml", EXAMPLE);
    folder
}

#[test]
fn the_example_file_is_accepted() {
    let folder = example_folder();
    let document = Document::read(&folder.path().join("jumpgate.toml")).unwrap();
    assert_eq!(document.log().unwrap(), LogConfig::default());
    let config = document.proxy().unwrap();
    assert!(config.listen.tls.is_some() && config.listen.channel_binding.is_some());
    let [tunnelled, direct, mysql] = &config.databases[..] else { panic!("three databases") };
    assert!(matches!(tunnelled.origin.dial, Dial::Tunnel(_)));
    assert!(matches!(direct.origin.dial, Dial::Tcp { port: 5432, .. }));
    assert_eq!(tunnelled.id, "0123456789abcdef0123456789abcdef");
    assert_eq!(direct.id.len(), 32);
    assert_eq!(direct.origin.password.now().expose(), "origin-password");
    assert_eq!(direct.users[0].verifier.shown().0, 4096);
    assert_eq!((direct.engine, mysql.engine), (Engine::Postgres, Engine::MySql));
    assert!(direct.users[0].mysql.is_none() && mysql.users[0].mysql.is_some());
    let edge = document.edge().unwrap().config;
    let state = edge.state;
    assert_eq!((state.service_tokens.len(), state.tunnels.len(), state.routes.len()), (1, 1, 1));
    assert_eq!(document.edge().unwrap().config.state, state, "the ids come from the file");
    let connector = document.connector().unwrap().connector;
    assert_eq!((connector.connections, connector.ingress.len()), (4, 1));
    // The example shows the defaults, so the database without a [database.pool] has the same.
    assert_eq!(tunnelled.pool, direct.pool);
    assert_eq!(tunnelled.caching, direct.caching);
}

#[test]
fn no_secret_shows_in_the_debug_output_of_a_config() {
    let folder = example_folder();
    let config = load(&folder.path().join("jumpgate.toml"));
    let shown = format!("{config:?}");
    for secret in ["client-password", "origin-password", &"ab".repeat(32), "SCRAM-SHA-256$"] {
        assert!(!shown.contains(secret), "{secret} shows");
    }
}

#[test]
fn every_field_of_every_section_appears_in_the_example() {
    let fields = include_str!("../file.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("    pub(super) ")?.split_once(':'))
        .map(|(field, _)| field);
    let shown: Vec<&str> = EXAMPLE
        .lines()
        .filter_map(|line| {
            let line = line.trim_start_matches(['#', ' ']);
            match line.strip_prefix('[') {
                Some(table) => table.trim_matches(['[', ']']).rsplit('.').next(),
                None => line.split_once('=').map(|(key, _)| key.trim()),
            }
        })
        .collect();
    for field in fields {
        assert!(shown.contains(&field), "{field} is not in jumpgate.example.toml");
    }
}

/// The proxy's part of a file.
fn load(path: &Path) -> Config {
    Document::read(path).unwrap().proxy().unwrap()
}

const USER: &str = "[[database.user]]\nname = 'u'\npassword = 'p'\n";
const ORIGIN: &str = "[database.origin]\nscheme = 'postgres'\nhost = 'h'\nport = 1\ndatabase = 'd'\nuser = 'u'\npassword = 'p'\n";

/// A file with one database; `extra` goes at the end, from line 15 on.
fn with_database(extra: &str) -> String {
    format!("[listen]\npostgres = '127.0.0.1:0'\n[[database]]\nname = 'app'\n{USER}{ORIGIN}{extra}")
}

/// Each text must be refused, with a line that starts as expected.
fn refused(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let error = parse(text)
            .and_then(|document| {
                document.log()?;
                document.proxy().map(drop)
            })
            .expect_err(expected)
            .to_string();
        let is_told = error.lines().any(|line| line.starts_with(expected));
        assert!(is_told, "{error}\n  should have a line that starts with\n{expected}\n{text}");
    }
}

#[test]
fn a_wrong_listener_or_log_is_refused_with_its_line_and_key() {
    refused(&[
        ("[listen]\npostgres = \n", "jumpgate.toml:2:12: listen.postgres: "),
        ("[listen]\nprot = 1\n", "jumpgate.toml:2:1: listen.prot: unknown field `prot`"),
        ("[listens]\n", "jumpgate.toml:1:2: listens: unknown field `listens`"),
        ("[listen]\npostgres = 5\n", "jumpgate.toml:2:12: listen.postgres: "),
        ("[listen]\npostgres = 'nowhere'\n", "jumpgate.toml:2:12: listen.postgres: "),
        ("", "jumpgate.toml:1:1: there is no [listen]"),
        ("[listen]\n", "jumpgate.toml:1:1: listen: there is no listener (add "),
        (
            "[listen]\npostgres = '127.0.0.1:0'\ntls_key = 'k'\n",
            "jumpgate.toml:3:11: listen.tls_key: tls_key is given without tls_certificate",
        ),
        (
            "[listen]\npostgres = '127.0.0.1:0'\nmax_clients = 0\n",
            "jumpgate.toml:3:15: listen.max_clients: must be at least 1",
        ),
        (
            "[listen]\npostgres = '127.0.0.1:0'\nlogin_timeout = -1\n",
            "jumpgate.toml:3:17: listen.login_timeout: ",
        ),
        (
            "[listen]\npostgres = '127.0.0.1:0'\n[log]\nformat = 'xml'\n",
            "jumpgate.toml:4:10: log.format: must be \"text\" or \"json\"",
        ),
    ]);
}

#[test]
fn a_wrong_pool_cache_or_tls_is_refused_with_its_line_and_key() {
    refused(&[
        (
            &with_database("[database.caching]\nmax_age = 3601\n"),
            "jumpgate.toml:16:11: database.caching.max_age: must be at most 3600",
        ),
        (
            &with_database("[database.pool]\norigin_connection_limit = 0\n"),
            "jumpgate.toml:16:27: database.pool.origin_connection_limit: must be at least 1",
        ),
        (
            &with_database("[database.pool]\nmode = 'statement'\n"),
            "jumpgate.toml:16:8: database.pool.mode: must be \"transaction\" or \"session\"",
        ),
        (
            &with_database("[database.pool]\nmin_idle = 21\n"),
            "jumpgate.toml:16:12: database.pool.min_idle: is more than origin_connection_limit (20)",
        ),
        (
            &with_database("[database.mtls]\nsslmode = 'disable'\n"),
            "jumpgate.toml:16:11: database.mtls.sslmode: must be \"require\"",
        ),
        (
            &with_database("[database.mtls]\nca_certificate = 'ca.pem'\n"),
            "jumpgate.toml:16:18: database.mtls.ca_certificate: ca_certificate has no effect",
        ),
        (
            &with_database("[database.mtls]\nclient_key = 'k'\n"),
            "jumpgate.toml:16:14: database.mtls.client_key: client_key is given without",
        ),
    ]);
}

#[test]
fn a_wrong_user_is_refused_with_its_line_and_key() {
    refused(&[
        (
            &with_database(&format!("[[database]]\nname = 'app'\n{USER}{ORIGIN}")),
            "jumpgate.toml:15:1: database: another [[database]] has the same name",
        ),
        (
            &with_database(&USER.replace("'p'", "7")),
            "jumpgate.toml:17:12: database.user.password: must be a string, not integer",
        ),
        (
            &with_database(&format!("{USER}password_env = 'SET'\n")),
            "jumpgate.toml:18:16: database.user.password_env: password is given twice",
        ),
        (
            &with_database("[[database.user]]\nname = 'v'\npassword_env = 'UNSET'\n"),
            "jumpgate.toml:17:16: database.user.password_env: the variable UNSET is not set",
        ),
        (
            &with_database("[[database.user]]\nname = 'v'\npassword_file = 'no-such-file'\n"),
            "jumpgate.toml:17:17: database.user.password_file: no-such-file cannot be read",
        ),
        (
            &with_database("[[database.user]]\nname = 'v'\nverifier = 'md5abc'\n"),
            "jumpgate.toml:17:12: database.user.verifier: is no SCRAM-SHA-256 verifier",
        ),
        (
            &with_database("[[database.user]]\nname = 'v'\n"),
            "jumpgate.toml:15:1: database.user: the user has no password",
        ),
    ]);
}

#[test]
fn a_wrong_origin_is_refused_with_its_line_and_key() {
    let origin = |lines: &str| {
        format!(
            "[listen]\npostgres = '127.0.0.1:0'\n[[database]]\nname = 'app'\n{USER}\
             [database.origin]\n{lines}"
        )
    };
    refused(&[
        (
            &origin("scheme = 'mariadb'\n"),
            "jumpgate.toml:9:10: database.origin.scheme: must be \"mysql\" (for MariaDB too)",
        ),
        (
            &origin("scheme = 'postgres'\nhost = 'h'\ndatabase = 'd'\nuser = 'u'\n"),
            "jumpgate.toml:8:1: database.origin: `port` is missing (add port = 5432, or",
        ),
        (
            &origin(
                "scheme = 'postgres'\nhost = 'h'\nport = 1\ndatabase = 'd'\nuser = 'u'\naccess_client_id = 'i'\naccess_client_secret = 's'\n",
            ),
            "jumpgate.toml:11:8: database.origin.port: port is given together with access_client_id",
        ),
        (
            &origin("scheme = 'postgres'\nhost = 'h'\naccess_client_id = 'i'\n"),
            "jumpgate.toml:11:20: database.origin.access_client_id: access_client_id is given without",
        ),
        (
            &origin("scheme = 'postgres'\nhost = 'h/path'\nport = 1\ndatabase = 'd'\nuser = 'u'\n"),
            "jumpgate.toml:10:8: database.origin.host: must be a host name or an address",
        ),
        (
            &origin("scheme = 'postgres'\nhosts = ['a', 'b:0']\n"),
            "jumpgate.toml:10:9: database.origin.hosts: must be host names or addresses, each with",
        ),
        (
            &origin("scheme = 'postgres'\nhost = 'h'\nhosts = ['a', 'b']\n"),
            "jumpgate.toml:11:9: database.origin.hosts: hosts is given together with host or port",
        ),
        (
            &origin("scheme = 'postgres'\nhosts = ['a']\ntarget_session_attrs = 'master'\n"),
            "jumpgate.toml:11:24: database.origin.target_session_attrs: must be \"any\", \"read-write\"",
        ),
    ]);
}

#[test]
fn a_wrong_edge_or_connector_is_refused_with_its_line_and_key() {
    let folder = example_folder();
    let cases = [
        ("connections = 4", "connections = 0", "connector.connections: must be from 1 to 16"),
        ("edge = [\"127.0.0.1:7844\"]", "edge = [\"a\"]", "connector.edge: \"a\" is not host:port"),
        ("\"tcp://127.0.0.1:5432\"", "\"http://x\"", "connector.ingress.service: "),
        ("[\"proxy\"]", "[\"nobody\"]", "edge.hostname.service_tokens: \"nobody\" is not the name"),
        ("tunnel = \"7f1e", "tunnel = \"8f1e", "edge.hostname.tunnel: names a tunnel that is not"),
        (
            "\"db.example.test\"\ntunnel",
            "\"a b\"\ntunnel",
            "edge.hostname.name: the hostname \"a b\"",
        ),
        ("\ncertificate = \"edge.pem\"", "", "edge: `certificate` is missing"),
        (
            "connector.token",
            "server.pem",
            "connector: the tunnel token is not valid: it is not base64",
        ),
    ];
    for (typed, wrong, expected) in cases {
        assert!(EXAMPLE.contains(typed), "{typed}");
        let path = folder.path().join("jumpgate.toml");
        let document = Document::parse(&path, EXAMPLE.replace(typed, wrong)).unwrap();
        let error = document.edge().map(drop).and_then(|()| document.connector().map(drop));
        let error = error.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}\n  should hold\n{expected}");
    }
}

#[test]
fn a_database_needs_the_listener_of_its_engine() {
    let with = |listen: &str| with_database("").replace("postgres = '127.0.0.1:0'", listen);
    refused(&[
        (
            &with("mysql = '127.0.0.1:0'"),
            "jumpgate.toml:9:10: database.origin.scheme: the database speaks postgres, and [listen] has no \
             postgres (add postgres = \"127.0.0.1:5432\" to [listen])",
        ),
        (
            &with_database("").replace("scheme = 'postgres'", "scheme = 'mysql'"),
            "jumpgate.toml:9:10: database.origin.scheme: the database speaks mysql, and [listen] has no \
             mysql (add mysql = \"127.0.0.1:3306\" to [listen])",
        ),
        (
            &with("mysql = '127.0.0.1:0'\nmysql_server_version = 'eight'"),
            "jumpgate.toml:3:24: listen.mysql_server_version: must begin with a digit",
        ),
    ]);
}

#[test]
fn a_password_before_is_read_wherever_it_is_kept() {
    for key in ["previous_password = 'old'", "previous_password_env = 'SET'"] {
        let text =
            with_database("").replacen("password = 'p'", &format!("password = 'p'\n{key}"), 1);
        let document = parse(&text).unwrap();
        let user = &document.configs().unwrap()[0].users[0];
        assert!(matches!(user.previous_password, Some(control::Password::Plain(_))), "{key}");
    }
}

#[test]
fn a_mysql_user_with_a_verifier_only_has_no_other() {
    let verifier = postgres_protocol::password::scram_sha_256(b"p");
    let text = with_database("")
        .replace("postgres = '", "mysql = '")
        .replace("scheme = 'postgres'", "scheme = 'mysql'")
        .replacen("password = 'p'", &format!("verifier = '{verifier}'"), 1);
    let config = parse(&text).unwrap().proxy().unwrap();
    assert!(config.databases[0].users[0].mysql.is_none());
}

#[test]
fn names_longer_than_the_engine_allows_are_refused() {
    let text =
        with_database("").replace("database = 'd'", &format!("database = '{}'", "é".repeat(32)));
    let error = parse(&text).unwrap().proxy().unwrap_err().to_string();
    assert!(error.contains("database.origin.database: is longer than 63 bytes"), "{error}");
    let mysql = |name: String| {
        with_database("")
            .replace("postgres = '", "mysql = '")
            .replace("scheme = 'postgres'", "scheme = 'mysql'")
            .replace("database = 'd'", &format!("database = '{name}'"))
    };
    parse(&mysql("é".repeat(64))).unwrap().proxy().unwrap();
    let error = parse(&mysql("é".repeat(65))).unwrap().proxy().unwrap_err().to_string();
    assert!(error.contains("database.origin.database: is longer than 64 characters"), "{error}");
}

#[test]
fn a_secret_with_a_wrong_type_or_in_a_broken_line_is_not_shown() {
    for text in [
        with_database("[[database.user]]\nname = 'v'\npassword = 918273\n"),
        with_database("[[database.user]]\nname = 'v'\npassword = \"918273\n"),
        with_database("[[database.user]]\nname = 'v'\npassword = 918273x\n"),
    ] {
        let error = parse(&text).and_then(|document| document.proxy()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("918273"), "{error:?}");
    }
}

#[test]
fn secrets_come_from_the_environment_too() {
    let text = with_database("").replace("password = 'p'", "password_env = 'SET'");
    let config = parse(&text).unwrap().proxy().unwrap();
    assert_eq!(config.databases[0].origin.password.now().expose(), "from-environment");
}

#[test]
fn the_same_name_always_has_the_same_id() {
    let first = parse(&with_database("")).unwrap().proxy().unwrap();
    let second = parse(&with_database("")).unwrap().proxy().unwrap();
    assert_eq!(first.databases[0].id, second.databases[0].id);
    assert_ne!(first.databases[0].id, hex::encode("app"));
}

#[test]
fn a_fingerprint_follows_what_a_database_is_made_of() {
    let folder = example_folder();
    let path = folder.path().join("jumpgate.toml");
    let fingerprints = || {
        let config = load(&path);
        config.databases.iter().map(|database| database.fingerprint).collect::<Vec<_>>()
    };
    let first = fingerprints();
    assert_ne!(first[0], first[1]);
    fs::write(&path, format!("# a comment\n\n{EXAMPLE}")).unwrap();
    assert_eq!(fingerprints(), first);
    fs::write(folder.path().join("origin.password"), "rotated").unwrap();
    let rotated = fingerprints();
    assert!(rotated[0] != first[0] && rotated[1] != first[1]);
    fs::write(&path, EXAMPLE.replace("port = 5432", "port = 5433")).unwrap();
    let moved = fingerprints();
    assert!(moved[0] == rotated[0] && moved[1] != rotated[1]);
}

/// FAULTS row 2: a reload keeps the connections of what it does not change.
#[test]
fn the_fingerprint_of_connections_follows_what_they_are_made_of_and_nothing_else() {
    let connections = |more: &str, password: &str| {
        let text = with_database(more).replace("password = 'p'", password);
        parse(&text).unwrap().proxy().unwrap().databases[0].connections
    };
    let first = connections("", "password = 'p'");
    for same in
        ["[database.caching]\nmax_age = 1\n", "[[database.user]]\nname = 'other'\npassword = 'q'\n"]
    {
        assert_eq!(connections(same, "password = 'p'"), first, "{same}");
    }
    let tunnelled = |secret: &str, edge: &str| {
        let origin =
            "scheme = 'postgres'\nhost = 'db.test'\ndatabase = 'd'\nuser = 'u'\npassword = 'p'\n";
        let text = format!(
            "[listen]\npostgres = '127.0.0.1:0'\n[[database]]\nname = 'app'\n{USER}[database.origin]\n{origin}\
             access_client_id = 'i'\naccess_client_secret = '{secret}'\nedge_address = '{edge}'\n"
        );
        parse(&text).unwrap().proxy().unwrap().databases[0].connections
    };
    let first_token = tunnelled("s", "192.0.2.1:1");
    assert_eq!(tunnelled("rotated", "192.0.2.1:1"), first_token);
    assert_ne!(tunnelled("s", "192.0.2.2:1"), first_token);
    let pool = |line: &str| connections(&format!("[database.pool]\n{line}\n"), "password = 'p'");
    let empty = pool("");
    assert_eq!(pool("mode = 'session'\nstatement_timeout = 1"), empty);
    for other in ["origin_connection_limit = 1", "connect_timeout = 1", "max_lifetime = 1"] {
        assert_ne!(pool(other), empty, "{other}");
    }
    let mtls = "[database.mtls]\nsslmode = 'plaintext-for-local-development'\n";
    assert_ne!(connections(mtls, "password = 'p'"), first);
}

/// FAULTS §4: a role for migrations had no way past `statement_timeout`.
#[test]
fn a_user_may_have_a_statement_timeout_of_its_own() {
    let users = "[[database.user]]\nname = 'free'\npassword = 'q'\nstatement_timeout = 0\n\
                 [[database.user]]\nname = 'long'\npassword = 'q'\nstatement_timeout = 600\n\
                 [database.pool]\nstatement_timeout = 5\n";
    let config = parse(&with_database(users)).unwrap().proxy().unwrap();
    let seconds = |user: &str| config.databases[0].statement_timeout(user).map(|s| s.as_secs());
    assert_eq!((seconds("u"), seconds("free"), seconds("long")), (Some(5), None, Some(600)));
}

#[test]
fn a_user_may_have_a_bound_on_its_clients() {
    let users = |most: u32| {
        format!(
            "[[database.user]]\nname = 'few'\npassword = 'q'\nmax_connections = {most}\n\
             [[database.user]]\nname = 'any'\npassword = 'q'\nmax_connections = 0\n"
        )
    };
    let database =
        |most| parse(&with_database(&users(most))).unwrap().proxy().unwrap().databases.remove(0);
    let (two, three) = (database(2), database(3));
    let most = |user: &str| two.max_connections(user).map(NonZeroU32::get);
    assert_eq!((most("u"), most("few"), most("any")), (None, Some(2), None));
    // A reload takes it in, and keeps the connections to the origin.
    assert!(two.fingerprint != three.fingerprint && two.connections == three.connections);
}

#[test]
fn plaintext_needs_its_whole_word() {
    let text = with_database("[database.mtls]\nsslmode = 'plaintext-for-local-development'\n");
    let config = parse(&text).unwrap().proxy().unwrap();
    assert!(matches!(config.databases[0].origin.tls, OriginTls::Plaintext));
    let config = parse(&with_database("")).unwrap().proxy().unwrap();
    assert!(matches!(config.databases[0].origin.tls, OriginTls::Required { .. }));
}
