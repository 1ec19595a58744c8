// A school's courses as TypeORM reads them: catalogue, enrolments, lessons, submissions, timetable, marks.
'use strict';

require('reflect-metadata');
const { postgres, place, run, ago, mark } = require('./node_tools');
const { DataSource, EntitySchema, In, Not, IsNull, Like, ILike, Between, MoreThan, MoreThanOrEqual, LessThan, Raw, Brackets, ArrayContains, ArrayOverlap } = require('typeorm');

const stamp = postgres ? 'timestamptz' : 'datetime';
const id = { type: Number, primary: true, generated: true };
const entity = (name, columns, links = {}) => new EntitySchema({ name, columns: { id, ...columns }, relations: links });
const one = (target, inverseSide) => ({ type: 'many-to-one', target, inverseSide });
const many = (target, inverseSide) => ({ type: 'one-to-many', target, inverseSide });
const entities = [
  entity('Teacher', { name: { type: String }, email: { type: String, unique: true }, office: { type: String, nullable: true } }, { courses: many('Course', 'teacher') }),
  entity('Course', { code: { type: String, unique: true }, title: { type: String }, summary: { type: 'text', nullable: true }, level: { type: 'enum', enum: ['basic', 'middle', 'high'], default: 'basic' }, credits: { type: 'decimal', precision: 4, scale: 1, default: 5 }, startsOn: { type: 'date', nullable: true }, published: { type: Boolean, default: false }, meta: { type: postgres ? 'jsonb' : 'json', nullable: true }, ...(postgres ? { topics: { type: 'text', array: true, default: '{}' } } : {}), createdAt: { type: stamp, createDate: true }, deletedAt: { type: stamp, deleteDate: true, nullable: true } },
    { teacher: one('Teacher', 'courses'), lessons: many('Lesson', 'course'), enrolments: many('Enrolment', 'course'), tags: { type: 'many-to-many', target: 'Tag', joinTable: true } }),
  entity('Tag', { name: { type: String } }),
  entity('Lesson', { title: { type: String }, position: { type: 'int' }, minutes: { type: 'int', default: 45 }, weekday: { type: 'int', nullable: true }, begins: { type: 'time', nullable: true } }, { course: one('Course', 'lessons'), submissions: many('Submission', 'lesson') }),
  entity('Student', { uid: { type: postgres ? 'uuid' : String, generated: 'uuid' }, name: { type: String }, email: { type: String }, born: { type: 'date', nullable: true }, lastSeen: { type: stamp, nullable: true } }, { enrolments: many('Enrolment', 'student') }),
  entity('Enrolment', { role: { type: String, default: 'learner' }, enrolledAt: { type: stamp, createDate: true }, finishedAt: { type: stamp, nullable: true } }, { student: one('Student', 'enrolments'), course: one('Course', 'enrolments') }),
  entity('Submission', { text: { type: 'text' }, mark: { type: 'decimal', precision: 3, scale: 1, nullable: true }, sentAt: { type: stamp, createDate: true } }, { lesson: one('Lesson', 'submissions'), student: one('Student') }),
];
const source = new DataSource({ type: postgres ? 'postgres' : 'mysql', host: place.host, port: place.port, username: place.user, password: place.password, database: place.database, entities, synchronize: true, logging: false, extra: postgres ? { max: 1 } : { connectionLimit: 1 } });

