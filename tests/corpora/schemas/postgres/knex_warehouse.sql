SET check_function_bodies = off;
CREATE TABLE public.article_labels (
    article_id integer NOT NULL,
    label_id integer NOT NULL
);
CREATE TABLE public.articles (
    id integer NOT NULL,
    ean character varying(13),
    name character varying(255) NOT NULL,
    notes text,
    supplier_id integer,
    cost numeric(10,2),
    price numeric(10,2),
    min_stock integer DEFAULT 0,
    active boolean DEFAULT true,
    best_before date,
    dims jsonb,
    created_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE SEQUENCE public.articles_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.articles_id_seq OWNED BY public.articles.id;
CREATE TABLE public.deliveries (
    id integer NOT NULL,
    number character varying(255),
    state character varying(20) DEFAULT 'open'::character varying,
    due_on date,
    slot_from time without time zone,
    slot_to time without time zone,
    arrived_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE SEQUENCE public.deliveries_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.deliveries_id_seq OWNED BY public.deliveries.id;
CREATE TABLE public.delivery_items (
    id integer NOT NULL,
    delivery_id integer,
    article_id integer,
    quantity integer,
    unit_cost numeric(10,2)
);
CREATE SEQUENCE public.delivery_items_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.delivery_items_id_seq OWNED BY public.delivery_items.id;
CREATE TABLE public.labels (
    id integer NOT NULL,
    name character varying(255)
);
CREATE SEQUENCE public.labels_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.labels_id_seq OWNED BY public.labels.id;
CREATE TABLE public.movements (
    id bigint NOT NULL,
    article_id integer,
    place_id integer,
    delta integer NOT NULL,
    reason character varying(30),
    worker character varying(60),
    moved_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP
);
CREATE SEQUENCE public.movements_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.movements_id_seq OWNED BY public.movements.id;
CREATE TABLE public.places (
    id integer NOT NULL,
    code character varying(255),
    zone text,
    capacity real,
    CONSTRAINT places_zone_check CHECK ((zone = ANY (ARRAY['cold'::text, 'dry'::text, 'yard'::text])))
);
CREATE SEQUENCE public.places_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.places_id_seq OWNED BY public.places.id;
CREATE TABLE public.shifts (
    id integer NOT NULL,
    worker character varying(60),
    on_day date,
    starts time without time zone,
    ends time without time zone
);
CREATE SEQUENCE public.shifts_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.shifts_id_seq OWNED BY public.shifts.id;
CREATE TABLE public.stock (
    id integer NOT NULL,
    article_id integer,
    place_id integer,
    quantity integer NOT NULL,
    counted_at timestamp with time zone
);
CREATE SEQUENCE public.stock_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.stock_id_seq OWNED BY public.stock.id;
CREATE TABLE public.suppliers (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    country character varying(2),
    contact jsonb,
    created_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE SEQUENCE public.suppliers_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.suppliers_id_seq OWNED BY public.suppliers.id;
ALTER TABLE ONLY public.articles ALTER COLUMN id SET DEFAULT nextval('public.articles_id_seq'::regclass);
ALTER TABLE ONLY public.deliveries ALTER COLUMN id SET DEFAULT nextval('public.deliveries_id_seq'::regclass);
ALTER TABLE ONLY public.delivery_items ALTER COLUMN id SET DEFAULT nextval('public.delivery_items_id_seq'::regclass);
ALTER TABLE ONLY public.labels ALTER COLUMN id SET DEFAULT nextval('public.labels_id_seq'::regclass);
ALTER TABLE ONLY public.movements ALTER COLUMN id SET DEFAULT nextval('public.movements_id_seq'::regclass);
ALTER TABLE ONLY public.places ALTER COLUMN id SET DEFAULT nextval('public.places_id_seq'::regclass);
ALTER TABLE ONLY public.shifts ALTER COLUMN id SET DEFAULT nextval('public.shifts_id_seq'::regclass);
ALTER TABLE ONLY public.stock ALTER COLUMN id SET DEFAULT nextval('public.stock_id_seq'::regclass);
ALTER TABLE ONLY public.suppliers ALTER COLUMN id SET DEFAULT nextval('public.suppliers_id_seq'::regclass);
ALTER TABLE ONLY public.article_labels
    ADD CONSTRAINT article_labels_pkey PRIMARY KEY (article_id, label_id);
ALTER TABLE ONLY public.articles
    ADD CONSTRAINT articles_ean_unique UNIQUE (ean);
ALTER TABLE ONLY public.articles
    ADD CONSTRAINT articles_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_number_unique UNIQUE (number);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.delivery_items
    ADD CONSTRAINT delivery_items_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.labels
    ADD CONSTRAINT labels_name_unique UNIQUE (name);
ALTER TABLE ONLY public.labels
    ADD CONSTRAINT labels_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.movements
    ADD CONSTRAINT movements_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.places
    ADD CONSTRAINT places_code_unique UNIQUE (code);
ALTER TABLE ONLY public.places
    ADD CONSTRAINT places_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.shifts
    ADD CONSTRAINT shifts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.stock
    ADD CONSTRAINT stock_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.suppliers
    ADD CONSTRAINT suppliers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.article_labels
    ADD CONSTRAINT article_labels_article_id_foreign FOREIGN KEY (article_id) REFERENCES public.articles(id);
ALTER TABLE ONLY public.article_labels
    ADD CONSTRAINT article_labels_label_id_foreign FOREIGN KEY (label_id) REFERENCES public.labels(id);
ALTER TABLE ONLY public.articles
    ADD CONSTRAINT articles_supplier_id_foreign FOREIGN KEY (supplier_id) REFERENCES public.suppliers(id);
ALTER TABLE ONLY public.delivery_items
    ADD CONSTRAINT delivery_items_article_id_foreign FOREIGN KEY (article_id) REFERENCES public.articles(id);
ALTER TABLE ONLY public.delivery_items
    ADD CONSTRAINT delivery_items_delivery_id_foreign FOREIGN KEY (delivery_id) REFERENCES public.deliveries(id);
ALTER TABLE ONLY public.movements
    ADD CONSTRAINT movements_article_id_foreign FOREIGN KEY (article_id) REFERENCES public.articles(id);
ALTER TABLE ONLY public.movements
    ADD CONSTRAINT movements_place_id_foreign FOREIGN KEY (place_id) REFERENCES public.places(id);
ALTER TABLE ONLY public.stock
    ADD CONSTRAINT stock_article_id_foreign FOREIGN KEY (article_id) REFERENCES public.articles(id);
ALTER TABLE ONLY public.stock
    ADD CONSTRAINT stock_place_id_foreign FOREIGN KEY (place_id) REFERENCES public.places(id);
