// A warehouse as knex and Objection read it: articles, places, stock movements, deliveries, the day's figures.
'use strict';

const { postgres, place, run, ago, mark } = require('./node_tools');
const { Model, raw, ref } = require('objection');
const knex = require('knex')({ client: postgres ? 'pg' : 'mysql2', connection: place, pool: { min: 1, max: 1 } });
Model.knex(knex);

class Article extends Model {
  static tableName = 'articles';
  static get relationMappings() {
    return {
      supplier: { relation: Model.BelongsToOneRelation, modelClass: Supplier, join: { from: 'articles.supplier_id', to: 'suppliers.id' } },
      stock: { relation: Model.HasManyRelation, modelClass: Stock, join: { from: 'articles.id', to: 'stock.article_id' } },
      labels: { relation: Model.ManyToManyRelation, modelClass: Label,
        join: { from: 'articles.id', through: { from: 'article_labels.article_id', to: 'article_labels.label_id' }, to: 'labels.id' } },
    };
  }
}
class Supplier extends Model {
  static tableName = 'suppliers';
  static get relationMappings() {
    return { articles: { relation: Model.HasManyRelation, modelClass: Article, join: { from: 'suppliers.id', to: 'articles.supplier_id' } } };
  }
}
class Label extends Model { static tableName = 'labels'; }
class Stock extends Model {
  static tableName = 'stock';
  static get relationMappings() {
    return { place: { relation: Model.BelongsToOneRelation, modelClass: Place, join: { from: 'stock.place_id', to: 'places.id' } } };
  }
}
class Place extends Model { static tableName = 'places'; }
class Delivery extends Model {
  static tableName = 'deliveries';
  static get relationMappings() {
    return { items: { relation: Model.HasManyRelation, modelClass: Item, join: { from: 'deliveries.id', to: 'delivery_items.delivery_id' } } };
  }
}
class Item extends Model {
  static tableName = 'delivery_items';
  static get relationMappings() {
    return { article: { relation: Model.BelongsToOneRelation, modelClass: Article, join: { from: 'delivery_items.article_id', to: 'articles.id' } } };
  }
}

async function schema() {
  await knex.schema.createTable('suppliers', (t) => { t.increments(); t.string('name').notNullable(); t.string('country', 2); t.jsonb('contact'); t.timestamps(true, true); });
  await knex.schema.createTable('articles', (t) => {
    t.increments(); t.string('ean', 13).unique(); t.string('name').notNullable(); t.text('notes');
    t.integer('supplier_id').unsigned().references('suppliers.id'); t.decimal('cost', 10, 2); t.decimal('price', 10, 2);
    t.integer('min_stock').defaultTo(0); t.boolean('active').defaultTo(true); t.date('best_before'); t.jsonb('dims'); t.timestamps(true, true);
  });
  await knex.schema.createTable('labels', (t) => { t.increments(); t.string('name').unique(); });
  await knex.schema.createTable('article_labels', (t) => { t.integer('article_id').unsigned().references('articles.id'); t.integer('label_id').unsigned().references('labels.id'); t.primary(['article_id', 'label_id']); });
  await knex.schema.createTable('places', (t) => { t.increments(); t.string('code').unique(); t.enu('zone', ['cold', 'dry', 'yard']); t.float('capacity'); });
  await knex.schema.createTable('stock', (t) => { t.increments(); t.integer('article_id').unsigned().references('articles.id'); t.integer('place_id').unsigned().references('places.id'); t.integer('quantity').notNullable(); t.timestamp('counted_at'); });
  await knex.schema.createTable('movements', (t) => {
    t.bigIncrements(); t.integer('article_id').unsigned().references('articles.id'); t.integer('place_id').unsigned().references('places.id');
    t.integer('delta').notNullable(); t.string('reason', 30); t.string('worker', 60); t.timestamp('moved_at').defaultTo(knex.fn.now());
  });
  await knex.schema.createTable('deliveries', (t) => { t.increments(); t.string('number').unique(); t.string('state', 20).defaultTo('open'); t.date('due_on'); t.time('slot_from'); t.time('slot_to'); t.dateTime('arrived_at'); t.timestamps(true, true); });
  await knex.schema.createTable('delivery_items', (t) => { t.increments(); t.integer('delivery_id').unsigned().references('deliveries.id'); t.integer('article_id').unsigned().references('articles.id'); t.integer('quantity'); t.decimal('unit_cost', 10, 2); });
  await knex.schema.createTable('shifts', (t) => { t.increments(); t.string('worker', 60); t.date('on_day'); t.time('starts'); t.time('ends'); });
  await knex('suppliers').insert({ name: 'Nord', country: 'SE', contact: JSON.stringify({ mail: 'n@example.test', phones: ['1', '2'] }) });
  await knex('articles').insert({ ean: '4000000000001', name: 'Beans', supplier_id: 1, cost: 0.5, price: 1.2, min_stock: 10, best_before: '2026-12-01', dims: JSON.stringify({ kg: 0.4, cm: [7, 7, 11] }) });
  await knex('labels').insert({ name: 'food' });
  await knex('article_labels').insert({ article_id: 1, label_id: 1 });
  await knex('places').insert({ code: 'A-01', zone: 'dry', capacity: 100 });
  await knex('stock').insert({ article_id: 1, place_id: 1, quantity: 40, counted_at: new Date() });
  await knex('movements').insert([{ article_id: 1, place_id: 1, delta: 50, reason: 'delivery', worker: 'eva' }, { article_id: 1, place_id: 1, delta: -10, reason: 'order', worker: 'tom' }]);
  await knex('deliveries').insert({ number: 'D-1', due_on: '2026-11-30', slot_from: '08:00', slot_to: '10:00' });
  await knex('delivery_items').insert({ delivery_id: 1, article_id: 1, quantity: 50, unit_cost: 0.5 });
  await knex('shifts').insert({ worker: 'eva', on_day: '2026-11-30', starts: '06:00', ends: '14:00' });
}

