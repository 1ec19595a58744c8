//! A real Worker in workerd under `wrangler dev`, whose Hyperdrive binding points at us.
//!
//! One Worker per scenario, with Postgres.js and node-postgres; both are bundled from npm unmodified.

use std::{fs, time::Duration};

use e2e::{
    stage::{Place, Stage, eventually},
    wrangler,
};

const WORKER: &str = r"
import postgres from 'postgres';
import pg from 'pg';

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const id = Number(url.searchParams.get('id') ?? 1);
    try {
      if (url.pathname === '/ready') return new Response('ready');
      if (url.pathname === '/postgres') {
        const sql = postgres(env.DB.connectionString, { max: 5, fetch_types: url.searchParams.has('types') });
        const [row] = await sql`SELECT id, name, extra FROM item WHERE id = ${id}`;
        const [plain] = await sql`SELECT count(*)::int AS n FROM item`;
        await sql.begin(async (tx) => { await tx`UPDATE account SET balance = balance WHERE id = 1`; });
        ctx.waitUntil(sql.end());
        return Response.json({ id: row.id, name: row.name, extra: row.extra, n: plain.n });
      }
      const client = new pg.Client({ connectionString: env.DB.connectionString });
      await client.connect();
      const { rows: [row] } = await client.query('SELECT id, name, extra FROM item WHERE id = $1', [id]);
      const { rows: [plain] } = await client.query('SELECT count(*)::int AS n FROM item');
      ctx.waitUntil(client.end());
      return Response.json({ id: row.id, name: row.name, extra: row.extra, n: plain.n });
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
    let url = stage.endpoint().url();
    let wrangler = wrangler::start(folder.path(), &url).expect("wrangler starts");
    let address = wrangler.address;
    let answers = async |path: &str| {
        let asked =
            tokio::time::timeout(Duration::from_secs(20), e2e::metrics::get(address, path)).await;
        asked.ok().and_then(Result::ok).unwrap_or((0, String::new()))
    };
    eventually("the Worker answers", async || answers("/ready").await.0 == 200).await;
    for path in [
        "/postgres?id=3",
        "/postgres?id=4&types=1",
        "/pg?id=3",
        "/pg?id=5",
        "/postgres?id=3",
        "/pg?id=3",
    ] {
        let (status, body) = answers(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        let id = path.split("id=").nth(1).and_then(|rest| rest.split('&').next()).unwrap();
        for expected in [
            format!("\"id\":{id}"),
            format!("\"name\":\"item {id}\""),
            "\"n\":100".into(),
            format!("\"extra\":{{\"n\":{id}}}"),
        ] {
            assert!(body.contains(&expected), "{path}: `{expected}` is missing in {body}");
        }
    }
    if !stage.is_direct() {
        assert!(
            stage.metrics().await.queries("hit") >= 1.0,
            "the second visitor is served from the cache"
        );
    }
}

e2e::scenarios! {
    everywhere: [
        a_worker_reads_through_its_hyperdrive_binding,
    ],
}
