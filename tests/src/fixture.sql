SET ROLE app;

CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price numeric(10,2), made timestamptz, tags text[], extra jsonb);

INSERT INTO item SELECT n, 'item ' || n, n * 1.5, '2026-01-01 00:00:00+00'::timestamptz + n * interval '1 hour', ARRAY['a' || n, 'b'], jsonb_build_object('n', n) FROM generate_series(1, 100) AS n;

CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL CHECK (balance >= 0));

INSERT INTO account VALUES (1, 100), (2, 100);

CREATE TABLE parent (id int PRIMARY KEY);

CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');

CREATE TYPE pair AS (a int, b text);

CREATE DOMAIN positive AS int CHECK (VALUE > 0);

CREATE VIEW cheap AS SELECT id, name, price FROM item WHERE price < 10;

CREATE VIEW clock AS SELECT id, now() AS seen FROM item WHERE id = 1;

CREATE TABLE wide (id int, filler text);

INSERT INTO wide SELECT n, repeat(chr(65 + n % 26), 1000) FROM generate_series(1, 3000) AS n;

CREATE TABLE secret_row (id int, owner text, note text);

INSERT INTO secret_row VALUES (1, 'app', 'for app'), (2, 'reader', 'for reader');

CREATE TABLE guarded (id int, owner text, note text);

INSERT INTO guarded VALUES (1, 'app', 'for app'), (2, 'reader', 'for reader');

ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;

ALTER TABLE guarded FORCE ROW LEVEL SECURITY;

CREATE POLICY own_rows ON guarded USING (owner = current_user);

GRANT SELECT ON guarded, item TO reader;

CREATE FUNCTION add_one(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';

CREATE FUNCTION stable_one() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';

CREATE FUNCTION volatile_one() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN 1; END $$;

CREATE FUNCTION complain(text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'a notice: %', $1; RAISE WARNING 'a warning' USING HINT = 'a hint', DETAIL = 'a detail'; RETURN 1; END $$;

CREATE FUNCTION fail(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'failed: %', $1 USING ERRCODE = 'P0777', HINT = 'try less', DETAIL = 'none'; END $$;

CREATE FUNCTION pairs() RETURNS SETOF pair LANGUAGE sql IMMUTABLE AS $$ VALUES (1, 'one'), (2, 'two') $$;

CREATE PROCEDURE touch(INOUT n int) LANGUAGE plpgsql AS $$ BEGIN n := n + 1; END $$;

CREATE SCHEMA one;

CREATE SCHEMA two;

CREATE TABLE one.thing (name text);

CREATE TABLE two.thing (name text);

INSERT INTO one.thing VALUES ('from one');

INSERT INTO two.thing VALUES ('from two');

CREATE FUNCTION slow_insert(int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); INSERT INTO item VALUES ($1, 'slow'); END $$;

CREATE FUNCTION gate(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(99); RETURN $1; END $$;

CREATE SEQUENCE ticket;

