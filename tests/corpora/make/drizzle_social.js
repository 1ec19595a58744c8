// A social network as drizzle reads it: feed, followers, likes, chats, search, moderation, trends.
'use strict';

const { postgres, place, run, ago, mark } = require('./node_tools');
const core = postgres ? require('drizzle-orm/pg-core') : require('drizzle-orm/mysql-core');
const o = require('drizzle-orm');
const { eq, ne, and, or, not, gt, gte, lt, lte, inArray, notInArray, isNull, isNotNull, like, ilike, between, exists, notExists, desc, asc, count, countDistinct, avg, sum, max, min, sql, relations } = o;

const make = postgres ? core.pgTable : core.mysqlTable;
const id = () => (postgres ? core.bigserial('id', { mode: 'number' }) : core.bigint('id', { mode: 'number' }).autoincrement()).primaryKey();
const link = (name) => core.bigint(name, { mode: 'number' });
const word = (name, length) => (postgres ? core.text(name) : core.varchar(name, { length }));
const stamp = (name) => (postgres ? core.timestamp(name, { withTimezone: true }) : core.datetime(name, { fsp: 3 }));
const json = (name) => (postgres ? core.jsonb(name) : core.json(name));
const visibility = postgres ? core.pgEnum('visibility', ['public', 'followers', 'private']) : (name) => core.mysqlEnum(name, ['public', 'followers', 'private']);

const users = make('users', { id: id(), handle: word('handle', 40), name: word('name', 80), bio: word('bio', 500), country: core.char('country', { length: 2 }), verified: core.boolean('verified').default(false), settings: json('settings'), joinedAt: stamp('joined_at'), lastSeenAt: stamp('last_seen_at'), bornOn: core.date('born_on') });
const posts = make('posts', { id: id(), authorId: link('author_id'), replyToId: link('reply_to_id'), body: core.text('body'), visibility: visibility('visibility').default('public'), media: json('media'), likeCount: core.integer ? core.integer('like_count').default(0) : core.int('like_count').default(0), score: core.real ? core.real('score') : core.float('score'), createdAt: stamp('created_at'), deletedAt: stamp('deleted_at') });
const follows = make('follows', { followerId: link('follower_id'), followeeId: link('followee_id'), createdAt: stamp('created_at') }, (t) => [core.primaryKey({ columns: [t.followerId, t.followeeId] })]);
const likes = make('likes', { userId: link('user_id'), postId: link('post_id'), createdAt: stamp('created_at') }, (t) => [core.primaryKey({ columns: [t.userId, t.postId] })]);
const chats = make('chats', { id: id(), title: word('title', 80), isGroup: core.boolean('is_group') });
const chatMembers = make('chat_members', { chatId: link('chat_id'), userId: link('user_id'), lastReadId: link('last_read_id'), mutedUntil: stamp('muted_until') }, (t) => [core.primaryKey({ columns: [t.chatId, t.userId] })]);
const messages = make('messages', { id: id(), chatId: link('chat_id'), senderId: link('sender_id'), body: core.text('body'), sentAt: stamp('sent_at') });
const tags = make('hashtags', { id: id(), name: word('name', 60) });
const postTags = make('post_hashtags', { postId: link('post_id'), tagId: link('tag_id') });
const reports = make('reports', { id: id(), postId: link('post_id'), reporterId: link('reporter_id'), reason: word('reason', 40), resolvedAt: stamp('resolved_at'), createdAt: stamp('created_at') });

