//! Compression between the proxy and its origin: `compression` of `[database.origin]`.

use e2e::{
    jumpgate::Setup,
    mysql::{
        Server,
        flags::capability,
        reply::{code, done, error, rows},
        say,
        stage::{Place, Stage},
        wire::Wire,
    },
};

/// What each server can do.
fn algorithms(server: Server) -> &'static [&'static str] {
    match server {
        Server::MariaDb => &["zlib"],
        Server::MySql => &["zlib", "zstd"],
    }
}

fn compressed(algorithm: &str, size: u32) -> Setup {
    Setup { origin: format!("compression = \"{algorithm}\""), ..Setup::pool_of(size) }
}

/// Issue item 7: results and values of megabytes both ways, commands of ours in front of a client's, a file whose ids
/// wrap, statements that move from backend to backend.
async fn an_origin_is_spoken_to_compressed(place: Place) {
    for algorithm in algorithms(place.server) {
        let stage = Stage::with(place, compressed(algorithm, 1)).await;
        let mut a = stage.client_with(capability::LOCAL_FILES).await;
        let mut b = stage.client().await;
        let status = rows(&a.run("SHOW SESSION STATUS LIKE 'Compression'").await);
        assert_eq!(status[0][1].as_deref(), Some("ON"), "{algorithm}");
        everything_is_whole(&mut a, &mut b).await;
        a_file_of_many_packets_arrives(&mut a).await;
        assert_eq!(a.value("SELECT 'a'").await, "a");
        assert_eq!(b.value("SELECT 'b'").await, "b");
    }
}

async fn everything_is_whole(a: &mut Wire, b: &mut Wire) {
    // Each command of one goes behind a SET of the proxy's, on the one backend that both have.
    a.run("SET time_zone = '+09:00'").await;
    b.run("SET time_zone = '-03:30'").await;
    let large: String =
        (0..20_000_000_u64).map(|n| char::from(b'a' + (n * n % 23) as u8)).collect();
    let insert = format!("INSERT INTO large (body) VALUES ('{large}')");
    let short = format!("INSERT INTO large (body) VALUES ('{}')", large.get(..10_000).unwrap());
    let (of_a, of_b) = ("SELECT @@time_zone, id FROM wide", "SELECT @@time_zone, filler FROM wide");
    let prepared = (a.prepare("SELECT ?, length(?)").await, b.prepare("SELECT ?, 'b'").await);
    for turn in 0..3 {
        assert_eq!(rows(&a.run(of_a).await)[0][0].as_deref(), Some("+09:00"), "{turn}");
        let wide = rows(&b.run(of_b).await);
        assert_eq!((wide.len(), wide[2999][0].as_deref()), (3000, Some("-03:30")), "{turn}");
        assert!(wide.iter().all(|row| row[1].as_ref().is_some_and(|text| text.len() == 1000)));
        // Of 16 MiB and more, and one that fits into the same write as the SET.
        assert_eq!(done(&a.run(&insert).await).affected, 1);
        assert_eq!(done(&b.run(&short).await).affected, 1);
        let back = a.value("SELECT body FROM large ORDER BY length(body) DESC LIMIT 1").await;
        assert!(back == large, "turn {turn}: the value comes back");
        let long = large.get(..100_000).unwrap();
        let reply = a.execute(prepared.0.id, &[long.into(), long.into()]).await;
        assert_eq!(error(&reply), "");
        let reply = b.execute(prepared.1.id, &[long.into()]).await;
        assert_eq!(error(&reply), "");
    }
}

async fn a_file_of_many_packets_arrives(client: &mut Wire) {
    client.query("LOAD DATA LOCAL INFILE 'f' INTO TABLE legacy").await;
    for n in 0..700 {
        client.put(format!("{}\t{}\n", 1000 + n, "x".repeat(20)).as_bytes()).await;
    }
    client.put(b"").await;
    let reply = client.reply(false).await;
    assert_eq!((error(&reply).as_str(), done(&reply).affected), ("", 700));
}

/// Issue item 7: KILL goes over a connection of its own, and so do the readings of the catalog, without which nothing
/// is kept.
async fn kills_and_the_catalog_go_compressed_too(place: Place) {
    for algorithm in algorithms(place.server) {
        let stage = Stage::with(place, compressed(algorithm, 2)).await;
        let (mut sleeper, mut killer) = (stage.client().await, stage.client().await);
        let text = sleeper.text_of("SELECT sleep(60) /* to be killed */");
        sleeper.command(&text).await;
        let mut root = stage.root().await;
        let sql = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%to be killed%' \
                   AND id <> connection_id() AND state <> ''";
        while root.value(sql).await == "0" {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        killer.run(&format!("KILL QUERY {}", sleeper.greeting.thread)).await;
        let reply = sleeper.reply(false).await;
        let was_hit = code(&reply) == 1317 || rows(&reply)[0][0].as_deref() == Some("1");
        assert!(was_hit, "{reply:?}");
        assert_eq!(sleeper.ask(&say::query("SELECT 'alive'")).await.len(), 1);
        for expected in ["miss", "hit"] {
            killer.run("SELECT name FROM item WHERE id = 1").await;
            assert_eq!(killer.cache_status().await, expected, "{algorithm}");
        }
    }
}

/// Issue item 7: whoever asks for what the origin does not do is told so, and nothing goes out uncompressed instead.
async fn an_origin_without_the_algorithm_is_named(place: Place) {
    let (algorithm, mysql) = match place.server {
        Server::MariaDb => ("zstd", vec![]),
        Server::MySql => ("zlib", vec!["--protocol-compression-algorithms=zstd,uncompressed"]),
    };
    let mut stage = Stage::with(place, Setup { mysql, ..compressed(algorithm, 1) }).await;
    let reply = stage.client().await.query("SELECT 1").await;
    assert!(error(&reply).contains("Server connection attempt failed"), "{reply:?}");
    let wanted = format!("does not offer compression with {algorithm}");
    let log = stage.jumpgate().logs();
    assert!(log.contains(&wanted), "{log}");
    let (code, said, problems) = stage.jumpgate().tool(&["check", "app"]).expect("it runs");
    assert_eq!(code, 1, "{said}{problems}");
    assert!(said.contains(&wanted) && said.contains("Set compression"), "{said}");
}

/// Issue item 7: `check` goes the way that backends go.
async fn check_walks_a_compressed_way(place: Place) {
    for algorithm in algorithms(place.server) {
        let mut stage = Stage::with(place, compressed(algorithm, 1)).await;
        let (code, said, problems) = stage.jumpgate().tool(&["check", "app"]).expect("it runs");
        assert_eq!(code, 0, "{said}{problems}");
    }
}

e2e::mysql_scenarios! {
    jumpgate: [
        an_origin_is_spoken_to_compressed,
        kills_and_the_catalog_go_compressed_too,
    ],
    jumpgate_both: [
        an_origin_without_the_algorithm_is_named,
    ],
    jumpgate_twice: [
        check_walks_a_compressed_way,
    ],
}
