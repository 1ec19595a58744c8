//! Logins with scripted clients: what those are told who may not begin, and what a stranger can see.

use std::{collections::HashSet, num::NonZeroU32, time::Duration};

use ::origin::secret::Secret;
use bytes::{Buf as _, Bytes, BytesMut};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use protocol::postgres::{encode, message::error_field};
use serving::{
    config::{ClientUser, Config, Dial, Engine, sample},
    context::Common,
    observe::Metrics,
    salts::Salts,
    shutdown::Shutdown,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    time::Instant,
};

use super::{super::origin::take_frame, *};

const PASSWORD: &str = "open sesame";

/// Two databases. Both have `shared`, `shop` alone has `app`, and `blog` alone has `given`, of whom the file gives a
/// verifier. Nothing listens at the origins.
fn config() -> Config {
    config_at(1, &Salts::random())
}

/// The same, with origins at this port.
fn config_at(port: u16, salts: &Salts) -> Config {
    let verifier = "SCRAM-SHA-256$5000:c2FsdHNhbHRzYWx0c2FsdHNhbHQ=\
        $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let known = |name: &str| sample::user(Engine::Postgres, name, PASSWORD, salts);
    let database = |name: &str, user: ClientUser| {
        let mut database = sample::database(Engine::Postgres, name);
        database.origin.dial = Dial::Tcp { host: String::from("127.0.0.1"), port };
        Arc::make_mut(&mut database.caching).disabled = true;
        database.users = vec![known("shared"), user];
        database
    };
    let databases =
        [database("shop", known("app")), database("blog", sample::verified("given", verifier))];
    let mut config = sample::config(salts, databases);
    config.listen.max_failed_logins = 3;
    config
}

fn context(config: &Config) -> Arc<Context> {
    let common = Common::new(config, Arc::new(Metrics::new()), &Shutdown::new());
    Context::new(config, common)
}

/// A scripted client.
struct Peer {
    stream: DuplexStream,
    input: BytesMut,
}

impl Peer {
    async fn hears(&mut self) -> (u8, Bytes) {
        loop {
            if let Some(frame) = take_frame(&mut self.input, 1 << 16).unwrap() {
                return frame;
            }
            assert_ne!(self.stream.read_buf(&mut self.input).await.unwrap(), 0, "it hung up");
        }
    }

    async fn says(&mut self, message: &[u8]) {
        self.stream.write_all(message).await.unwrap();
    }

    /// Begins with these startup parameters and a SCRAM dialogue; what the server says first of the user.
    async fn begins(&mut self, parameters: &[(&str, &str)], scram: &ScramSha256) -> Bytes {
        let mut out = BytesMut::new();
        encode::startup(0x0003_0000, parameters, &mut out);
        self.says(&out).await;
        let (tag, mut body) = self.hears().await;
        assert_eq!((tag, body.get_u32()), (b'R', 10), "{body:?}");
        let first = scram.message();
        let length = u32::try_from(first.len()).unwrap().to_be_bytes();
        let mut out = BytesMut::new();
        encode::frame(b'p', &[b"SCRAM-SHA-256\0", &length, first], &mut out);
        self.says(&out).await;
        let (tag, mut body) = self.hears().await;
        assert_eq!((tag, body.get_u32()), (b'R', 11), "{body:?}");
        body
    }
}

/// Plays a client's part against a login.
async fn play<T>(context: &Context, script: impl AsyncFnOnce(Peer) -> T) -> T {
    let (near, stream) = tokio::io::duplex(4096);
    let listen = context.common.listen();
    let opening = open(Stream::Duplex(near), &listen, context);
    let peer = Peer { stream, input: BytesMut::new() };
    let both = async { tokio::join!(opening, script(peer)).1 };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("both ends are done")
}

/// Salt and iterations, as anybody can ask for them.
async fn shown(context: &Context, user: &str, database: &str) -> String {
    play(context, async |mut peer| {
        let scram = ScramSha256::new(b"", ChannelBinding::unsupported());
        let body = peer.begins(&[("user", user), ("database", database)], &scram).await;
        let text = String::from_utf8(body.to_vec()).unwrap();
        text.split_once(',').unwrap().1.to_owned()
    })
    .await
}