const schema = {
  users, posts, follows, likes, chats, chatMembers, messages, tags, postTags, reports,
  usersRelations: relations(users, ({ many }) => ({ posts: many(posts), likes: many(likes) })),
  postsRelations: relations(posts, ({ one, many }) => ({ author: one(users, { fields: [posts.authorId], references: [users.id] }), parent: one(posts, { fields: [posts.replyToId], references: [posts.id], relationName: 'replies' }), replies: many(posts, { relationName: 'replies' }), likes: many(likes), tags: many(postTags), reports: many(reports) })),
  likesRelations: relations(likes, ({ one }) => ({ user: one(users, { fields: [likes.userId], references: [users.id] }), post: one(posts, { fields: [likes.postId], references: [posts.id] }) })),
  postTagsRelations: relations(postTags, ({ one }) => ({ post: one(posts, { fields: [postTags.postId], references: [posts.id] }), tag: one(tags, { fields: [postTags.tagId], references: [tags.id] }) })),
  reportsRelations: relations(reports, ({ one }) => ({ post: one(posts, { fields: [reports.postId], references: [posts.id] }) })),
  chatsRelations: relations(chats, ({ many }) => ({ members: many(chatMembers), messages: many(messages) })),
  chatMembersRelations: relations(chatMembers, ({ one }) => ({ chat: one(chats, { fields: [chatMembers.chatId], references: [chats.id] }), user: one(users, { fields: [chatMembers.userId], references: [users.id] }) })),
  messagesRelations: relations(messages, ({ one }) => ({ chat: one(chats, { fields: [messages.chatId], references: [chats.id] }), sender: one(users, { fields: [messages.senderId], references: [users.id] }) })),
};

const DDL = postgres ? `
CREATE EXTENSION pg_trgm;
CREATE TYPE visibility AS ENUM ('public', 'followers', 'private');
CREATE TABLE users (id bigserial PRIMARY KEY, handle text UNIQUE NOT NULL, name text, bio text, country char(2), verified boolean DEFAULT false, settings jsonb, joined_at timestamptz DEFAULT now(), last_seen_at timestamptz, born_on date);
CREATE TABLE posts (id bigserial PRIMARY KEY, author_id bigint NOT NULL REFERENCES users, reply_to_id bigint REFERENCES posts, body text NOT NULL, visibility visibility DEFAULT 'public', media jsonb, like_count integer DEFAULT 0, score real, created_at timestamptz DEFAULT now(), deleted_at timestamptz);
CREATE INDEX ON posts USING gin (to_tsvector('english', body));
CREATE TABLE follows (follower_id bigint REFERENCES users, followee_id bigint REFERENCES users, created_at timestamptz DEFAULT now(), PRIMARY KEY (follower_id, followee_id));
CREATE TABLE likes (user_id bigint REFERENCES users, post_id bigint REFERENCES posts, created_at timestamptz DEFAULT now(), PRIMARY KEY (user_id, post_id));
CREATE TABLE chats (id bigserial PRIMARY KEY, title text, is_group boolean);
CREATE TABLE chat_members (chat_id bigint REFERENCES chats, user_id bigint REFERENCES users, last_read_id bigint, muted_until timestamptz, PRIMARY KEY (chat_id, user_id));
CREATE TABLE messages (id bigserial PRIMARY KEY, chat_id bigint REFERENCES chats, sender_id bigint REFERENCES users, body text, sent_at timestamptz DEFAULT now());
CREATE TABLE hashtags (id bigserial PRIMARY KEY, name text UNIQUE);
CREATE TABLE post_hashtags (post_id bigint REFERENCES posts, tag_id bigint REFERENCES hashtags);
CREATE TABLE reports (id bigserial PRIMARY KEY, post_id bigint REFERENCES posts, reporter_id bigint REFERENCES users, reason text, resolved_at timestamptz, created_at timestamptz DEFAULT now())` : `
CREATE TABLE users (id bigint AUTO_INCREMENT PRIMARY KEY, handle varchar(40) UNIQUE NOT NULL, name varchar(80), bio varchar(500), country char(2), verified boolean DEFAULT false, settings json, joined_at datetime(3) DEFAULT CURRENT_TIMESTAMP(3), last_seen_at datetime(3), born_on date);
CREATE TABLE posts (id bigint AUTO_INCREMENT PRIMARY KEY, author_id bigint NOT NULL REFERENCES users(id), reply_to_id bigint, body text NOT NULL, visibility enum('public','followers','private') DEFAULT 'public', media json, like_count int DEFAULT 0, score float, created_at datetime(3) DEFAULT CURRENT_TIMESTAMP(3), deleted_at datetime(3), FULLTEXT KEY words (body));
CREATE TABLE follows (follower_id bigint, followee_id bigint, created_at datetime(3) DEFAULT CURRENT_TIMESTAMP(3), PRIMARY KEY (follower_id, followee_id));
CREATE TABLE likes (user_id bigint, post_id bigint, created_at datetime(3) DEFAULT CURRENT_TIMESTAMP(3), PRIMARY KEY (user_id, post_id));
CREATE TABLE chats (id bigint AUTO_INCREMENT PRIMARY KEY, title varchar(80), is_group boolean);
CREATE TABLE chat_members (chat_id bigint, user_id bigint, last_read_id bigint, muted_until datetime(3), PRIMARY KEY (chat_id, user_id));
CREATE TABLE messages (id bigint AUTO_INCREMENT PRIMARY KEY, chat_id bigint, sender_id bigint, body text, sent_at datetime(3) DEFAULT CURRENT_TIMESTAMP(3));
CREATE TABLE hashtags (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(60) UNIQUE);
CREATE TABLE post_hashtags (post_id bigint, tag_id bigint);
CREATE TABLE reports (id bigint AUTO_INCREMENT PRIMARY KEY, post_id bigint, reporter_id bigint, reason varchar(40), resolved_at datetime(3), created_at datetime(3) DEFAULT CURRENT_TIMESTAMP(3))`;
const ROWS = ["INSERT INTO users (handle, name, country) VALUES ('ada', 'Ada', 'GB'), ('bob', 'Bob', 'DE')", "INSERT INTO posts (author_id, body) VALUES (1, 'hello world #first')", "INSERT INTO posts (author_id, body, reply_to_id) VALUES (2, 'welcome', 1)", 'INSERT INTO follows (follower_id, followee_id) VALUES (2, 1)', 'INSERT INTO likes (user_id, post_id) VALUES (2, 1)', "INSERT INTO hashtags (name) VALUES ('first')", 'INSERT INTO post_hashtags VALUES (1, 1)', "INSERT INTO chats (title, is_group) VALUES ('us', true)", 'INSERT INTO chat_members (chat_id, user_id) VALUES (1, 1), (1, 2)', "INSERT INTO messages (chat_id, sender_id, body) VALUES (1, 1, 'hi')", "INSERT INTO reports (post_id, reporter_id, reason) VALUES (1, 2, 'spam')"];

