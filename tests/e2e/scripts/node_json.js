// mysql2: a JSON column is an object, in text and binary, cold and warm.
const assert = require("node:assert");
const mysql = require("mysql2/promise");

async function main() {
  for (let turn = 0; turn < 2; turn++) {
    const conn = await mysql.createConnection(process.env.MYSQL_URL);
    for (let again = 0; again < 2; again++) {
      const sql = "SELECT extra FROM item WHERE id = 3";
      const [[text]] = await conn.query(sql);
      assert.deepStrictEqual(text.extra, { n: 3 });
      const [[binary]] = await conn.execute(sql);
      assert.deepStrictEqual(binary.extra, { n: 3 });
    }
    await conn.end();
  }
  console.log("json: ok");
}

main();
