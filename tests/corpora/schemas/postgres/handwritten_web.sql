SET check_function_bodies = off;
CREATE SCHEMA api;
CREATE SCHEMA auth;
CREATE TYPE api.priority AS ENUM (
    'low',
    'normal',
    'high'
);
CREATE DOMAIN api.short_text AS text
	CONSTRAINT short_text_check CHECK ((length(VALUE) <= 200));
CREATE FUNCTION api.todo_stats(team bigint) RETURNS TABLE(done boolean, n bigint)
    LANGUAGE sql STABLE
    AS $$ SELECT done, count(*) FROM api.todos WHERE team_id = team GROUP BY done $$;
CREATE FUNCTION auth.role() RETURNS text
    LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb->>'role' $$;
CREATE FUNCTION auth.uid() RETURNS uuid
    LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('request.jwt.claims', true)::json->>'sub', '')::uuid $$;
CREATE TABLE api.comments (
    id bigint NOT NULL,
    todo_id bigint,
    author uuid,
    body text,
    created_at timestamp with time zone DEFAULT now()
);
ALTER TABLE api.comments ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME api.comments_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE api.todos (
    id bigint NOT NULL,
    owner uuid,
    team_id bigint,
    title api.short_text NOT NULL,
    done boolean DEFAULT false,
    priority api.priority DEFAULT 'normal'::api.priority,
    due date,
    tags text[] DEFAULT '{}'::text[],
    words tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, (title)::text)) STORED,
    created_at timestamp with time zone DEFAULT now()
);
CREATE VIEW api.open_todos WITH (security_invoker='true') AS
 SELECT todos.id,
    todos.title,
    todos.due
   FROM api.todos
  WHERE (NOT todos.done);
CREATE TABLE api.products (
    id bigint NOT NULL,
    name text,
    price numeric(10,2),
    stock integer,
    data jsonb
);
ALTER TABLE api.products ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME api.products_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE api.profiles (
    id uuid NOT NULL,
    name text,
    avatar text,
    team_id bigint,
    settings jsonb DEFAULT '{}'::jsonb
);
CREATE TABLE api.teams (
    id bigint NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now()
);
ALTER TABLE api.teams ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME api.teams_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE api.todos ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME api.todos_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE ONLY api.comments
    ADD CONSTRAINT comments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY api.products
    ADD CONSTRAINT products_pkey PRIMARY KEY (id);
ALTER TABLE ONLY api.profiles
    ADD CONSTRAINT profiles_pkey PRIMARY KEY (id);
ALTER TABLE ONLY api.teams
    ADD CONSTRAINT teams_pkey PRIMARY KEY (id);
ALTER TABLE ONLY api.todos
    ADD CONSTRAINT todos_pkey PRIMARY KEY (id);
ALTER TABLE ONLY api.comments
    ADD CONSTRAINT comments_author_fkey FOREIGN KEY (author) REFERENCES api.profiles(id);
ALTER TABLE ONLY api.comments
    ADD CONSTRAINT comments_todo_id_fkey FOREIGN KEY (todo_id) REFERENCES api.todos(id);
ALTER TABLE ONLY api.profiles
    ADD CONSTRAINT profiles_team_id_fkey FOREIGN KEY (team_id) REFERENCES api.teams(id);
ALTER TABLE ONLY api.todos
    ADD CONSTRAINT todos_owner_fkey FOREIGN KEY (owner) REFERENCES api.profiles(id);
ALTER TABLE ONLY api.todos
    ADD CONSTRAINT todos_team_id_fkey FOREIGN KEY (team_id) REFERENCES api.teams(id);
ALTER TABLE api.comments ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_todos ON api.todos USING ((owner = auth.uid()));
CREATE POLICY seen_comments ON api.comments USING ((EXISTS ( SELECT 1
   FROM api.todos t
  WHERE ((t.id = comments.todo_id) AND (t.owner = auth.uid())))));
ALTER TABLE api.todos ENABLE ROW LEVEL SECURITY;
