SET check_function_bodies = off;
CREATE TYPE public."Status" AS ENUM (
    'PENDING',
    'CONFIRMED',
    'CANCELLED'
);
CREATE TABLE public."Booking" (
    id bigint NOT NULL,
    "roomId" integer NOT NULL,
    "guestId" text NOT NULL,
    status public."Status" DEFAULT 'PENDING'::public."Status" NOT NULL,
    arrives date NOT NULL,
    leaves date NOT NULL,
    total numeric(12,2) NOT NULL,
    "createdAt" timestamp(3) without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp(3) without time zone NOT NULL
);
CREATE SEQUENCE public."Booking_id_seq"
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Booking_id_seq" OWNED BY public."Booking".id;
CREATE TABLE public."Extra" (
    id integer NOT NULL,
    name text NOT NULL,
    price numeric(8,2) NOT NULL
);
CREATE SEQUENCE public."Extra_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Extra_id_seq" OWNED BY public."Extra".id;
CREATE TABLE public."Guest" (
    id text NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    phone text,
    born date
);
CREATE TABLE public."Hotel" (
    id integer NOT NULL,
    slug text NOT NULL,
    name text NOT NULL,
    city text NOT NULL,
    stars integer NOT NULL,
    amenities jsonb,
    languages text[],
    latitude double precision,
    "createdAt" timestamp(3) without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE SEQUENCE public."Hotel_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Hotel_id_seq" OWNED BY public."Hotel".id;
CREATE TABLE public."Profile" (
    id integer NOT NULL,
    "guestId" text NOT NULL,
    preferences jsonb NOT NULL
);
CREATE SEQUENCE public."Profile_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Profile_id_seq" OWNED BY public."Profile".id;
CREATE TABLE public."Review" (
    id integer NOT NULL,
    "hotelId" integer NOT NULL,
    "guestId" text NOT NULL,
    score integer NOT NULL,
    text text NOT NULL,
    "createdAt" timestamp(3) without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE SEQUENCE public."Review_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Review_id_seq" OWNED BY public."Review".id;
CREATE TABLE public."Room" (
    id integer NOT NULL,
    "hotelId" integer NOT NULL,
    number text NOT NULL,
    beds integer NOT NULL,
    rate numeric(10,2) NOT NULL
);
CREATE SEQUENCE public."Room_id_seq"
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public."Room_id_seq" OWNED BY public."Room".id;
CREATE TABLE public."_BookingToExtra" (
    "A" bigint NOT NULL,
    "B" integer NOT NULL
);
ALTER TABLE ONLY public."Booking" ALTER COLUMN id SET DEFAULT nextval('public."Booking_id_seq"'::regclass);
ALTER TABLE ONLY public."Extra" ALTER COLUMN id SET DEFAULT nextval('public."Extra_id_seq"'::regclass);
ALTER TABLE ONLY public."Hotel" ALTER COLUMN id SET DEFAULT nextval('public."Hotel_id_seq"'::regclass);
ALTER TABLE ONLY public."Profile" ALTER COLUMN id SET DEFAULT nextval('public."Profile_id_seq"'::regclass);
ALTER TABLE ONLY public."Review" ALTER COLUMN id SET DEFAULT nextval('public."Review_id_seq"'::regclass);
ALTER TABLE ONLY public."Room" ALTER COLUMN id SET DEFAULT nextval('public."Room_id_seq"'::regclass);
ALTER TABLE ONLY public."Booking"
    ADD CONSTRAINT "Booking_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Extra"
    ADD CONSTRAINT "Extra_name_key" UNIQUE (name);
ALTER TABLE ONLY public."Extra"
    ADD CONSTRAINT "Extra_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Guest"
    ADD CONSTRAINT "Guest_email_key" UNIQUE (email);
ALTER TABLE ONLY public."Guest"
    ADD CONSTRAINT "Guest_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Hotel"
    ADD CONSTRAINT "Hotel_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Hotel"
    ADD CONSTRAINT "Hotel_slug_key" UNIQUE (slug);
ALTER TABLE ONLY public."Profile"
    ADD CONSTRAINT "Profile_guestId_key" UNIQUE ("guestId");
ALTER TABLE ONLY public."Profile"
    ADD CONSTRAINT "Profile_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Review"
    ADD CONSTRAINT "Review_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."Room"
    ADD CONSTRAINT "Room_hotelId_number_key" UNIQUE ("hotelId", number);
ALTER TABLE ONLY public."Room"
    ADD CONSTRAINT "Room_pkey" PRIMARY KEY (id);
ALTER TABLE ONLY public."_BookingToExtra"
    ADD CONSTRAINT "_BookingToExtra_pkey" PRIMARY KEY ("A", "B");
ALTER TABLE ONLY public."Booking"
    ADD CONSTRAINT "Booking_guestId_fkey" FOREIGN KEY ("guestId") REFERENCES public."Guest"(id);
ALTER TABLE ONLY public."Booking"
    ADD CONSTRAINT "Booking_roomId_fkey" FOREIGN KEY ("roomId") REFERENCES public."Room"(id);
ALTER TABLE ONLY public."Profile"
    ADD CONSTRAINT "Profile_guestId_fkey" FOREIGN KEY ("guestId") REFERENCES public."Guest"(id);
ALTER TABLE ONLY public."Review"
    ADD CONSTRAINT "Review_guestId_fkey" FOREIGN KEY ("guestId") REFERENCES public."Guest"(id);
ALTER TABLE ONLY public."Review"
    ADD CONSTRAINT "Review_hotelId_fkey" FOREIGN KEY ("hotelId") REFERENCES public."Hotel"(id);
ALTER TABLE ONLY public."Room"
    ADD CONSTRAINT "Room_hotelId_fkey" FOREIGN KEY ("hotelId") REFERENCES public."Hotel"(id);
