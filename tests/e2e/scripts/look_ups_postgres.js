// postgres.js, unmodified: with its default fetch_types it asks which arrays there are before its first statement.
const postgres = require("postgres");

async function main() {
  const sql = postgres(process.env.PGURL, { max: 1 });
  const [row] = await sql`/* jumpgate: no-cache */ SELECT name FROM item WHERE id = ${1}`;
  if (row.name !== "item 1") throw new Error(JSON.stringify(row));
  await sql.end();
  console.log("looked up");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
