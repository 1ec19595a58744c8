// An issue tracker as Sequelize reads it: projects, issues, sprints, time entries, watchers, boards, burn-down.
'use strict';

const { postgres, place, run, ago, mark } = require('./node_tools');
const { Sequelize, DataTypes, Op, QueryTypes, fn, col, literal, where, cast, json } = require('sequelize');

const db = new Sequelize(place.database, place.user, place.password, { host: place.host, port: place.port, dialect: postgres ? 'postgres' : 'mysql', logging: false, pool: { max: 1 } });
const { STRING, TEXT, INTEGER, BOOLEAN, DATE, DATEONLY, DECIMAL, ENUM, JSON: JSON_TYPE, JSONB, ARRAY, TIME, UUID, UUIDV4 } = DataTypes;
const Doc = postgres ? JSONB : JSON_TYPE;
const Person = db.define('Person', { login: { type: STRING, unique: true }, email: STRING, active: { type: BOOLEAN, defaultValue: true }, lastLogin: DATE });
const Project = db.define('Project', { key: { type: STRING(10), unique: true }, name: STRING, archived: { type: BOOLEAN, defaultValue: false }, config: Doc }, { paranoid: true });
const Sprint = db.define('Sprint', { name: STRING, startsOn: DATEONLY, endsOn: DATEONLY });
const Issue = db.define('Issue', {
  uid: { type: UUID, defaultValue: UUIDV4 }, number: INTEGER, title: STRING, body: TEXT, status: { type: ENUM('open', 'progress', 'review', 'closed'), defaultValue: 'open' }, priority: { type: INTEGER, defaultValue: 3 },
  points: DECIMAL(5, 1), dueOn: DATEONLY, closedAt: DATE, fields: Doc, ...(postgres ? { labels: { type: ARRAY(STRING), defaultValue: [] } } : {}),
}, { indexes: [{ fields: ['status'] }], scopes: { open: { where: { status: { [Op.ne]: 'closed' } } }, mine: (id) => ({ where: { assigneeId: id } }) } });
const Comment = db.define('Comment', { text: TEXT });
const Entry = db.define('Entry', { minutes: INTEGER, onDay: DATEONLY, startedAt: TIME, note: STRING });
const Label = db.define('Label', { name: STRING, colour: STRING(7) });
const Watch = db.define('Watch', { muted: { type: BOOLEAN, defaultValue: false } });
Project.hasMany(Sprint); Sprint.belongsTo(Project);
Project.hasMany(Issue); Issue.belongsTo(Project);
Sprint.hasMany(Issue); Issue.belongsTo(Sprint);
Issue.belongsTo(Person, { as: 'assignee' }); Issue.belongsTo(Person, { as: 'reporter' });
Person.hasMany(Issue, { as: 'assigned', foreignKey: 'assigneeId' });
Issue.belongsTo(Issue, { as: 'epic' }); Issue.hasMany(Issue, { as: 'children', foreignKey: 'epicId' });
Issue.hasMany(Comment, { as: 'comments' }); Comment.belongsTo(Issue); Comment.belongsTo(Person, { as: 'author' });
Issue.hasMany(Entry, { as: 'entries' }); Entry.belongsTo(Issue); Entry.belongsTo(Person);
Issue.belongsToMany(Label, { through: 'IssueLabel', as: 'tags' }); Label.belongsToMany(Issue, { through: 'IssueLabel' });
Person.belongsToMany(Issue, { through: Watch, as: 'watched' }); Issue.belongsToMany(Person, { through: Watch, as: 'watchers' });

async function fill() {
  await db.sync();
  const ada = await Person.create({ login: 'ada', email: 'ada@example.test', lastLogin: new Date() });
  const project = await Project.create({ key: 'JG', name: 'Gate', config: { board: { columns: ['a', 'b'] }, public: true } });
  const sprint = await Sprint.create({ name: 'S1', startsOn: '2026-11-01', endsOn: '2026-11-14', ProjectId: project.id });
  const issue = await Issue.create({ number: 1, title: 'Crash at start', body: 'It crashes', ProjectId: project.id, SprintId: sprint.id, assigneeId: ada.id, reporterId: ada.id, points: 3, dueOn: '2026-12-01', fields: { os: 'linux', versions: [1, 2] }, ...(postgres ? { labels: ['bug'] } : {}) });
  await Issue.create({ number: 2, title: 'Child', ProjectId: project.id, epicId: issue.id, status: 'closed', closedAt: new Date() });
  await Comment.create({ text: 'Seen too', IssueId: issue.id, authorId: ada.id });
  await Entry.create({ minutes: 30, onDay: '2026-11-02', startedAt: '09:00', IssueId: issue.id, PersonId: ada.id });
  await issue.addTag(await Label.create({ name: 'bug', colour: '#ff0000' }));
  await issue.addWatcher(ada);
}

