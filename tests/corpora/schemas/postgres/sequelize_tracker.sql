SET check_function_bodies = off;
CREATE TYPE public."enum_Issues_status" AS ENUM (
    'open',
    'progress',
    'review',
    'closed'
);
CREATE TABLE public."Comments" (
    id integer NOT NULL,
    text text,
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL,
    "IssueId" integer,
    "authorId" integer
);
CREATE SEQUENCE public."Comments_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Comments_id_seq" OWNED BY public."Comments".id;
CREATE TABLE public."Entries" (
    id integer NOT NULL,
    minutes integer,
    "onDay" date,
    "startedAt" time without time zone,
    note character varying(255),
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL,
    "IssueId" integer,
    "PersonId" integer
);
CREATE SEQUENCE public."Entries_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Entries_id_seq" OWNED BY public."Entries".id;
CREATE TABLE public."IssueLabel" (
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL,
    "IssueId" integer NOT NULL,
    "LabelId" integer NOT NULL
);
CREATE TABLE public."Issues" (
    id integer NOT NULL,
    uid uuid,
    number integer,
    title character varying(255),
    body text,
    status public."enum_Issues_status" DEFAULT 'open'::public."enum_Issues_status",
    priority integer DEFAULT 3,
    points numeric(5,1),
    "dueOn" date,
    "closedAt" timestamp with time zone,
    fields jsonb,
    labels character varying(255)[] DEFAULT (ARRAY[]::character varying[])::character varying(255)[],
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL,
    "ProjectId" integer,
    "SprintId" integer,
    "assigneeId" integer,
    "reporterId" integer,
    "epicId" integer
);
CREATE SEQUENCE public."Issues_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Issues_id_seq" OWNED BY public."Issues".id;
CREATE TABLE public."Labels" (
    id integer NOT NULL,
    name character varying(255),
    colour character varying(7),
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL
);
CREATE SEQUENCE public."Labels_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Labels_id_seq" OWNED BY public."Labels".id;
CREATE TABLE public."People" (
    id integer NOT NULL,
    login character varying(255),
    email character varying(255),
    active boolean DEFAULT true,
    "lastLogin" timestamp with time zone,
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL
);
CREATE SEQUENCE public."People_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."People_id_seq" OWNED BY public."People".id;
CREATE TABLE public."Projects" (
    id integer NOT NULL,
    key character varying(10),
    name character varying(255),
    archived boolean DEFAULT false,
    config jsonb,
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL,
    "deletedAt" timestamp with time zone
);
CREATE SEQUENCE public."Projects_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Projects_id_seq" OWNED BY public."Projects".id;
CREATE TABLE public."Sprints" (
    id integer NOT NULL,
    name character varying(255),
    "startsOn" date,
    "endsOn" date,
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL,
    "ProjectId" integer
);
CREATE SEQUENCE public."Sprints_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Sprints_id_seq" OWNED BY public."Sprints".id;
CREATE TABLE public."Watches" (
    muted boolean DEFAULT false,
    "createdAt" timestamp with time zone NOT NULL,
    "updatedAt" timestamp with time zone NOT NULL,
    "PersonId" integer NOT NULL,
    "IssueId" integer NOT NULL
);
ALTER TABLE ONLY public."Comments" ALTER COLUMN id SET DEFAULT nextval('public."Comments_id_seq"'::regclass);
ALTER TABLE ONLY public."Entries" ALTER COLUMN id SET DEFAULT nextval('public."Entries_id_seq"'::regclass);
ALTER TABLE ONLY public."Issues" ALTER COLUMN id SET DEFAULT nextval('public."Issues_id_seq"'::regclass);
ALTER TABLE ONLY public."Labels" ALTER COLUMN id SET DEFAULT nextval('public."Labels_id_seq"'::regclass);
ALTER TABLE ONLY public."People" ALTER COLUMN id SET DEFAULT nextval('public."People_id_seq"'::regclass);
ALTER TABLE ONLY public."Projects" ALTER COLUMN id SET DEFAULT nextval('public."Projects_id_seq"'::regclass);
ALTER TABLE ONLY public."Sprints" ALTER COLUMN id SET DEFAULT nextval('public."Sprints_id_seq"'::regclass);
ALTER TABLE ONLY public."Comments"
    ADD CONSTRAINT "Comments_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Entries"
    ADD CONSTRAINT "Entries_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."IssueLabel"
    ADD CONSTRAINT "IssueLabel_pkey" PRIMARY KEY ("IssueId", "LabelId");
ALTER TABLE ONLY public."Issues"
    ADD CONSTRAINT "Issues_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Labels"
    ADD CONSTRAINT "Labels_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."People"
    ADD CONSTRAINT "People_login_key" UNIQUE (login);
ALTER TABLE ONLY public."People"
    ADD CONSTRAINT "People_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Projects"
    ADD CONSTRAINT "Projects_key_key" UNIQUE (key);
ALTER TABLE ONLY public."Projects"
    ADD CONSTRAINT "Projects_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Sprints"
    ADD CONSTRAINT "Sprints_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Watches"
    ADD CONSTRAINT "Watches_pkey" PRIMARY KEY ("PersonId", "IssueId");
CREATE INDEX issues_status ON public."Issues" USING btree (status);
ALTER TABLE ONLY public."Comments"
    ADD CONSTRAINT "Comments_IssueId_fkey" FOREIGN KEY ("IssueId") REFERENCES public."Issues"(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public."Comments"
    ADD CONSTRAINT "Comments_authorId_fkey" FOREIGN KEY ("authorId") REFERENCES public."People"(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public."Entries"
    ADD CONSTRAINT "Entries_IssueId_fkey" FOREIGN KEY ("IssueId") REFERENCES public."Issues"(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public."Entries"
    ADD CONSTRAINT "Entries_PersonId_fkey" FOREIGN KEY ("PersonId") REFERENCES public."People"(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public."IssueLabel"
    ADD CONSTRAINT "IssueLabel_IssueId_fkey" FOREIGN KEY ("IssueId") REFERENCES public."Issues"(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public."IssueLabel"
    ADD CONSTRAINT "IssueLabel_LabelId_fkey" FOREIGN KEY ("LabelId") REFERENCES public."Labels"(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public."Issues"
    ADD CONSTRAINT "Issues_ProjectId_fkey" FOREIGN KEY ("ProjectId") REFERENCES public."Projects"(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public."Issues"
    ADD CONSTRAINT "Issues_SprintId_fkey" FOREIGN KEY ("SprintId") REFERENCES public."Sprints"(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public."Issues"
    ADD CONSTRAINT "Issues_assigneeId_fkey" FOREIGN KEY ("assigneeId") REFERENCES public."People"(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public."Issues"
    ADD CONSTRAINT "Issues_epicId_fkey" FOREIGN KEY ("epicId") REFERENCES public."Issues"(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public."Issues"
    ADD CONSTRAINT "Issues_reporterId_fkey" FOREIGN KEY ("reporterId") REFERENCES public."People"(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public."Sprints"
    ADD CONSTRAINT "Sprints_ProjectId_fkey" FOREIGN KEY ("ProjectId") REFERENCES public."Projects"(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE ONLY public."Watches"
    ADD CONSTRAINT "Watches_IssueId_fkey" FOREIGN KEY ("IssueId") REFERENCES public."Issues"(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public."Watches"
    ADD CONSTRAINT "Watches_PersonId_fkey" FOREIGN KEY ("PersonId") REFERENCES public."People"(id) ON UPDATE CASCADE ON DELETE CASCADE;
