SET check_function_bodies = off;
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
CREATE TYPE public.role AS ENUM (
    'owner',
    'admin',
    'member',
    'guest'
);
CREATE TYPE public.state AS ENUM (
    'todo',
    'doing',
    'done'
);
CREATE TABLE public.api_keys (
    id integer NOT NULL,
    tenant_id uuid NOT NULL,
    digest character varying(64) NOT NULL,
    scopes jsonb NOT NULL,
    expires_at timestamp with time zone,
    revoked boolean NOT NULL
);
CREATE SEQUENCE public.api_keys_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.api_keys_id_seq OWNED BY public.api_keys.id;
CREATE TABLE public.bookings (
    id bigint NOT NULL,
    tenant_id uuid NOT NULL,
    room text NOT NULL,
    during tstzrange NOT NULL,
    price money,
    seats int4range
);
CREATE SEQUENCE public.bookings_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.bookings_id_seq OWNED BY public.bookings.id;
CREATE TABLE public.comments (
    id bigint NOT NULL,
    task_id bigint NOT NULL,
    author_id bigint NOT NULL,
    body text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE SEQUENCE public.comments_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.comments_id_seq OWNED BY public.comments.id;
CREATE TABLE public.invoices (
    id integer NOT NULL,
    tenant_id uuid NOT NULL,
    number character varying(20) NOT NULL,
    issued date NOT NULL,
    paid_on date,
    net numeric(12,2) NOT NULL,
    tax_rate numeric(4,3) NOT NULL
);
CREATE SEQUENCE public.invoices_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.invoices_id_seq OWNED BY public.invoices.id;
CREATE TABLE public.members (
    tenant_id uuid NOT NULL,
    user_id bigint NOT NULL,
    role public.role NOT NULL,
    invited_at timestamp with time zone NOT NULL
);
CREATE TABLE public.usage_events (
    id bigint NOT NULL,
    tenant_id uuid NOT NULL,
    kind character varying(40) NOT NULL,
    amount bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    payload jsonb NOT NULL
);
CREATE MATERIALIZED VIEW public.monthly_usage AS
 SELECT usage_events.tenant_id,
    date_trunc('month'::text, usage_events.at) AS month,
    sum(usage_events.amount) AS amount
   FROM public.usage_events
  GROUP BY usage_events.tenant_id, (date_trunc('month'::text, usage_events.at))
  WITH NO DATA;
CREATE VIEW public.my_invoices AS
 SELECT invoices.id,
    invoices.tenant_id,
    invoices.number,
    invoices.issued,
    invoices.paid_on,
    invoices.net,
    invoices.tax_rate
   FROM public.invoices
  WHERE (invoices.tenant_id = (current_setting('app.tenant'::text))::uuid);
CREATE TABLE public.projects (
    id bigint NOT NULL,
    tenant_id uuid NOT NULL,
    name character varying(160) NOT NULL,
    archived_at timestamp with time zone,
    due date,
    budget numeric(12,2)
);
CREATE TABLE public.tasks (
    id bigint NOT NULL,
    project_id bigint NOT NULL,
    parent_id bigint,
    assignee_id bigint,
    title character varying(200) NOT NULL,
    body text NOT NULL,
    state public.state NOT NULL,
    priority integer NOT NULL,
    estimate interval,
    labels character varying(30)[] NOT NULL,
    due_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    document tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, (((title)::text || ' '::text) || body))) STORED NOT NULL
);
CREATE VIEW public.open_tasks AS
 SELECT t.id,
    t.title,
    p.tenant_id,
    t.due_at
   FROM (public.tasks t
     JOIN public.projects p ON ((p.id = t.project_id)))
  WHERE (t.state <> 'done'::public.state);
CREATE VIEW public.overdue_tasks AS
 SELECT t.id,
    t.title,
    (now() - t.due_at) AS late
   FROM public.tasks t
  WHERE (t.due_at < now());
CREATE SEQUENCE public.projects_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.projects_id_seq OWNED BY public.projects.id;
CREATE SEQUENCE public.tasks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.tasks_id_seq OWNED BY public.tasks.id;
CREATE TABLE public.tenants (
    id uuid NOT NULL,
    slug character varying(60) NOT NULL,
    name character varying(120) NOT NULL,
    plan character varying(20) NOT NULL,
    settings jsonb NOT NULL,
    trial_ends date,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.usage_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.usage_events_id_seq OWNED BY public.usage_events.id;
CREATE TABLE public.users (
    id bigint NOT NULL,
    email public.citext NOT NULL,
    full_name character varying(120) NOT NULL,
    last_ip inet,
    last_seen timestamp with time zone,
    is_active boolean NOT NULL
);
CREATE SEQUENCE public.users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
ALTER TABLE ONLY public.api_keys ALTER COLUMN id SET DEFAULT nextval('public.api_keys_id_seq'::regclass);
ALTER TABLE ONLY public.bookings ALTER COLUMN id SET DEFAULT nextval('public.bookings_id_seq'::regclass);
ALTER TABLE ONLY public.comments ALTER COLUMN id SET DEFAULT nextval('public.comments_id_seq'::regclass);
ALTER TABLE ONLY public.invoices ALTER COLUMN id SET DEFAULT nextval('public.invoices_id_seq'::regclass);
ALTER TABLE ONLY public.projects ALTER COLUMN id SET DEFAULT nextval('public.projects_id_seq'::regclass);
ALTER TABLE ONLY public.tasks ALTER COLUMN id SET DEFAULT nextval('public.tasks_id_seq'::regclass);
ALTER TABLE ONLY public.usage_events ALTER COLUMN id SET DEFAULT nextval('public.usage_events_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_digest_key UNIQUE (digest);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_pkey PRIMARY KEY (tenant_id, user_id);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.usage_events
    ADD CONSTRAINT usage_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_email_key UNIQUE (email);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT bookings_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_assignee_id_fkey FOREIGN KEY (assignee_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.usage_events
    ADD CONSTRAINT usage_events_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE public.api_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.api_keys USING ((tenant_id = (current_setting('app.tenant'::text, true))::uuid));
