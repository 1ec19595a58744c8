//! A real Worker in workerd under `wrangler dev`, whose Hyperdrive binding points at us, with mysql2.

use std::{fs, time::Duration};

use e2e::{
    mysql::stage::{Place, Stage},
    stage::eventually,
    wrangler,
};

const WORKER: &str = r"
import { createConnection } from 'mysql2/promise';

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const id = Number(url.searchParams.get('id') ?? 1);
    try {
      if (url.pathname === '/ready') return new Response('ready');
      const { host, user, password, database, port } = env.DB;
      // workerd does not let mysql2 compile its parsers.
      const connection = await createConnection({ host, user, password, database, port, disableEval: true });
      const method = url.pathname === '/execute' ? 'execute' : 'query';
      const [[row]] = await connection[method]('SELECT id, name, price FROM item WHERE id = ?', [id]);
      const [[plain]] = await connection.query('SELECT count(*) AS n FROM item');
      await connection.beginTransaction();
      await connection.execute('UPDATE account SET balance = balance WHERE id = 1');
      await connection.commit();
      ctx.waitUntil(connection.end());
      return Response.json({ id: row.id, name: row.name, price: row.price, n: plain.n });
    } catch (error) {
      return new Response(String(error.stack ?? error), { status: 500 });
    }
  },
};
";

async fn a_worker_reads_through_its_hyperdrive_binding(place: Place) {
    let stage = Stage::open(place).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("worker.js"), WORKER).unwrap();
    // The binding speaks plaintext: miniflare's own TLS to MySQL is broken.
    let url = stage.endpoint().url_of("mysql");
    let wrangler = wrangler::start(folder.path(), &url).expect("wrangler starts");
    let address = wrangler.address;
    let answers = async |path: &str| {
        let asked =
            tokio::time::timeout(Duration::from_secs(20), e2e::metrics::get(address, path)).await;
        asked.ok().and_then(Result::ok).unwrap_or((0, String::new()))
    };
    eventually("the Worker answers", async || answers("/ready").await.0 == 200).await;
    for path in [
        "/query?id=3",
        "/execute?id=3",
        "/query?id=5",
        "/execute?id=5",
        "/query?id=3",
        "/execute?id=3",
    ] {
        let (status, body) = answers(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        let id = path.split("id=").nth(1).unwrap();
        for expected in
            [format!("\"id\":{id}"), format!("\"name\":\"item {id}\""), "\"n\":100".into()]
        {
            assert!(body.contains(&expected), "{path}: `{expected}` is missing in {body}");
        }
    }
    if !stage.is_direct() {
        let hits = stage.metrics().await.queries("hit");
        assert!(hits >= 1.0, "the second visitor is served from the cache");
    }
}

e2e::mysql_scenarios! {
    everywhere: [
        a_worker_reads_through_its_hyperdrive_binding,
    ],
}