async function main() {
  await source.initialize();
  const of = (name) => source.getRepository(name);
  const [courses, lessons, students, enrolments, submissions, teachers] = ['Course', 'Lesson', 'Student', 'Enrolment', 'Submission', 'Teacher'].map(of);
  const tag = await of('Tag').save({ name: 'maths' });
  const teacher = await teachers.save({ name: 'Emmy', email: 'emmy@example.test' });
  const course = await courses.save({ code: 'M1', title: 'Algebra', published: true, startsOn: '2026-10-01', teacher, tags: [tag], meta: { rooms: ['a'], online: true }, ...(postgres ? { topics: ['rings', 'fields'] } : {}) });
  const lesson = await lessons.save({ title: 'Rings', position: 1, course, weekday: 1, begins: '10:15' });
  const student = await students.save({ name: 'Sofie', email: 's@example.test', born: '2004-02-01', lastSeen: new Date() });
  await enrolments.save({ student, course });
  await submissions.save({ text: 'done', mark: 1.3, lesson, student });
  await source.query(mark);
  const like = postgres ? ILike : Like;
  const q = (repository, alias) => repository.createQueryBuilder(alias);
  await run([
    () => courses.findOneBy({ code: 'M1' }),
    () => courses.find({ where: { published: true }, order: { title: 'ASC' }, take: 20, skip: 0 }),
    () => courses.findAndCount({ where: { published: true }, relations: { teacher: true }, take: 10 }),
    () => courses.findOne({ where: { id: 1 }, relations: { teacher: true, lessons: true, tags: true } }),
    () => courses.find({ where: [{ title: like('%alg%') }, { summary: like('%alg%') }] }),
    () => courses.find({ where: { level: In(['basic', 'middle']), startsOn: Between('2026-09-01', '2026-12-31') } }),
    () => courses.find({ where: { teacher: { name: 'Emmy' }, deletedAt: IsNull() } }),
    () => courses.find({ withDeleted: true, select: { id: true, code: true } }),
    () => courses.find({ where: { startsOn: MoreThan(new Date().toISOString().slice(0, 10)) } }),
    () => courses.find({ where: { startsOn: Raw((alias) => `${alias} > CURRENT_DATE`) } }),
    () => courses.find({ where: { createdAt: Raw((alias) => `${alias} > NOW()`) } }),
    () => courses.count({ where: { published: true } }),
    () => courses.countBy({ level: Not('high') }),
    () => courses.exists({ where: { code: 'M1' } }),
    () => courses.sum('credits', { published: true }),
    () => courses.maximum('credits', {}),
    () => courses.find({ relationLoadStrategy: 'query', relations: { lessons: true, enrolments: { student: true } } }),
    () => courses.find({ relations: { lessons: { submissions: { student: true } } }, order: { lessons: { position: 'ASC' } } }),
    () => q(courses, 'c').leftJoinAndSelect('c.teacher', 't').where('c.published = :p', { p: true }).orderBy('c.startsOn', 'DESC').getMany(),
    () => q(courses, 'c').leftJoin('c.enrolments', 'e').select('c.id', 'id').addSelect('COUNT(e.id)', 'n').groupBy('c.id').orderBy('n', 'DESC').limit(5).getRawMany(),
    () => q(courses, 'c').innerJoin('c.tags', 'tag', 'tag.name = :name', { name: 'maths' }).getMany(),
    () => q(courses, 'c').leftJoinAndSelect('c.lessons', 'l').take(10).skip(10).orderBy('c.id').getManyAndCount(),
    () => q(courses, 'c').addSelect((b) => b.select('COUNT(*)', 'n').from('Lesson', 'l').where('l.courseId = c.id'), 'lessonCount').getRawMany(),
    () => q(courses, 'c').where(new Brackets((b) => b.where('c.level = :a', { a: 'basic' }).orWhere('c.credits > :n', { n: 5 }))).andWhere('c.published').getCount(),
    () => q(courses, 'c').where((b) => `c.id IN ${b.subQuery().select('e.courseId').from('Enrolment', 'e').where('e.studentId = :s').getQuery()}`).setParameter('s', 1).getMany(),
    () => q(courses, 'c').where((b) => `NOT EXISTS ${b.subQuery().select('1').from('Lesson', 'l').where('l.courseId = c.id').getQuery()}`).getMany(),
    () => q(courses, 'c').select('c.level', 'level').addSelect('AVG(c.credits)', 'mean').groupBy('c.level').having('COUNT(*) > 0').getRawMany(),
    () => q(courses, 'c').select("CASE WHEN c.startsOn IS NULL THEN 'open' ELSE 'dated' END", 'kind').addSelect('COUNT(*)', 'n').groupBy('kind').getRawMany(),
    () => q(courses, 'c').select("COALESCE(c.summary, c.title)", 'text').addSelect("CONCAT(c.code, ' ', c.title)", 'label').getRawMany(),
    () => lessons.find({ where: { course: { id: 1 } }, order: { position: 'ASC' } }),
    () => lessons.find({ where: { weekday: 1, begins: MoreThanOrEqual('08:00') }, relations: { course: true }, order: { begins: 'ASC' } }),
    () => q(lessons, 'l').select('l.weekday', 'weekday').addSelect('SUM(l.minutes)', 'minutes').addSelect('MIN(l.begins)', 'first').groupBy('l.weekday').getRawMany(),
    () => q(lessons, 'l').innerJoinAndSelect('l.course', 'c').innerJoin('c.enrolments', 'e').where('e.studentId = :s', { s: 1 }).orderBy('l.weekday').addOrderBy('l.begins').getMany(),
    () => students.findOneBy({ uid: '6f1c1d6e-4a43-4d0a-8c56-4d2e5a0d8e11' }),
    () => students.find({ where: { lastSeen: LessThan(ago(30)) } }),
    () => students.find({ where: { name: Like('So%') }, select: { id: true, name: true } }),
    () => q(students, 's').where('EXTRACT(YEAR FROM s.born) < :y', { y: 2005 }).getMany(),
    () => q(students, 's').leftJoinAndSelect('s.enrolments', 'e').leftJoinAndSelect('e.course', 'c').where('s.id = :id', { id: 1 }).getOne(),
    () => q(students, 's').where('LOWER(s.email) = LOWER(:e)', { e: 'S@example.test' }).getOne(),
    () => enrolments.find({ where: { student: { id: 1 }, finishedAt: IsNull() }, relations: { course: { teacher: true } } }),
    () => enrolments.count({ where: { course: { id: 1 } } }),
    () => q(enrolments, 'e').select('DATE(e.enrolledAt)', 'day').addSelect('COUNT(*)', 'n').groupBy('DATE(e.enrolledAt)').orderBy('day', 'ASC').getRawMany(),
    () => q(enrolments, 'e').where('e.enrolledAt >= :from AND e.enrolledAt < :to', { from: ago(30), to: new Date() }).getCount(),
    () => q(submissions, 'x').innerJoin('x.lesson', 'l').select('l.courseId', 'course').addSelect('AVG(x.mark)', 'mean').addSelect('COUNT(DISTINCT x.studentId)', 'students').groupBy('l.courseId').getRawMany(),
    () => q(submissions, 'x').select('x.studentId', 'student').addSelect('x.mark', 'mark').addSelect('RANK() OVER (PARTITION BY x.lessonId ORDER BY x.mark)', 'place').getRawMany(),
    () => submissions.find({ where: { mark: IsNull() }, relations: { student: true, lesson: true }, order: { sentAt: 'ASC' }, take: 50 }),
    () => q(submissions, 'x').select('ROUND(AVG(x.mark), 2)', 'mean').getRawOne(),
    () => teachers.find({ relations: { courses: true } }),
    () => q(teachers, 't').leftJoin('t.courses', 'c').select(['t.id', 't.name', 'c.code']).getMany(),
    () => source.query('SELECT t.name, COUNT(c.id) AS n FROM teacher t LEFT JOIN course c ON c."teacherId" = t.id GROUP BY t.name'.replaceAll('"', postgres ? '"' : '`')),
    ...(postgres ? [
      () => courses.find({ where: { topics: ArrayContains(['rings']) } }),
      () => courses.find({ where: { topics: ArrayOverlap(['rings', 'groups']) } }),
      () => courses.find({ where: { meta: Raw((alias) => `${alias} @> :m::jsonb`, { m: '{"online": true}' }) } }),
      () => q(courses, 'c').distinctOn(['c.teacherId']).orderBy('c.teacherId').addOrderBy('c.createdAt', 'DESC').getMany(),
      () => q(courses, 'c').where("to_tsvector('simple', c.title) @@ to_tsquery('simple', :w)", { w: 'alg:*' }).getMany(),
      () => q(courses, 'c').select("c.meta->>'rooms'", 'rooms').getRawMany(),
      () => q(enrolments, 'e').select("DATE_TRUNC('month', e.enrolledAt)", 'month').addSelect('COUNT(*)', 'n').groupBy('month').getRawMany(),
      () => q(enrolments, 'e').where("e.enrolledAt > NOW() - INTERVAL '7 days'").getCount(),
      () => q(enrolments, 'e').select("TO_CHAR(e.enrolledAt, 'Day')", 'day').addSelect('COUNT(*)', 'n').groupBy('day').getRawMany(),
      () => q(students, 's').select('AGE(s.born)', 'age').getRawMany(),
      () => q(students, 's').select("STRING_AGG(s.name, ', ' ORDER BY s.name)", 'names').getRawOne(),
      () => q(enrolments, 'e').select('EXTRACT(EPOCH FROM (e.finishedAt - e.enrolledAt)) / 86400', 'days').where('e.finishedAt IS NOT NULL').getRawMany(),
      () => q(lessons, 'l').select("l.begins + l.minutes * INTERVAL '1 minute'", 'ends').getRawMany(),
      () => source.query("SELECT c.code, COALESCE(jsonb_agg(jsonb_build_object('t', l.title)) FILTER (WHERE l.id IS NOT NULL), '[]') AS lessons FROM course c LEFT JOIN lesson l ON l.\"courseId\" = c.id GROUP BY c.code"),
    ] : [
      () => q(courses, 'c').where("JSON_EXTRACT(c.meta, '$.online') = TRUE").getMany(),
      () => q(enrolments, 'e').select("DATE_FORMAT(e.enrolledAt, '%Y-%m')", 'month').addSelect('COUNT(*)', 'n').groupBy('month').getRawMany(),
      () => q(enrolments, 'e').where('e.enrolledAt > DATE_SUB(NOW(), INTERVAL 7 DAY)').getCount(),
      () => q(students, 's').select('TIMESTAMPDIFF(YEAR, s.born, CURDATE())', 'age').getRawMany(),
      () => q(students, 's').select("GROUP_CONCAT(s.name ORDER BY s.name SEPARATOR ', ')", 'names').getRawOne(),
      () => q(lessons, 'l').select('ADDTIME(l.begins, SEC_TO_TIME(l.minutes * 60))', 'ends').getRawMany(),
      () => q(lessons, 'l').select("TIME_FORMAT(l.begins, '%H:%i')", 'begins').addSelect("HOUR(l.begins)", 'hour').getRawMany(),
      () => q(enrolments, 'e').select('DATEDIFF(e.finishedAt, e.enrolledAt)', 'days').getRawMany(),
      () => q(enrolments, 'e').select('DAYNAME(e.enrolledAt)', 'day').addSelect('COUNT(*)', 'n').groupBy('day').getRawMany(),
    ]),
  ]);
}
main().catch((error) => { console.error(error); process.exit(1); });
