// Hotels and bookings as Prisma reads them: search, availability, the guest's bookings, prices, reviews, occupancy.
'use strict';

const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { postgres, place, run, ago, mark } = require('./node_tools');

const provider = postgres ? 'postgresql' : 'mysql';
const home = path.join(process.env.CORPORA_NODE, `prisma-booking-${provider}`);
const SCHEMA = `
generator client {
  provider = "prisma-client-js"
  output = "./client"
  previewFeatures = ["relationJoins"${postgres ? ', "fullTextSearchPostgres"' : ''}]
}
datasource db {
  provider = "${provider}"
}
enum Status {
  PENDING
  CONFIRMED
  CANCELLED
}
model Hotel {
  id Int @id @default(autoincrement())
  slug String @unique
  name String
  city String
  stars Int
  amenities Json?
  ${postgres ? 'languages String[]' : ''}
  latitude Float?
  rooms Room[]
  reviews Review[]
  createdAt DateTime @default(now())
}
model Room {
  id Int @id @default(autoincrement())
  hotel Hotel @relation(fields: [hotelId], references: [id])
  hotelId Int
  number String
  beds Int
  rate Decimal @db.Decimal(10, 2)
  bookings Booking[]
  @@unique([hotelId, number])
}
model Guest {
  id String @id @default(uuid())
  email String @unique
  name String
  phone String?
  born DateTime? @db.Date
  bookings Booking[]
  reviews Review[]
  profile Profile?
}
model Profile {
  id Int @id @default(autoincrement())
  guest Guest @relation(fields: [guestId], references: [id])
  guestId String @unique
  preferences Json
}
model Booking {
  id BigInt @id @default(autoincrement())
  room Room @relation(fields: [roomId], references: [id])
  roomId Int
  guest Guest @relation(fields: [guestId], references: [id])
  guestId String
  status Status @default(PENDING)
  arrives DateTime @db.Date
  leaves DateTime @db.Date
  total Decimal @db.Decimal(12, 2)
  extras Extra[]
  createdAt DateTime @default(now())
  updatedAt DateTime @updatedAt
  @@index([roomId, arrives])
}
model Extra {
  id Int @id @default(autoincrement())
  name String @unique
  price Decimal @db.Decimal(8, 2)
  bookings Booking[]
}
model Review {
  id Int @id @default(autoincrement())
  hotel Hotel @relation(fields: [hotelId], references: [id])
  hotelId Int
  guest Guest @relation(fields: [guestId], references: [id])
  guestId String
  score Int
  text String
  createdAt DateTime @default(now())
  ${postgres ? '' : '@@fulltext([text])'}
}
`;
const auto = postgres ? 'serial PRIMARY KEY' : 'int AUTO_INCREMENT PRIMARY KEY';
const string = postgres ? 'text' : 'varchar(191)';
const stamp = postgres ? 'timestamp(3)' : 'datetime(3)';
const json = postgres ? 'jsonb' : 'json';
const status = postgres ? '"Status"' : "enum('PENDING','CONFIRMED','CANCELLED')";
const DDL = [
  ...(postgres ? [`CREATE TYPE "Status" AS ENUM ('PENDING', 'CONFIRMED', 'CANCELLED')`] : []),
  `CREATE TABLE "Hotel" (id ${auto}, slug ${string} UNIQUE NOT NULL, name ${string} NOT NULL, city ${string} NOT NULL, stars int NOT NULL, amenities ${json}, ${postgres ? 'languages text[], ' : ''}latitude double precision, "createdAt" ${stamp} DEFAULT CURRENT_TIMESTAMP${postgres ? '' : '(3)'} NOT NULL)`,
  `CREATE TABLE "Room" (id ${auto}, "hotelId" int NOT NULL REFERENCES "Hotel"(id), number ${string} NOT NULL, beds int NOT NULL, rate decimal(10, 2) NOT NULL, UNIQUE ("hotelId", number))`,
  `CREATE TABLE "Guest" (id ${postgres ? 'text' : 'varchar(191)'} PRIMARY KEY, email ${string} UNIQUE NOT NULL, name ${string} NOT NULL, phone ${string}, born date)`,
  `CREATE TABLE "Profile" (id ${auto}, "guestId" ${string} UNIQUE NOT NULL REFERENCES "Guest"(id), preferences ${json} NOT NULL)`,
  `CREATE TABLE "Booking" (id ${postgres ? 'bigserial PRIMARY KEY' : 'bigint AUTO_INCREMENT PRIMARY KEY'}, "roomId" int NOT NULL REFERENCES "Room"(id), "guestId" ${string} NOT NULL REFERENCES "Guest"(id), status ${status} DEFAULT 'PENDING' NOT NULL, arrives date NOT NULL, leaves date NOT NULL, total decimal(12, 2) NOT NULL, "createdAt" ${stamp} DEFAULT CURRENT_TIMESTAMP${postgres ? '' : '(3)'} NOT NULL, "updatedAt" ${stamp} NOT NULL)`,
  `CREATE TABLE "Extra" (id ${auto}, name ${string} UNIQUE NOT NULL, price decimal(8, 2) NOT NULL)`,
  `CREATE TABLE "_BookingToExtra" ("A" bigint NOT NULL, "B" int NOT NULL, PRIMARY KEY ("A", "B"))`,
  `CREATE TABLE "Review" (id ${auto}, "hotelId" int NOT NULL REFERENCES "Hotel"(id), "guestId" ${string} NOT NULL REFERENCES "Guest"(id), score int NOT NULL, text ${postgres ? 'text' : 'varchar(191)'} NOT NULL, "createdAt" ${stamp} DEFAULT CURRENT_TIMESTAMP${postgres ? '' : '(3)'} NOT NULL${postgres ? '' : ', FULLTEXT (text)'})`,
].map((text) => (postgres ? text : text.replaceAll('"', '`')));

