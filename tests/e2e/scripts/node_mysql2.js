// mysql2, unmodified: query, execute, pools, disableEval, streams, transactions, files, errors, TLS.
const assert = require('node:assert');
const { Readable } = require('node:stream');
const mysql = require('mysql2/promise');

const uri = process.env.MYSQL_URL;

async function exercise(options) {
  const client = await mysql.createConnection({ uri, ...options });
  const other = await mysql.createConnection({ uri, ...options });
  const [[typed]] = await client.execute('SELECT ? AS i, ? AS t, ? AS n, CAST(? AS DATETIME) AS d, CAST(? AS JSON) AS j', [
    7, 'täxt', null, '2026-01-02 03:04:05', '{"k": [1, null]}',
  ].slice(0, 5)).catch((error) => {
    // MariaDB has no CAST to JSON.
    if (error.errno !== 1064) throw error;
    return client.execute('SELECT ? AS i, ? AS t, ? AS n, CAST(? AS DATETIME) AS d', [7, 'täxt', null, '2026-01-02 03:04:05']);
  });
  assert.strictEqual(Number(typed.i), 7);
  assert.strictEqual(typed.t, 'täxt');
  assert.strictEqual(typed.n, null);
  assert.strictEqual(typed.d.getFullYear(), 2026);

  for (let id = 1; id <= 20; id++) {
    for (const connection of [client, other]) {
      const [[row]] = await connection.execute('SELECT name FROM item WHERE id = ?', [id]);
      assert.strictEqual(row.name, `item ${id}`);
      const [[plain]] = await connection.query('SELECT name FROM item WHERE id = ?', [id]);
      assert.strictEqual(plain.name, `item ${id}`);
    }
  }
  const [kinds] = await client.query('SELECT * FROM kinds ORDER BY id');
  const [binary] = await client.execute('SELECT * FROM kinds ORDER BY id');
  assert.strictEqual(kinds.length, 3);
  assert.deepStrictEqual(kinds[2], binary[2]);
  assert.strictEqual(kinds[0].v, 'straße');

  await client.beginTransaction();
  await client.execute('UPDATE account SET balance = balance - ? WHERE id = 1', [10]);
  assert.strictEqual((await other.query('SELECT balance FROM account WHERE id = 1'))[0][0].balance, 100);
  await client.commit();
  assert.strictEqual((await other.query('SELECT balance FROM account WHERE id = 1'))[0][0].balance, 90);
  await client.query('UPDATE account SET balance = 100 WHERE id = 1');

  const [inserted] = await client.execute('INSERT INTO counter (name) VALUES (?)', ['from mysql2']);
  await other.execute('INSERT INTO counter (name) VALUES (?)', ['from the other']);
  const [[last]] = await client.query('SELECT LAST_INSERT_ID() AS id');
  assert.strictEqual(Number(last.id), inserted.insertId);

  await assert.rejects(client.query('SELECT * FROM nothing'), { errno: 1146, sqlState: '42S02' });
  await assert.rejects(client.execute('SELEKT 1'), { errno: 1064 });
  await assert.rejects(client.query('SELECT 1; SELECT 2'), { errno: 1064 });
  assert.strictEqual((await client.query('SELECT 1 AS one'))[0][0].one, 1);

  await client.query("SET time_zone = '+09:00'");
  assert.strictEqual((await client.query('SELECT @@time_zone AS zone'))[0][0].zone, '+09:00');
  assert.strictEqual((await other.query('SELECT @@time_zone AS zone'))[0][0].zone, '+00:00');
  await client.changeUser({ database: 'other' });
  assert.strictEqual((await client.query('SELECT name FROM thing'))[0][0].name, 'from other');
  await client.ping();

  let rows = 0;
  const stream = other.connection.query('SELECT id, filler FROM wide ORDER BY id').stream();
  for await (const row of stream) rows += row.filler.length === 1000 ? 1 : 0;
  assert.strictEqual(rows, 3000);
  await client.end();
  await other.end();

  const pool = mysql.createPool({ uri, connectionLimit: 8, ...options });
  const sums = await Promise.all(Array.from({ length: 100 }, (_, n) => pool.execute('SELECT ? * 2 AS n', [n])));
  sums.forEach(([[row]], n) => assert.strictEqual(Number(row.n), n * 2));
  await pool.end();
}

async function main() {
  await exercise({});
  await exercise({ disableEval: true });
  await exercise({ ssl: { rejectUnauthorized: false } });
  const many = await mysql.createConnection({ uri, multipleStatements: true });
  const [sets] = await many.query('SELECT 1 AS a; SELECT 2 AS b; CALL two_sets()');
  assert.strictEqual(sets.length, 5);
  const file = () => Readable.from([Buffer.from('10\tten\n11\televen\n')]);
  const [loaded] = await many.query({ sql: "LOAD DATA LOCAL INFILE 'f' INTO TABLE legacy", infileStreamFactory: file });
  assert.strictEqual(loaded.affectedRows, 2);
  await many.query('DELETE FROM legacy WHERE id >= 10');
  await many.end();
  console.log('mysql2: ok');
}

main().catch((error) => { console.error(error); process.exit(1); });
