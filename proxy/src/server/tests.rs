//! Doors under pressure: strangers who say nothing, and what a reload cannot change.

use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::config::Document;

const DATABASE: &str = "[[database]]\nname = 'app'\n[[database.user]]\nname = 'app'\npassword = 'p'\n\
    [database.caching]\ndisabled = true\n[database.origin]\nscheme = 'postgres'\nhost = '127.0.0.1'\n\
    port = 1\ndatabase = 'd'\nuser = 'u'\npassword = 'p'\n";

fn config(text: &str) -> Config {
    Document::parse(Path::new("jumpgate.toml"), text.to_owned()).unwrap().proxy().unwrap()
}

/// Runs a server while `script` plays its clients.
async fn play(listen: &str, script: impl AsyncFnOnce(SocketAddr)) {
    let shutdown = Shutdown::new();
    let text = format!("[listen]\npostgres = '127.0.0.1:0'\n{listen}\n{DATABASE}");
    let server = Server::bind(config(&text), shutdown.clone()).await.unwrap();
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
    play("max_clients = 4", async |address| {
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
    play("", async |address| {
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
    let of = |text: &str| Fixed::of(&config(&format!("{text}\n{DATABASE}")));
    let old = of("[listen]\npostgres = '127.0.0.1:6432'\n");
    for (new, differing) in [
        ("[listen]\npostgres = '127.0.0.1:6432'\nlogin_timeout = 1\n", &[][..]),
        ("[listen]\npostgres = '127.0.0.1:6433'\n", &["listen.postgres"]),
        (
            "[listen]\npostgres = '127.0.0.1:6432'\n[log]\nformat = 'json'\n[cache]\ncapacity_bytes = 1000000000\n",
            &["[log]", "[cache]"],
        ),
        (
            "[listen]\npostgres = '127.0.0.1:6432'\nmysql = '127.0.0.1:3306'\nmax_clients = 5\n[admin]\nlisten = '127.0.0.1:1'\n",
            &["listen.mysql", "listen.max_clients", "admin.listen"],
        ),
    ] {
        assert_eq!(old.differing(&of(new)), differing);
    }
}
