"""Reads written by hand in the manner of servers that make their own SQL; their source is called `handwritten`.

For PostgreSQL: a REST server over tables with row security, as PostgREST and Supabase ask. For MySQL: a blog and a wiki in
PHP, as WordPress and MediaWiki ask: metadata in rows, counts of found rows, times as numbers, comments before the text.
"""

import os
from urllib.parse import urlsplit

POSTGRES = os.environ["ENGINE"] == "postgres"
url = urlsplit(os.environ["DATABASE_URL"])

REST_SCHEMA = """
CREATE SCHEMA api;
CREATE SCHEMA auth;
CREATE FUNCTION auth.uid() RETURNS uuid STABLE LANGUAGE sql
    AS $$ SELECT nullif(current_setting('request.jwt.claims', true)::json->>'sub', '')::uuid $$;
CREATE FUNCTION auth.role() RETURNS text STABLE LANGUAGE sql
    AS $$ SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb->>'role' $$;
CREATE TYPE api.priority AS ENUM ('low', 'normal', 'high');
CREATE DOMAIN api.short_text AS text CHECK (length(VALUE) <= 200);
CREATE TABLE api.teams (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, created_at timestamptz DEFAULT now());
CREATE TABLE api.profiles (id uuid PRIMARY KEY, name text, avatar text, team_id bigint REFERENCES api.teams, settings jsonb DEFAULT '{}');
CREATE TABLE api.todos (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner uuid REFERENCES api.profiles, team_id bigint REFERENCES api.teams,
    title api.short_text NOT NULL, done boolean DEFAULT false, priority api.priority DEFAULT 'normal', due date, tags text[] DEFAULT '{}',
    words tsvector GENERATED ALWAYS AS (to_tsvector('english', title::text)) STORED, created_at timestamptz DEFAULT now());
CREATE TABLE api.comments (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, todo_id bigint REFERENCES api.todos, author uuid REFERENCES api.profiles, body text, created_at timestamptz DEFAULT now());
CREATE TABLE api.products (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, price numeric(10, 2), stock int, data jsonb);
ALTER TABLE api.todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_todos ON api.todos USING (owner = auth.uid());
ALTER TABLE api.comments ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen_comments ON api.comments USING (EXISTS (SELECT 1 FROM api.todos t WHERE t.id = todo_id AND t.owner = auth.uid()));
CREATE VIEW api.open_todos WITH (security_invoker = true) AS SELECT id, title, due FROM api.todos WHERE NOT done;
CREATE FUNCTION api.todo_stats(team bigint) RETURNS TABLE (done boolean, n bigint) STABLE LANGUAGE sql
    AS $$ SELECT done, count(*) FROM api.todos WHERE team_id = team GROUP BY done $$;
"""

HEAD = ("nullif(current_setting('response.headers', true), '') AS response_headers, "
        "nullif(current_setting('response.status', true), '') AS response_status")


def rest(source, count="null::bigint", single=False):
    body = "coalesce(json_agg(_t)->0, 'null')" if single else "coalesce(json_agg(_t), '[]')"
    return (f"WITH rest_source AS ({source}) SELECT {count} AS total_result_set, pg_catalog.count(_t) AS page_total, "
            f"{body} AS body, {HEAD} FROM (SELECT * FROM rest_source) _t")


TODOS = 'SELECT "api"."todos".* FROM "api"."todos"'
EMBED = ('SELECT "api"."todos"."id", "api"."todos"."title", row_to_json("todos_profile_1".*) AS "profile" FROM "api"."todos" '
         'LEFT JOIN LATERAL (SELECT "profile_1"."name", "profile_1"."avatar" FROM "api"."profiles" AS "profile_1" '
         'WHERE "profile_1"."id" = "api"."todos"."owner") AS "todos_profile_1" ON TRUE')
MANY = ('SELECT "api"."teams"."id", "api"."teams"."name", COALESCE("teams_todos_1"."teams_todos_1", \'[]\') AS "todos" FROM "api"."teams" '
        'LEFT JOIN LATERAL (SELECT json_agg("teams_todos_1")::jsonb AS "teams_todos_1" FROM (SELECT "todos_1"."title", "todos_1"."done" '
        'FROM "api"."todos" AS "todos_1" WHERE "todos_1"."team_id" = "api"."teams"."id" ORDER BY "todos_1"."due" LIMIT 5) AS "teams_todos_1") AS "teams_todos_1" ON TRUE')