const like = postgres ? 'ilike' : 'like';
const reads = [
  () => knex('articles').where({ active: true }).orderBy('name').limit(50),
  () => knex('articles').where('ean', '4000000000001').first(),
  () => knex('articles').select('id', 'name').where('name', like, '%bean%').andWhere('active', true).limit(10),
  () => knex('articles').count('* as n').where('active', true).first(),
  () => knex('articles').join('suppliers', 'suppliers.id', 'articles.supplier_id').select('articles.*', 'suppliers.name as supplier').where('suppliers.country', 'SE'),
  () => knex('articles as a').leftJoin('stock as s', 's.article_id', 'a.id').groupBy('a.id', 'a.name', 'a.min_stock').select('a.id', 'a.name').sum('s.quantity as total').havingRaw('coalesce(sum(s.quantity), 0) < a.min_stock'),
  () => knex('articles').whereIn('id', [1, 2, 3]).whereNotNull('best_before'),
  () => knex('articles').whereBetween('best_before', [ago(0), ago(-14)]).orderBy('best_before'),
  () => knex('articles').where('best_before', '<', knex.fn.now()).select('id', 'name', 'best_before'),
  () => knex('articles').where('updated_at', '>', ago(1)).orderBy([{ column: 'updated_at', order: 'desc' }, 'id']).limit(20).offset(20),
  () => knex('articles').whereExists(function () { this.select(knex.raw('1')).from('movements').whereRaw('movements.article_id = articles.id').where('reason', 'order'); }),
  () => knex('articles').whereNotExists(knex('stock').whereRaw('stock.article_id = articles.id').where('quantity', '>', 0)),
  () => knex('articles').select(knex.raw('round((price - cost) / nullif(price, 0) * 100, 1) as margin'), 'name').orderByRaw('margin desc').limit(10),
  () => knex('articles').select('supplier_id').avg('price as mean').min('price as low').max('price as high').groupBy('supplier_id'),
  () => knex('articles').distinct('supplier_id').whereNotNull('supplier_id'),
  () => knex('articles').countDistinct('supplier_id as n'),
  () => knex('articles').whereRaw('lower(name) = ?', ['beans']),
  () => knex('articles').select('name', knex.raw("case when min_stock > 100 then 'high' when min_stock > 10 then 'middle' else 'low' end as class")),
  () => knex('articles').select(knex.raw("concat(name, ' (', ean, ')') as label")),
  () => knex('articles').select(knex.raw("coalesce(notes, '') as notes"), knex.raw('char_length(name) as len')),
  () => knex('articles').whereJsonPath('dims', '$.kg', '<', 1),
  () => knex('articles').jsonExtract('dims', '$.kg', 'kg').select('name'),
  () => knex('suppliers').whereJsonSupersetOf('contact', { mail: 'n@example.test' }),
  () => knex('stock').join('places', 'places.id', 'stock.place_id').where('places.zone', 'dry').sum('stock.quantity as total').first(),
  () => knex('places as p').leftJoin('stock as s', 's.place_id', 'p.id').select('p.code', 'p.capacity', knex.raw('coalesce(sum(s.quantity), 0) as used')).groupBy('p.id', 'p.code', 'p.capacity').orderBy('used', 'desc'),
  () => knex('stock').whereNull('counted_at').orWhere('counted_at', '<', ago(90)),
  () => knex('movements').where('article_id', 1).orderBy('moved_at', 'desc').limit(100),
  () => knex('movements').where('moved_at', '>=', ago(7)).groupBy('reason').select('reason').sum('delta as total').count('* as n'),
  () => knex('movements').select(knex.raw('date(moved_at) as day')).sum('delta as net').groupByRaw('date(moved_at)').orderBy('day', 'desc').limit(30),
  () => knex('movements').select('worker', knex.raw('extract(hour from moved_at) as hour')).count('* as n').groupByRaw('worker, extract(hour from moved_at)'),
  () => knex('movements').select('id', 'article_id', 'delta').sum('delta as balance', {}).groupBy('id', 'article_id', 'delta').limit(5),
  () => knex('movements').select('id', 'delta', knex.raw('sum(delta) over (partition by article_id order by moved_at, id) as balance')).where('article_id', 1),
  () => knex('movements').rowNumber('place', (qb) => qb.partitionBy('article_id').orderBy('moved_at', 'desc')).select('id'),
  () => knex.with('moved', knex('movements').select('article_id').sum('delta as d').where('moved_at', '>', ago(30)).groupBy('article_id')).select('articles.name', 'moved.d').from('moved').join('articles', 'articles.id', 'moved.article_id').orderBy('moved.d'),
  () => knex('movements').where('id', '<', 1000).where('worker', 'eva').orderBy('id', 'desc').limit(25),
  () => knex('movements').max('moved_at as last').where({ article_id: 1, reason: 'order' }).first(),
  () => knex('deliveries').where('state', 'open').andWhere('due_on', '<=', new Date()).orderBy('due_on').orderBy('slot_from'),
  () => knex('deliveries').whereRaw('due_on = CURRENT_DATE').select('number', 'slot_from', 'slot_to'),
  () => knex('deliveries').where('slot_from', '>=', '08:00').where('slot_to', '<=', '12:00').select('number', 'slot_from'),
  () => knex('deliveries').select('state').count({ n: '*' }).groupBy('state'),
  () => knex('deliveries as d').join('delivery_items as i', 'i.delivery_id', 'd.id').select('d.number').sum({ worth: knex.raw('i.quantity * i.unit_cost') }).groupBy('d.id', 'd.number').having(knex.raw('count(i.id)'), '>', 0),
  () => knex('deliveries').whereNull('arrived_at').whereNot('state', 'cancelled').modify((q) => q.where('number', 'like', 'D-%')),
  () => knex.union([knex('deliveries').select('number as code').where('state', 'open'), knex('places').select('code')]).orderBy('code'),
  () => knex('deliveries').whereIn('id', knex('delivery_items').select('delivery_id').where('article_id', 1)),
  () => knex('shifts').where('on_day', '2026-11-30').where('starts', '<=', '09:00').where('ends', '>', '09:00'),
  () => knex('shifts').select('worker').min('starts as first').max('ends as last').groupBy('worker'),
  () => knex('articles').first(knex.raw('max(updated_at) as changed'), knex.raw('count(*) as n')),
  // Objection.
  () => Article.query().findById(1),
  () => Article.query().findById(1).withGraphFetched('[supplier, stock.place, labels]'),
  () => Article.query().withGraphJoined('[supplier, labels]').where('articles.active', true),
  () => Article.query().page(0, 20).orderBy('id'),
  () => Article.query().joinRelated('labels').where('labels.name', 'food').distinct('articles.*'),
  () => Article.query().whereExists(Article.relatedQuery('stock').where('quantity', '>', 10)),
  () => Article.query().select('articles.*', Article.relatedQuery('stock').sum('quantity').as('onHand'), Article.relatedQuery('labels').count().as('labelCount')),
  () => Supplier.query().select('suppliers.*', raw('count(??) as n', ['articles.id'])).leftJoinRelated('articles').groupBy('suppliers.id'),
  () => Supplier.relatedQuery('articles').for(1).where('price', '>', 1).orderBy('price'),
  () => Article.query().where(postgres ? ref('dims:kg').castFloat() : raw('json_extract(dims, ?)', '$.kg'), '<', 1),
  () => Delivery.query().withGraphFetched('items(some).article.supplier').modifiers({ some: (b) => b.where('quantity', '>', 1).orderBy('id') }),
  () => Article.query().resultSize(),
  ...(postgres ? [
    () => knex('movements').select(knex.raw("date_trunc('day', moved_at) as day")).sum('delta as net').groupByRaw('1').orderByRaw('1'),
    () => knex('movements').select(knex.raw("to_char(moved_at, 'IYYY-IW') as week"), knex.raw('count(*)::int as n')).groupBy('week').orderBy('week'),
    () => knex('movements').whereRaw("moved_at > now() - interval '24 hours'").count('*'),
    () => knex('movements').whereRaw("moved_at > now() - ?::interval", ['2 hours']).select('worker').groupBy('worker'),
    () => knex('articles').select(knex.raw("string_agg(name, ', ' order by name) as names")).groupBy('supplier_id'),
    () => knex('articles').distinctOn('supplier_id').orderBy([{ column: 'supplier_id' }, { column: 'price', order: 'desc' }]),
    () => knex('articles').whereRaw("dims->>'kg' is not null").select(knex.raw("(dims->>'kg')::numeric as kg")),
    () => knex('suppliers').select(knex.raw("jsonb_array_length(contact->'phones') as phones"), 'name'),
    () => knex('articles as a').select('a.name', knex.raw("(select json_agg(l.name) from labels l join article_labels al on al.label_id = l.id where al.article_id = a.id) as labels")),
    () => knex('articles').select(knex.raw('json_agg(articles.*) as rows')),
    () => knex.raw("select d::date as day, coalesce(sum(m.delta), 0) as net from generate_series(?::date, ?::date, '1 day') d left join movements m on m.moved_at::date = d::date group by 1 order by 1", ['2026-11-01', '2026-11-30']),
    () => knex.raw('select a.name, last.moved_at from articles a cross join lateral (select moved_at from movements m where m.article_id = a.id order by moved_at desc limit 1) last'),
    () => knex('deliveries').whereRaw("due_on between current_date and current_date + 7").select('number'),
    () => knex('deliveries').select(knex.raw("extract(epoch from (arrived_at - created_at)) / 3600 as hours")),
    () => knex('articles').whereRaw("to_tsvector('simple', name || ' ' || coalesce(notes, '')) @@ plainto_tsquery('simple', ?)", ['beans']),
    () => knex('articles').where('id', '=', knex.raw('ANY(?)', [[1, 2]])),
    () => knex('shifts').select('worker', knex.raw('sum(ends - starts) as hours')).groupBy('worker'),
  ] : [
    () => knex('movements').select(knex.raw("date_format(moved_at, '%x-%v') as week"), knex.raw('count(*) as n')).groupBy('week').orderBy('week'),
    () => knex('movements').whereRaw('moved_at > NOW() - INTERVAL 24 HOUR').count('* as n'),
    () => knex('movements').whereRaw('moved_at >= DATE_SUB(CURDATE(), INTERVAL ? DAY)', [7]).select('worker').groupBy('worker'),
    () => knex('articles').select(knex.raw("group_concat(name order by name separator ', ') as names")).groupBy('supplier_id'),
    () => knex('articles').select(knex.raw("dims->>'$.kg' as kg"), knex.raw("json_length(dims, '$.cm') as n")),
    () => knex('deliveries').select(knex.raw('timestampdiff(minute, created_at, arrived_at) as minutes')),
    () => knex('deliveries').select('number', knex.raw("time_format(slot_from, '%H:%i') as slot")),
    () => knex('shifts').select('worker', knex.raw('sum(time_to_sec(timediff(ends, starts))) / 3600 as hours')).groupBy('worker'),
    () => knex('articles').whereRaw('datediff(best_before, ?) < 30', ['2026-11-30']),
    () => knex('articles').select(knex.raw("if(active, 'yes', 'no') as active"), knex.raw('ifnull(notes, ?) as notes', ['-'])),
    () => knex('movements').select(knex.raw('year(moved_at) as y, month(moved_at) as m')).sum('delta as net').groupByRaw('year(moved_at), month(moved_at)'),
    () => knex('articles').whereRaw("str_to_date(?, '%d.%m.%Y') < best_before", ['01.12.2026']),
  ]),
];

(async () => { await schema(); await knex.raw(mark); await run(reads); })().catch((e) => { console.error(e); process.exit(1); });
