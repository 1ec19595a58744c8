//! Every kind of object through which PostgreSQL runs code or writes, with a writer hidden in it.

/// One hidden writer.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What makes it, as the role `app`.
    pub(super) setup: &'static str,
    /// What makes it write to `seen`.
    pub(super) write: &'static str,
    /// How much that outdates.
    pub(super) reach: Reach,
}

/// What a write outdates besides what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The table that the hidden writer writes, and no other.
    Table,
    /// Whatever there is.
    Everything,
    /// As long as it is there nothing is cached at all.
    NothingIsKept,
}

use Reach::{Everything, NothingIsKept, Table};

const fn case(name: &'static str, reach: Reach, setup: &'static str, write: &'static str) -> Case {
    Case { name, setup, write, reach }
}

/// What all of them use: `bump` says that it writes, `sly` does not.
pub(super) const COMMON: &str = "\
CREATE TABLE seen (n int NOT NULL);
INSERT INTO seen VALUES (0);
CREATE TABLE bystander (n int);
INSERT INTO bystander VALUES (7);
CREATE FUNCTION bump() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  -- don't lose it
  UPDATE public.seen SET n = n + 1;
  RETURN 1; -- that's all
END $$;
CREATE FUNCTION sly(a int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN a * public.bump(); END $$;
CREATE FUNCTION bumped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM bump(); RETURN NEW; END $$;";

pub(super) const CASES: &[Case] = &[
    case("a row trigger whose body has apostrophes in comments (FAULTS row 3)", Table,
        "CREATE TABLE t1 (a int);
         CREATE FUNCTION f1() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           -- don't lose it
           update seen set n = n + 1;
           return new; -- that's all
         END $$;
         CREATE TRIGGER g BEFORE INSERT ON t1 FOR EACH ROW EXECUTE FUNCTION f1();",
        "INSERT INTO t1 VALUES (1)"),
    case("a trigger whose strings have escapes", Table,
        r"CREATE TABLE t2 (a int);
         CREATE FUNCTION f2() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           RAISE DEBUG USING MESSAGE = E'it\'s'; UPDATE seen SET n = n + 1; RAISE DEBUG 'it''s'; RETURN NEW;
         END $$;
         CREATE TRIGGER g AFTER INSERT ON t2 FOR EACH ROW EXECUTE FUNCTION f2();",
        "INSERT INTO t2 VALUES (1)"),
    case("a trigger with transition tables", Table,
        "CREATE TABLE t3 (a int);
         CREATE FUNCTION f3() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           UPDATE seen SET n = n + (SELECT count(*) FROM fresh); RETURN NULL; END $$;
         CREATE TRIGGER g AFTER INSERT ON t3 REFERENCING NEW TABLE AS fresh
           FOR EACH STATEMENT EXECUTE FUNCTION f3();",
        "INSERT INTO t3 VALUES (1), (2)"),
    case("a trigger before the statement", Table,
        "CREATE TABLE t4 (a int);
         CREATE TRIGGER g BEFORE DELETE ON t4 FOR EACH STATEMENT EXECUTE FUNCTION bumped();",
        "DELETE FROM t4"),
    case("a trigger on TRUNCATE", Table,
        "CREATE TABLE t5 (a int);
         CREATE TRIGGER g AFTER TRUNCATE ON t5 FOR EACH STATEMENT EXECUTE FUNCTION bumped();",
        "TRUNCATE t5"),
    case("a trigger instead of writing a view", Table,
        "CREATE TABLE t6 (a int); CREATE VIEW v6 AS SELECT a FROM t6;
         CREATE TRIGGER g INSTEAD OF INSERT ON v6 FOR EACH ROW EXECUTE FUNCTION bumped();",
        "INSERT INTO v6 VALUES (1)"),
    case("a trigger that waits for COMMIT", Table,
        "CREATE TABLE t7 (a int);
         CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t7 DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION bumped();",
        "BEGIN; INSERT INTO t7 VALUES (1); COMMIT"),
    case("a trigger's WHEN", Table,
        "CREATE TABLE t8 (a int); INSERT INTO t8 VALUES (1);
         CREATE FUNCTION f8() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER g BEFORE UPDATE ON t8 FOR EACH ROW WHEN (sly(NEW.a) = 1) EXECUTE FUNCTION f8();",
        "UPDATE t8 SET a = 1"),
    case("a trigger of a partition", Table,
        "CREATE TABLE t9 (a int) PARTITION BY LIST (a); CREATE TABLE t9p PARTITION OF t9 DEFAULT;
         CREATE TRIGGER g BEFORE INSERT ON t9p FOR EACH ROW EXECUTE FUNCTION bumped();",
        "INSERT INTO t9 VALUES (1)"),
    case("a trigger of the parent, writing the partition", Table,
        "CREATE TABLE t10 (a int) PARTITION BY LIST (a); CREATE TABLE t10p PARTITION OF t10 DEFAULT;
         CREATE TRIGGER g AFTER INSERT ON t10 FOR EACH ROW EXECUTE FUNCTION bumped();",
        "INSERT INTO t10p VALUES (1)"),
    case("a rule", Everything,
        "CREATE TABLE t11 (a int); CREATE RULE r AS ON INSERT TO t11 DO ALSO UPDATE seen SET n = n + 1;",
        "INSERT INTO t11 VALUES (1)"),
    case("a rule instead of writing a view", Everything,
        "CREATE VIEW v12 AS SELECT 1 AS a;
         CREATE RULE r AS ON UPDATE TO v12 DO INSTEAD UPDATE seen SET n = n + 1;",
        "UPDATE v12 SET a = 2"),
    case("a column's default", Table, "CREATE TABLE t13 (a int, b int DEFAULT bump());",
        "INSERT INTO t13 (a) VALUES (1)"),
    case("a domain's default", Table,
        "CREATE DOMAIN d14 AS int DEFAULT bump(); CREATE TABLE t14 (a int, b d14);",
        "INSERT INTO t14 (a) VALUES (1)"),
    case("a domain's check", Table,
        "CREATE DOMAIN d15 AS int CHECK (sly(VALUE) > 0); CREATE TABLE t15 (a d15);",
        "INSERT INTO t15 VALUES (1)"),
    case("a domain's check, of an array in a composite type", Table,
        "CREATE DOMAIN d16 AS int CHECK (sly(VALUE) > 0); CREATE TYPE c16 AS (a d16[]);",
        "SELECT '({1})'::c16"),
    case("a table's check", Table, "CREATE TABLE t17 (a int CHECK (sly(a) > 0));",
        "INSERT INTO t17 VALUES (1)"),
    case("a generated column", Table,
        "CREATE TABLE t18 (a int, b int GENERATED ALWAYS AS (sly(a)) STORED);",
        "INSERT INTO t18 VALUES (1)"),
    case("an index on an expression", Table, "CREATE TABLE t19 (a int); CREATE INDEX ON t19 (sly(a));",
        "INSERT INTO t19 VALUES (1)"),
    case("an index's predicate", Table,
        "CREATE TABLE t20 (a int); CREATE INDEX ON t20 (a) WHERE sly(a) > 0;",
        "INSERT INTO t20 VALUES (1)"),
    case("ANALYZE of an index on an expression", Table,
        "CREATE TABLE t21 (a int, b int); CREATE INDEX ON t21 (sly(a)); INSERT INTO t21 VALUES (1), (2);",
        "ANALYZE t21"),
    case("a partition key", Table,
        "CREATE TABLE t22 (a int) PARTITION BY LIST (sly(a)); CREATE TABLE t22p PARTITION OF t22 DEFAULT;",
        "INSERT INTO t22 VALUES (1)"),
    case("a policy", Table,
        "CREATE TABLE t23 (a int); ALTER TABLE t23 ENABLE ROW LEVEL SECURITY;
         ALTER TABLE t23 FORCE ROW LEVEL SECURITY; CREATE POLICY p ON t23 WITH CHECK (sly(a) > 0);",
        "INSERT INTO t23 VALUES (1)"),
    case("a foreign key that cascades to a trigger", Table,
        "CREATE TABLE t24 (a int PRIMARY KEY); INSERT INTO t24 VALUES (1);
         CREATE TABLE t24c (a int REFERENCES t24 ON DELETE CASCADE); INSERT INTO t24c VALUES (1);
         CREATE TRIGGER g AFTER DELETE ON t24c FOR EACH ROW EXECUTE FUNCTION bumped();",
        "DELETE FROM t24"),
    case("a foreign key that sets a default", Table,
        "CREATE TABLE t25 (a int PRIMARY KEY); INSERT INTO t25 VALUES (1), (2);
         CREATE TABLE t25c (a int DEFAULT bump() REFERENCES t25 ON DELETE SET DEFAULT);
         INSERT INTO t25c VALUES (2);",
        "DELETE FROM t25 WHERE a = 2"),
    case("ON CONFLICT that fires a trigger", Table,
        "CREATE TABLE t26 (a int PRIMARY KEY); INSERT INTO t26 VALUES (1);
         CREATE TRIGGER g AFTER UPDATE ON t26 FOR EACH ROW EXECUTE FUNCTION bumped();",
        "INSERT INTO t26 VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 1"),
    case("MERGE that fires a trigger", Table,
        "CREATE TABLE t27 (a int);
         CREATE TRIGGER g AFTER INSERT ON t27 FOR EACH ROW EXECUTE FUNCTION bumped();",
        "MERGE INTO t27 USING (VALUES (1)) v(a) ON false WHEN NOT MATCHED THEN INSERT VALUES (v.a)"),
    case("a volatile function", Table, "", "SELECT bump()"),
    case("an immutable function that calls a volatile one (FAULTS row 4)", Table, "", "SELECT sly(1)"),
    case("a stable function that calls a volatile one", Table,
        "CREATE FUNCTION f30() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN bump(); END $$;",
        "SELECT f30()"),
    case("planning an immutable function", Table, "", "EXPLAIN SELECT sly(1)"),
    case("a function in SQL", Table,
        "CREATE FUNCTION f32() RETURNS int LANGUAGE sql AS 'UPDATE seen SET n = n + 1 RETURNING n';",
        "SELECT f32()"),
    case("a function with a body in SQL's own syntax", Table,
        "CREATE FUNCTION f33() RETURNS int LANGUAGE sql SET search_path TO public
           BEGIN ATOMIC UPDATE seen SET n = n + 1 RETURNING n; END;",
        "SELECT f33()"),
    case("a function with a returned expression", Table,
        "CREATE FUNCTION f34(a int) RETURNS int LANGUAGE sql IMMUTABLE RETURN a + sly(a);",
        "SELECT f34(1)"),
    case("a function whose argument has a default", Table,
        "CREATE FUNCTION f35(a int DEFAULT bump()) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';",
        "SELECT f35()"),
    case("a function that is named like a built-in one", Table,
        "CREATE FUNCTION log(text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT bump()';
         CREATE TABLE t36 (a int);
         CREATE FUNCTION f36() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN NEW.a := log('x'::text); RETURN NEW; END $$;
         CREATE TRIGGER g BEFORE INSERT ON t36 FOR EACH ROW EXECUTE FUNCTION f36();",
        "INSERT INTO t36 VALUES (1)"),
    case("a function of a row", Table,
        "CREATE TABLE t37 (a int); INSERT INTO t37 VALUES (1);
         CREATE FUNCTION hidden(t37) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT bump()';",
        "SELECT t37.hidden FROM t37"),
    case("a function that runs a text", Everything,
        "CREATE FUNCTION f38() RETURNS int LANGUAGE plpgsql AS $$
           BEGIN EXECUTE 'UPDATE seen SET n = n + 1'; RETURN 1; END $$;",
        "SELECT f38()"),
    case("a built-in function that runs a text", Everything, "",
        "SELECT query_to_xml('SELECT bump()', true, true, '') IS NULL"),
    case("an operator", Table,
        "CREATE FUNCTION f40(int, int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
           BEGIN RETURN sly($1) = $2; END $$;
         CREATE OPERATOR ~~~> (LEFTARG = int, RIGHTARG = int, FUNCTION = f40);",
        "SELECT 1 ~~~> 2"),
    case("an operator in a trigger", Table,
        "CREATE FUNCTION f41(int, int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
           BEGIN RETURN sly($1) = $2; END $$;
         CREATE OPERATOR ~~~< (LEFTARG = int, RIGHTARG = int, FUNCTION = f41);
         CREATE TABLE t41 (a int, b boolean);
         CREATE FUNCTION g41() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN NEW.b := NEW.a ~~~< 1; RETURN NEW; END $$;
         CREATE TRIGGER g BEFORE INSERT ON t41 FOR EACH ROW EXECUTE FUNCTION g41();",
        "INSERT INTO t41 VALUES (1)"),
    case("an aggregate", Table,
        "CREATE FUNCTION f42(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
           BEGIN RETURN sly($1); END $$;
         CREATE AGGREGATE agg42(int) (SFUNC = f42, STYPE = int, INITCOND = '0');",
        "SELECT agg42(a) FROM (VALUES (1)) v(a)"),
    case("a view that calls a function", Table, "CREATE VIEW v43 AS SELECT bump() AS b;",
        "SELECT * FROM v43"),
    case("a view of a view", Table,
        "CREATE VIEW v44 AS SELECT bump() AS b; CREATE VIEW v44b AS SELECT b FROM v44;",
        "SELECT * FROM v44b"),
    case("a function that reads a view", Table,
        "CREATE VIEW v45 AS SELECT bump() AS b;
         CREATE FUNCTION f45() RETURNS int LANGUAGE sql AS 'SELECT b FROM v45';",
        "SELECT f45()"),
    case("a view of a table with a trigger, written", Table,
        "CREATE TABLE t46 (a int); CREATE VIEW v46 AS SELECT a FROM t46;
         CREATE TRIGGER g AFTER INSERT ON t46 FOR EACH ROW EXECUTE FUNCTION bumped();",
        "INSERT INTO v46 VALUES (1)"),
    case("a function that writes a table with a trigger", Table,
        "CREATE TABLE t47 (a int);
         CREATE TRIGGER g AFTER INSERT ON t47 FOR EACH ROW EXECUTE FUNCTION bumped();
         CREATE FUNCTION f47() RETURNS int LANGUAGE sql AS 'INSERT INTO t47 VALUES (1) RETURNING a';",
        "SELECT f47()"),
    case("refreshing a materialised view", Table,
        "CREATE FUNCTION f48() RETURNS int LANGUAGE sql STABLE AS 'SELECT public.bump()';
         CREATE MATERIALIZED VIEW m48 AS SELECT f48() AS b WITH NO DATA;",
        "REFRESH MATERIALIZED VIEW m48"),
    case("a procedure", Table,
        "CREATE PROCEDURE p49() LANGUAGE plpgsql AS $$ BEGIN PERFORM bump(); END $$;", "CALL p49()"),
    case("a procedure that commits and calls another", Table,
        "CREATE PROCEDURE p57(n int, INOUT m int) LANGUAGE plpgsql AS $$ BEGIN
           UPDATE seen SET n = seen.n + p57.n; COMMIT; CALL p49(); m := n; END $$;",
        "CALL p57(1, NULL)"),
    case("a procedure that runs a text", Everything,
        "CREATE PROCEDURE p58() LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT bump()'; END $$;", "CALL p58()"),
    case("an argument of a procedure", Table,
        "CREATE PROCEDURE p59(n int) LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;", "CALL p59(sly(1))"),
    case("a block of code", Table, "", "DO $$ BEGIN PERFORM bump(); END $$"),
    case("a block of code that loops, writes and commits", Table, "CREATE TABLE t60c (a int);",
        "DO LANGUAGE plpgsql $x$ DECLARE it int; BEGIN
           FOR it IN 1..2 LOOP INSERT INTO t60c (a) VALUES (it); COMMIT; END LOOP;
           IF (it IS NULL) THEN UPDATE seen SET n = (n + 1); END IF; END $x$"),
    case("a block of code that calls a procedure", Table, "", "DO 'DECLARE m int; BEGIN CALL p57(1, m); END'"),
    case("a block of code that fires a trigger", Table,
        "CREATE TABLE t61b (a int);
         CREATE TRIGGER g AFTER INSERT ON t61b FOR EACH ROW EXECUTE FUNCTION bumped();",
        "DO $$ BEGIN INSERT INTO t61b VALUES (1); END $$"),
    case("a block of code that runs a text", Everything, "", "DO $$ BEGIN EXECUTE 'SELECT bump()'; END $$"),
    case("a cursor", Table, "", "BEGIN; DECLARE c CURSOR FOR SELECT bump(); FETCH ALL FROM c; COMMIT"),
    case("a prepared statement", Everything, "", "PREPARE p52 AS SELECT bump(); EXECUTE p52; DEALLOCATE p52"),
    case("COPY of a query", Table, "", "COPY (SELECT bump()) TO STDOUT"),
    case("a writing CTE in a function", Table,
        "CREATE FUNCTION f54() RETURNS int LANGUAGE sql AS
           'WITH w AS (UPDATE seen SET n = n + 1 RETURNING n) SELECT n FROM w';",
        "SELECT f54()"),
    case("a function of a range's elements", Table,
        "CREATE FUNCTION f55(int, int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$
           BEGIN RETURN $1 - $2 + bump(); END $$;
         CREATE TYPE r55 AS RANGE (SUBTYPE = int, SUBTYPE_DIFF = f55);
         CREATE TABLE t55 (a r55); CREATE INDEX ON t55 USING gist (a);",
        "INSERT INTO t55 SELECT r55(n, n + 2) FROM generate_series(1, 2000) n"),
    case("statistics on an expression", Table,
        "CREATE TABLE t56 (a int, b int); CREATE STATISTICS s56 ON (sly(a)), b FROM t56;
         INSERT INTO t56 VALUES (1, 1), (2, 2);",
        "ANALYZE t56"),
];

/// The same for what only a superuser can make.
pub(super) const OF_A_SUPERUSER: &[Case] = &[
    case("an operator class of an index", Table,
        "CREATE FUNCTION f60(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
           BEGIN PERFORM bump(); RETURN btint4cmp($1, $2); END $$;
         CREATE OPERATOR CLASS o60 FOR TYPE int USING btree AS
           OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 f60(int, int);
         CREATE TABLE t60 (a int); CREATE INDEX ON t60 (a o60); INSERT INTO t60 VALUES (1), (2), (3);
         ALTER TABLE t60 OWNER TO app;",
        "INSERT INTO t60 VALUES (2)"),
    case("an exclusion constraint", Table,
        "CREATE FUNCTION f61(int, int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
           BEGIN PERFORM bump(); RETURN int4eq($1, $2); END $$;
         CREATE OPERATOR ~=~ (LEFTARG = int, RIGHTARG = int, FUNCTION = f61, COMMUTATOR = ~=~);
         CREATE OPERATOR CLASS o61 FOR TYPE int USING btree AS
           OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 ~=~, OPERATOR 4 >=, OPERATOR 5 >,
           FUNCTION 1 btint4cmp(int, int);
         CREATE TABLE t61 (a int, EXCLUDE USING btree (a o61 WITH ~=~)); INSERT INTO t61 VALUES (1);
         ALTER TABLE t61 OWNER TO app;",
        "INSERT INTO t61 VALUES (1) ON CONFLICT DO NOTHING"),
];

/// The same for what changes what every statement may do, in the order in which it is made.
pub(super) const OF_ALL_STATEMENTS: &[Case] = &[
    case("an event trigger", Table,
        "CREATE FUNCTION f70() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM bump(); END $$;
         CREATE EVENT TRIGGER e70 ON ddl_command_end EXECUTE FUNCTION f70();",
        "COMMENT ON TABLE bystander IS 'x'"),
    case("a foreign table that leads back", Everything,
        "DROP EVENT TRIGGER e70;
         DO $$ BEGIN EXECUTE format('CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw
           OPTIONS (host ''127.0.0.1'', port %L, dbname ''app'')', current_setting('port')); END $$;
         CREATE USER MAPPING FOR app SERVER here OPTIONS (user 'app', password 'origin-password');
         CREATE VIEW v71 AS SELECT bump() AS a; ALTER VIEW v71 OWNER TO app;
         CREATE FOREIGN TABLE f71 (a int) SERVER here OPTIONS (table_name 'v71');
         ALTER FOREIGN TABLE f71 OWNER TO app;",
        "SELECT a FROM f71"),
    case("a cast", NothingIsKept,
        "CREATE TYPE c72 AS (a int);
         CREATE FUNCTION f72(c72) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN sly($1.a); END $$;
         CREATE CAST (c72 AS int) WITH FUNCTION f72(c72) AS ASSIGNMENT;
         CREATE TABLE t72 (a int); ALTER TABLE t72 OWNER TO app;",
        "INSERT INTO t72 SELECT ROW(1)::c72"),
];