/// Logs in as far as it goes: the tags of all messages, and SQLSTATE and text of the refusal.
async fn refusal(
    context: &Context,
    parameters: &[(&str, &str)],
    password: &str,
) -> (Vec<u8>, String, String) {
    play(context, async |mut peer| {
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let body = peer.begins(parameters, &scram).await;
        scram.update(&body).unwrap();
        let mut out = BytesMut::new();
        encode::frame(b'p', &[scram.message()], &mut out);
        peer.says(&out).await;
        let mut tags = Vec::new();
        loop {
            let (tag, body) = peer.hears().await;
            tags.push(tag);
            if tag == b'E' {
                let field = |code| String::from_utf8_lossy(error_field(&body, code).unwrap());
                let end = peer.stream.read_buf(&mut peer.input).await.unwrap_or(0);
                assert_eq!(end, 0, "and the connection ends");
                return (tags, field(b'C').into_owned(), field(b'M').into_owned());
            }
        }
    })
    .await
}

/// What became of a login whose origin is not there: `58000` for a password that was right.
async fn outcome(context: &Context, password: &str) -> String {
    refusal(context, &[("user", "app"), ("database", "shop")], password).await.1
}

#[tokio::test]
async fn both_passwords_are_right_until_the_one_before_is_taken_away() {
    let first = config();
    let context = context(&first);
    let salt = shown(&context, "app", "shop").await;
    let with = |users: Vec<ClientUser>| {
        let mut config = config_at(1, &first.salts);
        let mut shop = sample::database(Engine::Postgres, "shop");
        Arc::make_mut(&mut shop.caching).disabled = true;
        shop.users = users;
        config.databases[0] = Arc::new(shop);
        context.reload(&config);
    };
    let user = |password| sample::user(Engine::Postgres, "app", password, &first.salts);
    with(vec![user("new").and(&user(PASSWORD)).unwrap()]);
    for (password, expected) in [("new", "58000"), (PASSWORD, "58000"), ("other", "28P01")] {
        assert_eq!(outcome(&context, password).await, expected, "{password}");
    }
    assert_eq!(shown(&context, "app", "shop").await, salt, "nobody can tell that there are two");
    with(vec![user("new")]);
    for (password, expected) in [("new", "58000"), (PASSWORD, "28P01")] {
        assert_eq!(outcome(&context, password).await, expected, "{password}");
    }
}

const USERS: [&str; 5] = ["app", "shared", "given", "nobody", "postgres"];
const DATABASES: [&str; 4] = ["shop", "blog", "nowhere", ""];

/// FAULTS row 53: a real user had another salt in each database and behind each reload, an unknown one the same.
#[tokio::test]
async fn a_name_has_one_salt_in_every_database_and_behind_a_reload() {
    let first = config();
    let context = context(&first);
    let mut seen = HashSet::new();
    for round in 0..2 {
        for user in USERS {
            let mut of_user = HashSet::new();
            for database in DATABASES {
                of_user.insert(shown(&context, user, database).await);
            }
            assert_eq!(of_user.len(), 1, "{user}: {of_user:?}");
            seen.extend(of_user);
        }
        assert_eq!(seen.len(), USERS.len(), "round {round}: each name has its own, and keeps it");
        // Every section is another now.
        context.reload(&config_at(2, &first.salts));
    }
    // Iterations and length of the salt, of those that exist and of those that do not.
    let kind = |shown: &str| {
        let (salt, iterations) = shown.split_once(",i=").unwrap();
        (salt.len(), iterations.to_owned())
    };
    let real = HashSet::from([
        kind(&shown(&context, "app", "shop").await),
        kind(&shown(&context, "given", "blog").await),
    ]);
    let mut mocks = HashSet::new();
    for n in 0..32 {
        mocks.insert(kind(&shown(&context, &format!("nobody{n}"), "shop").await));
    }
    assert_eq!(mocks, real);
}

/// FAULTS row 54: a wrong password for a database that does not exist was told 3D000, for one that does 28P01.
#[tokio::test]
async fn a_stranger_hears_the_same_of_every_user_and_every_database() {
    let mut config = config();
    config.listen.max_failed_logins = 0;
    let context = context(&config);
    for user in USERS {
        for database in DATABASES {
            let parameters = [("user", user), ("database", database)];
            let (tags, code, text) = refusal(&context, &parameters, "wrong").await;
            assert_eq!((&*tags, &*code), (&b"E"[..], "28P01"), "{user} in {database}: {text}");
            assert_eq!(text, format!("password authentication failed for user \"{user}\""));
        }
    }
}

