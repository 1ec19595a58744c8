//! The texts that read the origin's catalog, PostgreSQL 11 and later.
//!
//! Every column is cast to text, so that any client can read the rows, also by the simple protocol;
//! a bool comes as `true` or `false`. Names are written out, for the search_path may be anything.

use super::CatalogQuery;

mod uses;

use uses::USES;

impl CatalogQuery {
    /// Every query that a catalog is built from.
    pub const ALL: [Self; 9] = [
        Self::Functions,
        Self::Operators,
        Self::Relations,
        Self::Links,
        Self::Types,
        Self::Columns,
        Self::Casts,
        Self::Bodies,
        Self::Uses,
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
            Self::Casts => CASTS,
            Self::Bodies => BODIES,
            Self::Uses => USES,
        }
    }

    /// How many columns its rows have.
    pub const fn width(self) -> usize {
        match self {
            Self::Functions => 13,
            Self::Relations => 8,
            Self::Operators => 7,
            Self::Types => 5,
            Self::Bodies | Self::Uses => 4,
            Self::Links | Self::Columns | Self::Casts => 2,
        }
    }
}

/// Schema, name, volatility, fewest and most arguments, variadic, callable on a row, oid, types of arguments, of the result, names
/// of the columns of its rows, defaults of arguments, extension.
///
/// The defaults are a SELECT of them. The extension is told of a stable function in C only.
///
/// A function that takes a domain with a check counts as volatile: the check may call anything. CREATE
/// AGGREGATE calls every aggregate immutable (`AggregateCreate` in pg_aggregate.c), so the functions
/// behind one count; `i`, `s` and `v` are in the order of badness.
const FUNCTIONS: &str = "\
SELECT n.nspname::text, p.proname::text,
       CASE WHEN EXISTS (
           SELECT FROM pg_catalog.unnest(p.proargtypes::pg_catalog.oid[]) AS a(t)
             JOIN pg_catalog.pg_constraint c ON c.contypid = a.t)
         AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema'
         THEN 'v' ELSE GREATEST(p.provolatile::text, (
           SELECT pg_catalog.max(f.provolatile::text)
             FROM pg_catalog.pg_aggregate a
             JOIN pg_catalog.pg_proc f ON f.oid IN (
                  a.aggtransfn, a.aggfinalfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
            WHERE a.aggfnoid = p.oid)) END,
       (p.pronargs - p.pronargdefaults)::text, p.pronargs::text, (p.provariadic <> 0)::text,
       (p.prokind::text <> 'p' AND p.pronargs - p.pronargdefaults <= 1 AND p.pronargs >= 1 AND EXISTS (
           SELECT FROM pg_catalog.pg_type t
            WHERE t.oid = p.proargtypes[0] AND (t.typtype::text IN ('c', 'd') OR t.typname IN (
                  'any', 'anyelement', 'anynonarray', 'anycompatible', 'anycompatiblenonarray', 'record'))))::text,
       p.oid::text, p.proargtypes::text, p.prorettype::pg_catalog.oid::text,
       (SELECT pg_catalog.string_agg(p.proargnames[a.n], '\n' ORDER BY a.n)
          FROM pg_catalog.unnest(p.proargmodes) WITH ORDINALITY AS a(mode, n)
         WHERE a.mode::text IN ('o', 'b', 't')),
       CASE WHEN p.oid >= 16384 AND p.pronargdefaults > 0
            THEN 'SELECT ' || pg_catalog.pg_get_expr(p.proargdefaults, 0) END,
       CASE WHEN p.oid >= 16384 AND p.provolatile::text = 's' THEN (
           SELECT e.extname::text
             FROM pg_catalog.pg_depend d
             JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
             JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname = 'c'
            WHERE d.objid = p.oid AND d.deptype::text = 'e'
              AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
              AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass) END
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace";

/// Schema, name, volatility of the function behind it, oid, types to the left and right, of the result. Of volatilities `k` is what
/// somebody has reviewed: the stable functions of pg_trgm depend on the settings of that extension and no more.
const OPERATORS: &str = "\
SELECT n.nspname::text, o.oprname::text,
       CASE WHEN p.provolatile::text = 's' AND p.oid >= 16384 AND EXISTS (
           SELECT FROM pg_catalog.pg_depend d
             JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_trgm'
            WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
              AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass)
            THEN 'k' ELSE p.provolatile::text END, o.oid::text,
       o.oprleft::pg_catalog.oid::text, o.oprright::pg_catalog.oid::text,
       o.oprresult::pg_catalog.oid::text
  FROM pg_catalog.pg_operator o
  JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode";

/// Schema, name, kind, why its rows are not cached, definition, oid, what row security asks of each row, whether it has a timetz.
///
/// What row security asks is a SELECT of the conditions of all policies, whichever of them are the reader's.
const RELATIONS: &str = "\
SELECT n.nspname::text, c.relname::text, c.relkind::text,
       CASE WHEN EXISTS (
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
       CASE WHEN c.relkind::text = 'v'
             AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            THEN pg_catalog.pg_get_viewdef(c.oid) END::text,
       c.oid::text,
       CASE WHEN c.relrowsecurity THEN 'SELECT ' || COALESCE((
           SELECT pg_catalog.string_agg(pg_catalog.pg_get_expr(p.polqual, p.polrelid), ', ')
             FROM pg_catalog.pg_policy p
            WHERE p.polrelid = c.oid AND p.polcmd::text IN ('r', '*')), 'false') END::text,
       (EXISTS (
           SELECT FROM pg_catalog.pg_attribute a
             JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND 1266 IN (t.oid, t.typelem, t.typbasetype)))::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
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

/// Schema, name, kind, oid, what is asked of each value; and with the kind `C` the casts that call a function which is not
/// immutable and not built in.
///
/// What is asked is a SELECT of the checks of a domain, and none where a text may be read as another value each time. A
/// type of an extension is one whose reading and telling are immutable; and a domain one over such, or over a built-in type
/// that is no date and no name of an object.
const TYPES: &str = "\
SELECT n.nspname::text, t.typname::text, t.typtype::text, t.oid::text,
       CASE WHEN t.typtype::text = 'b' AND i.provolatile::text = 'i' AND o.provolatile::text = 'i'
            THEN 'SELECT true'
            WHEN t.typtype::text = 'd' AND b.typtype::text = 'b' AND CASE WHEN b.oid < 16384
                 THEN b.typcategory::text IN ('B', 'N', 'S', 'T', 'U', 'V', 'I') AND b.typname NOT LIKE 'reg%'
                 ELSE bi.provolatile::text = 'i' AND bo.provolatile::text = 'i' END
            THEN 'SELECT ' || COALESCE((
                SELECT pg_catalog.string_agg(pg_catalog.pg_get_expr(k.conbin, 0), ', ')
                  FROM pg_catalog.pg_constraint k
                 WHERE k.contypid = t.oid AND k.contype::text = 'c'), 'true') END
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_proc i ON i.oid = t.typinput
  LEFT JOIN pg_catalog.pg_proc o ON o.oid = t.typoutput
  LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
  LEFT JOIN pg_catalog.pg_proc bi ON bi.oid = b.typinput
  LEFT JOIN pg_catalog.pg_proc bo ON bo.oid = b.typoutput
 WHERE NOT (t.typtype::text = 'c' AND n.nspname IN ('pg_catalog', 'information_schema'))
   AND NOT (t.typcategory::text = 'A' AND t.typname LIKE '\\_%')
   AND n.nspname NOT LIKE 'pg\\_temp%' AND n.nspname NOT LIKE 'pg\\_toast%'
UNION ALL
SELECT '', pg_catalog.format_type(c.castsource, NULL) || ' to '
           || pg_catalog.format_type(c.casttarget, NULL), 'C', c.oid::text, NULL
  FROM pg_catalog.pg_cast c
  JOIN pg_catalog.pg_proc p ON p.oid = c.castfunc
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.provolatile::text <> 'i' AND n.nspname <> 'pg_catalog'";

/// Names of columns and attributes, with each type that one of this name has.
const COLUMNS: &str = "\
SELECT DISTINCT a.attname::text, a.atttypid::text
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE a.attnum > 0 AND NOT a.attisdropped
   AND c.relkind::text IN ('r', 'p', 'm', 'v', 'f', 'c')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')";

/// Two types, of which the first becomes the second without being asked to.
const CASTS: &str = "\
SELECT c.castsource::text, c.casttarget::text
  FROM pg_catalog.pg_cast c WHERE c.castcontext::text = 'i'";

/// oid, language, text of every function that is not built in; and of one in SQL that is not volatile what it is given and gives.
///
/// The last is a SELECT of nothing: its columns have the names of the parameters, and its types are the domains among those
/// of the parameters and results. It is missing where a setting of the function's own decides how its text is read.
///
/// The language is `quiet` for what does nothing by itself: aggregates, whose functions are among what they
/// use, constructors of ranges, and functions in C of extensions that are not volatile, or of those that only make random values;
/// some of two extensions run texts. It is `opaque` for what cannot be read, is too long, or is one too
/// many, and `definition` for a function in SQL's own syntax, which has that for a text.
const BODIES: &str = "\
SELECT f.oid::text,
       CASE WHEN f.kind = 'a' OR f.language = 'internal' AND f.text LIKE '%range\\_constructor_'
            THEN 'quiet'
            WHEN f.language IN ('sql', 'plpgsql') AND f.total <= 16777216 AND f.length <= 65536
            THEN CASE WHEN f.text = '' THEN 'definition' ELSE f.language END
            WHEN f.language IN ('c', 'internal') AND (
                 f.volatility = 'i' AND f.extension IS NOT NULL
              OR f.volatility = 's' AND f.extension NOT IN ('tablefunc', 'xml2')
              OR f.extension IN ('pgcrypto', 'uuid-ossp')) THEN 'quiet'
            ELSE 'opaque' END,
       CASE WHEN f.kind = 'a' OR f.language NOT IN ('sql', 'plpgsql')
              OR f.total > 16777216 OR f.length > 65536 THEN NULL
            WHEN f.text = '' THEN pg_catalog.pg_get_functiondef(f.oid)
            ELSE f.text END,
       CASE WHEN f.kind = 'f' AND f.language = 'sql' AND f.volatility <> 'v'
             AND COALESCE(f.settings, '') NOT LIKE '%standard_conforming_strings%'
            THEN 'SELECT true' || COALESCE((
                SELECT pg_catalog.string_agg(', NULL AS ' || pg_catalog.quote_ident(a.name), '')
                  FROM pg_catalog.unnest(f.names) AS a(name) WHERE a.name <> ''), '') || COALESCE((
                SELECT pg_catalog.string_agg(DISTINCT ', NULL::' || pg_catalog.format_type(d.oid, NULL), '')
                  FROM pg_catalog.unnest(f.types) AS a(type)
                  JOIN pg_catalog.pg_type t ON t.oid = a.type
                  LEFT JOIN pg_catalog.pg_attribute c ON c.attrelid = t.typrelid AND c.attnum > 0
                  JOIN pg_catalog.pg_type d ON d.oid IN (t.oid, t.typelem, c.atttypid)
                 WHERE d.typtype::text = 'd'), '') END
  FROM (SELECT p.oid, p.prokind::text AS kind, p.provolatile::text AS volatility,
               p.proconfig::text AS settings, p.proargnames AS names,
               COALESCE(p.proallargtypes, p.proargtypes::pg_catalog.oid[]) || p.prorettype AS types,
               p.prosrc AS text, l.lanname::text AS language, e.extname::text AS extension,
               pg_catalog.octet_length(p.prosrc) AS length,
               pg_catalog.sum(pg_catalog.octet_length(p.prosrc)) OVER (ORDER BY p.oid) AS total
          FROM pg_catalog.pg_proc p
          JOIN pg_catalog.pg_language l ON l.oid = p.prolang
          LEFT JOIN pg_catalog.pg_depend d ON d.objid = p.oid AND d.deptype::text = 'e'
           AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
           AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
          LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
         WHERE p.oid >= 16384) f";
