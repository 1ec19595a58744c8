// A CRM as MikroORM reads it: companies, contacts, deals in a pipeline, activities, forecasts, search.
'use strict';

const { postgres, place, run, ago, mark } = require('./node_tools');
const path = require('path');
const mikro = (name) => require(require.resolve(name, { paths: [path.join(process.env.CORPORA_NODE, 'mikro')] }));
const { EntitySchema, raw, sql } = mikro('@mikro-orm/core');
const { MikroORM } = mikro(postgres ? '@mikro-orm/postgresql' : '@mikro-orm/mysql');

const id = { type: 'number', primary: true };
const one = (entity, extra) => ({ kind: 'm:1', entity, ...extra });
const many = (entity, mappedBy) => ({ kind: '1:m', entity, mappedBy });
const schema = (name, properties, extra) => new EntitySchema({ name, properties: { id, ...properties }, ...extra });
const entities = [
  schema('Owner', { name: { type: 'string' }, email: { type: 'string', unique: true }, quota: { type: 'decimal', precision: 12, scale: 2, nullable: true } }),
  schema('Company', { name: { type: 'string' }, domain: { type: 'string', nullable: true }, size: { type: 'integer', default: 0 }, address: { type: 'json', nullable: true }, createdAt: { type: 'datetime' }, contacts: many('Contact', 'company'), deals: many('Deal', 'company'), labels: { kind: 'm:n', entity: 'Label', owner: true }, owner: one('Owner', { nullable: true }) },
    { filters: { mine: { name: 'mine', cond: ({ id: owner }) => ({ owner }), default: false } } }),
  schema('Label', { name: { type: 'string' } }),
  schema('Contact', { first: { type: 'string' }, last: { type: 'string' }, email: { type: 'string', nullable: true }, birthday: { type: 'date', nullable: true }, optIn: { type: 'boolean', default: false }, company: one('Company', { nullable: true }), activities: many('Activity', 'contact') }),
  schema('Deal', { title: { type: 'string' }, stage: { enum: true, type: 'enum', items: ['lead', 'offer', 'won', 'lost'], default: 'lead' }, amount: { type: 'decimal', precision: 12, scale: 2 }, chance: { type: 'integer', default: 10 }, closesOn: { type: 'date', nullable: true }, closedAt: { type: 'datetime', nullable: true }, createdAt: { type: 'datetime' }, company: one('Company'), owner: one('Owner', { nullable: true }) }),
  schema('Activity', { kind: { type: 'string' }, note: { type: 'text', nullable: true }, at: { type: 'datetime' }, done: { type: 'boolean', default: false }, contact: one('Contact'), owner: one('Owner', { nullable: true }) }),
];

