//! The text that reads which objects use which others.

/// Two objects, each as a letter and an oid: using the first uses the second.
///
/// The letters are `f` for calling a function, `o` an operator, `t` a type, `k` an operator family, `r` and
/// `w` for reading and writing a relation, `n` for writing it with its name, `c` for any cast, `e` for
/// DDL and upkeep, which run event triggers and the functions of indexes, and `x` for what nobody can see
/// through, and `s` for asking a sequence what the session drew. Most of it is in pg_depend, which names no built-in object. The difference of a range's elements
/// is only asked for by indexes.
pub(super) const USES: &str = "\
WITH owner(class, id, kind, node) AS (
    SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid, 'w', a.adrelid
      FROM pg_catalog.pg_attrdef a
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid,
           CASE WHEN k.conrelid = 0 THEN 't' ELSE 'w' END,
           CASE WHEN k.conrelid = 0 THEN k.contypid ELSE k.conrelid END
      FROM pg_catalog.pg_constraint k
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid, 'w', i.indrelid
      FROM pg_catalog.pg_index i
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid, 'e', 0
      FROM pg_catalog.pg_index i
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, use.kind, c.oid
      FROM pg_catalog.pg_class c CROSS JOIN (VALUES ('r'), ('w')) AS use(kind)
     WHERE c.relkind::text IN ('r', 'p', 'm', 'v', 'f')
    UNION ALL
    SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, use.kind, p.polrelid
      FROM pg_catalog.pg_policy p CROSS JOIN (VALUES ('r'), ('w')) AS use(kind)
    UNION ALL
    SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, g.oid, 'w', g.tgrelid
      FROM pg_catalog.pg_trigger g WHERE g.tgenabled::text <> 'D'
    UNION ALL
    SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid, use.kind, r.ev_class
      FROM pg_catalog.pg_rewrite r CROSS JOIN (VALUES ('r'), ('w')) AS use(kind)
     WHERE r.rulename = '_RETURN'
    UNION ALL
    SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, 'e', 0
      FROM pg_catalog.pg_statistic_ext s
    UNION ALL
    SELECT 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, e.oid, 'e', 0
      FROM pg_catalog.pg_event_trigger e WHERE e.evtenabled::text <> 'D'
    UNION ALL
    SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass, c.oid, 'c', 0 FROM pg_catalog.pg_cast c
    UNION ALL
    SELECT 'pg_catalog.pg_amproc'::pg_catalog.regclass, a.oid, 'k', a.amprocfamily
      FROM pg_catalog.pg_amproc a
    UNION ALL
    SELECT 'pg_catalog.pg_amop'::pg_catalog.regclass, a.oid, 'k', a.amopfamily
      FROM pg_catalog.pg_amop a
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 'f', p.oid FROM pg_catalog.pg_proc p
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, 'o', o.oid
      FROM pg_catalog.pg_operator o
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 't', t.oid FROM pg_catalog.pg_type t
), used(class, id, kind, node) AS (
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 'f', p.oid FROM pg_catalog.pg_proc p
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, 'o', o.oid
      FROM pg_catalog.pg_operator o
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 't', t.oid FROM pg_catalog.pg_type t
    UNION ALL
    SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass, o.oid, 'k', o.opcfamily
      FROM pg_catalog.pg_opclass o
)
SELECT owner.kind, owner.node::text, used.kind, used.node::text
  FROM pg_catalog.pg_depend d
  JOIN owner ON owner.class = d.classid AND owner.id = d.objid
  JOIN used ON used.class = d.refclassid AND used.id = d.refobjid
 WHERE d.objid >= 16384 AND d.refobjid >= 16384
   AND (owner.kind <> used.kind OR owner.node <> used.node)
   AND (owner.kind <> 'c' OR used.kind = 'f')
   AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_range g
        WHERE owner.kind = 't' AND used.kind = 'f'
          AND g.rngtypid = owner.node AND g.rngsubdiff::pg_catalog.oid = used.node)