/// FAULTS row 54: what is told behind the right password, and §4: a replication connection was told that the
/// database "replication" does not exist.
#[tokio::test]
async fn whoever_knows_the_password_is_told_what_is_wrong() {
    let context = context(&config());
    let replication = "a replication connection is not supported";
    let denied = "permission denied for database \"blog\"";
    for (user, database, replicates, code, text) in [
        ("app", "nowhere", "", "3D000", "database \"nowhere\" does not exist"),
        ("shared", "nowhere", "", "3D000", "database \"nowhere\" does not exist"),
        ("app", "blog", "", "42501", denied),
        ("app", "app", "", "3D000", "database \"app\" does not exist"),
        ("app", "replication", "true", "0A000", replication),
        ("app", "shop", "database", "0A000", replication),
    ] {
        let mut parameters = vec![("user", user), ("database", database)];
        if !replicates.is_empty() {
            parameters.push(("replication", replicates));
        }
        let parameters = &parameters[..];
        let (_, found, said) = refusal(&context, parameters, PASSWORD).await;
        assert_eq!(found, code, "{parameters:?}: {said}");
        assert!(said.starts_with(text), "{parameters:?}: {said}");
    }
}

/// A config whose user `app` may have so many clients; 0 for any number.
fn bounded(most: u32, salts: &Salts) -> Config {
    let mut config = config_at(1, salts);
    for database in &mut config.databases {
        let mut bounded = sample::database(Engine::Postgres, &database.name);
        bounded.users = ["app", "shared"]
            .map(|name| sample::user(Engine::Postgres, name, PASSWORD, salts))
            .into();
        bounded.users[0].max_connections = NonZeroU32::new(most);
        *database = Arc::new(bounded);
    }
    config
}

#[tokio::test]
async fn a_client_too_many_of_its_user_is_told_so_as_by_the_database() {
    let salts = Salts::random();
    let context = context(&bounded(1, &salts));
    let told = async |user: &str, password: &str| {
        let (_, code, text) =
            refusal(&context, &[("user", user), ("database", "shop")], password).await;
        (code, text)
    };
    let shop = Arc::clone(context.directory.find("shop").unwrap().config());
    let first = context.common.place(&shop, "app").unwrap();
    let full = (String::from("53300"), String::from("too many connections for role \"app\""));
    assert_eq!(told("app", PASSWORD).await, full);
    assert_eq!(told("app", "wrong").await.0, "28P01", "a stranger learns nothing of it");
    // Nothing listens at the origin, which is where others get.
    assert_eq!(told("shared", PASSWORD).await.0, "58000");
    context.reload(&bounded(2, &salts));
    assert_eq!(told("app", PASSWORD).await.0, "58000", "a reload raises the bound");
    context.reload(&bounded(1, &salts));
    assert_eq!(told("app", PASSWORD).await, full, "and lowers it");
    context.reload(&bounded(0, &salts));
    assert_eq!(told("app", PASSWORD).await.0, "58000", "and takes it away");
    context.reload(&bounded(1, &salts));
    drop(first);
    for _ in 0..2 {
        assert_eq!(told("app", PASSWORD).await.0, "58000", "a login that fails keeps no place");
    }
}

#[tokio::test]
async fn a_client_too_many_of_its_database_is_told_so_as_by_the_database() {
    let salts = Salts::random();
    let with = |most: u32| {
        let mut config = bounded(0, &salts);
        for database in &mut config.databases {
            Arc::get_mut(database).unwrap().max_clients = NonZeroU32::new(most);
        }
        config
    };
    let context = context(&with(1));
    let told = async |user: &str, database: &str, password: &str| {
        let (_, code, text) =
            refusal(&context, &[("user", user), ("database", database)], password).await;
        (code, text)
    };
    let shop = Arc::clone(context.directory.find("shop").unwrap().config());
    let first = context.common.place(&shop, "app").unwrap();
    let text = String::from("too many connections for database \"shop\"");
    let full = (String::from("53300"), text);
    for user in ["app", "shared"] {
        assert_eq!(told(user, "shop", PASSWORD).await, full);
        assert_eq!(told(user, "shop", "wrong").await.0, "28P01", "a stranger learns nothing of it");
        // Nothing listens at the origin, which is where others get.
        assert_eq!(told(user, "blog", PASSWORD).await.0, "58000");
    }
    for (most, code) in [(2, "58000"), (1, "53300"), (0, "58000"), (1, "53300")] {
        context.reload(&with(most));
        assert_eq!(told("shared", "shop", PASSWORD).await.0, code, "a reload with {most}");
    }
    drop(first);
    assert_eq!(told("app", "shop", PASSWORD).await.0, "58000");
}

