-- What there is to review: PostgreSQL's own stable functions that a statement can call, as functions.tsv has them but for
-- the last column. psql -AtF "$(printf '\t')" -f list.sql
SELECT p.oid, p.proname || '(' || coalesce((
           SELECT string_agg(format_type(a.t, NULL), ', ' ORDER BY a.n)
             FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a(t, n)), '') || ')'
  FROM pg_proc p
 WHERE p.provolatile = 's' AND p.pronamespace = 'pg_catalog'::regnamespace
   AND NOT p.proargtypes::oid[] && ARRAY['internal'::regtype, 'cstring'::regtype]::oid[]
   AND p.prorettype NOT IN ('internal'::regtype, 'cstring'::regtype, 'event_trigger'::regtype, 'trigger'::regtype)
 ORDER BY p.proname, 2;
