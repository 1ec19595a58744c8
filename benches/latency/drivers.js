// The jobs of Node.js drivers, unmodified: each time a new client, from before it connects until it has closed.
//
// Arguments: how often each job is measured, then DRIVER/JOB=KEY for each, KEY the first row that it asks for. Each
// round is done at both of LATENCY_PORTS, the near and the far one. Says one JSON object for each job, with its times or its error. Modules are found in NODE_PATH, Prisma's generated clients in LATENCY_PRISMA.

'use strict'

const assert = require('node:assert')
const { readFileSync } = require('node:fs')
const { performance } = require('node:perf_hooks')

const { LATENCY_CA, LATENCY_HOST, LATENCY_PORTS, LATENCY_USER, LATENCY_PASSWORD, LATENCY_DATABASE } = process.env
const ssl = { ca: readFileSync(LATENCY_CA, 'utf8') }
const [near, far] = LATENCY_PORTS.split(' ').map(Number)
const at = { host: LATENCY_HOST, port: near, user: LATENCY_USER, password: LATENCY_PASSWORD, database: LATENCY_DATABASE }

const [SELECT, UPDATE] = ['SELECT name FROM jumpgate_latency WHERE id = ?', 'UPDATE jumpgate_latency SET hits = hits + 1 WHERE id = ?']
const numbered = (sql) => sql.replace('?', '$1')

const named = (key, row) => assert.strictEqual(row.name, `value of ${key}`)
const one = (count) => assert.strictEqual(count, 1)

// postgres.js

async function postgresJs(job) {
  const sql = require('postgres')({ ...at, ssl, max: 1 })
  await job(sql)
  await sql.end()
}
const postgresJsSelect = async (sql, key) => named(key, (await sql`SELECT name FROM jumpgate_latency WHERE id = ${key}`)[0])
const postgresJsUpdate = async (sql, key) => one((await sql`UPDATE jumpgate_latency SET hits = hits + 1 WHERE id = ${key}`).count)

// pg

async function pg(job) {
  const { Client } = require('pg')
  const client = new Client({ ...at, ssl })
  await client.connect()
  await job(client)
  await client.end()
}
const pgSelect = async (client, key) => named(key, (await client.query(numbered(SELECT), [key])).rows[0])
const pgUpdate = async (client, key) => one((await client.query(numbered(UPDATE), [key])).rowCount)
async function pgTransaction(client, job) {
  await client.query('BEGIN')
  await job(client)
  await client.query('COMMIT')
}

// Drizzle, over pg

function drizzle(job) {
  const { eq, sql } = require('drizzle-orm')
  const { pgTable, integer, varchar } = require('drizzle-orm/pg-core')
  const item = pgTable('jumpgate_latency', { id: integer('id').primaryKey(), name: varchar('name'), hits: integer('hits') })
  const asks = {
    select: async (db, key) => named(key, (await db.select().from(item).where(eq(item.id, key)))[0]),
    update: async (db, key) => one((await db.update(item).set({ hits: sql`${item.hits} + 1` }).where(eq(item.id, key))).rowCount),
  }
  return pg((client) => job(require('drizzle-orm/node-postgres').drizzle(client), asks))
}

// Prisma, with its adapters

async function prisma(engine, job) {
  const { PrismaClient } = require(`${process.env.LATENCY_PRISMA}/${engine}`)
  const client = new PrismaClient({ adapter: prismaAdapter(engine) })
  await job(client)
  await client.$disconnect()
}
function prismaAdapter(engine) {
  if (engine === 'postgresql') return new (require('@prisma/adapter-pg').PrismaPg)({ ...at, ssl })
  // One connection: a new pool of its driver opens as many as it may at once.
  return new (require('@prisma/adapter-mariadb').PrismaMariaDb)({ ...at, ssl, connectionLimit: 1 })
}
const prismaSelect = async (client, key) => named(key, await client.item.findUnique({ where: { id: key } }))
const prismaUpdate = async (client, key) =>
  one((await client.item.updateMany({ where: { id: key }, data: { hits: { increment: 1 } } })).count)
const prismaJobs = (engine) => ({
  query: (key) => prisma(engine, (client) => prismaSelect(client, key)),
  'interactive transaction, select': (key) => prisma(engine, (client) => client.$transaction((tx) => prismaSelect(tx, key))),
  'interactive transaction, update': (key) => prisma(engine, (client) => client.$transaction((tx) => prismaUpdate(tx, key))),
})

// Sequelize

async function sequelize(dialect, job) {
  const { Sequelize, DataTypes } = require('sequelize')
  const { user, ...rest } = at
  const orm = new Sequelize({ ...rest, username: user, dialect, logging: false, dialectOptions: { ssl }, pool: { max: 1 } })
  const columns = { id: { type: DataTypes.INTEGER, primaryKey: true }, name: DataTypes.STRING, hits: DataTypes.INTEGER }
  const item = orm.define('item', columns, { tableName: 'jumpgate_latency', timestamps: false })
  await job(orm, item)
  await orm.close()
}
const sequelizeSelect = async (item, key, options) => named(key, await item.findByPk(key, options))
const sequelizeJobs = (dialect) => ({
  query: (key) => sequelize(dialect, (_, item) => sequelizeSelect(item, key)),
  'transaction, select': (key) =>
    sequelize(dialect, (orm, item) => orm.transaction((transaction) => sequelizeSelect(item, key, { transaction }))),
  'transaction, update': (key) =>
    sequelize(dialect, (orm, item) =>
      orm.transaction(async (transaction) =>
        one((await item.update({ hits: orm.literal('hits + 1') }, { where: { id: key }, transaction }))[0]))),
})

