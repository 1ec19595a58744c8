//! A user with two passwords, as drivers and command lines see it, by each method.

use std::fs;

use e2e::{
    drivers::try_program,
    jumpgate::Setup,
    mysql::{
        Server,
        install::command_line,
        login::{NATIVE, Options, SHA2},
        stage::{Place, Stage},
        wire::Wire,
    },
    wire::Endpoint,
};
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::engines::reload;

/// A `[[database]]` whose client `writer` has these keys.
fn database(stage: &Stage, user: &str) -> String {
    let port = stage.mysql.address().port();
    format!(
        "[[database]]\nname = \"second\"\n[[database.user]]\nname = \"writer\"\n{user}\n\
         [database.origin]\nscheme = \"mysql\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         database = \"app\"\nuser = \"app\"\npassword_file = \"origin-password\"\n\
         [database.mtls]\nsslmode = \"verify-full\"\nca_certificate = \"ca.pem\"\n"
    )
}

/// Whether the command lines of both families are let in, with and without TLS: MySQL's has one method only, and MariaDB's
/// prefers the other.
async fn command_lines(stage: &Stage, endpoint: &Endpoint) -> [bool; 4] {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, &stage.authority.pem).expect("written");
    let ca = format!("--ssl-ca={}", ca.display());
    let ways = [
        (Server::MariaDb, vec!["--skip-ssl"]),
        (Server::MariaDb, vec!["--ssl", &ca]),
        (Server::MySql, vec!["--ssl-mode=DISABLED", "--get-server-public-key"]),
        (Server::MySql, vec!["--ssl-mode=REQUIRED"]),
    ];
    let commands = ways.map(|(family, arguments)| {
        let mut command = command_line(family).expect("the client is installed");
        command.args(["-h", "127.0.0.1", "-u", &endpoint.user, "-P"]);
        command.arg(endpoint.address.port().to_string()).args(&arguments);
        command.arg(&endpoint.database).args(["-e", "SELECT 1"]);
        command
    });
    let endpoint = endpoint.clone();
    let run = move || {
        commands.map(|mut command| {
            let (code, said) = try_program(&mut command, &endpoint).expect("it starts");
            assert!(code == 0 || said.contains("ERROR 1045"), "{command:?}: {said}");
            code == 0
        })
    };
    tokio::task::spawn_blocking(run).await.expect("they end")
}

/// The same with mysql_async, and by each method with and without TLS.
async fn drivers(stage: &Stage, endpoint: &Endpoint) -> [bool; 5] {
    let options = Opts::from_url(&endpoint.url_of("mysql")).expect("a connection string");
    let options = OptsBuilder::from_opts(options).prefer_socket(false);
    let mut let_in = [Conn::new(options).await.is_ok(); 5];
    for (turn, (plugin, tls)) in
        [(NATIVE, false), (NATIVE, true), (SHA2, false), (SHA2, true)].into_iter().enumerate()
    {
        let options = Options { plugin, ..Options::default() };
        let mut wire = match tls {
            true => {
                let config = stage.authority.client_config(None);
                Wire::greeted_tls(endpoint.address, &options, config).await
            }
            false => Wire::greeted(endpoint.address).await,
        };
        let refused = wire.login(endpoint, &options).await.err();
        assert!(refused.as_ref().is_none_or(|refusal| refusal.code == 1045), "{refused:?}");
        let_in[turn + 1] = refused.is_none();
    }
    let_in
}

async fn drivers_log_in_with_either_password(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(2)).await;
    let verifier = |password: &str| postgres_protocol::password::scram_sha_256(password.as_bytes());
    for (user, let_in) in [
        (String::from("password = \"old\""), [false, true]),
        (String::from("password = \"new\"\nprevious_password = \"old\""), [true, true]),
        (format!("verifier = \"{}\"\nprevious_password = \"old\"", verifier("new")), [true, true]),
        (format!("password = \"new\"\nprevious_verifier = \"{}\"", verifier("old")), [true, true]),
        (String::from("password = \"new\""), [true, false]),
    ] {
        let text = database(&stage, &user);
        reload(&mut stage, text).await;
        let let_in = [let_in[0], let_in[1], false];
        for (password, is_let_in) in ["new", "old", "wrong"].into_iter().zip(let_in) {
            let endpoint = stage.endpoint().with_database("second").with_user("writer", password);
            let told = format!("{password}: {user}");
            assert_eq!(command_lines(&stage, &endpoint).await, [is_let_in; 4], "{told}");
            assert_eq!(drivers(&stage, &endpoint).await, [is_let_in; 5], "{told}");
        }
    }
}

e2e::mysql_scenarios! {
    jumpgate_twice: [
        drivers_log_in_with_either_password,
    ],
}