async function main() {
  const orm = await MikroORM.init({ entities, dbName: place.database, host: place.host, port: place.port, user: place.user, password: place.password || '', allowGlobalContext: true, pool: { min: 1, max: 1 } });
  await orm.schema.createSchema();
  const em = orm.em;
  const owner = em.create('Owner', { name: 'Olga', email: 'o@example.test', quota: '1000' });
  const company = em.create('Company', { name: 'Acme', domain: 'acme.test', size: 50, address: { city: 'Ulm', zip: '89073' }, createdAt: new Date(), owner });
  company.labels.add(em.create('Label', { name: 'key' }));
  const contact = em.create('Contact', { first: 'Ada', last: 'L', email: 'a@acme.test', birthday: '1990-04-02', company });
  em.create('Deal', { title: 'Big', amount: '500.00', createdAt: new Date(), closesOn: '2026-12-31', company, owner });
  em.create('Activity', { kind: 'call', at: new Date(), contact, owner });
  await em.flush();
  await em.getConnection().execute(mark);
  const like = postgres ? '$ilike' : '$like';
  const q = (name, alias) => em.fork().createQueryBuilder(name, alias);
  const find = (name, where, options) => em.fork().find(name, where, options);
  await run([
    () => em.fork().findOne('Company', 1),
    () => em.fork().findOne('Company', { domain: 'acme.test' }, { populate: ['owner', 'labels'] }),
    () => find('Company', { name: { [like]: '%ac%' } }, { orderBy: { name: 'asc' }, limit: 20 }),
    () => find('Company', { size: { $gte: 10, $lt: 100 }, owner: { name: 'Olga' } }),
    () => find('Company', { labels: { name: 'key' } }, { populate: ['labels'] }),
    () => find('Company', {}, { populate: ['contacts', 'deals'], strategy: 'select-in' }),
    () => find('Company', {}, { populate: ['contacts', 'deals'], strategy: 'joined' }),
    () => find('Company', { address: { city: 'Ulm' } }),
    () => find('Company', {}, { filters: { mine: { id: 1 } }, fields: ['name', 'domain'] }),
    () => em.fork().findAndCount('Company', { size: { $gt: 0 } }, { limit: 10, offset: 10, orderBy: { createdAt: 'desc' } }),
    () => em.fork().count('Company', { deals: { stage: 'won' } }),
    () => find('Company', { $or: [{ name: 'Acme' }, { domain: { $like: '%.test' } }], $not: { size: 0 } }),
    () => find('Company', { contacts: { $some: { optIn: true } } }),
    () => find('Company', { deals: { $none: { stage: 'lost' } } }),
    () => em.fork().findByCursor('Company', {}, { first: 10, orderBy: { createdAt: 'desc', id: 'desc' } }),
    () => find('Contact', { company: 1 }, { orderBy: { last: 'asc', first: 'asc' } }),
    () => find('Contact', { email: { $ne: null }, optIn: true }),
    () => find('Contact', { birthday: { $gte: '1980-01-01', $lte: '1999-12-31' } }),
    () => find('Contact', { [raw('lower(email)')]: 'a@acme.test' }),
    () => find('Contact', { id: { $in: [1, 2, 3] } }, { populate: ['company.owner'] }),
    () => find('Contact', { activities: { at: { $gt: ago(30) } } }),
    () => find('Deal', { stage: { $in: ['lead', 'offer'] }, owner: 1 }, { populate: ['company'], orderBy: [{ closesOn: 'asc' }, { amount: 'desc' }] }),
    () => find('Deal', { closesOn: { $lt: new Date() }, closedAt: null }),
    () => find('Deal', { closesOn: { $lte: sql`current_date` }, stage: { $nin: ['won', 'lost'] } }),
    () => find('Deal', { createdAt: { $gte: ago(7) } }, { fields: ['title', 'amount', 'company.name'] }),
    () => q('Deal', 'd').select(['d.stage', raw('count(*) as n'), raw('sum(d.amount) as total')]).groupBy('d.stage').execute(),
    () => q('Deal', 'd').select([raw('sum(d.amount * d.chance / 100) as forecast')]).where({ stage: 'offer' }).execute('get'),
    () => em.getConnection().execute('select extract(year from created_at) as y, extract(month from created_at) as m, sum(amount) as total from deal group by 1, 2'),
    () => q('Deal', 'd').leftJoinAndSelect('d.company', 'c').where({ 'c.size': { $gt: 10 } }).orderBy({ 'd.amount': 'desc' }).limit(5).getResultList(),
    () => q('Deal', 'd').select([raw('o.name'), raw('coalesce(sum(d.amount), 0) as won'), raw('max(o.quota) as quota')]).join('d.owner', 'o').where({ stage: 'won' }).groupBy(raw('o.name')).execute(),
    () => q('Deal', 'd').select('d.*').where({ amount: { $gt: q('Deal', 'x').select(raw('avg(x.amount)')).getKnexQuery() } }).execute(),
    () => q('Deal', 'd').count('d.id', true).where({ company: { labels: { name: 'key' } } }).execute('get'),
    () => q('Deal', 'd').select([raw("case when d.amount >= 1000 then 'large' else 'small' end as class"), raw('count(*) as n')]).groupBy(raw("case when d.amount >= 1000 then 'large' else 'small' end")).execute(),
    () => q('Deal', 'd').select(['d.id', raw('rank() over (partition by d.owner_id order by d.amount desc) as place')]).execute(),
    () => find('Activity', { done: false, at: { $lte: new Date() } }, { populate: ['contact', 'contact.company', 'owner'], orderBy: { at: 'asc' }, limit: 50 }),
    () => find('Activity', { at: { $gt: raw('now()') } }),
    () => q('Activity', 'a').select([raw('date(a.at) as day'), 'a.kind', raw('count(*) as n')]).groupBy([raw('date(a.at)'), 'a.kind']).execute(),
    () => q('Activity', 'a').select([raw('max(a.at) as last')]).where({ contact: 1 }).execute('get'),
    () => q('Activity', 'a').select(raw("concat(a.kind, ': ', coalesce(a.note, '-')) as line")).execute(),
    () => em.fork().findOne('Owner', { email: 'o@example.test' }),
    () => em.fork().findOneOrFail('Contact', 1, { populate: ['activities'] }),
    ...(postgres ? [
      () => em.getConnection().execute("select date_trunc('month', closes_on) as month, sum(amount) as total from deal group by 1"),
      () => em.getConnection().execute("select to_char(created_at, 'YYYY-\"Q\"Q') as quarter, sum(amount) from deal group by 1 order by 1"),
      () => em.getConnection().execute("select c.name, json_agg(d order by d.amount desc) as deals from company c join deal d on d.company_id = c.id group by c.id"),
      () => em.getConnection().execute("select * from activity where at between now() and now() + interval '7 days' order by at"),
      () => em.getConnection().execute("select c.id, c.name, max(a.at) from company c left join contact k on k.company_id = c.id left join activity a on a.contact_id = k.id group by c.id having max(a.at) is null or max(a.at) < now() - interval '90 days'"),
      () => em.getConnection().execute("select first || ' ' || last as name from contact where to_char(birthday, 'MM-DD') = to_char(current_date, 'MM-DD')"),
      () => em.getConnection().execute("select distinct on (company_id) company_id, title, stage from deal order by company_id, created_at desc"),
      () => em.getConnection().execute("select company_id, string_agg(title, ', ' order by title), array_agg(stage) from deal group by company_id"),
      () => em.getConnection().execute("select avg(closed_at - created_at) as cycle, extract(day from max(closed_at - created_at)) from deal where stage = 'won'"),
    ] : [
      () => em.getConnection().execute("select date_format(closes_on, '%Y-%m') as month, sum(amount) as total from deal group by month"),
      () => em.getConnection().execute('select year(created_at) as y, quarter(created_at) as q, sum(amount) from deal group by y, q'),
      () => em.getConnection().execute('select * from activity where at between now() and now() + interval 7 day order by at'),
      () => em.getConnection().execute("select concat_ws(' ', first, last) as name from contact where date_format(birthday, '%m-%d') = date_format(curdate(), '%m-%d')"),
      () => em.getConnection().execute("select company_id, group_concat(title order by title separator ', ') from deal group by company_id"),
      () => em.getConnection().execute("select avg(timestampdiff(hour, created_at, closed_at)) as hours from deal where stage = 'won'"),
      () => em.getConnection().execute('select json_object(\'id\', id, \'title\', title) as deal from deal where company_id = ?', [1]),
    ]),
  ]);
}
main().catch((error) => { console.error(error); process.exit(1); });
