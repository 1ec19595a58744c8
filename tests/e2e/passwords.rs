//! A user with two passwords, as drivers and tools see it: in the clear, and bound to the channel of TLS.

use std::{fs, process::Command, sync::Arc};

use e2e::{
    drivers::try_program,
    jumpgate::Setup,
    stage::{Place, Stage},
    tls::MakeConnect,
    wire::Endpoint,
};
use tokio_postgres::{
    Config, NoTls,
    config::{ChannelBinding, SslMode},
    error::SqlState,
};

use crate::engines::reload;

/// A `[[database]]` whose client `writer` has these keys.
fn database(stage: &Stage, user: &str) -> String {
    let port = stage.postgres.address().port();
    format!(
        "[[database]]\nname = \"second\"\n[[database.user]]\nname = \"writer\"\n{user}\n\
         [database.origin]\nscheme = \"postgres\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         database = \"app\"\nuser = \"app\"\npassword_file = \"origin-password\"\n\
         [database.mtls]\nsslmode = \"verify-full\"\nca_certificate = \"ca.pem\"\n"
    )
}

/// What psql ends with, without TLS and with a channel that must be bound.
async fn psql(stage: &Stage, endpoint: &Endpoint) -> [i32; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("ca.pem"), &stage.authority.pem).expect("written");
    let ways = [("disable", "disable"), ("verify-full", "require")].map(|(mode, binding)| {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-c", "SELECT 1"]).env("PGSSLROOTCERT", folder.path().join("ca.pem"));
        psql.env("PGSSLMODE", mode).env("PGCHANNELBINDING", binding);
        psql
    });
    let endpoint = endpoint.clone();
    let run = move || ways.map(|mut psql| try_program(&mut psql, &endpoint).expect("psql").0);
    tokio::task::spawn_blocking(run).await.expect("it ends")
}

/// The same with tokio-postgres: whether it is let in.
async fn driver(stage: &Stage, endpoint: &Endpoint) -> [bool; 2] {
    let mut config: Config = endpoint.url().parse().expect("a connection string");
    let clear = config.connect(NoTls).await.map(|_| ());
    config.ssl_mode(SslMode::Require).channel_binding(ChannelBinding::Require);
    let tls = MakeConnect(Arc::clone(&stage.authority.client_config(None)));
    let bound = config.connect(tls).await.map(|_| ());
    [clear, bound].map(|outcome| {
        let code = outcome.as_ref().err().map(tokio_postgres::Error::code);
        assert!(matches!(code, None | Some(Some(&SqlState::INVALID_PASSWORD))), "{outcome:?}");
        outcome.is_ok()
    })
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
            assert_eq!(driver(&stage, &endpoint).await, [is_let_in; 2], "{password}: {user}");
            let code = if is_let_in { 0 } else { 2 };
            assert_eq!(psql(&stage, &endpoint).await, [code; 2], "{password}: {user}");
        }
    }
}

e2e::scenarios! {
    jumpgate_twice: [
        drivers_log_in_with_either_password,
    ],
}