const like = postgres ? Op.iLike : Op.like;
const select = (text, replacements) => db.query(text, { type: QueryTypes.SELECT, ...replacements });
const reads = [
  () => Person.findByPk(1),
  () => Person.findOne({ where: { login: 'ada', active: true } }),
  () => Person.findOne({ where: where(fn('lower', col('email')), 'ada@example.test') }),
  () => Person.findAll({ attributes: ['id', 'login'], where: { lastLogin: { [Op.gte]: ago(30) } }, order: [['login', 'ASC']] }),
  () => Person.findAll({ attributes: { include: [[fn('COUNT', col('assigned.id')), 'load']] }, include: [{ model: Issue, as: 'assigned', attributes: [], where: { status: 'open' }, required: false }], group: ['Person.id'] }),
  () => Project.findAll({ where: { archived: false }, order: [['name', 'ASC']] }),
  () => Project.findOne({ where: { key: 'JG' }, include: [Sprint] }),
  () => Project.count({ where: { archived: false } }),
  () => Project.findAll({ paranoid: false, attributes: ['key', 'deletedAt'] }),
  () => Project.findAll({ where: { 'config.public': true } }),
  () => Project.findAll({ where: { config: { board: { columns: { [Op.ne]: null } } } } }),
  () => Issue.findAndCountAll({ where: { ProjectId: 1 }, limit: 25, offset: 0, order: [['priority', 'DESC'], ['id', 'ASC']] }),
  () => Issue.findAndCountAll({ where: { ProjectId: 1 }, include: [{ model: Label, as: 'tags' }], distinct: true, limit: 25 }),
  () => Issue.scope('open').findAll({ where: { ProjectId: 1 } }),
  () => Issue.scope('open', { method: ['mine', 1] }).count(),
  () => Issue.findOne({ where: { ProjectId: 1, number: 1 }, include: [{ model: Person, as: 'assignee' }, { model: Person, as: 'reporter' }, { model: Label, as: 'tags', through: { attributes: [] } }, { model: Comment, as: 'comments', include: [{ model: Person, as: 'author' }] }] }),
  () => Issue.findAll({ include: [{ model: Comment, as: 'comments', separate: true, order: [['createdAt', 'DESC']], limit: 3 }] }),
  () => Issue.findAll({ where: { title: { [like]: '%crash%' } } }),
  () => Issue.findAll({ where: { [Op.or]: [{ title: { [like]: '%crash%' } }, { body: { [like]: '%crash%' } }], status: { [Op.in]: ['open', 'progress'] } }, limit: 10 }),
  () => Issue.findAll({ where: { dueOn: { [Op.lt]: new Date() }, status: { [Op.not]: 'closed' } } }),
  () => Issue.findAll({ where: { dueOn: { [Op.between]: ['2026-11-01', '2026-12-31'] } }, attributes: ['id', 'dueOn'] }),
  () => Issue.findAll({ where: { dueOn: { [Op.lt]: literal('CURRENT_DATE') } }, attributes: ['id'] }),
  () => Issue.findAll({ where: { updatedAt: { [Op.gt]: fn('NOW') } } }),
  () => Issue.findAll({ where: { '$tags.name$': 'bug' }, include: [{ model: Label, as: 'tags' }] }),
  () => Issue.findAll({ attributes: ['status', [fn('COUNT', col('id')), 'n'], [fn('SUM', col('points')), 'points']], group: ['status'], raw: true }),
  () => Issue.findAll({ attributes: ['assigneeId', [fn('AVG', col('points')), 'mean']], group: ['assigneeId'], having: where(fn('COUNT', col('id')), { [Op.gt]: 0 }), raw: true }),
  () => Issue.findAll({ attributes: [[fn('DATE', col('createdAt')), 'day'], [fn('COUNT', '*'), 'n']], group: [fn('DATE', col('createdAt'))], raw: true }),
  () => Issue.findAll({ attributes: [[fn('COALESCE', col('points'), 0), 'points'], [fn('UPPER', col('title')), 'title']], raw: true }),
  () => Issue.findAll({ attributes: [[literal("CASE WHEN priority >= 4 THEN 'high' ELSE 'normal' END"), 'class'], 'id'], raw: true }),
  () => Issue.findAll({ attributes: [[literal(postgres ? '(SELECT COUNT(*) FROM "Comments" c WHERE c."IssueId" = "Issue".id)' : '(SELECT COUNT(*) FROM Comments c WHERE c.IssueId = Issue.id)'), 'talk'], 'title'] }),
  () => Issue.max('number', { where: { ProjectId: 1 } }),
  () => Issue.sum('points', { where: { SprintId: 1, status: 'closed' } }),
  () => Issue.min('dueOn'),
  () => Issue.count({ distinct: true, col: 'assigneeId' }),
  () => Issue.count({ group: ['priority'] }),
  () => Issue.findAll({ where: { epicId: null, SprintId: { [Op.is]: null } }, order: literal('priority DESC, id') }),
  () => Issue.findAll({ include: [{ model: Issue, as: 'children' }, { model: Sprint, required: true, where: { endsOn: { [Op.gte]: '2026-11-01' } } }] }),
  () => Issue.findAll({ order: db.random(), limit: 1 }),
  () => Issue.findAll({ where: { 'fields.os': 'linux' } }),
  () => Issue.findAll({ where: { uid: '6f1c1d6e-4a43-4d0a-8c56-4d2e5a0d8e11' } }),
  () => Issue.findAll({ where: { points: { [Op.gte]: 1, [Op.lte]: 8 } }, attributes: [[cast(col('points'), postgres ? 'integer' : 'signed'), 'points']] }),
  () => Issue.findAll({ where: { id: { [Op.in]: literal(postgres ? '(SELECT "IssueId" FROM "Watches" WHERE "PersonId" = 1)' : '(SELECT IssueId FROM Watches WHERE PersonId = 1)') } } }),
  () => Issue.findByPk(1).then((issue) => Promise.all([issue.getComments({ order: [['createdAt', 'ASC']] })])),
  () => Issue.findByPk(1).then((issue) => issue.countWatchers()),
  () => Issue.findByPk(1).then((issue) => issue.getTags()),
  () => Person.findByPk(1).then((person) => person.getWatched({ where: { status: 'open' } })),
  () => Person.findByPk(1).then((person) => person.hasWatched(1)),
  () => Entry.findAll({ where: { PersonId: 1, onDay: { [Op.gte]: '2026-11-01' } }, include: [{ model: Issue, include: [Project] }], order: [['onDay', 'DESC'], ['startedAt', 'ASC']] }),
  () => Entry.findAll({ where: { startedAt: { [Op.lt]: '12:00:00' } }, attributes: ['startedAt', 'minutes'] }),
  () => Entry.findAll({ attributes: ['onDay', 'PersonId', [fn('SUM', col('minutes')), 'minutes']], group: ['onDay', 'PersonId'], order: [[col('onDay'), 'DESC']], raw: true }),
  () => Sprint.findOne({ where: { startsOn: { [Op.lte]: '2026-11-05' }, endsOn: { [Op.gte]: '2026-11-05' } } }),
  () => Sprint.findAll({ attributes: ['id', [fn('COUNT', col('Issues.id')), 'issues'], [fn('SUM', literal("CASE WHEN status = 'closed' THEN points ELSE 0 END")), 'done']], include: [{ model: Issue, attributes: [] }], group: ['Sprint.id'], raw: true }),
  () => Comment.findAll({ where: { createdAt: { [Op.gt]: ago(1) } }, include: [{ model: Issue, attributes: ['number', 'title'], include: [{ model: Project, attributes: ['key'] }] }], order: [['createdAt', 'DESC']], limit: 20 }),
  () => Label.findAll({ include: [{ model: Issue, attributes: ['id'], through: { attributes: [] } }] }),
  ...(postgres ? [
    () => Issue.findAll({ where: { labels: { [Op.contains]: ['bug'] } } }),
    () => Issue.findAll({ where: { labels: { [Op.overlap]: ['bug', 'ui'] } } }),
    () => Issue.findAll({ where: { title: { [Op.iRegexp]: '^crash' } } }),
    () => Issue.findAll({ where: { fields: { [Op.contains]: { os: 'linux' } } } }),
    () => Issue.findAll({ where: { title: { [Op.match]: fn('to_tsquery', 'crash') } } }),
    () => Issue.findAll({ attributes: [[fn('date_trunc', 'week', col('closedAt')), 'week'], [fn('COUNT', '*'), 'n']], group: ['week'], raw: true }),
    () => Issue.findAll({ attributes: [[fn('to_char', col('createdAt'), 'YYYY-MM'), 'month'], [fn('COUNT', '*'), 'n']], group: [literal('1')], raw: true }),
    () => Issue.findAll({ attributes: [[fn('AVG', literal('EXTRACT(EPOCH FROM "closedAt" - "createdAt")')), 'seconds']], raw: true }),
    () => Issue.findAll({ attributes: [[fn('concat', col('id'), '-', col('number')), 'ref']], raw: true }),
    () => Issue.findAll({ attributes: [[fn('array_length', col('labels'), 1), 'n']], raw: true }),
    () => select('SELECT p.key, json_agg(json_build_object(\'n\', i.number, \'t\', i.title) ORDER BY i.number) AS issues FROM "Projects" p JOIN "Issues" i ON i."ProjectId" = p.id WHERE p.id = :id GROUP BY p.key', { replacements: { id: 1 } }),
    () => select('SELECT d::date AS day, count(i.id) FILTER (WHERE i."closedAt" IS NULL OR i."closedAt"::date > d) AS open FROM generate_series($1::date, $2::date, \'1 day\') d LEFT JOIN "Issues" i ON i."createdAt"::date <= d GROUP BY d ORDER BY d', { bind: ['2026-11-01', '2026-11-14'] }),
    () => select('SELECT "assigneeId", rank() OVER (ORDER BY sum(points) DESC NULLS LAST) FROM "Issues" WHERE "closedAt" > NOW() - INTERVAL \'14 days\' GROUP BY "assigneeId"', {}),
  ] : [
    () => Issue.findAll({ attributes: [[fn('DATE_FORMAT', col('createdAt'), '%Y-%m'), 'month'], [fn('COUNT', '*'), 'n']], group: [literal('1')], raw: true }),
    () => Issue.findAll({ attributes: [[fn('AVG', literal('TIMESTAMPDIFF(SECOND, createdAt, closedAt)')), 'seconds']], raw: true }),
    () => Issue.findAll({ where: { title: { [Op.regexp]: '^Crash' } } }),
    () => Issue.findAll({ where: literal("JSON_CONTAINS(fields, '2', '$.versions')") }),
    () => Issue.findAll({ where: { createdAt: { [Op.gt]: literal('NOW() - INTERVAL 14 DAY') } } }),
    () => Issue.findAll({ attributes: [[fn('CONCAT', col('id'), '-', col('number')), 'ref'], [fn('IFNULL', col('body'), ''), 'body']], raw: true }),
    () => select('SELECT p.key, JSON_ARRAYAGG(JSON_OBJECT(\'n\', i.number)) AS issues FROM Projects p JOIN Issues i ON i.ProjectId = p.id WHERE p.id = :id GROUP BY p.key', { replacements: { id: 1 } }),
    () => select('SELECT assigneeId, RANK() OVER (ORDER BY SUM(points) DESC) AS place FROM Issues WHERE closedAt > ? GROUP BY assigneeId', { replacements: [ago(14)] }),
    () => select('SELECT onDay, SEC_TO_TIME(SUM(minutes) * 60) AS total FROM Entries GROUP BY onDay', {}),
    () => select('SELECT ADDTIME(startedAt, SEC_TO_TIME(minutes * 60)) AS ended FROM Entries', {}),
  ]),
];
(async () => { await fill(); await db.query(mark); await run(reads); })().catch((error) => { console.error(error); process.exit(1); });
