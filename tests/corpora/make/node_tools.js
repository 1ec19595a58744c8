// What the generators for Node.js share: where the database is, and how reads are run one after another.
'use strict';

const postgres = process.env.ENGINE === 'postgres';
const url = new URL(process.env.DATABASE_URL);
const place = {
  host: url.hostname,
  port: Number(url.port),
  user: url.username,
  password: url.password || undefined,
  database: url.pathname.slice(1),
};

// Runs every read to its end, tells which failed, and ends the process.
async function run(reads) {
  let failed = 0;
  for (const [number, read] of reads.filter(Boolean).entries()) {
    try {
      await read();
    } catch (error) {
      failed = 1;
      const cause = error.cause ? ` <- ${error.cause.message}` : '';
      process.stderr.write(`read ${number}: ${String(error.message).slice(0, 500)}${cause}\n${String(read).slice(0, 200)}\n`);
    }
  }
  process.exit(failed);
}

const day = 24 * 3600 * 1000;
const ago = (days) => new Date(Date.now() - days * day);

module.exports = { postgres, place, run, ago, day, mark: process.env.MARK };
