SET check_function_bodies = off;
CREATE TYPE public.device AS ENUM (
    'phone',
    'tablet',
    'desktop'
);
CREATE TABLE public.alerts (
    id integer NOT NULL,
    site_id integer,
    metric text,
    threshold double precision,
    quiet_from time without time zone,
    quiet_to time without time zone,
    last_fired timestamp with time zone
);
CREATE SEQUENCE public.alerts_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.alerts_id_seq OWNED BY public.alerts.id;
CREATE TABLE public.daily (
    site_id integer NOT NULL,
    day date NOT NULL,
    visits integer,
    bounces integer,
    seconds bigint,
    revenue numeric(14,2)
);
CREATE TABLE public.events (
    id bigint NOT NULL,
    session_id bigint,
    site_id integer,
    name text,
    path text,
    props jsonb,
    value numeric(12,2),
    at timestamp with time zone NOT NULL
)
PARTITION BY RANGE (at);
CREATE SEQUENCE public.events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.events_id_seq OWNED BY public.events.id;
CREATE TABLE public.events_new (
    id bigint DEFAULT nextval('public.events_id_seq'::regclass) NOT NULL,
    session_id bigint,
    site_id integer,
    name text,
    path text,
    props jsonb,
    value numeric(12,2),
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.events_old (
    id bigint DEFAULT nextval('public.events_id_seq'::regclass) NOT NULL,
    session_id bigint,
    site_id integer,
    name text,
    path text,
    props jsonb,
    value numeric(12,2),
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.goals (
    id integer NOT NULL,
    site_id integer,
    name text,
    event text,
    target numeric(12,2)
);
CREATE SEQUENCE public.goals_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.goals_id_seq OWNED BY public.goals.id;
CREATE TABLE public.sessions (
    id bigint NOT NULL,
    visitor_id uuid,
    site_id integer,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    referrer text,
    utm jsonb,
    ip inet
);
CREATE SEQUENCE public.sessions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.sessions_id_seq OWNED BY public.sessions.id;
CREATE TABLE public.sites (
    id integer NOT NULL,
    domain text NOT NULL,
    timezone text DEFAULT 'Europe/Berlin'::text,
    owner text,
    created_at timestamp with time zone DEFAULT now()
);
CREATE SEQUENCE public.sites_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.sites_id_seq OWNED BY public.sites.id;
CREATE TABLE public.visitors (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    site_id integer,
    first_seen timestamp with time zone,
    country character(2),
    device public.device
);
ALTER TABLE ONLY public.events ATTACH PARTITION public.events_new FOR VALUES FROM ('2026-01-01 00:00:00+00') TO (MAXVALUE);
ALTER TABLE ONLY public.events ATTACH PARTITION public.events_old FOR VALUES FROM (MINVALUE) TO ('2026-01-01 00:00:00+00');
ALTER TABLE ONLY public.alerts ALTER COLUMN id SET DEFAULT nextval('public.alerts_id_seq'::regclass);
ALTER TABLE ONLY public.events ALTER COLUMN id SET DEFAULT nextval('public.events_id_seq'::regclass);
ALTER TABLE ONLY public.goals ALTER COLUMN id SET DEFAULT nextval('public.goals_id_seq'::regclass);
ALTER TABLE ONLY public.sessions ALTER COLUMN id SET DEFAULT nextval('public.sessions_id_seq'::regclass);
ALTER TABLE ONLY public.sites ALTER COLUMN id SET DEFAULT nextval('public.sites_id_seq'::regclass);
ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.daily
    ADD CONSTRAINT daily_pkey PRIMARY KEY (site_id, day);
ALTER TABLE ONLY public.goals
    ADD CONSTRAINT goals_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sites
    ADD CONSTRAINT sites_domain_key UNIQUE (domain);
ALTER TABLE ONLY public.sites
    ADD CONSTRAINT sites_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.visitors
    ADD CONSTRAINT visitors_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.sites(id);
ALTER TABLE ONLY public.daily
    ADD CONSTRAINT daily_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.sites(id);
ALTER TABLE ONLY public.goals
    ADD CONSTRAINT goals_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.sites(id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.sites(id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_visitor_id_fkey FOREIGN KEY (visitor_id) REFERENCES public.visitors(id);
ALTER TABLE ONLY public.visitors
    ADD CONSTRAINT visitors_site_id_fkey FOREIGN KEY (site_id) REFERENCES public.sites(id);
