SET check_function_bodies = off;
CREATE TABLE public."check" (
    id integer NOT NULL,
    host_id integer NOT NULL,
    kind character varying(255) NOT NULL,
    every integer NOT NULL,
    state character varying(255) NOT NULL,
    last_run bigint,
    target character varying(255)
);
CREATE SEQUENCE public.check_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.check_id_seq OWNED BY public."check".id;
CREATE TABLE public.host (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    address character varying(45) NOT NULL,
    team_id integer NOT NULL,
    enabled boolean NOT NULL,
    tags text[] NOT NULL,
    facts jsonb NOT NULL,
    added timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.host_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.host_id_seq OWNED BY public.host.id;
CREATE TABLE public.incident (
    id integer NOT NULL,
    check_ref_id integer NOT NULL,
    opened timestamp without time zone NOT NULL,
    closed timestamp without time zone,
    severity smallint NOT NULL,
    summary text NOT NULL,
    cost numeric(10,2),
    words tsvector
);
CREATE SEQUENCE public.incident_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.incident_id_seq OWNED BY public.incident.id;
CREATE TABLE public.sample (
    id integer NOT NULL,
    check_ref_id integer NOT NULL,
    at timestamp without time zone NOT NULL,
    value double precision NOT NULL
);
CREATE SEQUENCE public.sample_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.sample_id_seq OWNED BY public.sample.id;
CREATE TABLE public.shift (
    id integer NOT NULL,
    team_id integer NOT NULL,
    person character varying(255) NOT NULL,
    day date NOT NULL,
    begins time without time zone NOT NULL,
    ends time without time zone NOT NULL
);
CREATE SEQUENCE public.shift_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.shift_id_seq OWNED BY public.shift.id;
CREATE TABLE public.team (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    parent_id integer
);
CREATE SEQUENCE public.team_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.team_id_seq OWNED BY public.team.id;
ALTER TABLE ONLY public."check" ALTER COLUMN id SET DEFAULT nextval('public.check_id_seq'::regclass);
ALTER TABLE ONLY public.host ALTER COLUMN id SET DEFAULT nextval('public.host_id_seq'::regclass);
ALTER TABLE ONLY public.incident ALTER COLUMN id SET DEFAULT nextval('public.incident_id_seq'::regclass);
ALTER TABLE ONLY public.sample ALTER COLUMN id SET DEFAULT nextval('public.sample_id_seq'::regclass);
ALTER TABLE ONLY public.shift ALTER COLUMN id SET DEFAULT nextval('public.shift_id_seq'::regclass);
ALTER TABLE ONLY public.team ALTER COLUMN id SET DEFAULT nextval('public.team_id_seq'::regclass);
ALTER TABLE ONLY public."check"
    ADD CONSTRAINT check_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.host
    ADD CONSTRAINT host_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.incident
    ADD CONSTRAINT incident_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sample
    ADD CONSTRAINT sample_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.shift
    ADD CONSTRAINT shift_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.team
    ADD CONSTRAINT team_pkey PRIMARY KEY (id);
CREATE INDEX check_host_id ON public."check" USING btree (host_id);
CREATE INDEX host_facts ON public.host USING gin (facts);
CREATE UNIQUE INDEX host_name ON public.host USING btree (name);
CREATE INDEX host_tags ON public.host USING gin (tags);
CREATE INDEX host_team_id ON public.host USING btree (team_id);
CREATE INDEX incident_check_ref_id ON public.incident USING btree (check_ref_id);
CREATE INDEX incident_words ON public.incident USING gin (words);
CREATE INDEX sample_at ON public.sample USING btree (at);
CREATE INDEX sample_check_ref_id ON public.sample USING btree (check_ref_id);
CREATE INDEX shift_team_id ON public.shift USING btree (team_id);
CREATE UNIQUE INDEX team_name ON public.team USING btree (name);
CREATE INDEX team_parent_id ON public.team USING btree (parent_id);
ALTER TABLE ONLY public."check"
    ADD CONSTRAINT check_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.host(id);
ALTER TABLE ONLY public.host
    ADD CONSTRAINT host_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.team(id);
ALTER TABLE ONLY public.incident
    ADD CONSTRAINT incident_check_ref_id_fkey FOREIGN KEY (check_ref_id) REFERENCES public."check"(id);
ALTER TABLE ONLY public.sample
    ADD CONSTRAINT sample_check_ref_id_fkey FOREIGN KEY (check_ref_id) REFERENCES public."check"(id);
ALTER TABLE ONLY public.shift
    ADD CONSTRAINT shift_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.team(id);
ALTER TABLE ONLY public.team
    ADD CONSTRAINT team_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.team(id);
