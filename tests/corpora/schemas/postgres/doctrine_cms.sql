SET check_function_bodies = off;
CREATE TABLE public.article_tag (
    article_id integer NOT NULL,
    tag_id integer NOT NULL
);
CREATE TABLE public.author (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    email character varying(255) NOT NULL,
    roles json NOT NULL
);
CREATE SEQUENCE public.author_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.category (
    id integer NOT NULL,
    parent_id integer,
    title character varying(255) NOT NULL,
    lft integer NOT NULL,
    rgt integer NOT NULL
);
CREATE SEQUENCE public.category_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.comment (
    id integer NOT NULL,
    article_id integer,
    nick character varying(255) NOT NULL,
    text text NOT NULL,
    approved boolean NOT NULL,
    writtenat timestamp(0) without time zone NOT NULL
);
CREATE SEQUENCE public.comment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.page (
    id integer NOT NULL,
    author_id integer,
    category_id integer,
    title character varying(255) NOT NULL,
    slug character varying(255) NOT NULL,
    status character varying(255) NOT NULL,
    publishedat timestamp(0) without time zone DEFAULT NULL::timestamp without time zone,
    createdat timestamp(0) without time zone NOT NULL,
    kind character varying(255) NOT NULL,
    body text,
    views integer,
    blocks json
);
CREATE SEQUENCE public.page_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.tag (
    id integer NOT NULL,
    word character varying(255) NOT NULL
);
CREATE SEQUENCE public.tag_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.visit (
    id bigint NOT NULL,
    article_id integer,
    day date NOT NULL,
    "time" time(0) without time zone NOT NULL,
    seconds numeric(6,2) NOT NULL
);
CREATE SEQUENCE public.visit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER TABLE ONLY public.article_tag
    ADD CONSTRAINT article_tag_pkey PRIMARY KEY (article_id, tag_id);
ALTER TABLE ONLY public.author
    ADD CONSTRAINT author_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.category
    ADD CONSTRAINT category_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.comment
    ADD CONSTRAINT comment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.page
    ADD CONSTRAINT page_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tag
    ADD CONSTRAINT tag_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.visit
    ADD CONSTRAINT visit_pkey PRIMARY KEY (id);
CREATE INDEX idx_140ab62012469de2 ON public.page USING btree (category_id);
CREATE INDEX idx_140ab620f675f31b ON public.page USING btree (author_id);
CREATE INDEX idx_437ee9397294869c ON public.visit USING btree (article_id);
CREATE INDEX idx_64c19c1727aca70 ON public.category USING btree (parent_id);
CREATE INDEX idx_919694f97294869c ON public.article_tag USING btree (article_id);
CREATE INDEX idx_919694f9bad26311 ON public.article_tag USING btree (tag_id);
CREATE INDEX idx_9474526c7294869c ON public.comment USING btree (article_id);
CREATE UNIQUE INDEX uniq_140ab620989d9b62 ON public.page USING btree (slug);
CREATE UNIQUE INDEX uniq_bdafd8c8e7927c74 ON public.author USING btree (email);
ALTER TABLE ONLY public.page
    ADD CONSTRAINT fk_140ab62012469de2 FOREIGN KEY (category_id) REFERENCES public.category(id);
ALTER TABLE ONLY public.page
    ADD CONSTRAINT fk_140ab620f675f31b FOREIGN KEY (author_id) REFERENCES public.author(id);
ALTER TABLE ONLY public.visit
    ADD CONSTRAINT fk_437ee9397294869c FOREIGN KEY (article_id) REFERENCES public.page(id);
ALTER TABLE ONLY public.category
    ADD CONSTRAINT fk_64c19c1727aca70 FOREIGN KEY (parent_id) REFERENCES public.category(id);
ALTER TABLE ONLY public.article_tag
    ADD CONSTRAINT fk_919694f97294869c FOREIGN KEY (article_id) REFERENCES public.page(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.article_tag
    ADD CONSTRAINT fk_919694f9bad26311 FOREIGN KEY (tag_id) REFERENCES public.tag(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.comment
    ADD CONSTRAINT fk_9474526c7294869c FOREIGN KEY (article_id) REFERENCES public.page(id);
