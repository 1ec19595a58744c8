//! Doors under pressure: strangers who say nothing, and what a reload cannot change.

use serving::{
    config::{CacheConfig, ListenConfig, LogConfig, LogFormat, sample},
    salts::Salts,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A proxy for PostgreSQL with one database, whose clients are received like this.
fn config(listen: ListenConfig) -> Config {
    let salts = Salts::random();
    let mut database = sample::database(Engine::Postgres, "app");
    database.users = vec![sample::user(Engine::Postgres, "app", "p", &salts)];
    Arc::make_mut(&mut database.caching).disabled = true;
    Config { listen, ..sample::config(&salts, [database]) }
}

fn at(postgres: &str) -> ListenConfig {
    ListenConfig { postgres: Some(postgres.parse().unwrap()), ..ListenConfig::default() }
}

/// Runs a server while `script` plays its clients.
async fn play(max_clients: usize, script: impl AsyncFnOnce(SocketAddr)) {
    let shutdown = Shutdown::new();
    let listen = ListenConfig { max_clients, ..at("127.0.0.1:0") };
    let server = Server::bind(config(listen), shutdown.clone()).await.unwrap();
    let address = server.address(Engine::Postgres).unwrap();
    let (_configs, reloads) = mpsc::channel(1);
    let script = async {
        script(address).await;
        shutdown.drain().give();
        shutdown.end().give();
    };
    let (served, ()) = tokio::join!(server.run(reloads), script);
    served.unwrap();
}

/// Asks for a login; the tag of the answer, or nothing where there is none.
async fn knock(address: SocketAddr) -> Option<(TcpStream, u8)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let startup = b"\0\0\0\x1f\0\x03\0\0user\0app\0database\0app\0\0";
    stream.write_all(startup).await.ok()?;
    let tag = stream.read_u8().await.ok()?;
    Some((stream, tag))
}

/// FAULTS row 58: `max_clients` silent connections, and nobody got in for half a minute.
#[tokio::test]
async fn silent_connections_cost_nobody_a_place() {
    play(4, async |address| {
        let mut silent = Vec::new();
        for _ in 0..40 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let (_stream, tag) = knock(address).await.expect("an answer");
        assert_eq!(tag, b'R', "it is asked for its password");
        drop(silent);
    })
    .await;
}

/// FAULTS row 58: whoever says nothing is given less time than whoever logs in.
#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_not_waited_for() {
    play(10_000, async |address| {
        let mut silent = TcpStream::connect(address).await.unwrap();
        let (mut dawdling, _) = knock(address).await.expect("an answer");
        let (began, mut heard) = (tokio::time::Instant::now(), Vec::new());
        silent.read_to_end(&mut heard).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        dawdling.read_to_end(&mut heard).await.unwrap();
        assert!(began.elapsed() > Duration::from_secs(25), "{:?}", began.elapsed());
    })
    .await;
}

#[test]
fn what_a_reload_cannot_change_is_named() {
    let old = config(at("127.0.0.1:6432"));
    let slow = ListenConfig { login_timeout: Duration::from_secs(1), ..at("127.0.0.1:6432") };
    let other = ListenConfig {
        mysql: Some(([127, 0, 0, 1], 3306).into()),
        max_clients: 5,
        ..at("127.0.0.1:6432")
    };
    let log = LogConfig { format: LogFormat::Json, ..LogConfig::default() };
    let cache = CacheConfig { capacity_bytes: 1_000_000_000, ..CacheConfig::default() };
    let admin = Some(([127, 0, 0, 1], 1).into());
    for (new, differing) in [
        (config(slow), &[][..]),
        (config(at("127.0.0.1:6433")), &["listen.postgres"]),
        (Config { log, cache, ..config(at("127.0.0.1:6432")) }, &["[log]", "[cache]"]),
        (
            Config { admin, ..config(other) },
            &["listen.mysql", "listen.max_clients", "admin.listen"],
        ),
    ] {
        assert_eq!(Fixed::of(&old).differing(&Fixed::of(&new)), differing);
    }
}
