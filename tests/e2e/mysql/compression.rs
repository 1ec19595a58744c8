//! Compression between clients and the proxy: zlib and zstd, by the clients that do it.

use std::{fs, process::Command};

use e2e::{
    drivers::{program, script},
    jumpgate::Setup,
    mysql::{
        Server,
        flags::capability,
        install::command_line,
        login::{self, Options, proof},
        stage::{Place, Stage},
        wire::Wire,
    },
};
use mysql_async::{Compression, Conn, Opts, OptsBuilder, Row, prelude::Queryable};

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("the work does not panic")
}

/// Issue item 7, FAULTS row 24.
async fn a_driver_that_compresses_gets_everything(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let url = stage.endpoint().url_of("mysql");
    let options = OptsBuilder::from_opts(Opts::from_url(&url).expect("a connection string"))
        .prefer_socket(false)
        .compression(Compression::fast());
    let mut conn = Conn::new(options).await.expect("a connection");
    for _turn in 0..2 {
        let short: Option<String> = conn.query_first("SELECT 'short'").await.expect("a row");
        assert_eq!(short.as_deref(), Some("short"));
        // Over 256 packets, and one of over 16 MiB each way.
        let rows: Vec<Row> = conn.query("SELECT * FROM wide ORDER BY id").await.expect("rows");
        assert_eq!(rows.len(), 3000);
        assert_eq!(rows[2999].get::<String, _>(1).map(|filler| filler.len()), Some(1000));
    }
    let noise: Vec<u8> = (0..20_000_000_u64).map(|n| ((n * n) >> 7).to_le_bytes()[0]).collect();
    let large = (noise.clone(),);
    conn.exec_drop("INSERT INTO large (body) VALUES (?)", large).await.expect("a large value");
    let sql = "SELECT body FROM large WHERE id = last_insert_id()";
    let back: Option<Vec<u8>> = conn.exec_first(sql, ()).await.expect("a row");
    assert!(back == Some(noise), "the value comes back");
    let error = conn.query_drop("SELECT * FROM nothing").await.expect_err("no such table");
    assert!(error.to_string().contains("1146"), "{error}");
    conn.reset().await.expect("a reset");
    conn.change_user(Default::default()).await.expect("a change of users");
    conn.ping().await.expect("a ping");
    conn.disconnect().await.expect("a goodbye");
}

const SCRIPT: &str = r"
SELECT 'one', 1, NULL;
SELECT id, filler FROM wide ORDER BY id;
LOAD DATA LOCAL INFILE 'in.txt' INTO TABLE legacy;
SELECT concat('rows: ', count(*)) FROM legacy;
SHOW STATUS LIKE 'Compression';
use other
SELECT name FROM thing;
SELECT 1; SELECT 'two in one';
SELECT 'end';
";

async fn the_command_lines_compress(place: Place) {
    let stage = Stage::open(place).await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, &stage.authority.pem).expect("written");
    fs::write(folder.path().join("script.sql"), SCRIPT).expect("written");
    let tls = format!("--ssl-ca={}", ca.display());
    for (turn, (family, arguments)) in [
        (Server::MariaDb, vec!["--skip-ssl", "--compress"]),
        (Server::MariaDb, vec!["--ssl", &tls, "--compress"]),
        (Server::MySql, vec!["--ssl-mode=REQUIRED", "--compression-algorithms=zlib"]),
        (Server::MySql, vec!["--ssl-mode=REQUIRED", "--compression-algorithms=zstd"]),
        (
            Server::MySql,
            vec![
                "--ssl-mode=REQUIRED",
                "--compression-algorithms=zstd",
                "--zstd-compression-level=22",
            ],
        ),
        (Server::MySql, vec!["--ssl-mode=REQUIRED", "--compression-algorithms=zstd,zlib"]),
    ]
    .into_iter()
    .enumerate()
    {
        // A file of 1 MB.
        let lines = (0..50_000).map(|n| format!("{}\tx\n", 100_000 * (turn + 1) + n));
        fs::write(folder.path().join("in.txt"), lines.collect::<String>()).expect("written");
        let endpoint = stage.endpoint();
        let mut command: Command = command_line(family).expect("the client is installed");
        command.args(["-h", "127.0.0.1", "-u", &endpoint.user, "-P"]);
        command.arg(endpoint.address.port().to_string()).args(&arguments);
        command.args(["--local-infile=1", "--batch"]).arg(&endpoint.database);
        command.args(["-e", "source script.sql"]).current_dir(folder.path());
        let output = blocking(move || program(&mut command, &endpoint)).await;
        let output = output.unwrap_or_else(|error| panic!("{arguments:?}: {error:#}"));
        for expected in [
            "one\t1\tNULL",
            "\n2999\tJJJ",
            &format!("rows: {}", 2 + 50_000 * (turn + 1)),
            "from other",
            "two in one",
            "\nend",
        ] {
            assert!(output.contains(expected), "{arguments:?}: `{expected}` is missing");
        }
    }
}

async fn connector_python_compresses(place: Place) {
    let stage = Stage::open(place).await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, &stage.authority.pem).expect("written");
    let endpoint = stage.endpoint();
    let output = blocking(move || script("connector_compress.py", &endpoint, &ca)).await;
    let output = output.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(output.contains("compressed: ok"), "{output}");
}

/// A login that asks for `flag` although it was not offered.
async fn login_with(stage: &Stage, flag: u32) -> Option<(Wire, Result<(), (u16, String)>)> {
    let (endpoint, options) = (stage.endpoint(), Options::default());
    let mut wire = Wire::greeted(endpoint.address).await;
    if wire.greeting.capabilities & flag != 0 {
        return None;
    }
    wire.agree(&options);
    let plugin = wire.greeting.plugin.clone();
    let proof = proof(&plugin, &endpoint.password, &wire.greeting.scramble);
    let mut body = login::response(wire.capabilities, &endpoint, &options, &proof, &plugin);
    let asked = (wire.capabilities | flag).to_le_bytes();
    body[..4].copy_from_slice(&asked);
    wire.put(&body).await;
    let login = wire.authenticate(&endpoint.password, plugin).await;
    Some((wire, login.map(|_| ()).map_err(|refusal| (refusal.code, refusal.message))))
}

/// Issue item 7: what was not offered is refused where the client would go by it, and does nothing elsewhere.
async fn what_was_not_offered_is_refused_or_without_effect(place: Place) {
    let setup = Setup { listen: "mysql_compression = false".into(), ..Setup::pool_of(1) };
    let stage = Stage::with(place, setup).await;
    let mut not_offered = 0;
    for bit in 0..32 {
        let flag = 1 << bit;
        let Some((mut wire, login)) = login_with(&stage, flag).await else { continue };
        not_offered += 1;
        match login {
            Err((code, words)) => {
                assert_eq!(code, 1235, "bit {bit}: {words}");
                assert!(words.contains("mysql_compression"), "bit {bit}: {words}");
                assert!([capability::COMPRESS, capability::ZSTD].contains(&flag), "bit {bit}");
                assert!(wire.is_closed().await);
            }
            Ok(()) => assert_eq!(wire.value("SELECT 'in'").await, "in", "bit {bit}"),
        }
    }
    assert!(not_offered > 2, "{not_offered}");
}

e2e::mysql_scenarios! {
    everywhere: [
        a_driver_that_compresses_gets_everything,
    ],
    both: [
        the_command_lines_compress,
    ],
    twice: [
        connector_python_compresses,
    ],
    jumpgate_twice: [
        what_was_not_offered_is_refused_or_without_effect,
    ],
}
