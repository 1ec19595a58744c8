//! The texts that read the origin's catalog, PostgreSQL 11 and later.
//!
//! Every column is cast to text, so that any client can read the rows, also by the simple protocol;
//! a bool comes as `true` or `false`. Names are written out, for the search_path may be anything.

use super::CatalogQuery;

impl CatalogQuery {
    /// Every query that a catalog is built from.
    pub const ALL: [Self; 6] = [
        Self::Functions,
        Self::Operators,
        Self::Relations,
        Self::Links,
        Self::Types,
        Self::Columns,
    ];

    /// The text to run at the origin. Every column is text.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Functions => FUNCTIONS,
            Self::Operators => OPERATORS,
            Self::Relations => RELATIONS,
            Self::Links => LINKS,
            Self::Types => TYPES,
            Self::Columns => COLUMNS,
        }
    }

    /// How many columns its rows have.
    pub const fn width(self) -> usize {
        match self {
            Self::Functions => 7,
            Self::Operators | Self::Types => 3,
            Self::Relations => 6,
            Self::Links => 2,
            Self::Columns => 1,
        }
    }
}

/// Schema, name, volatility, fewest and most arguments, variadic, callable on a row.
///
/// A function that takes a domain with a check counts as volatile: the check may call anything. The
/// volatility `q` is volatile but quiet: functions of extensions that only make random values. CREATE
/// AGGREGATE calls every aggregate immutable (`AggregateCreate` in pg_aggregate.c), so the functions
/// behind one count; `i`, `s` and `v` are in the order of badness.
const FUNCTIONS: &str = "\
SELECT n.nspname::text, p.proname::text,
       CASE WHEN EXISTS (
           SELECT FROM pg_catalog.unnest(p.proargtypes::pg_catalog.oid[]) AS a(t)
             JOIN pg_catalog.pg_constraint c ON c.contypid = a.t)
         AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema'
         THEN 'v'
         WHEN p.provolatile::text = 'v' AND EXISTS (
           SELECT FROM pg_catalog.pg_depend d
             JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
            WHERE d.objid = p.oid AND d.deptype::text = 'e'
              AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
              AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
              AND e.extname IN ('pgcrypto', 'uuid-ossp'))
         THEN 'q' ELSE GREATEST(p.provolatile::text, (
           SELECT pg_catalog.max(f.provolatile::text)
             FROM pg_catalog.pg_aggregate a
             JOIN pg_catalog.pg_proc f ON f.oid IN (
                  a.aggtransfn, a.aggfinalfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
            WHERE a.aggfnoid = p.oid)) END,
       (p.pronargs - p.pronargdefaults)::text, p.pronargs::text, (p.provariadic <> 0)::text,
       (p.pronargs - p.pronargdefaults <= 1 AND p.pronargs >= 1 AND EXISTS (
           SELECT FROM pg_catalog.pg_type t
            WHERE t.oid = p.proargtypes[0] AND t.typtype::text IN ('c', 'p', 'd')))::text
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.prokind::text <> 'p'";

/// Schema, name, volatility of the function behind it.
const OPERATORS: &str = "\
SELECT DISTINCT n.nspname::text, o.oprname::text, p.provolatile::text
  FROM pg_catalog.pg_operator o
  JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode";

/// Schema, name, kind, why its rows are not cached, whether writing it may write more, definition.
///
/// A trigger is quiet when it is built in, or when its PL/pgSQL text holds no statement that writes
/// or runs others, and calls only built-in functions; strings are taken out before looking.
const RELATIONS: &str = "\
SELECT n.nspname::text, c.relname::text, c.relkind::text,
       CASE WHEN c.relrowsecurity THEN 'has row-level security'
            WHEN EXISTS (
                SELECT FROM pg_catalog.pg_attribute a
                  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                  JOIN pg_catalog.pg_proc o ON o.oid = t.typoutput
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND o.provolatile::text = 'v')
            THEN 'has a column whose type has volatile output'
            WHEN EXISTS (
                SELECT FROM pg_catalog.pg_inherits i
                  JOIN pg_catalog.pg_class child ON child.oid = i.inhrelid
                 WHERE i.inhparent = c.oid AND child.relkind::text = 'f')
            THEN 'has a foreign partition' END::text,
       (EXISTS (
            SELECT FROM pg_catalog.pg_rewrite r
             WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN')
        OR EXISTS (
            SELECT FROM pg_catalog.pg_trigger g
              JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
              JOIN pg_catalog.pg_language l ON l.oid = p.prolang
             WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled::text <> 'D'
               AND NOT (p.pronamespace = (SELECT s.oid FROM pg_catalog.pg_namespace s
                                           WHERE s.nspname = 'pg_catalog'))
               AND NOT (l.lanname = 'plpgsql'
                   AND pg_catalog.regexp_replace(p.prosrc, '''[^'']*''', '', 'g') !~*
                       '\\m(insert|update|delete|merge|truncate|execute|perform|call|copy|select|into|create|alter|drop|refresh)\\M'
                   AND NOT EXISTS (
                       SELECT FROM pg_catalog.regexp_matches(
                           pg_catalog.regexp_replace(p.prosrc, '''[^'']*''', '', 'g'),
                           '([[:alnum:]_.\"$]+)\\s*\\(', 'g') AS called(name)
                        WHERE pg_catalog.lower(called.name[1]) NOT IN (
                            SELECT b.proname FROM pg_catalog.pg_proc b
                             WHERE b.pronamespace = p2.oid)))))::text,
       CASE WHEN c.relkind::text = 'v'
             AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            THEN pg_catalog.pg_get_viewdef(c.oid) END::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN (SELECT s.oid FROM pg_catalog.pg_namespace s WHERE s.nspname = 'pg_catalog') p2
 WHERE c.relkind::text IN ('r', 'p', 'm', 'v', 'f', 'S')
   AND n.nspname NOT LIKE 'pg\\_temp%' AND n.nspname NOT LIKE 'pg\\_toast%'";

/// Two names: reading the first, one also sees what is written to the second. Children and parents
/// of inheritance and partitioning, and foreign keys that cascade.
const LINKS: &str = "\
SELECT child.relname::text, parent.relname::text
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class child ON child.oid = i.inhrelid AND child.relkind::text IN ('r', 'p', 'f')
  JOIN pg_catalog.pg_class parent ON parent.oid = i.inhparent
UNION
SELECT parent.relname::text, child.relname::text
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class child ON child.oid = i.inhrelid AND child.relkind::text IN ('r', 'p', 'f')
  JOIN pg_catalog.pg_class parent ON parent.oid = i.inhparent
UNION
SELECT referencing.relname::text, referenced.relname::text
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class referencing ON referencing.oid = k.conrelid
  JOIN pg_catalog.pg_class referenced ON referenced.oid = k.confrelid
 WHERE k.contype::text = 'f'
   AND (k.confdeltype::text IN ('c', 'n', 'd') OR k.confupdtype::text IN ('c', 'n', 'd'))";

/// Schema, name, kind; and with the kind `C` the casts that call a function which is not immutable
/// and not built in.
const TYPES: &str = "\
SELECT n.nspname::text, t.typname::text, t.typtype::text
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typtype::text <> 'c' AND NOT (t.typcategory::text = 'A' AND t.typname LIKE '\\_%')
UNION ALL
SELECT '', pg_catalog.format_type(c.castsource, NULL) || ' to '
           || pg_catalog.format_type(c.casttarget, NULL), 'C'
  FROM pg_catalog.pg_cast c
  JOIN pg_catalog.pg_proc p ON p.oid = c.castfunc
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.provolatile::text <> 'i' AND n.nspname <> 'pg_catalog'";

/// The column names that only ever hold dates and times.
const COLUMNS: &str = "\
SELECT a.attname::text
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE a.attnum > 0 AND NOT a.attisdropped
   AND c.relkind::text IN ('r', 'p', 'm', 'v')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 GROUP BY a.attname
HAVING pg_catalog.bool_and(t.typcategory::text = 'D')";
