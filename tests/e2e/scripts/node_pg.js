// node-postgres, unmodified: parameters, types, prepared statements, transactions, cursor, LISTEN, errors, pool.
const assert = require('node:assert');
const { Client, Pool } = require('pg');
const Cursor = require('pg-cursor');

const connectionString = process.env.PGURL;

async function main() {
  const client = new Client({ connectionString });
  await client.connect();
  const typed = await client.query('SELECT $1::int AS i, $2::text AS t, $3::jsonb AS j, $4::timestamptz AS d, $5::int[] AS a', [
    7, 'text', { k: [1, null] }, new Date('2026-01-02T03:04:05Z'), [1, 2, 3],
  ]);
  assert.deepStrictEqual(typed.rows[0].i, 7);
  assert.deepStrictEqual(typed.rows[0].j, { k: [1, null] });
  assert.deepStrictEqual(typed.rows[0].a, [1, 2, 3]);
  assert.strictEqual(typed.rows[0].d.toISOString(), '2026-01-02T03:04:05.000Z');

  for (let id = 1; id <= 20; id++) {
    const named = await client.query({ name: 'item-by-id', text: 'SELECT name FROM item WHERE id = $1', values: [id] });
    assert.strictEqual(named.rows[0].name, `item ${id}`);
  }
  const other = new Client({ connectionString });
  await other.connect();
  const clash = await other.query({ name: 'item-by-id', text: 'SELECT $1::int + 1000 AS n', values: [1] });
  assert.strictEqual(clash.rows[0].n, 1001);

  await client.query('BEGIN');
  await client.query('UPDATE account SET balance = balance - 10 WHERE id = 1');
  assert.strictEqual((await other.query('SELECT balance FROM account WHERE id = 1')).rows[0].balance, 100);
  await client.query('COMMIT');
  assert.strictEqual((await other.query('SELECT balance FROM account WHERE id = 1')).rows[0].balance, 90);
  await client.query('UPDATE account SET balance = 100 WHERE id = 1');

  await assert.rejects(client.query('SELECT 1/0'), { code: '22012' });
  await assert.rejects(client.query('SELECT $1::int', ['x']), { code: '22P02' });
  assert.strictEqual((await client.query('SELECT 1 AS one')).rows[0].one, 1);

  const cursor = client.query(new Cursor('SELECT id FROM item ORDER BY id'));
  let seen = 0;
  for (let rows = await cursor.read(30); rows.length; rows = await cursor.read(30)) seen += rows.length;
  await cursor.close();
  assert.strictEqual(seen, 100);

  const heard = new Promise((resolve) => client.once('notification', resolve));
  await client.query('LISTEN news');
  await other.query("NOTIFY news, 'hello'");
  assert.strictEqual((await heard).payload, 'hello');
  await client.query('UNLISTEN news');

  const pool = new Pool({ connectionString, max: 8 });
  const sums = await Promise.all(Array.from({ length: 100 }, (_, n) => pool.query('SELECT $1::int * 2 AS n', [n])));
  sums.forEach((result, n) => assert.strictEqual(result.rows[0].n, n * 2));
  await pool.end();

  const secure = new Client({ connectionString, ssl: { rejectUnauthorized: false } });
  await secure.connect();
  assert.strictEqual((await secure.query('SELECT count(*)::int AS n FROM wide')).rows[0].n, 3000);
  await secure.end();
  await other.end();
  await client.end();
  console.log('node-postgres: ok');
}

main().catch((error) => { console.error(error); process.exit(1); });
