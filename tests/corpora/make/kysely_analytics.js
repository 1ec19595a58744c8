// A product's analytics as kysely reads them: sessions, events, funnels, retention, revenue, alerts, live view.
'use strict';

const { postgres, place, run, ago, mark } = require('./node_tools');
const { Kysely, PostgresDialect, MysqlDialect, sql } = require('kysely');
const helpers = postgres ? require('kysely/helpers/postgres') : require('kysely/helpers/mysql');

const dialect = postgres ? new PostgresDialect({ pool: new (require('pg').Pool)({ ...place, max: 1 }) }) : new MysqlDialect({ pool: require('mysql2').createPool({ ...place, connectionLimit: 1 }) });
const db = new Kysely({ dialect });
const DDL = postgres ? [
  "CREATE TYPE device AS ENUM ('phone', 'tablet', 'desktop')",
  'CREATE TABLE sites (id serial PRIMARY KEY, domain text UNIQUE NOT NULL, timezone text DEFAULT \'Europe/Berlin\', owner text, created_at timestamptz DEFAULT now())',
  'CREATE TABLE visitors (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), site_id int REFERENCES sites, first_seen timestamptz, country char(2), device device)',
  'CREATE TABLE sessions (id bigserial PRIMARY KEY, visitor_id uuid REFERENCES visitors, site_id int REFERENCES sites, started_at timestamptz NOT NULL, ended_at timestamptz, referrer text, utm jsonb, ip inet)',
  'CREATE TABLE events (id bigserial, session_id bigint, site_id int, name text, path text, props jsonb, value numeric(12, 2), at timestamptz NOT NULL) PARTITION BY RANGE (at)',
  "CREATE TABLE events_old PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2026-01-01')",
  "CREATE TABLE events_new PARTITION OF events FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)",
  'CREATE TABLE goals (id serial PRIMARY KEY, site_id int REFERENCES sites, name text, event text, target numeric(12, 2))',
  'CREATE TABLE daily (site_id int REFERENCES sites, day date, visits int, bounces int, seconds bigint, revenue numeric(14, 2), PRIMARY KEY (site_id, day))',
  'CREATE TABLE alerts (id serial PRIMARY KEY, site_id int REFERENCES sites, metric text, threshold double precision, quiet_from time, quiet_to time, last_fired timestamptz)',
] : [
  'CREATE TABLE sites (id int AUTO_INCREMENT PRIMARY KEY, domain varchar(100) UNIQUE NOT NULL, timezone varchar(40) DEFAULT \'Europe/Berlin\', owner varchar(40), created_at datetime DEFAULT CURRENT_TIMESTAMP)',
  "CREATE TABLE visitors (id char(36) PRIMARY KEY, site_id int, first_seen datetime, country char(2), device enum('phone','tablet','desktop'))",
  'CREATE TABLE sessions (id bigint AUTO_INCREMENT PRIMARY KEY, visitor_id char(36), site_id int, started_at datetime NOT NULL, ended_at datetime, referrer varchar(300), utm json, ip varchar(45))',
  'CREATE TABLE events (id bigint AUTO_INCREMENT PRIMARY KEY, session_id bigint, site_id int, name varchar(60), path varchar(300), props json, value decimal(12, 2), at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, KEY (site_id, at))',
  'CREATE TABLE goals (id int AUTO_INCREMENT PRIMARY KEY, site_id int, name varchar(60), event varchar(60), target decimal(12, 2))',
  'CREATE TABLE daily (site_id int, day date, visits int, bounces int, seconds bigint, revenue decimal(14, 2), PRIMARY KEY (site_id, day))',
  'CREATE TABLE alerts (id int AUTO_INCREMENT PRIMARY KEY, site_id int, metric varchar(30), threshold double, quiet_from time, quiet_to time, last_fired datetime)',
];
const ROWS = ["INSERT INTO sites (domain) VALUES ('example.test')", "INSERT INTO visitors (id, site_id, first_seen, country, device) VALUES ('6f1c1d6e-4a43-4d0a-8c56-4d2e5a0d8e11', 1, '2026-11-01', 'DE', 'phone')", "INSERT INTO sessions (visitor_id, site_id, started_at, ended_at, referrer) VALUES ('6f1c1d6e-4a43-4d0a-8c56-4d2e5a0d8e11', 1, '2026-11-01 10:00:00', '2026-11-01 10:05:00', 'https://search.test/')", "INSERT INTO events (session_id, site_id, name, path, value, at) VALUES (1, 1, 'view', '/', 0, '2026-11-01 10:00:00'), (1, 1, 'buy', '/cart', 20.5, '2026-11-01 10:04:00')", "INSERT INTO daily VALUES (1, '2026-11-01', 10, 4, 900, 20.5)", "INSERT INTO goals (site_id, name, event, target) VALUES (1, 'sales', 'buy', 100)", "INSERT INTO alerts (site_id, metric, threshold, quiet_from, quiet_to) VALUES (1, 'visits', 5, '22:00', '06:00')"];

