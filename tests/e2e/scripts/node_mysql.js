// mysql (mysqljs), unmodified: the old protocol without plugins of its own, pools, transactions, errors, streams.
const assert = require('node:assert');
const mysql = require('mysql');

const { MYSQL_ADDRESS: host, MYSQL_PORT: port, MYSQL_LOGIN: user, MYSQL_PWD: password, MYSQL_SCHEMA: database } = process.env;
const options = { host, port, user, password, database };
const ask = (connection, sql, values) =>
  new Promise((resolve, reject) => connection.query(sql, values, (error, rows) => (error ? reject(error) : resolve(rows))));

async function main() {
  const client = mysql.createConnection(options);
  const other = mysql.createConnection(options);
  for (let id = 1; id <= 10; id++) {
    for (const connection of [client, other]) {
      const [row] = await ask(connection, 'SELECT name, made FROM item WHERE id = ?', [id]);
      assert.strictEqual(row.name, `item ${id}`);
      assert.ok(row.made instanceof Date);
    }
  }
  await ask(client, 'START TRANSACTION');
  await ask(client, 'UPDATE account SET balance = 1 WHERE id = 1');
  assert.strictEqual((await ask(other, 'SELECT balance FROM account WHERE id = 1'))[0].balance, 100);
  await ask(client, 'ROLLBACK');
  const inserted = await ask(client, 'INSERT INTO counter SET ?', { name: 'from mysql' });
  assert.ok(inserted.insertId > 0);
  await assert.rejects(ask(client, 'SELECT * FROM nothing'), { errno: 1146 });
  await new Promise((resolve, reject) => client.changeUser({ database: 'other' }, (error) => (error ? reject(error) : resolve())));
  assert.strictEqual((await ask(client, 'SELECT name FROM thing'))[0].name, 'from other');
  await new Promise((resolve, reject) => client.ping((error) => (error ? reject(error) : resolve())));
  let rows = 0;
  await new Promise((resolve, reject) =>
    other.query('SELECT filler FROM wide').on('result', () => { rows += 1; }).on('error', reject).on('end', resolve));
  assert.strictEqual(rows, 3000);
  client.end();
  other.end();
  const secure = mysql.createConnection({ ...options, ssl: { rejectUnauthorized: false }, multipleStatements: true });
  assert.strictEqual((await ask(secure, 'SELECT 1; SELECT 2')).length, 2);
  secure.end();
  const pool = mysql.createPool({ ...options, connectionLimit: 5 });
  const sums = await Promise.all(Array.from({ length: 50 }, (_, n) => ask(pool, 'SELECT ? * 2 AS n', [n])));
  sums.forEach(([row], n) => assert.strictEqual(row.n, n * 2));
  pool.end();
  console.log('mysql: ok');
}

main().catch((error) => { console.error(error); process.exit(1); });
