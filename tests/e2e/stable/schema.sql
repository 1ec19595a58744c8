CREATE TYPE mark AS ENUM ('a', 'b', 'c');
CREATE TABLE sample (id serial PRIMARY KEY, at timestamptz, plain timestamp, day date, clock time, span interval, word text, label name, small int2, number int,
  big int8, single float4, double float8, exact numeric, amount money, raw bytea, doc json, docb jsonb, yes bool DEFAULT true);
INSERT INTO sample (at, plain, day, clock, span, word, label, small, number, big, single, double, exact, amount, raw, doc, docb)
SELECT t, t AT TIME ZONE 'UTC', t::date, '02:30', '1 mon 2 days 03:04:05.6', 'It''s cats and dogs', 'label', 1, n, 1234567, 1.1, 0.1 + 0.2, 1234.5, '12.34', '\x61c3bc'::bytea, j::json, j
FROM (VALUES (1,'2026-03-29 00:30+00'::timestamptz),(2,'2026-03-29 01:30+00'),(3,'2026-10-25 00:30+00'),(4,'2026-07-01 12:00:00.123456+00'),(5,'1999-12-31 23:30+00')) v(n,t),
LATERAL (SELECT jsonb_build_object('at', to_char(t AT TIME ZONE 'UTC','YYYY-MM-DD"T"HH24:MI:SS'), 'double', 0.1::float8, 'span','1 day 02:03:04','text','the cats and dogs') j) x;
CREATE VIEW sample_view AS SELECT id, at FROM sample WHERE at > '2000-01-01 00:00+00';
CREATE FUNCTION twice(n int DEFAULT 2) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
CREATE TABLE parts (id int, at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE part_one PARTITION OF parts FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2027-01-01 00:00+00');
CREATE STATISTICS sample_statistics ON small, number FROM sample;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER sample_trigger BEFORE UPDATE ON sample FOR EACH ROW EXECUTE FUNCTION nothing();
COMMENT ON TABLE sample IS 'samples';
COMMENT ON COLUMN sample.id IS 'a key';
CREATE SCHEMA elsewhere;
CREATE TYPE elsewhere.mark AS ENUM ('b', 'z');
CREATE TABLE elsewhere.sample AS SELECT * FROM public.sample WHERE id < 3;
CREATE FUNCTION elsewhere.twice(n int DEFAULT 3) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 3';
GRANT USAGE ON SCHEMA elsewhere TO reader;
GRANT SELECT ON sample, sample_view, elsewhere.sample TO reader;
