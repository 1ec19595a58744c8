// Postgres.js, unmodified: parameters, types, prepared statements, pipelines, transactions, cursor, LISTEN, COPY.
const assert = require('node:assert');
const { pipeline } = require('node:stream/promises');
const { Readable } = require('node:stream');
const postgres = require('postgres');

async function main() {
  const sql = postgres(process.env.PGURL, { max: 5, onnotice: () => {} });
  const [typed] = await sql`SELECT ${7}::int AS i, ${'text'}::text AS t, ${sql.json({ k: [1] })}::jsonb AS j, ${[1, 2]}::int[] AS a`;
  assert.strictEqual(typed.i, 7);
  assert.deepStrictEqual(typed.j, { k: [1] });
  assert.deepStrictEqual([...typed.a], [1, 2]);

  for (let id = 1; id <= 20; id++) {
    const [row] = await sql`SELECT name FROM item WHERE id = ${id}`;
    assert.strictEqual(row.name, `item ${id}`);
  }
  const all = await Promise.all(Array.from({ length: 200 }, (_, n) => sql`SELECT ${n}::int * 3 AS n`));
  all.forEach(([row], n) => assert.strictEqual(row.n, n * 3));

  await sql.begin(async (tx) => {
    await tx`UPDATE account SET balance = balance - 10 WHERE id = 2`;
    const [outside] = await sql`SELECT balance FROM account WHERE id = 2`;
    assert.strictEqual(outside.balance, 100);
    await tx.savepoint(async (sp) => { await sp`SELECT 1`; });
  });
  assert.strictEqual((await sql`SELECT balance FROM account WHERE id = 2`)[0].balance, 90);
  await assert.rejects(sql.begin(async (tx) => {
    await tx`UPDATE account SET balance = 0 WHERE id = 2`;
    await tx`SELECT 1/0`;
  }), { code: '22012' });
  assert.strictEqual((await sql`SELECT balance FROM account WHERE id = 2`)[0].balance, 90);
  await sql`UPDATE account SET balance = 100 WHERE id = 2`;

  let seen = 0;
  await sql`SELECT id FROM item ORDER BY id`.cursor(30, (rows) => { seen += rows.length; });
  assert.strictEqual(seen, 100);

  let hear;
  const heard = new Promise((resolve) => { hear = resolve; });
  const subscription = await sql.listen('news', hear);
  await sql.notify('news', 'hello');
  assert.strictEqual(await heard, 'hello');
  await subscription.unlisten();

  const writable = await sql`COPY account FROM STDIN`.writable();
  await pipeline(Readable.from(['101\t5\n', '102\t6\n']), writable);
  assert.strictEqual((await sql`SELECT count(*)::int AS n FROM account WHERE id > 100`)[0].n, 2);
  await sql`DELETE FROM account WHERE id > 100`;

  const query = sql`SELECT pg_sleep(60)`.execute();
  setTimeout(() => query.cancel(), 1500);
  await assert.rejects(query, { code: '57014' });

  const simple = await sql.unsafe('SELECT 1 AS a; SELECT 2 AS b');
  assert.strictEqual(simple[1][0].b, 2);
  const plain = postgres(process.env.PGURL, { max: 2, prepare: false, fetch_types: false, ssl: { rejectUnauthorized: false } });
  for (let n = 0; n < 10; n++) assert.strictEqual((await plain`SELECT ${n}::int AS n`)[0].n, n);
  await plain.end();
  await sql.end();
  console.log('postgres.js: ok');
}

main().catch((error) => { console.error(error); process.exit(1); });