PRODUCTS = 'SELECT "api"."products".* FROM "api"."products"'
REST = [
    rest(f'{TODOS} LIMIT 100 OFFSET 0'),
    rest(f'{TODOS} WHERE "api"."todos"."id" = \'1\'', single=True),
    rest(f'{TODOS} WHERE "api"."todos"."done" IS FALSE AND "api"."todos"."due" < \'2026-12-01\' ORDER BY "api"."todos"."due" ASC NULLS LAST'),
    rest(f'{TODOS} WHERE "api"."todos"."priority" = ANY (\'{{high,normal}}\')'),
    rest(f'{TODOS} WHERE "api"."todos"."title" ilike \'%milk%\''),
    rest(f'{TODOS} WHERE "api"."todos"."tags" @> \'{{home}}\''),
    rest(f'{TODOS} WHERE "api"."todos"."words" @@ websearch_to_tsquery(\'english\', \'buy milk\')'),
    rest(f'{TODOS} WHERE "api"."todos"."words" @@ to_tsquery(\'milk\')'),
    rest(f'{EMBED} WHERE "api"."todos"."team_id" = \'1\' ORDER BY "api"."todos"."created_at" DESC'),
    rest(f'{MANY} ORDER BY "api"."teams"."name" ASC'),
    rest(PRODUCTS, count="(SELECT pg_catalog.count(*) FROM rest_source)"),
    rest(f'{PRODUCTS} WHERE "api"."products"."price" >= \'10\' AND "api"."products"."price" <= \'20\' ORDER BY "api"."products"."price" DESC LIMIT 10'),
    rest(f'{PRODUCTS} WHERE to_jsonb("api"."products"."data")->>\'colour\' = \'red\''),
    rest('SELECT "api"."products"."id", to_jsonb("api"."products"."data")->\'size\'->>\'height\' AS "height" FROM "api"."products"'),
    rest('SELECT "api"."products"."name"::text, SUM("api"."products"."stock") AS "sum" FROM "api"."products" GROUP BY "api"."products"."name"'),
    rest('SELECT "api"."open_todos".* FROM "api"."open_todos"'),
    rest('SELECT "todo_stats".* FROM "api"."todo_stats"("team" := \'1\') AS "todo_stats"'),
    rest('SELECT "api"."profiles".* FROM "api"."profiles" WHERE "api"."profiles"."id" = \'6f1c1d6e-4a43-4d0a-8c56-4d2e5a0d8e11\'', single=True),
    "SELECT t.* FROM api.todos t WHERE t.owner = auth.uid() ORDER BY t.created_at DESC",
    "SELECT id, name FROM api.products WHERE stock > 0 AND auth.role() = 'authenticated'",
    "SELECT current_setting('request.jwt.claims', true)::json->>'sub' AS id",
    "SELECT c.body, p.name FROM api.comments c JOIN api.profiles p ON p.id = c.author WHERE c.todo_id = 1 ORDER BY c.created_at",
    "SELECT team_id, count(*) FILTER (WHERE done) AS done, count(*) AS total FROM api.todos GROUP BY team_id",
    "SELECT jsonb_build_object('todos', (SELECT count(*) FROM api.todos), 'products', (SELECT count(*) FROM api.products))",
    "SELECT name, settings->>'theme' AS theme, settings ? 'beta' AS beta FROM api.profiles WHERE team_id = 1",
    "SELECT row_to_json(p) FROM (SELECT id, name, price FROM api.products ORDER BY name LIMIT 20) p",
]