async function main() {
  let db, raw;
  if (postgres) {
    const client = new (require('pg').Client)(place);
    await client.connect();
    db = require('drizzle-orm/node-postgres').drizzle(client, { schema });
    raw = (text) => client.query(text);
  } else {
    const client = await require('mysql2/promise').createConnection(place);
    db = require('drizzle-orm/mysql2').drizzle(client, { schema, mode: 'default' });
    raw = (text) => client.query(text);
  }
  for (const text of [...DDL.split(';\n'), ...ROWS]) await raw(text);
  await raw(mark);

  const matches = postgres ? ilike : like;
  const live = isNull(posts.deletedAt);
  const following = db.select({ id: follows.followeeId }).from(follows).where(eq(follows.followerId, 2));
  const parent = core.alias(posts, 'parent');
  const recent = db.$with('recent').as(db.select({ postId: likes.postId, n: count().as('n') }).from(likes).where(gte(likes.createdAt, ago(1))).groupBy(likes.postId));
  const ranked = db.select({ id: posts.id, authorId: posts.authorId, place: sql`row_number() over (partition by ${posts.authorId} order by ${posts.createdAt} desc)`.as('place') }).from(posts).as('ranked');
  const reads = [
    () => db.select().from(users).where(eq(users.handle, 'ada')).limit(1),
    () => db.select({ id: users.id, handle: users.handle }).from(users).where(inArray(users.id, [1, 2])),
    () => db.select().from(users).where(or(matches(users.handle, '%ad%'), matches(users.name, '%ad%'))).orderBy(desc(users.verified), asc(users.handle)).limit(10),
    () => db.select({ n: count() }).from(users).where(gte(users.lastSeenAt, ago(1))),
    () => db.select({ country: users.country, n: count() }).from(users).groupBy(users.country).having(gt(count(), 0)).orderBy(desc(count())),
    () => db.select().from(users).where(sql`lower(${users.handle}) = lower(${'ADA'})`),
    () => db.select().from(posts).where(and(inArray(posts.authorId, following), live)).orderBy(desc(posts.createdAt)).limit(30),
    () => db.select({ post: posts, author: { handle: users.handle, name: users.name } }).from(posts).innerJoin(users, eq(users.id, posts.authorId)).where(and(live, ne(posts.visibility, 'private'), lt(posts.id, 1000))).orderBy(desc(posts.id)).limit(20),
    () => db.select({ id: posts.id, liked: sql`exists (select 1 from ${likes} where ${likes.postId} = ${posts.id} and ${likes.userId} = ${2})` }).from(posts).limit(10),
    () => db.select({ id: posts.id, n: count(likes.userId) }).from(posts).leftJoin(likes, eq(likes.postId, posts.id)).groupBy(posts.id).orderBy(desc(count(likes.userId))).limit(10),
    () => db.select({ reply: posts.body, to: parent.body }).from(posts).innerJoin(parent, eq(posts.replyToId, parent.id)),
    () => db.select().from(posts).where(and(eq(posts.authorId, 1), isNotNull(posts.replyToId))),
    () => db.select().from(posts).where(exists(db.select().from(postTags).where(eq(postTags.postId, posts.id)))),
    () => db.select().from(users).where(notExists(db.select().from(posts).where(eq(posts.authorId, users.id)))),
    () => db.select().from(posts).where(between(posts.createdAt, ago(7), ago(0))).orderBy(desc(posts.likeCount)),
    () => db.select().from(posts).where(lt(sql`(${posts.createdAt}, ${posts.id})`, sql`(${ago(0)}, ${50})`)).orderBy(desc(posts.createdAt), desc(posts.id)).limit(10),
    () => db.with(recent).select({ body: posts.body, n: recent.n }).from(recent).innerJoin(posts, eq(posts.id, recent.postId)).orderBy(desc(recent.n)),
    () => db.select().from(ranked).where(lte(ranked.place, 3)),
    () => db.select({ a: avg(posts.likeCount), s: sum(posts.likeCount), m: max(posts.createdAt), l: min(posts.createdAt) }).from(posts).where(eq(posts.authorId, 1)),
    () => db.select({ n: countDistinct(posts.authorId) }).from(posts),
    () => db.selectDistinct({ country: users.country }).from(users),
    () => db.select({ name: tags.name, n: count() }).from(postTags).innerJoin(tags, eq(tags.id, postTags.tagId)).innerJoin(posts, eq(posts.id, postTags.postId)).where(gt(posts.createdAt, ago(1))).groupBy(tags.name).orderBy(desc(count())).limit(10),
    () => db.select({ day: sql`date(${posts.createdAt})`.as('day'), n: count() }).from(posts).groupBy(sql`day`).orderBy(sql`day`),
    () => db.select({ hour: sql`extract(hour from ${posts.createdAt})`, n: count() }).from(posts).groupBy(sql`1`),
    () => db.select({ kind: sql`case when ${posts.replyToId} is null then 'post' else 'reply' end`.as('kind'), n: count() }).from(posts).groupBy(sql`kind`),
    () => db.select({ shown: sql`coalesce(${users.name}, ${users.handle})`, tag: sql`concat('@', ${users.handle})` }).from(users),
    () => db.$count(posts, eq(posts.authorId, 1)),
    () => db.select().from(posts).where(notInArray(posts.authorId, [7, 8])).limit(5).offset(10),
    () => db.select().from(posts).where(and(live, not(eq(posts.visibility, 'private')))).orderBy(sql`${posts.score} desc`).limit(5),
    () => db.select().from(posts).where(sql`${posts.createdAt} > now() - interval ${sql.raw(postgres ? "'1 day'" : '1 day')}`),
    () => db.select().from(chatMembers).where(and(eq(chatMembers.userId, 1), or(isNull(chatMembers.mutedUntil), lt(chatMembers.mutedUntil, sql`now()`)))),
    () => db.select({ chat: chats.id, unread: sql`count(case when ${messages.id} > coalesce(${chatMembers.lastReadId}, 0) then 1 end)` }).from(chatMembers).innerJoin(chats, eq(chats.id, chatMembers.chatId)).leftJoin(messages, eq(messages.chatId, chats.id)).where(eq(chatMembers.userId, 1)).groupBy(chats.id),
    () => db.select().from(messages).where(and(eq(messages.chatId, 1), lt(messages.id, 100))).orderBy(desc(messages.id)).limit(50),
    () => db.select({ chatId: messages.chatId, last: max(messages.sentAt) }).from(messages).groupBy(messages.chatId).orderBy(desc(max(messages.sentAt))),
    () => db.select({ id: follows.followerId }).from(follows).where(eq(follows.followeeId, 1)).union(db.select({ id: likes.userId }).from(likes).where(eq(likes.postId, 1))),
    () => db.select({ mutual: count() }).from(follows).innerJoin(core.alias(follows, 'back'), sql`back.follower_id = ${follows.followeeId} and back.followee_id = ${follows.followerId}`).where(eq(follows.followerId, 1)),
    () => db.select({ reason: reports.reason, open: sql`sum(case when ${reports.resolvedAt} is null then 1 else 0 end)` }).from(reports).groupBy(reports.reason),
    () => db.select().from(users).orderBy(sql`${sql.raw(postgres ? 'random()' : 'rand()')}`).limit(5),
    // Relational queries.
    () => db.query.users.findFirst({ where: eq(users.handle, 'ada') }),
    () => db.query.users.findFirst({ where: eq(users.id, 1), with: { posts: { orderBy: desc(posts.createdAt), limit: 5 } } }),
    () => db.query.posts.findMany({ where: live, with: { author: { columns: { handle: true, name: true } } }, orderBy: desc(posts.createdAt), limit: 20 }),
    () => db.query.posts.findFirst({ where: eq(posts.id, 1), with: { author: true, replies: { with: { author: true } }, likes: { columns: { userId: true } }, tags: { with: { tag: true } } } }),
    () => db.query.posts.findMany({ columns: { id: true, body: true }, extras: { length: sql`char_length(${posts.body})`.as('length') }, limit: 3, offset: 3 }),
    () => db.query.chats.findMany({ with: { members: { with: { user: true } }, messages: { limit: 1, orderBy: desc(messages.id) } } }),
    () => db.query.likes.findMany({ where: eq(likes.userId, 2), with: { post: { with: { author: true } } } }),
    () => db.query.reports.findMany({ where: isNull(reports.resolvedAt), with: { post: true }, orderBy: asc(reports.createdAt) }),
    () => db.query.messages.findMany({ where: and(eq(messages.chatId, 1), gt(messages.sentAt, ago(1))), with: { sender: { columns: { id: true, handle: true } } } }),
    ...(postgres ? [
      () => db.selectDistinctOn([posts.authorId]).from(posts).orderBy(posts.authorId, desc(posts.createdAt)),
      () => db.select().from(posts).where(sql`to_tsvector('english', ${posts.body}) @@ websearch_to_tsquery('english', ${'hello'})`).orderBy(sql`ts_rank(to_tsvector('english', ${posts.body}), websearch_to_tsquery('english', ${'hello'})) desc`),
      () => db.select().from(users).where(sql`${users.handle} % ${'adda'}`).orderBy(sql`similarity(${users.handle}, ${'adda'}) desc`).limit(5),
      () => db.select({ day: sql`date_trunc('day', ${posts.createdAt})`.as('day'), n: sql`count(*)::int` }).from(posts).groupBy(sql`day`),
      () => db.select({ m: sql`to_char(${users.joinedAt}, 'YYYY-MM')`, n: sql`count(*)::int`.mapWith(Number) }).from(users).groupBy(sql`1`),
      () => db.select().from(users).where(sql`${users.settings}->>'locale' = ${'en'}`),
      () => db.select().from(users).where(sql`${users.settings} @> ${JSON.stringify({ beta: true })}::jsonb`),
      () => db.select({ id: posts.id, tags: sql`coalesce(json_agg(${tags.name}) filter (where ${tags.name} is not null), '[]')` }).from(posts).leftJoin(postTags, eq(postTags.postId, posts.id)).leftJoin(tags, eq(tags.id, postTags.tagId)).groupBy(posts.id),
      () => db.select({ age: sql`extract(epoch from now() - ${posts.createdAt})`, hot: sql`${posts.likeCount} / power(extract(epoch from now() - ${posts.createdAt}) / 3600 + 2, 1.8)`.as('hot') }).from(posts).orderBy(sql`hot desc`).limit(20),
      () => db.select({ handles: sql`array_agg(${users.handle} order by ${users.handle})` }).from(users).groupBy(users.country),
      () => db.select({ age: sql`date_part('year', age(${users.bornOn}))` }).from(users).where(isNotNull(users.bornOn)),
      () => db.execute(sql`select u.id, l.body from users u left join lateral (select body from posts p where p.author_id = u.id order by p.created_at desc limit 1) l on true`),
      () => db.execute(sql`with recursive thread as (select id, reply_to_id, 1 as depth from posts where id = ${1} union all select p.id, p.reply_to_id, t.depth + 1 from posts p join thread t on p.reply_to_id = t.id) select * from thread`),
      () => db.select({ cohort: sql`date_trunc('month', ${users.joinedAt})::date`.as('cohort'), kept: sql`count(*) filter (where ${users.lastSeenAt} > now() - interval '7 days')` }).from(users).groupBy(sql`cohort`),
    ] : [
      () => db.select().from(posts).where(sql`match(${posts.body}) against (${'hello'} in boolean mode)`),
      () => db.select({ m: sql`date_format(${users.joinedAt}, '%Y-%m')`, n: count() }).from(users).groupBy(sql`1`),
      () => db.select().from(users).where(sql`json_extract(${users.settings}, '$.locale') = ${'en'}`),
      () => db.select({ id: posts.id, tags: sql`json_arrayagg(${tags.name})` }).from(posts).leftJoin(postTags, eq(postTags.postId, posts.id)).leftJoin(tags, eq(tags.id, postTags.tagId)).groupBy(posts.id),
      () => db.select({ hot: sql`${posts.likeCount} / pow(timestampdiff(hour, ${posts.createdAt}, now()) + 2, 1.8)`.as('hot') }).from(posts).orderBy(sql`hot desc`).limit(20),
      () => db.select({ age: sql`timestampdiff(year, ${users.bornOn}, curdate())` }).from(users).where(isNotNull(users.bornOn)),
      () => db.select({ handles: sql`group_concat(${users.handle} order by ${users.handle})` }).from(users).groupBy(users.country),
      () => db.execute(sql`with recursive thread as (select id, reply_to_id, 1 as depth from posts where id = ${1} union all select p.id, p.reply_to_id, t.depth + 1 from posts p join thread t on p.reply_to_id = t.id) select * from thread`),
    ]),
  ];
  await run(reads);
}
main().catch((error) => { console.error(error); process.exit(1); });