// TypeORM

async function typeOrm(type, job) {
  const { DataSource, EntitySchema } = require('typeorm')
  const { user, ...rest } = at
  const columns = { id: { type: 'int', primary: true }, name: { type: 'varchar' }, hits: { type: 'int' } }
  const item = new EntitySchema({ name: 'Item', tableName: 'jumpgate_latency', columns })
  const source = new DataSource({ ...rest, type, username: user, ssl, entities: [item] })
  await source.initialize()
  await job(source, item)
  await source.destroy()
}
const typeOrmSelect = async (manager, item, key) => named(key, await manager.findOneBy(item, { id: key }))
const typeOrmJobs = (type) => ({
  query: (key) => typeOrm(type, (source, item) => typeOrmSelect(source.manager, item, key)),
  'transaction, select': (key) =>
    typeOrm(type, (source, item) => source.transaction((manager) => typeOrmSelect(manager, item, key))),
  'transaction, update': (key) =>
    typeOrm(type, (source, item) =>
      source.transaction(async (manager) => one((await manager.increment(item, { id: key }, 'hits', 1)).affected))),
})

// mysql2

async function mysql2(job) {
  const client = await require('mysql2/promise').createConnection({ ...at, ssl })
  await job(client)
  await client.end()
}
async function mysql2Transaction(client, job) {
  await client.beginTransaction()
  await job(client)
  await client.commit()
}
const mysql2Select = async (client, key) => named(key, (await client.query(SELECT, [key]))[0][0])
const mysql2Update = async (client, key) => one((await client.query(UPDATE, [key]))[0].affectedRows)

const jobs = {
  'postgres.js': {
    query: (key) => postgresJs((sql) => postgresJsSelect(sql, key)),
    'transaction, select': (key) => postgresJs((sql) => sql.begin((tx) => postgresJsSelect(tx, key))),
    'transaction, update': (key) => postgresJs((sql) => sql.begin((tx) => postgresJsUpdate(tx, key))),
  },
  pg: {
    query: (key) => pg((client) => pgSelect(client, key)),
    'transaction, select': (key) => pg((client) => pgTransaction(client, () => pgSelect(client, key))),
    'transaction, update': (key) => pg((client) => pgTransaction(client, () => pgUpdate(client, key))),
  },
  drizzle: {
    query: (key) => drizzle((db, asks) => asks.select(db, key)),
    'transaction, select': (key) => drizzle((db, asks) => db.transaction((tx) => asks.select(tx, key))),
    'transaction, update': (key) => drizzle((db, asks) => db.transaction((tx) => asks.update(tx, key))),
  },
  'prisma (pg)': prismaJobs('postgresql'),
  'prisma (mariadb)': prismaJobs('mysql'),
  'sequelize (pg)': sequelizeJobs('postgres'),
  'sequelize (mysql2)': sequelizeJobs('mysql'),
  'typeorm (pg)': typeOrmJobs('postgres'),
  'typeorm (mysql2)': typeOrmJobs('mysql'),
  mysql2: {
    query: (key) => mysql2((client) => mysql2Select(client, key)),
    execute: (key) => mysql2(async (client) => named(key, (await client.execute(SELECT, [key]))[0][0])),
    'transaction, select': (key) => mysql2((client) => mysql2Transaction(client, () => mysql2Select(client, key))),
    'transaction, update': (key) => mysql2((client) => mysql2Transaction(client, () => mysql2Update(client, key))),
  },
}

// Until then modules are read and code is compiled; where the pool is behind, it has a connection.
const WARM_UP = 2

async function timed(port, job, key) {
  at.port = port
  const begun = performance.now()
  await job(key)
  return performance.now() - begun
}

async function main() {
  const [rounds, ...asked] = process.argv.slice(2)
  for (const of of asked) {
    const [, driver, job, first] = of.match(/^(.*?)\/(.*)=(\d+)$/)
    try {
      const times = { near: [], far: [] }
      for (let round = 0; round < WARM_UP + Number(rounds); round += 1) {
        times.near.push(await timed(near, jobs[driver][job], Number(first) + round))
        times.far.push(await timed(far, jobs[driver][job], Number(first) + round))
      }
      console.log(JSON.stringify({ driver, job, near: times.near.slice(WARM_UP), far: times.far.slice(WARM_UP) }))
    } catch (error) {
      console.log(JSON.stringify({ driver, job, error: `${error.code ?? ''} ${error.message}`.trim() }))
    }
  }
}

// What a client that failed has left open must not keep the process.
main().then(() => process.exit())