BLOG_SCHEMA = """
CREATE TABLE wb_posts (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, author bigint unsigned NOT NULL DEFAULT 0, made datetime NOT NULL DEFAULT '1970-01-01 00:00:01', made_gmt datetime NOT NULL DEFAULT '1970-01-01 00:00:01', content longtext, title text, status varchar(20) NOT NULL DEFAULT 'publish', name varchar(200) NOT NULL DEFAULT '', parent bigint unsigned NOT NULL DEFAULT 0, menu_order int NOT NULL DEFAULT 0, kind varchar(20) NOT NULL DEFAULT 'post', comments bigint NOT NULL DEFAULT 0, KEY kind_status (kind, status, made, id));
CREATE TABLE wb_meta (meta_id bigint unsigned AUTO_INCREMENT PRIMARY KEY, post_id bigint unsigned NOT NULL, meta_key varchar(191), meta_value longtext, KEY (post_id));
CREATE TABLE wb_terms (term_id bigint unsigned AUTO_INCREMENT PRIMARY KEY, name varchar(200), slug varchar(200));
CREATE TABLE wb_taxonomy (tt_id bigint unsigned AUTO_INCREMENT PRIMARY KEY, term_id bigint unsigned, taxonomy varchar(32), parent bigint unsigned DEFAULT 0, uses bigint DEFAULT 0);
CREATE TABLE wb_relations (object_id bigint unsigned, tt_id bigint unsigned, place int DEFAULT 0, PRIMARY KEY (object_id, tt_id));
CREATE TABLE wb_options (option_id bigint unsigned AUTO_INCREMENT PRIMARY KEY, name varchar(191) UNIQUE, value longtext, autoload varchar(20) DEFAULT 'yes');
CREATE TABLE wb_users (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, login varchar(60), email varchar(100), registered datetime, shown varchar(250));
CREATE TABLE wb_usermeta (umeta_id bigint unsigned AUTO_INCREMENT PRIMARY KEY, user_id bigint unsigned, meta_key varchar(191), meta_value longtext);
CREATE TABLE wb_comments (comment_id bigint unsigned AUTO_INCREMENT PRIMARY KEY, post_id bigint unsigned, author tinytext, made_gmt datetime, content text, approved varchar(20) DEFAULT '1', parent bigint unsigned DEFAULT 0);
CREATE TABLE wk_page (page_id int unsigned AUTO_INCREMENT PRIMARY KEY, page_namespace int NOT NULL, page_title varbinary(255) NOT NULL, page_is_redirect tinyint unsigned DEFAULT 0, page_touched binary(14), page_latest int unsigned, page_len int unsigned, UNIQUE (page_namespace, page_title));
CREATE TABLE wk_revision (rev_id bigint unsigned AUTO_INCREMENT PRIMARY KEY, rev_page int unsigned, rev_actor bigint unsigned, rev_comment bigint unsigned, rev_timestamp binary(14), rev_minor tinyint unsigned DEFAULT 0, rev_len int unsigned, KEY (rev_page, rev_timestamp));
CREATE TABLE wk_actor (actor_id bigint unsigned AUTO_INCREMENT PRIMARY KEY, actor_user int unsigned, actor_name varbinary(255));
CREATE TABLE wk_links (pl_from int unsigned, pl_namespace int, pl_title varbinary(255), PRIMARY KEY (pl_from, pl_namespace, pl_title));
CREATE TABLE wk_categorylinks (cl_from int unsigned, cl_to varbinary(255), cl_sortkey varbinary(230), cl_timestamp timestamp DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (cl_from, cl_to));
CREATE TABLE wk_watch (wl_id int unsigned AUTO_INCREMENT PRIMARY KEY, wl_user int unsigned, wl_namespace int, wl_title varbinary(255), wl_seen varbinary(14));
CREATE TABLE wk_recent (rc_id int unsigned AUTO_INCREMENT PRIMARY KEY, rc_timestamp binary(14), rc_actor bigint unsigned, rc_namespace int, rc_title varbinary(255), rc_bot tinyint unsigned, rc_cur_id int unsigned, rc_this_oldid int unsigned);
"""

