//! Temporary.
use e2e::mysql::reply::rows;
use e2e::{
    jumpgate::Setup,
    mysql::stage::{Place, Stage},
};

async fn trace(place: Place) {
    let setup =
        Setup { caching: "max_age = 3600".into(), pool: "min_idle = 4".into(), ..Setup::default() };
    let stage = Stage::with(place, setup).await;
    let mut root = stage.root().await;
    root.run("CREATE TABLE app.jumpgate_latency (id INT PRIMARY KEY, name VARCHAR(50), hits INT)")
        .await;
    root.run("INSERT INTO app.jumpgate_latency SELECT a.d * 10 + b.d, concat('value of ', a.d * 10 + b.d), 0 FROM app.digit a, app.digit b").await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    root.run("SET GLOBAL log_output = 'TABLE'").await;
    root.run("SET GLOBAL general_log = ON").await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &stage.authority.pem).unwrap();
    let endpoint = stage.endpoint();
    let port = endpoint.address.port();
    let job = std::env::var("TRACE_JOB").unwrap_or("pymysql/query=1".into());
    for _ in 0..1 {
        let mut command = if job.starts_with("py:") {
            let mut c =
                tokio::process::Command::new("/work/main/.cache/latency-python-1/bin/python");
            c.arg("-B").arg("/tmp/w/my/benches/latency/drivers.py");
            c
        } else if job.starts_with("js:") {
            let mut c = tokio::process::Command::new("node");
            c.env("NODE_PATH", "/work/main/.cache/latency-node-1/node_modules")
                .env("LATENCY_PRISMA", "/work/main/.cache/latency-node-1/prisma");
            c.arg("/tmp/w/my/benches/latency/drivers.js");
            c
        } else {
            let mut c = tokio::process::Command::new("java");
            c.args([
                "-cp",
                "/usr/share/java/postgresql.jar:/usr/share/java/mariadb-java-client.jar",
            ])
            .arg("/tmp/w/my/benches/latency/Drivers.java");
            c
        };
        let output = command
            .arg("1")
            .arg(&job[3..])
            .env("LATENCY_HOST", endpoint.address.ip().to_string())
            .env("LATENCY_PORTS", format!("{port} {port}"))
            .env("LATENCY_USER", &endpoint.user)
            .env("LATENCY_PASSWORD", &endpoint.password)
            .env("LATENCY_DATABASE", &endpoint.database)
            .env("LATENCY_CA", &ca)
            .output()
            .await
            .unwrap();
        println!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let reply = root.query("SELECT event_time, thread_id, command_type, CAST(argument AS CHAR) FROM mysql.general_log ORDER BY event_time").await;
    for row in rows(&reply) {
        println!("{row:?}");
    }
    println!("{}", stage.metrics().await.sum("jumpgate_round_trips_saved_total", &[]));
}

e2e::mysql_scenarios! { jumpgate_both: [trace] }