async function main() {
  for (const text of [...DDL, ...ROWS, mark]) await sql.raw(text).execute(db);
  const of = (eb) => eb('site_id', '=', 1);
  const json = postgres ? (key) => sql`props->>${sql.lit(key)}` : (key) => sql`props->>${sql.lit(`$.${key}`)}`;
  const { count, countAll, sum, avg, max, min, coalesce } = db.fn;
  const day = (column) => sql`date(${sql.ref(column)})`;
  const reads = [
    db.selectFrom('sites').selectAll().where('domain', '=', 'example.test'),
    db.selectFrom('sites').select(['id', 'domain']).orderBy('domain').limit(50),
    db.selectFrom('visitors').select(countAll().as('n')).where(of),
    db.selectFrom('visitors').select(['country', countAll().as('n')]).where(of).groupBy('country').orderBy('n', 'desc').limit(10),
    db.selectFrom('visitors').select(['device', (eb) => eb.fn.count('id').as('n')]).where('first_seen', '>=', ago(30)).groupBy('device'),
    db.selectFrom('sessions').select([countAll().as('sessions'), count('visitor_id').distinct().as('visitors')]).where(of).where('started_at', '>=', ago(7)).where('started_at', '<', ago(0)),
    db.selectFrom('sessions').select([day('started_at').as('day'), countAll().as('n')]).where(of).groupBy(day('started_at')).orderBy('day'),
    db.selectFrom('sessions').select(['referrer', countAll().as('n')]).where(of).where('referrer', 'is not', null).groupBy('referrer').having((eb) => eb.fn.countAll(), '>', 0).orderBy('n', 'desc').limit(20),
    db.selectFrom('sessions').select(sql`extract(hour from started_at)`.as('hour')).select(countAll().as('n')).groupBy(sql`1`).orderBy(sql`1`),
    db.selectFrom('sessions').innerJoin('visitors', 'visitors.id', 'sessions.visitor_id').select(['visitors.country', avg(sql`${sql.raw(postgres ? 'extract(epoch from ended_at - started_at)' : 'timestampdiff(second, started_at, ended_at)')}`).as('seconds')]).groupBy('visitors.country'),
    db.selectFrom('sessions').selectAll().where('id', '<', 1000).orderBy('id', 'desc').limit(25),
    db.selectFrom('sessions as s').selectAll('s').where(({ exists, selectFrom }) => exists(selectFrom('events as e').select(sql`1`.as('one')).whereRef('e.session_id', '=', 's.id').where('e.name', '=', 'buy'))),
    db.selectFrom('sessions as s').select('s.id').where(({ not, exists, selectFrom }) => not(exists(selectFrom('events as e').select('e.id').whereRef('e.session_id', '=', 's.id')))),
    db.selectFrom('sessions').select(sql`case when ended_at is null then 'open' when ended_at = started_at then 'bounce' else 'normal' end`.as('kind')).select(countAll().as('n')).groupBy(sql`1`),
    db.selectFrom('events').selectAll().where(of).orderBy('at', 'desc').limit(100),
    db.selectFrom('events').select(['path', countAll().as('views')]).where(of).where('name', '=', 'view').where('at', '>=', ago(1)).groupBy('path').orderBy('views', 'desc').limit(10),
    db.selectFrom('events').select(['name', sum('value').as('revenue'), max('value').as('best')]).where(of).where('value', '>', 0).groupBy('name'),
    db.selectFrom('events').select(coalesce(sum('value'), sql`0`).as('total')).where(of).where('at', '>=', sql`now() - interval ${sql.raw(postgres ? "'24 hours'" : '24 hour')}`),
    db.selectFrom('events').select(countAll().as('live')).where('at', '>', sql`now() - interval ${sql.raw(postgres ? "'5 minutes'" : '5 minute')}`),
    db.selectFrom('events').select([json('plan').as('plan'), countAll().as('n')]).groupBy(sql`1`),
    db.selectFrom('events').select(['id', 'path']).where(json('button'), '=', 'buy'),
    db.selectFrom('events').select(['session_id', 'path', sql`lead(path) over (partition by session_id order by at)`.as('next')]).where(of),
    db.selectFrom('events').select(['session_id', (eb) => eb.fn.agg('row_number').over((o) => o.partitionBy('session_id').orderBy('at')).as('step')]),
    db.with('steps', (d) => d.selectFrom('events').select(['session_id', sql`max(case when name = 'view' then 1 else 0 end)`.as('saw'), sql`max(case when name = 'buy' then 1 else 0 end)`.as('bought')]).where('site_id', '=', 1).groupBy('session_id')).selectFrom('steps').select([sql`sum(saw)`.as('saw'), sql`sum(bought)`.as('bought')]),
    db.with('firsts', (d) => d.selectFrom('visitors').select(['id', 'first_seen'])).with('returns', (d) => d.selectFrom('sessions').innerJoin('firsts', 'firsts.id', 'sessions.visitor_id').select('firsts.id').where('sessions.started_at', '>', sql.ref('firsts.first_seen')).distinct()).selectFrom('returns').select(countAll().as('n')),
    db.selectFrom('daily').selectAll().where(of).where('day', '>=', '2026-11-01').orderBy('day'),
    db.selectFrom('daily').select(['day', sql`sum(revenue) over (order by day)`.as('running'), sql`avg(visits) over (order by day rows between 6 preceding and current row)`.as('smooth')]).where(of),
    db.selectFrom('daily').select([sum('visits').as('visits'), sql`round(100.0 * sum(bounces) / nullif(sum(visits), 0), 1)`.as('bounce')]).where(of).where('day', '>=', sql`current_date - interval ${sql.raw(postgres ? "'30 days'" : '30 day')}`),
    db.selectFrom('daily as a').innerJoin('daily as b', (j) => j.onRef('a.site_id', '=', 'b.site_id').on(sql`b.day = a.day - interval ${sql.raw(postgres ? "'7 days'" : '7 day')}`)).select(['a.day', 'a.visits', 'b.visits as before']),
    db.selectFrom('daily').select(['day', 'visits']).where('day', 'in', ['2026-11-01', '2026-11-02']),
    db.selectFrom('goals').leftJoin('events', (j) => j.onRef('events.name', '=', 'goals.event').onRef('events.site_id', '=', 'goals.site_id')).select(['goals.name', 'goals.target', sum('events.value').as('reached')]).groupBy(['goals.id', 'goals.name', 'goals.target']),
    db.selectFrom('goals').select((eb) => ['goals.name', eb.selectFrom('events').select(countAll().as('n')).whereRef('events.name', '=', 'goals.event').as('hits')]),
    db.selectFrom('alerts').selectAll().where('metric', 'in', ['visits', 'errors']).where((eb) => eb.or([eb('last_fired', 'is', null), eb('last_fired', '<', ago(1))])),
    db.selectFrom('alerts').select(['id', 'quiet_from', 'quiet_to']).where('quiet_from', '<=', '23:00:00').where('quiet_to', '>=', '05:00:00'),
    db.selectFrom('alerts').select((eb) => [eb.fn.min('threshold').as('low'), eb.fn.max('threshold').as('high')]),
    db.selectFrom('sessions').select('visitor_id').union(db.selectFrom('visitors').select('id as visitor_id')).limit(10),
    db.selectFrom('sites as s').select(['s.id', 's.domain', (eb) => helpers.jsonArrayFrom(eb.selectFrom('goals as g').select(['g.id', 'g.name']).whereRef('g.site_id', '=', 's.id')).as('goals')]),
    db.selectFrom('sessions as s').select(['s.id', (eb) => helpers.jsonObjectFrom(eb.selectFrom('visitors as v').select(['v.country', 'v.device']).whereRef('v.id', '=', 's.visitor_id')).as('visitor')]).limit(5),
    db.selectFrom('events').select(sql`concat(name, ':', path)`.as('key')).distinct(),
    db.selectFrom('events').select(['id', sql`lower(path)`.as('path')]).where('path', 'like', '/blog/%').where(sql`length(path)`, '>', 6),
    db.selectFrom('sites').leftJoin('daily', 'daily.site_id', 'sites.id').select(['sites.domain', sql`coalesce(sum(daily.visits), 0)`.as('visits')]).groupBy('sites.domain').orderBy('visits', 'desc'),
    db.selectFrom('events').select(['name', countAll().as('n')]).where('at', '>=', ago(30)).groupBy('name').orderBy('n', 'desc').offset(10).limit(10),
    ...(postgres ? [
      db.selectFrom('events').select([sql`date_trunc('hour', at)`.as('hour'), countAll().as('n')]).where(of).where('at', '>=', ago(1)).groupBy('hour').orderBy('hour'),
      db.selectFrom('events').innerJoin('sites', 'sites.id', 'events.site_id').select([sql`date_trunc('day', events.at at time zone sites.timezone)`.as('day'), countAll().as('n')]).groupBy(sql`1`),
      db.selectFrom('events').select([sql`date_bin('15 minutes', at, timestamptz '2026-01-01 00:00:00+00')`.as('slot'), countAll().as('n')]).groupBy('slot'),
      db.selectFrom('events').select([sql`to_char(at, 'YYYY-MM-DD HH24:00')`.as('label'), countAll().as('n')]).groupBy('label'),
      db.selectFrom('events').select([sql`at::date`.as('day'), sql`count(distinct session_id)::int`.as('n')]).groupBy(sql`1`),
      db.selectFrom('events').select(sql`percentile_cont(array[0.5, 0.95]) within group (order by value)`.as('p')).where('value', 'is not', null),
      db.selectFrom('events').distinctOn('session_id').selectAll().orderBy('session_id').orderBy('at', 'desc'),
      db.selectFrom('events').select(countAll().filterWhere('name', '=', 'buy').as('bought')).select(countAll().as('n')),
      db.selectFrom('sessions').select(sql`extract(epoch from avg(ended_at - started_at))`.as('seconds')),
      db.selectFrom('sessions').select([sql`extract(isodow from started_at)`.as('d'), sql`extract(hour from started_at)`.as('h'), countAll().as('n')]).groupBy(sql`1, 2`),
      db.selectFrom('sessions').select([sql`utm->>'source'`.as('source'), countAll().as('n')]).where(sql`utm ? 'source'`).groupBy(sql`1`),
      db.selectFrom('sessions').select('id').where(sql`ip << inet '10.0.0.0/8'`),
      db.selectFrom('visitors').select(['id', sql`age(first_seen)`.as('age')]),
      db.selectFrom('visitors').select([sql`date_trunc('week', first_seen)::date`.as('cohort'), sql`array_agg(distinct country)`.as('countries')]).groupBy(sql`1`),
      db.selectFrom(sql`generate_series(${'2026-11-01'}::date, ${'2026-11-30'}::date, interval '1 day')`.as('d')).leftJoin('daily', (j) => j.on(sql`daily.day = d::date`)).select([sql`d::date`.as('day'), sql`coalesce(visits, 0)`.as('visits')]),
      db.selectFrom('events').select([sql`jsonb_object_keys(props)`.as('key'), countAll().as('n')]).groupBy(sql`1`),
      db.selectFrom('events').select(sql`to_jsonb(events)`.as('row')).limit(10),
      db.selectFrom('events').select('id').where(sql`props @> ${JSON.stringify({ plan: 'pro' })}`),
      db.selectFrom('daily').select(['day', sql`(revenue - lag(revenue) over (order by day)) / nullif(lag(revenue) over (order by day), 0)`.as('growth')]),
      db.selectFrom('daily').select([sql`date_trunc('month', day)`.as('month'), sum('revenue').as('revenue')]).groupBy(sql`rollup(1)`),
      db.selectFrom('daily').select(sql`sum(visits) filter (where day >= date_trunc('month', current_date))`.as('month')).select(sql`sum(visits) filter (where day >= date_trunc('year', current_date))`.as('year')),
      db.selectFrom('alerts').selectAll().where(sql`localtime between quiet_from and quiet_to`),
      db.selectFrom('sessions').select(sql`split_part(regexp_replace(referrer, '^https?://', ''), '/', 1)`.as('host')).select(countAll().as('n')).groupBy(sql`1`),
    ] : [
      db.selectFrom('events').select([sql`date_format(at, '%Y-%m-%d %H:00')`.as('hour'), countAll().as('n')]).where(of).groupBy('hour').orderBy('hour'),
      db.selectFrom('events').innerJoin('sites', 'sites.id', 'events.site_id').select([sql`date(convert_tz(events.at, 'UTC', sites.timezone))`.as('day'), countAll().as('n')]).groupBy(sql`1`),
      db.selectFrom('events').select([sql`from_unixtime(unix_timestamp(at) - mod(unix_timestamp(at), 900))`.as('slot'), countAll().as('n')]).groupBy('slot'),
      db.selectFrom('events').select([sql`year(at)`.as('y'), sql`quarter(at)`.as('q'), sum('value').as('revenue')]).groupBy(['y', 'q']),
      db.selectFrom('sessions').select([sql`dayofweek(started_at)`.as('d'), sql`hour(started_at)`.as('h'), countAll().as('n')]).groupBy(['d', 'h']),
      db.selectFrom('sessions').select([sql`json_unquote(json_extract(utm, '$.source'))`.as('source'), countAll().as('n')]).groupBy(sql`1`),
      db.selectFrom('sessions').select(sql`substring_index(substring_index(referrer, '/', 3), '/', -1)`.as('host')).select(countAll().as('n')).groupBy('host'),
      db.selectFrom('visitors').select(['id', sql`datediff(curdate(), first_seen)`.as('days')]),
      db.selectFrom('visitors').select([sql`yearweek(first_seen, 3)`.as('cohort'), sql`group_concat(distinct country order by country)`.as('countries')]).groupBy('cohort'),
      db.selectFrom('daily').select([sql`date_format(day, '%Y-%m-01')`.as('month'), sum('revenue').as('revenue')]).groupBy(sql`month with rollup`),
      db.selectFrom('daily').select(['day', 'visits']).where('day', '=', sql`curdate()`),
      db.selectFrom('daily').select([sql`last_day(day)`.as('end'), sql`sum(visits)`.as('visits')]).groupBy('end'),
      db.selectFrom('alerts').selectAll().where(sql`curtime() between quiet_from and quiet_to`),
      db.selectFrom('alerts').select(sql`sec_to_time(time_to_sec(quiet_to) - time_to_sec(quiet_from))`.as('quiet')),
      db.selectFrom('events').select('id').where(sql`json_contains(props, ${JSON.stringify('pro')}, '$.plan')`),
      db.selectFrom('events').select(sql`if(value > 0, 'paid', 'free')`.as('kind')).select(countAll().as('n')).groupBy('kind'),
    ]),
  ];
  await run(reads.map((query) => () => query.execute()));
}
main().catch((error) => { console.error(error); process.exit(1); });
