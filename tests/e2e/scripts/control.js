// The reference's SDK for Node against our API: every call of a config, lists to their end, errors.
const assert = require('node:assert');
const { Cloudflare } = require('cloudflare');

const account_id = process.env.CLOUDFLARE_ACCOUNT_ID;
const client = new Cloudflare();
const origin = { scheme: 'postgres', host: 'db.test', port: 5432, database: 'd', user: 'u', password: 'hunter2' };

async function main() {
  const configs = client.hyperdrive.configs;
  const made = await configs.create({ account_id, name: 'one', origin, caching: { max_age: 5 } });
  assert.strictEqual(made.caching.max_age, 5);
  assert(!JSON.stringify(made).includes('hunter2'));
  assert.deepStrictEqual(await configs.get(made.id, { account_id }), made);
  const edited = await configs.edit(made.id, { account_id, caching: { disabled: true } });
  assert.strictEqual(edited.caching.disabled, true);
  const updated = await configs.update(made.id, { account_id, name: 'two', origin });
  assert.deepStrictEqual([updated.name, updated.caching], ['two', { disabled: false }]);
  for (let number = 0; number < 45; number++) await configs.create({ account_id, name: `n${number}`, origin });
  let count = 0;
  for await (const config of configs.list({ account_id })) count += config.id.length === 32 ? 1 : 0;
  assert.strictEqual(count, 46);
  const taken = await configs.create({ account_id, name: 'two', origin }).catch((error) => error);
  assert.deepStrictEqual([taken.status, taken.errors[0].code], [400, 1002]);
  assert.strictEqual(await configs.delete(made.id, { account_id }), null);
  const gone = await configs.get(made.id, { account_id }).catch((error) => error);
  assert.strictEqual(gone.status, 404);
  const stranger = new Cloudflare({ apiToken: 'wrong' });
  const refused = await stranger.hyperdrive.configs.create({ account_id, name: 'x', origin }).catch((error) => error);
  assert.strictEqual(refused.status, 401);
  console.log('control.js: done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
