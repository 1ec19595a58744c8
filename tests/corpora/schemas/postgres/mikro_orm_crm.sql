SET check_function_bodies = off;
CREATE TABLE public.activity (
    id integer NOT NULL,
    kind character varying(255) NOT NULL,
    note text,
    at timestamp with time zone NOT NULL,
    done boolean DEFAULT false NOT NULL,
    contact_id integer NOT NULL,
    owner_id integer
);
CREATE SEQUENCE public.activity_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.activity_id_seq OWNED BY public.activity.id;
CREATE TABLE public.company (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    domain character varying(255),
    size integer DEFAULT 0 NOT NULL,
    address jsonb,
    created_at timestamp with time zone NOT NULL,
    owner_id integer
);
CREATE SEQUENCE public.company_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.company_id_seq OWNED BY public.company.id;
CREATE TABLE public.company_labels (
    company_id integer NOT NULL,
    label_id integer NOT NULL
);
CREATE TABLE public.contact (
    id integer NOT NULL,
    first character varying(255) NOT NULL,
    last character varying(255) NOT NULL,
    email character varying(255),
    birthday date,
    opt_in boolean DEFAULT false NOT NULL,
    company_id integer
);
CREATE SEQUENCE public.contact_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.contact_id_seq OWNED BY public.contact.id;
CREATE TABLE public.deal (
    id integer NOT NULL,
    title character varying(255) NOT NULL,
    stage text DEFAULT 'lead'::text NOT NULL,
    amount numeric(12,2) NOT NULL,
    chance integer DEFAULT 10 NOT NULL,
    closes_on date,
    closed_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    company_id integer NOT NULL,
    owner_id integer,
    CONSTRAINT deal_stage_check CHECK ((stage = ANY (ARRAY['lead'::text, 'offer'::text, 'won'::text, 'lost'::text])))
);
CREATE SEQUENCE public.deal_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.deal_id_seq OWNED BY public.deal.id;
CREATE TABLE public.label (
    id integer NOT NULL,
    name character varying(255) NOT NULL
);
CREATE SEQUENCE public.label_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.label_id_seq OWNED BY public.label.id;
CREATE TABLE public.owner (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    email character varying(255) NOT NULL,
    quota numeric(12,2)
);
CREATE SEQUENCE public.owner_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.owner_id_seq OWNED BY public.owner.id;
ALTER TABLE ONLY public.activity ALTER COLUMN id SET DEFAULT nextval('public.activity_id_seq'::regclass);
ALTER TABLE ONLY public.company ALTER COLUMN id SET DEFAULT nextval('public.company_id_seq'::regclass);
ALTER TABLE ONLY public.contact ALTER COLUMN id SET DEFAULT nextval('public.contact_id_seq'::regclass);
ALTER TABLE ONLY public.deal ALTER COLUMN id SET DEFAULT nextval('public.deal_id_seq'::regclass);
ALTER TABLE ONLY public.label ALTER COLUMN id SET DEFAULT nextval('public.label_id_seq'::regclass);
ALTER TABLE ONLY public.owner ALTER COLUMN id SET DEFAULT nextval('public.owner_id_seq'::regclass);
ALTER TABLE ONLY public.activity
    ADD CONSTRAINT activity_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.company_labels
    ADD CONSTRAINT company_labels_pkey PRIMARY KEY (company_id, label_id);
ALTER TABLE ONLY public.company
    ADD CONSTRAINT company_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.contact
    ADD CONSTRAINT contact_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.deal
    ADD CONSTRAINT deal_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.label
    ADD CONSTRAINT label_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.owner
    ADD CONSTRAINT owner_email_unique UNIQUE (email);
ALTER TABLE ONLY public.owner
    ADD CONSTRAINT owner_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.activity
    ADD CONSTRAINT activity_contact_id_foreign FOREIGN KEY (contact_id) REFERENCES public.contact(id) ON UPDATE CASCADE;
ALTER TABLE ONLY public.activity
    ADD CONSTRAINT activity_owner_id_foreign FOREIGN KEY (owner_id) REFERENCES public.owner(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public.company_labels
    ADD CONSTRAINT company_labels_company_id_foreign FOREIGN KEY (company_id) REFERENCES public.company(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public.company_labels
    ADD CONSTRAINT company_labels_label_id_foreign FOREIGN KEY (label_id) REFERENCES public.label(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public.company
    ADD CONSTRAINT company_owner_id_foreign FOREIGN KEY (owner_id) REFERENCES public.owner(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public.contact
    ADD CONSTRAINT contact_company_id_foreign FOREIGN KEY (company_id) REFERENCES public.company(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public.deal
    ADD CONSTRAINT deal_company_id_foreign FOREIGN KEY (company_id) REFERENCES public.company(id) ON UPDATE CASCADE;
ALTER TABLE ONLY public.deal
    ADD CONSTRAINT deal_owner_id_foreign FOREIGN KEY (owner_id) REFERENCES public.owner(id) ON UPDATE CASCADE ON DELETE SET NULL;
