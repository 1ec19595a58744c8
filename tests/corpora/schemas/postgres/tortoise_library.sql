SET check_function_bodies = off;
CREATE TABLE public.author (
    id integer NOT NULL,
    name character varying(120) NOT NULL,
    born date
);
CREATE SEQUENCE public.author_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.author_id_seq OWNED BY public.author.id;
CREATE TABLE public.book (
    id integer NOT NULL,
    isbn character varying(13) NOT NULL,
    title character varying(200) NOT NULL,
    pages integer NOT NULL,
    price numeric(8,2),
    data jsonb NOT NULL,
    added timestamp with time zone NOT NULL,
    genre_id integer
);
CREATE TABLE public.book_author (
    book_id integer NOT NULL,
    author_id integer NOT NULL
);
CREATE SEQUENCE public.book_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.book_id_seq OWNED BY public.book.id;
CREATE TABLE public.copy (
    id integer NOT NULL,
    shelf character varying(20) NOT NULL,
    lost boolean NOT NULL,
    book_id integer NOT NULL
);
CREATE SEQUENCE public.copy_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.copy_id_seq OWNED BY public.copy.id;
CREATE TABLE public.genre (
    id integer NOT NULL,
    name character varying(60) NOT NULL
);
CREATE SEQUENCE public.genre_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.genre_id_seq OWNED BY public.genre.id;
CREATE TABLE public.loan (
    id bigint NOT NULL,
    taken timestamp with time zone NOT NULL,
    due date NOT NULL,
    back timestamp with time zone,
    fine numeric(6,2) NOT NULL,
    copy_of_id integer NOT NULL,
    member_id uuid NOT NULL
);
CREATE SEQUENCE public.loan_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.loan_id_seq OWNED BY public.loan.id;
CREATE TABLE public.member (
    id uuid NOT NULL,
    name character varying(120) NOT NULL,
    email character varying(190) NOT NULL,
    joined timestamp with time zone NOT NULL,
    closes time with time zone
);
ALTER TABLE ONLY public.author ALTER COLUMN id SET DEFAULT nextval('public.author_id_seq'::regclass);
ALTER TABLE ONLY public.book ALTER COLUMN id SET DEFAULT nextval('public.book_id_seq'::regclass);
ALTER TABLE ONLY public.copy ALTER COLUMN id SET DEFAULT nextval('public.copy_id_seq'::regclass);
ALTER TABLE ONLY public.genre ALTER COLUMN id SET DEFAULT nextval('public.genre_id_seq'::regclass);
ALTER TABLE ONLY public.loan ALTER COLUMN id SET DEFAULT nextval('public.loan_id_seq'::regclass);
ALTER TABLE ONLY public.author
    ADD CONSTRAINT author_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.book
    ADD CONSTRAINT book_isbn_key UNIQUE (isbn);
ALTER TABLE ONLY public.book
    ADD CONSTRAINT book_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.copy
    ADD CONSTRAINT copy_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.genre
    ADD CONSTRAINT genre_name_key UNIQUE (name);
ALTER TABLE ONLY public.genre
    ADD CONSTRAINT genre_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.loan
    ADD CONSTRAINT loan_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.member
    ADD CONSTRAINT member_email_key UNIQUE (email);
ALTER TABLE ONLY public.member
    ADD CONSTRAINT member_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX uidx_book_author_book_id_818352 ON public.book_author USING btree (book_id, author_id);
ALTER TABLE ONLY public.book_author
    ADD CONSTRAINT book_author_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.author(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.book_author
    ADD CONSTRAINT book_author_book_id_fkey FOREIGN KEY (book_id) REFERENCES public.book(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.book
    ADD CONSTRAINT book_genre_id_fkey FOREIGN KEY (genre_id) REFERENCES public.genre(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.copy
    ADD CONSTRAINT copy_book_id_fkey FOREIGN KEY (book_id) REFERENCES public.book(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.loan
    ADD CONSTRAINT loan_copy_of_id_fkey FOREIGN KEY (copy_of_id) REFERENCES public.copy(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.loan
    ADD CONSTRAINT loan_member_id_fkey FOREIGN KEY (member_id) REFERENCES public.member(id) ON DELETE CASCADE;