BLOG = [
    "SELECT name, value FROM wb_options WHERE autoload IN ( 'yes', 'on' )",
    "SELECT value FROM wb_options WHERE name = 'site_icon' LIMIT 1",
    "SELECT SQL_CALC_FOUND_ROWS wb_posts.id FROM wb_posts WHERE 1=1 AND wb_posts.kind = 'post' AND (wb_posts.status = 'publish' OR wb_posts.status = 'private') ORDER BY wb_posts.made DESC LIMIT 0, 10",
    "SELECT FOUND_ROWS()",
    "SELECT wb_posts.* FROM wb_posts WHERE id IN (12,7,3)",
    "SELECT * FROM wb_posts WHERE id = 7 LIMIT 1",
    "SELECT post_id, meta_key, meta_value FROM wb_meta WHERE post_id IN (12,7,3) ORDER BY meta_id ASC",
    "SELECT t.*, tt.* FROM wb_terms AS t INNER JOIN wb_taxonomy AS tt ON t.term_id = tt.term_id WHERE tt.taxonomy IN ('category') AND t.slug IN ('news') ORDER BY t.name ASC",
    "SELECT t.term_id, tr.object_id FROM wb_terms AS t INNER JOIN wb_taxonomy AS tt ON t.term_id = tt.term_id INNER JOIN wb_relations AS tr ON tr.tt_id = tt.tt_id WHERE tt.taxonomy IN ('category', 'post_tag') AND tr.object_id IN (12, 7) ORDER BY t.name ASC",
    "SELECT wb_posts.id FROM wb_posts LEFT JOIN wb_relations ON (wb_posts.id = wb_relations.object_id) WHERE ( wb_relations.tt_id IN (3) ) AND ((wb_posts.kind = 'post' AND (wb_posts.status = 'publish'))) GROUP BY wb_posts.id ORDER BY wb_posts.made DESC LIMIT 0, 5",
    "SELECT wb_posts.id FROM wb_posts INNER JOIN wb_meta ON ( wb_posts.id = wb_meta.post_id ) WHERE 1=1 AND ( ( wb_meta.meta_key = '_price' AND CAST(wb_meta.meta_value AS SIGNED) BETWEEN '10' AND '99' ) ) AND wb_posts.kind = 'product' GROUP BY wb_posts.id ORDER BY wb_meta.meta_value+0 ASC LIMIT 0, 12",
    "SELECT wb_posts.id FROM wb_posts WHERE 1=1 AND (((wb_posts.title LIKE '%hello%') OR (wb_posts.content LIKE '%hello%'))) AND wb_posts.status = 'publish' ORDER BY (CASE WHEN wb_posts.title LIKE '%hello%' THEN 1 ELSE 2 END), wb_posts.made DESC LIMIT 0, 10",
    "SELECT YEAR(made) AS `year`, MONTH(made) AS `month`, count(id) as posts FROM wb_posts WHERE kind = 'post' AND status = 'publish' GROUP BY YEAR(made), MONTH(made) ORDER BY made DESC",
    "SELECT wb_posts.id FROM wb_posts WHERE ( ( YEAR( wb_posts.made ) = 2026 AND MONTH( wb_posts.made ) = 11 ) ) AND wb_posts.status = 'publish' ORDER BY wb_posts.made DESC",
    "SELECT p.* FROM wb_posts AS p WHERE p.made < '2026-11-30 10:00:00' AND p.kind = 'post' AND p.status = 'publish' ORDER BY p.made DESC LIMIT 1",
    "SELECT approved, COUNT( * ) AS total FROM wb_comments WHERE post_id = 7 GROUP BY approved",
    "SELECT wb_comments.comment_id FROM wb_comments WHERE ( approved = '1' ) AND post_id = 7 AND parent = 0 ORDER BY wb_comments.made_gmt ASC, wb_comments.comment_id ASC LIMIT 0, 50",
    "SELECT status, COUNT( * ) AS num_posts FROM wb_posts WHERE kind = 'page' GROUP BY status",
    "SELECT * FROM wb_users WHERE login = 'ada' LIMIT 1",
    "SELECT user_id, meta_key, meta_value FROM wb_usermeta WHERE user_id IN (1) ORDER BY umeta_id ASC",
    "SELECT COUNT(NULLIF(`meta_value` LIKE '%administrator%', false)), COUNT(NULLIF(`meta_value` LIKE '%editor%', false)), COUNT(*) FROM wb_usermeta INNER JOIN wb_users ON user_id = id WHERE meta_key = 'wb_capabilities'",
    "SELECT id FROM wb_posts WHERE status = 'future' AND made_gmt <= UTC_TIMESTAMP()",
    "SELECT id, name, parent, kind FROM wb_posts WHERE name IN ('about','team') AND kind IN ('page','attachment')",
    "SELECT m.meta_value, COUNT(*) AS n FROM wb_meta m JOIN wb_posts p ON p.id = m.post_id WHERE m.meta_key = '_stock_status' AND p.kind = 'product' GROUP BY m.meta_value",
    "SELECT SUM(CAST(m.meta_value AS DECIMAL(10,2))) AS total FROM wb_posts p JOIN wb_meta m ON m.post_id = p.id AND m.meta_key = '_order_total' WHERE p.kind = 'shop_order' AND p.made >= DATE_SUB(NOW(), INTERVAL 7 DAY)",
    "SELECT DISTINCT DATE(p.made) AS day FROM wb_posts p WHERE p.made BETWEEN '2026-11-01' AND '2026-11-30 23:59:59'",
    "SELECT id FROM wb_posts WHERE kind = 'post' AND status = 'publish' ORDER BY RAND() LIMIT 3",
    "SELECT value FROM wb_options WHERE name = '_transient_timeout_feed' AND value < UNIX_TIMESTAMP()",
    "SELECT /* LinkCache::fetchPageRow */ page_id,page_len,page_is_redirect,page_latest FROM wk_page WHERE page_namespace = 0 AND page_title = 'Main_Page' LIMIT 1",
    "SELECT /* LinkBatch::doQuery */ page_id,page_namespace,page_title,page_len FROM wk_page WHERE ((page_namespace = 0 AND page_title IN ('A','B')) OR (page_namespace = 10 AND page_title = 'Box'))",
    "SELECT /* RevisionStore::fetchRevisionRow */ rev_id,rev_page,rev_timestamp,rev_minor,rev_len,actor_user AS rev_user,actor_name AS rev_user_text FROM wk_revision JOIN wk_actor actor_rev_user ON ((actor_rev_user.actor_id = rev_actor)) JOIN wk_page ON ((page_id = rev_page)) WHERE page_namespace = 0 AND page_title = 'Main_Page' AND (rev_id=page_latest) LIMIT 1",
    "SELECT /* HistoryPager::reallyDoQuery */ rev_id,rev_timestamp,actor_name FROM wk_revision FORCE INDEX (rev_page) JOIN wk_actor ON ((actor_id = rev_actor)) WHERE rev_page = 5 AND (rev_timestamp<'20261130120000') ORDER BY rev_timestamp DESC,rev_id DESC LIMIT 51",
    "SELECT /* RecentChanges */ rc_id,rc_timestamp,rc_namespace,rc_title,actor_name FROM wk_recent STRAIGHT_JOIN wk_actor ON ((actor_id=rc_actor)) LEFT JOIN wk_watch ON (wl_user = 1 AND (wl_title=rc_title) AND (wl_namespace=rc_namespace)) WHERE rc_bot = 0 AND ((rc_timestamp >= '20261123000000')) ORDER BY rc_timestamp DESC LIMIT 50",
    "SELECT /* CategoryViewer */ page_id,page_title,cl_sortkey FROM wk_page INNER JOIN wk_categorylinks FORCE INDEX (PRIMARY) ON ((cl_from = page_id)) WHERE cl_to = 'Physics' ORDER BY cl_sortkey LIMIT 201",
    "SELECT /* BacklinkCache */ COUNT(*) AS `rowcount` FROM (SELECT 1 FROM wk_links WHERE pl_namespace = 0 AND pl_title = 'Main_Page' LIMIT 1000) `tmp_count`",
    "SELECT /* SpecialMostlinked */ pl_namespace AS namespace,pl_title AS title,COUNT(*) AS value,page_namespace FROM wk_links LEFT JOIN wk_page ON ((page_namespace=pl_namespace) AND (page_title=pl_title)) GROUP BY pl_namespace,pl_title,page_namespace HAVING (COUNT(*) > 1) ORDER BY value DESC LIMIT 51",
    "SELECT /* WatchedItemStore */ wl_seen FROM wk_watch WHERE wl_user = 1 AND wl_namespace = 0 AND wl_title = 'A' LIMIT 1",
    "SELECT /* SiteStats */ COUNT(DISTINCT rc_actor) FROM wk_recent WHERE rc_bot = 0 AND rc_timestamp >= '20261101000000'",
    "SELECT /* Orphans */ p.page_title FROM wk_page p LEFT JOIN wk_links l ON l.pl_namespace = p.page_namespace AND l.pl_title = p.page_title WHERE p.page_namespace = 0 AND p.page_is_redirect = 0 AND l.pl_from IS NULL ORDER BY p.page_title LIMIT 50",
    "SELECT /* Contribs */ rev_id, page_title, rev_len - COALESCE((SELECT o.rev_len FROM wk_revision o WHERE o.rev_page = r.rev_page AND o.rev_id < r.rev_id ORDER BY o.rev_id DESC LIMIT 1), 0) AS diff FROM wk_revision r JOIN wk_page ON page_id = rev_page WHERE rev_actor = 2 ORDER BY rev_timestamp DESC LIMIT 50",
]


def main():
    if POSTGRES:
        import psycopg

        connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        connection.execute(REST_SCHEMA)
        connection.execute(os.environ["MARK"])
        connection.execute("SELECT set_config('request.jwt.claims', '{\"sub\": \"\", \"role\": \"anon\"}', false)")
        for text in REST:
            connection.execute(text)
    else:
        import pymysql

        connection = pymysql.connect(host=url.hostname, port=url.port, user=url.username, database=url.path[1:],
                                     charset="utf8mb4", autocommit=True)
        with connection.cursor() as cursor:
            for text in ["SET sql_mode = ''", *filter(str.strip, BLOG_SCHEMA.split(";\n")), os.environ["MARK"], *BLOG]:
                cursor.execute(text)


main()