UNION
SELECT 'w', a.attrelid::text, 'f', g.rngsubdiff::pg_catalog.oid::text
  FROM pg_catalog.pg_range g
  JOIN pg_catalog.pg_attribute a ON a.atttypid = g.rngtypid
 WHERE g.rngsubdiff::pg_catalog.oid >= 16384
UNION
SELECT use.kind, r.ev_class::text,
       CASE WHEN use.kind = 'w' AND c.relkind::text = 'v' THEN 'n' ELSE 'r' END, d.refobjid::text
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
  JOIN pg_catalog.pg_depend d ON d.objid = r.oid
   AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
 CROSS JOIN (VALUES ('r'), ('w')) AS use(kind)
 WHERE r.rulename = '_RETURN' AND r.oid >= 16384 AND d.refobjid <> r.ev_class
UNION
SELECT use.kind, p.polrelid::text, 'r', d.refobjid::text
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_depend d ON d.objid = p.oid
   AND d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
 CROSS JOIN (VALUES ('r'), ('w')) AS use(kind)
UNION
SELECT asked.kind, asked.node::text, 's', '0'
  FROM (SELECT 'w', a.adrelid, a.adbin::text FROM pg_catalog.pg_attrdef a
        UNION ALL
        SELECT CASE WHEN k.conrelid = 0 THEN 't' ELSE 'w' END,
               CASE WHEN k.conrelid = 0 THEN k.contypid ELSE k.conrelid END, k.conbin::text
          FROM pg_catalog.pg_constraint k WHERE k.conbin IS NOT NULL
        UNION ALL
        SELECT 't', t.oid, t.typdefaultbin::text
          FROM pg_catalog.pg_type t WHERE t.typdefaultbin IS NOT NULL
        UNION ALL
        SELECT 'w', g.tgrelid, g.tgqual::text FROM pg_catalog.pg_trigger g WHERE g.tgqual IS NOT NULL
        UNION ALL
        SELECT use.kind, p.polrelid, pg_catalog.concat(p.polqual::text, p.polwithcheck::text)
          FROM pg_catalog.pg_policy p CROSS JOIN (VALUES ('r'), ('w')) AS use(kind)
        UNION ALL
        SELECT use.kind, r.ev_class, r.ev_action::text
          FROM pg_catalog.pg_rewrite r CROSS JOIN (VALUES ('r'), ('w')) AS use(kind)
         WHERE r.oid >= 16384) asked(kind, node, tree)
 WHERE asked.tree LIKE ANY (
       SELECT pg_catalog.concat('%:funcid ', p.oid, ' %')
         FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE p.proname IN ('currval', 'lastval') AND n.nspname = 'pg_catalog')
UNION
SELECT 'w', r.ev_class::text, 'x', '0'
  FROM pg_catalog.pg_rewrite r WHERE r.rulename <> '_RETURN' AND r.oid >= 16384
UNION
SELECT use.kind, c.oid::text, 'x', '0'
  FROM pg_catalog.pg_class c CROSS JOIN (VALUES ('r'), ('w')) AS use(kind)
 WHERE c.relkind::text = 'f'
UNION
SELECT use.kind, i.inhparent::text, use.kind, i.inhrelid::text
  FROM pg_catalog.pg_inherits i CROSS JOIN (VALUES ('r'), ('w')) AS use(kind)
UNION
SELECT 'w', k.confrelid::text, 'w', k.conrelid::text
  FROM pg_catalog.pg_constraint k
 WHERE k.contype::text = 'f' AND k.confrelid <> k.conrelid
   AND (k.confdeltype::text IN ('c', 'n', 'd') OR k.confupdtype::text IN ('c', 'n', 'd'))
UNION
SELECT 't', t.oid::text, 't', a.atttypid::text
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0
 WHERE t.typtype::text = 'c' AND a.atttypid >= 16384
UNION
SELECT 't', o.opcintype::text, 'k', o.opcfamily::text
  FROM pg_catalog.pg_opclass o WHERE o.oid >= 16384 AND o.opcintype >= 16384";