async function main() {
  fs.mkdirSync(home, { recursive: true });
  fs.writeFileSync(path.join(home, 'schema.prisma'), SCHEMA);
  execFileSync(path.join(process.env.CORPORA_NODE, 'node_modules/.bin/prisma'), ['generate', '--schema', path.join(home, 'schema.prisma')], {
    cwd: home, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true', CHECKPOINT_DISABLE: '1' } });
  const { PrismaClient, Prisma } = require(path.join(home, 'client'));
  const adapter = postgres
    ? new (require('@prisma/adapter-pg').PrismaPg)({ connectionString: process.env.DATABASE_URL, max: 1 })
    : new (require('@prisma/adapter-mariadb').PrismaMariaDb)({ ...place, connectionLimit: 1, allowPublicKeyRetrieval: true });
  const db = new PrismaClient({ adapter });
  for (const text of DDL) await db.$executeRawUnsafe(text);
  const hotel = await db.hotel.create({ data: { slug: 'sea', name: 'Sea View', city: 'Kiel', stars: 4, amenities: { pool: true, wifi: { speed: 100 } }, ...(postgres ? { languages: ['de', 'en'] } : {}), rooms: { create: [{ number: '1', beds: 2, rate: '99.50' }, { number: '2', beds: 1, rate: '70' }] } }, include: { rooms: true } });
  const guest = await db.guest.create({ data: { email: 'ada@example.test', name: 'Ada', born: new Date('1990-04-02'), profile: { create: { preferences: { smoking: false, floor: 2 } } } } });
  await db.extra.create({ data: { name: 'breakfast', price: '12' } });
  await db.booking.create({ data: { roomId: hotel.rooms[0].id, guestId: guest.id, arrives: new Date('2026-12-01'), leaves: new Date('2026-12-04'), total: '298.5', extras: { connect: { name: 'breakfast' } } } });
  await db.review.create({ data: { hotelId: hotel.id, guestId: guest.id, score: 5, text: 'lovely sea view' } });
  await db.$queryRawUnsafe(mark);

  const insensitive = postgres ? { mode: 'insensitive' } : {};
  const free = (from, to) => ({ bookings: { none: { status: { not: 'CANCELLED' }, arrives: { lt: to }, leaves: { gt: from } } } });
  const [from, to] = [new Date('2026-12-10'), new Date('2026-12-12')];
  await run([
    () => db.hotel.findUnique({ where: { slug: 'sea' } }),
    () => db.hotel.findMany({ where: { city: 'Kiel', stars: { gte: 3 } }, orderBy: [{ stars: 'desc' }, { name: 'asc' }], take: 20, skip: 20 }),
    () => db.hotel.findMany({ where: { name: { contains: 'sea', ...insensitive } } }),
    () => db.hotel.findMany({ where: { OR: [{ name: { startsWith: 'Sea' } }, { city: { endsWith: 'el' } }], NOT: { stars: 1 } } }),
    () => db.hotel.findMany({ where: { rooms: { some: { beds: { gte: 2 }, ...free(from, to) } } }, include: { _count: { select: { reviews: true } } } }),
    () => db.hotel.findFirst({ where: { id: 1 }, include: { rooms: { orderBy: { number: 'asc' } }, reviews: { take: 3, orderBy: { createdAt: 'desc' }, include: { guest: { select: { name: true } } } } } }),
    () => db.hotel.findFirst({ relationLoadStrategy: 'query', where: { id: 1 }, include: { rooms: { include: { bookings: true } }, reviews: true } }),
    () => db.hotel.findMany({ relationLoadStrategy: 'query', include: { _count: { select: { rooms: true, reviews: true } } } }),
    () => db.hotel.findMany({ where: { amenities: { path: postgres ? ['pool'] : '$.pool', equals: true } } }),
    () => db.hotel.findMany({ where: { rooms: { every: { rate: { lt: 500 } } }, reviews: { none: { score: { lt: 2 } } } } }),
    () => db.hotel.findMany({ orderBy: { reviews: { _count: 'desc' } }, take: 5 }),
    () => db.hotel.findMany({ cursor: { id: 1 }, skip: 1, take: 10, orderBy: { id: 'asc' } }),
    () => db.hotel.findMany({ distinct: ['city'], select: { city: true } }),
    () => db.hotel.count({ where: { stars: { in: [4, 5] } } }),
    () => db.hotel.groupBy({ by: ['city'], _count: { _all: true }, _avg: { stars: true }, orderBy: { _count: { city: 'desc' } } }),
    () => db.hotel.findMany({ where: { latitude: null }, select: { id: true } }),
    () => db.room.findMany({ where: { hotelId: 1, ...free(from, to) }, orderBy: { rate: 'asc' } }),
    () => db.room.findUnique({ where: { hotelId_number: { hotelId: 1, number: '1' } } }),
    () => db.room.aggregate({ _min: { rate: true }, _max: { rate: true }, _avg: { rate: true }, where: { hotel: { city: 'Kiel' } } }),
    () => db.room.groupBy({ by: ['hotelId', 'beds'], _sum: { beds: true }, having: { beds: { gt: 0 } } }),
    () => db.room.findMany({ where: { hotel: { is: { stars: 4 } }, rate: { gte: 50, lte: 150 } }, include: { hotel: true } }),
    () => db.guest.findUnique({ where: { email: 'ada@example.test' }, include: { profile: true } }),
    () => db.guest.findUnique({ where: { id: guest.id } }).bookings(),
    () => db.guest.findFirst({ where: { email: { equals: 'ADA@example.test', ...insensitive } } }),
    () => db.guest.findMany({ where: { bookings: { some: { createdAt: { gte: ago(30) } } } }, select: { id: true, name: true } }),
    () => db.guest.findMany({ where: { id: { in: [guest.id, '6f1c1d6e-4a43-4d0a-8c56-4d2e5a0d8e11'] } } }),
    () => db.guest.findMany({ where: { phone: { not: null } }, orderBy: { name: 'asc' } }),
    () => db.guest.findMany({ where: { profile: { is: null } } }),
    () => db.guest.findMany({ where: { born: { lt: new Date('2000-01-01') } } }),
    () => db.profile.findFirst({ where: { preferences: { path: postgres ? ['floor'] : '$.floor', gte: 1 } } }),
    () => db.booking.findMany({ where: { guestId: guest.id, status: { in: ['PENDING', 'CONFIRMED'] } }, include: { room: { include: { hotel: true } }, extras: true }, orderBy: { arrives: 'desc' } }),
    () => db.booking.findMany({ relationLoadStrategy: 'query', where: { guestId: guest.id }, include: { room: { include: { hotel: true } }, extras: true, guest: true } }),
    () => db.booking.findMany({ where: { arrives: { lte: new Date() }, leaves: { gt: new Date() }, room: { hotelId: 1 } } }),
    () => db.booking.findFirst({ where: { id: 1n }, select: { id: true, total: true, extras: { select: { name: true, price: true } } } }),
    () => db.booking.count({ where: { status: 'CANCELLED', updatedAt: { gte: ago(7) } } }),
    () => db.booking.groupBy({ by: ['status'], _count: true, _sum: { total: true } }),
    () => db.booking.groupBy({ by: ['arrives'], _count: { _all: true }, orderBy: { arrives: 'asc' }, take: 30 }),
    () => db.booking.aggregate({ _sum: { total: true }, _count: true, where: { createdAt: { gte: ago(30), lt: new Date() } } }),
    () => db.booking.findMany({ where: { extras: { some: { name: 'breakfast' } } }, orderBy: { guest: { name: 'asc' } } }),
    () => db.booking.findMany({ where: { createdAt: { lt: db.booking.fields.updatedAt } } }),
    () => db.extra.findMany({ include: { _count: { select: { bookings: true } } } }),
    () => db.review.findMany({ where: { hotelId: 1, score: { gte: 4 } }, orderBy: { createdAt: 'desc' }, take: 10, include: { guest: true } }),
    () => db.review.aggregate({ where: { hotelId: 1 }, _avg: { score: true }, _count: true }),
    () => db.review.groupBy({ by: ['score'], where: { hotelId: 1 }, _count: { score: true }, orderBy: { score: 'desc' } }),
    () => db.review.findMany({ where: { text: { search: postgres ? 'sea & view' : '+sea +view' } } }),
    () => db.$queryRaw`SELECT h.id, h.name, AVG(r.score) AS score FROM ${Prisma.raw(postgres ? '"Hotel"' : 'Hotel')} h LEFT JOIN ${Prisma.raw(postgres ? '"Review"' : 'Review')} r ON r.${Prisma.raw(postgres ? '"hotelId"' : 'hotelId')} = h.id WHERE h.city = ${'Kiel'} GROUP BY h.id, h.name ORDER BY score DESC`,
    ...(postgres ? [
      () => db.hotel.findMany({ where: { languages: { has: 'de' } } }),
      () => db.hotel.findMany({ where: { languages: { hasSome: ['de', 'fr'] }, AND: { languages: { isEmpty: false } } } }),
      () => db.hotel.findMany({ where: { amenities: { path: ['wifi', 'speed'], gt: 50 } } }),
      () => db.review.findMany({ orderBy: { _relevance: { fields: ['text'], search: 'sea', sort: 'desc' } } }),
      () => db.$queryRaw`SELECT date_trunc('month', "createdAt") AS month, SUM(total) AS revenue FROM "Booking" WHERE status = 'CONFIRMED'::"Status" GROUP BY 1 ORDER BY 1`,
      () => db.$queryRaw`SELECT d::date AS day, COUNT(b.id)::int AS taken FROM generate_series(${from}::date, ${to}::date, '1 day'::interval) d LEFT JOIN "Booking" b ON d >= b.arrives AND d < b.leaves GROUP BY 1 ORDER BY 1`,
      () => db.$queryRaw`SELECT to_char(arrives, 'Dy') AS weekday, COUNT(*) FROM "Booking" GROUP BY 1`,
      () => db.$queryRaw`SELECT COUNT(*) FROM "Booking" WHERE arrives = CURRENT_DATE`,
      () => db.$queryRaw`SELECT SUM(leaves - arrives) AS nights, EXTRACT(MONTH FROM arrives) AS month FROM "Booking" GROUP BY 2`,
    ] : [
      () => db.$queryRaw`SELECT DATE_FORMAT(createdAt, '%Y-%m') AS month, SUM(total) AS revenue FROM Booking WHERE status = 'CONFIRMED' GROUP BY month ORDER BY month`,
      () => db.$queryRaw`SELECT SUM(DATEDIFF(leaves, arrives)) AS nights, MONTH(arrives) AS month FROM Booking GROUP BY month`,
      () => db.$queryRaw`SELECT COUNT(*) AS n FROM Booking WHERE arrives = CURDATE()`,
      () => db.$queryRaw`SELECT roomId, GROUP_CONCAT(DISTINCT status) AS states FROM Booking GROUP BY roomId`,
    ]),
  ]);
}
main().catch((error) => { console.error(error); process.exit(1); });
