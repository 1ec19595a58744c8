//! How the proxy logs in to its origin: each method PostgreSQL may ask for, and the refusals that say what to do.

use e2e::{
    stage::{Place, Stage, eventually},
    wire::{Endpoint, Frame, Wire, error, sqlstate},
};
use tempfile::TempDir;

/// Roles that the database wants to see in different ways.
const ROLES: &str = "SET password_encryption = 'md5'; CREATE ROLE md LOGIN PASSWORD 'md-password'; \
    SET password_encryption = 'scram-sha-256'; CREATE ROLE plain LOGIN PASSWORD 'plain-password'; \
    CREATE ROLE scram LOGIN PASSWORD 'scram-password'; CREATE ROLE certified LOGIN";
const RULES: [&str; 5] = [
    "host all md 127.0.0.1/32 md5",
    "host all plain 127.0.0.1/32 password",
    "hostssl all certified 127.0.0.1/32 cert",
    "hostssl all scram 127.0.0.1/32 scram-sha-256",
    "host all all 127.0.0.1/32 scram-sha-256",
];

/// Makes the roles, and rules that ask each for its own proof.
async fn demand(stage: &Stage) {
    let mut superuser = Wire::connect(&stage.postgres.superuser()).await;
    superuser.run(ROLES).await;
    let file = superuser.value("SHOW hba_file").await;
    let rows = RULES.map(|rule| format!("('{rule}')")).join(", ");
    superuser.run(&format!("COPY (VALUES {rows}) TO '{file}'")).await;
    superuser.run("SELECT pg_reload_conf()").await;
}

/// A `[[database]]` that logs in as `role`.
fn database(stage: &Stage, name: &str, role: &str, tls: &str) -> String {
    let port = stage.postgres.address().port();
    format!(
        "[[database]]\nname = \"{name}\"\n[[database.user]]\nname = \"app\"\n\
         password_file = \"client-password\"\n[database.origin]\nscheme = \"postgres\"\n\
         host = \"127.0.0.1\"\nport = {port}\ndatabase = \"app\"\nuser = \"{role}\"\n\
         password = \"{role}-password\"\n[database.caching]\ndisabled = true\n[database.mtls]\n{tls}\n"
    )
}

async fn log_in(endpoint: &Endpoint) -> Result<Wire, Frame> {
    let mut wire = Wire::open(endpoint.address).await;
    wire.login(endpoint, &[]).await.map(|()| wire)
}

/// FAULTS row 55: with `sslmode = "require"` anybody who asked got the password. The catalog's reader and the tools log
/// in, too.
async fn each_method_of_the_origin_is_answered(place: Place) {
    let mut stage = Stage::open(place).await;
    demand(&stage).await;
    let folder = TempDir::new().expect("a folder");
    stage.authority.leaf(&["certified"]).write(folder.path(), "client").expect("written");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let certificate = format!(
        "sslmode = \"require\"\nclient_certificate = \"{}\"\nclient_key = \"{}\"",
        path("client.pem"),
        path("client.key")
    );
    let bare = "sslmode = \"plaintext-for-local-development\"";
    let (verified, any) =
        ("sslmode = \"verify-ca\"\nca_certificate = \"ca.pem\"", "sslmode = \"require\"");
    let databases = [
        database(&stage, "over-md5", "md", verified),
        database(&stage, "md5-bare", "md", bare),
        database(&stage, "md5-unverified", "md", any),
        database(&stage, "clear", "plain", verified),
        database(&stage, "clear-bare", "plain", bare),
        database(&stage, "clear-unverified", "plain", any),
        database(&stage, "scram-unverified", "scram", any),
        database(&stage, "bound", "scram", verified),
        database(&stage, "by-certificate", "certified", &certificate),
        database(&stage, "no-certificate", "certified", "sslmode = \"require\""),
    ]
    .concat();
    stage.jumpgate().reload(|setup| setup.more = databases).expect("a reload");
    let known = stage.endpoint().with_database("bound");
    eventually("the new databases are known", async || log_in(&known).await.is_ok()).await;

    for (name, role) in [
        ("over-md5", "md"),
        ("md5-bare", "md"),
        ("clear", "plain"),
        ("scram-unverified", "scram"),
        ("bound", "scram"),
        ("by-certificate", "certified"),
    ] {
        let mut client = Wire::connect(&stage.endpoint().with_database(name)).await;
        assert_eq!(client.value("SELECT current_user").await, role, "{name}");
    }
    // The password never goes out in clear text without TLS, nor to somebody who is not verified.
    for name in ["clear-bare", "clear-unverified", "md5-unverified", "no-certificate"] {
        let refused = log_in(&stage.endpoint().with_database(name)).await;
        let frame = refused.expect_err("no backend, so no parameters to show");
        assert_eq!(frame.field(b'C'), "58000", "{name}");
        assert_eq!(
            frame.field(b'M'),
            "Server connection attempt failed: authentication_failed",
            "{name}"
        );
    }
    let log = stage.jumpgate().logs();
    assert!(log.contains("its certificate is not verified"), "the log says what to do: {log}");
    let unverified = |text: String| {
        let text = text.replace("sslmode = \"verify-full\"\nca_certificate = \"ca.pem\"", any);
        text.replacen(
            "user = \"app\"\npassword_file = \"origin-password\"",
            "user = \"plain\"\npassword = \"plain-password\"",
            1,
        )
    };
    for tool in [&["check", "app"][..], &["why", "app", "SELECT 1"]] {
        let (code, said, problems) = stage.jumpgate().tool_with(unverified, tool).unwrap();
        assert_eq!(code, 1, "{tool:?}: {said}{problems}");
        let said = said + &problems;
        assert!(said.contains("its certificate is not verified"), "{tool:?}: {said}");
    }
    let mut client = stage.client().await;
    let reply = client.query("SELECT 1").await;
    assert_eq!((sqlstate(&reply), error(&reply)), (String::new(), String::new()), "others go on");
}

e2e::scenarios! {
    jumpgate_once: [
        each_method_of_the_origin_is_answered,
    ],
}