/// A stranger cannot tell by the time whether there is somebody: who tries a name for the first time waits for its
/// password to be salted, and whoever tries it again does not, whether it is somebody's or nobody's.
#[tokio::test]
async fn a_password_is_salted_for_whoever_is_tried_first_and_nobody_too() {
    let config = config();
    let context = context(&config);
    let tries = async |user: &str, password: &str| {
        let before = config.salts.made();
        refusal(&context, &[("user", user), ("database", "shop")], password).await;
        config.salts.made() - before
    };
    // Some are of the kind of `given`, whose verifier the file has.
    let nobody = async || {
        let mut made = 0;
        for n in 0..16 {
            made += tries(&format!("nobody{n}"), "wrong").await;
        }
        made
    };
    assert_eq!(config.salts.made(), 0, "nobody has tried yet");
    assert_eq!((tries("app", "wrong").await, tries("app", PASSWORD).await), (1, 0));
    assert!((1..16).contains(&nobody().await));
    assert_eq!(nobody().await, 0);
    assert_eq!(tries("given", "wrong").await, 0);
}

/// Each of two passwords that the file gives is salted, be it as a verifier beside it says, and so are those of nobody.
#[tokio::test]
async fn as_many_passwords_are_salted_for_nobody_as_for_somebody() {
    let given = postgres_protocol::password::scram_sha_256(PASSWORD.as_bytes());
    let given = || sample::verified("app", &given.replace("$4096:", "$5000:"));
    let old = Secret::new(String::from("old"));
    type Make<'a> = &'a dyn Fn(&Salts) -> ClientUser;
    let two: Make<'_> = &|salts| sample::user(Engine::Postgres, "app", PASSWORD, salts);
    let one: Make<'_> = &|_salts| given();
    for (now, is_given, expected) in [(two, false, 2), (one, true, 1)] {
        let salts = Salts::random();
        let (now, name) = (now(&salts), String::from("app"));
        let beside = is_given.then(|| now.verifier.clone());
        let before =
            ClientUser::with_password(Engine::Postgres, name, &old, &salts, beside.as_ref());
        let mut config = config_at(1, &salts);
        config.databases.truncate(1);
        Arc::get_mut(&mut config.databases[0]).unwrap().users = vec![now.and(&before).unwrap()];
        let context = context(&config);
        for user in ["nobody", "app"] {
            for expected in [expected, 0] {
                let before = salts.made();
                refusal(&context, &[("user", user), ("database", "shop")], "wrong").await;
                assert_eq!(salts.made() - before, expected, "{user}");
            }
        }
        assert_eq!(outcome(&context, "old").await, "58000");
    }
}

/// FAULTS row 59: nothing slowed wrong passwords down.
#[tokio::test(start_paused = true)]
async fn wrong_passwords_wait_for_their_turn() {
    let context = context(&config());
    let wrong = async |user: &str| {
        let began = Instant::now();
        refusal(&context, &[("user", user), ("database", "shop")], "wrong").await;
        began.elapsed()
    };
    for user in ["app", "nobody"] {
        for _ in 0..4 {
            assert_eq!(wrong(user).await, Duration::ZERO, "{user}");
        }
        for _ in 0..5 {
            assert!(wrong(user).await >= Duration::from_millis(90), "{user}");
        }
    }
    assert_eq!(wrong("shared").await, Duration::ZERO, "others are not held up");
}

/// FAULTS §4: client TLS could not be made obligatory.
#[tokio::test]
async fn a_client_without_tls_is_refused_before_it_is_asked_for_its_password() {
    let mut config = config();
    config.listen.require_tls = true;
    let context = context(&config);
    let heard = play(&context, async |mut peer| {
        let mut out = BytesMut::new();
        encode::startup(0x0003_0000, &[("user", "app"), ("database", "shop")], &mut out);
        peer.says(&out).await;
        peer.hears().await
    });
    let (tag, body) = heard.await;
    assert_eq!((tag, error_field(&body, b'C')), (b'E', Some(&b"28000"[..])));
}
