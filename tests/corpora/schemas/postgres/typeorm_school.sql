SET check_function_bodies = off;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;
CREATE TYPE public.course_level_enum AS ENUM (
    'basic',
    'middle',
    'high'
);
CREATE TABLE public.course (
    id integer NOT NULL,
    code character varying NOT NULL,
    title character varying NOT NULL,
    summary text,
    level public.course_level_enum DEFAULT 'basic'::public.course_level_enum NOT NULL,
    credits numeric(4,1) DEFAULT '5'::numeric NOT NULL,
    "startsOn" date,
    published boolean DEFAULT false NOT NULL,
    meta jsonb,
    topics text[] DEFAULT '{}'::text[] NOT NULL,
    "createdAt" timestamp with time zone DEFAULT now() NOT NULL,
    "deletedAt" timestamp with time zone,
    "teacherId" integer
);
CREATE SEQUENCE public.course_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.course_id_seq OWNED BY public.course.id;
CREATE TABLE public.course_tags_tag (
    "courseId" integer NOT NULL,
    "tagId" integer NOT NULL
);
CREATE TABLE public.enrolment (
    id integer NOT NULL,
    role character varying DEFAULT 'learner'::character varying NOT NULL,
    "enrolledAt" timestamp with time zone DEFAULT now() NOT NULL,
    "finishedAt" timestamp with time zone,
    "studentId" integer,
    "courseId" integer
);
CREATE SEQUENCE public.enrolment_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.enrolment_id_seq OWNED BY public.enrolment.id;
CREATE TABLE public.lesson (
    id integer NOT NULL,
    title character varying NOT NULL,
    "position" integer NOT NULL,
    minutes integer DEFAULT 45 NOT NULL,
    weekday integer,
    begins time without time zone,
    "courseId" integer
);
CREATE SEQUENCE public.lesson_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.lesson_id_seq OWNED BY public.lesson.id;
CREATE TABLE public.student (
    id integer NOT NULL,
    uid uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    name character varying NOT NULL,
    email character varying NOT NULL,
    born date,
    "lastSeen" timestamp with time zone
);
CREATE SEQUENCE public.student_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.student_id_seq OWNED BY public.student.id;
CREATE TABLE public.submission (
    id integer NOT NULL,
    text text NOT NULL,
    mark numeric(3,1),
    "sentAt" timestamp with time zone DEFAULT now() NOT NULL,
    "lessonId" integer,
    "studentId" integer
);
CREATE SEQUENCE public.submission_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.submission_id_seq OWNED BY public.submission.id;
CREATE TABLE public.tag (
    id integer NOT NULL,
    name character varying NOT NULL
);
CREATE SEQUENCE public.tag_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.tag_id_seq OWNED BY public.tag.id;
CREATE TABLE public.teacher (
    id integer NOT NULL,
    name character varying NOT NULL,
    email character varying NOT NULL,
    office character varying
);
CREATE SEQUENCE public.teacher_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.teacher_id_seq OWNED BY public.teacher.id;
ALTER TABLE ONLY public.course ALTER COLUMN id SET DEFAULT nextval('public.course_id_seq'::regclass);
ALTER TABLE ONLY public.enrolment ALTER COLUMN id SET DEFAULT nextval('public.enrolment_id_seq'::regclass);
ALTER TABLE ONLY public.lesson ALTER COLUMN id SET DEFAULT nextval('public.lesson_id_seq'::regclass);
ALTER TABLE ONLY public.student ALTER COLUMN id SET DEFAULT nextval('public.student_id_seq'::regclass);
ALTER TABLE ONLY public.submission ALTER COLUMN id SET DEFAULT nextval('public.submission_id_seq'::regclass);
ALTER TABLE ONLY public.tag ALTER COLUMN id SET DEFAULT nextval('public.tag_id_seq'::regclass);
ALTER TABLE ONLY public.teacher ALTER COLUMN id SET DEFAULT nextval('public.teacher_id_seq'::regclass);
ALTER TABLE ONLY public.lesson
    ADD CONSTRAINT "PK_0ef25918f0237e68696dee455bd" PRIMARY KEY (id);
ALTER TABLE ONLY public.teacher
    ADD CONSTRAINT "PK_2f807294148612a9751dacf1026" PRIMARY KEY (id);
ALTER TABLE ONLY public.student
    ADD CONSTRAINT "PK_3d8016e1cb58429474a3c041904" PRIMARY KEY (id);
ALTER TABLE ONLY public.enrolment
    ADD CONSTRAINT "PK_5d2679f6c891d77c58aa0e05f2b" PRIMARY KEY (id);
ALTER TABLE ONLY public.submission
    ADD CONSTRAINT "PK_7faa571d0e4a7076e85890c9bd0" PRIMARY KEY (id);
ALTER TABLE ONLY public.course_tags_tag
    ADD CONSTRAINT "PK_8981acfc6f4c94276d19e467470" PRIMARY KEY ("courseId", "tagId");
ALTER TABLE ONLY public.tag
    ADD CONSTRAINT "PK_8e4052373c579afc1471f526760" PRIMARY KEY (id);
ALTER TABLE ONLY public.course
    ADD CONSTRAINT "PK_bf95180dd756fd204fb01ce4916" PRIMARY KEY (id);
ALTER TABLE ONLY public.teacher
    ADD CONSTRAINT "UQ_00634394dce7677d531749ed8e8" UNIQUE (email);
ALTER TABLE ONLY public.course
    ADD CONSTRAINT "UQ_5cf4963ae12285cda6432d5a3a4" UNIQUE (code);
CREATE INDEX "IDX_2e1274b2f40e354196a48ecd69" ON public.course_tags_tag USING btree ("courseId");
CREATE INDEX "IDX_843133fef3f7894d9779811338" ON public.course_tags_tag USING btree ("tagId");
ALTER TABLE ONLY public.course_tags_tag
    ADD CONSTRAINT "FK_2e1274b2f40e354196a48ecd696" FOREIGN KEY ("courseId") REFERENCES public.course(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public.enrolment
    ADD CONSTRAINT "FK_32654bfec59f2a78ee4c2d6c9f1" FOREIGN KEY ("courseId") REFERENCES public.course(id);
ALTER TABLE ONLY public.lesson
    ADD CONSTRAINT "FK_3801ccf9533a8627c1dcb1e33bf" FOREIGN KEY ("courseId") REFERENCES public.course(id);
ALTER TABLE ONLY public.course
    ADD CONSTRAINT "FK_3e002f760e8099dd5796e5dc93b" FOREIGN KEY ("teacherId") REFERENCES public.teacher(id);
ALTER TABLE ONLY public.submission
    ADD CONSTRAINT "FK_7839f81f67279c9470a893d4b56" FOREIGN KEY ("lessonId") REFERENCES public.lesson(id);
ALTER TABLE ONLY public.course_tags_tag
    ADD CONSTRAINT "FK_843133fef3f7894d97798113382" FOREIGN KEY ("tagId") REFERENCES public.tag(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public.enrolment
    ADD CONSTRAINT "FK_9d5cba77d4c017f299f4e478e0c" FOREIGN KEY ("studentId") REFERENCES public.student(id);
ALTER TABLE ONLY public.submission
    ADD CONSTRAINT "FK_a174d175dc504dce8df5c217014" FOREIGN KEY ("studentId") REFERENCES public.student(id);
