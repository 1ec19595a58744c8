//! Searches among hosts that can be up, away, silent, full or something else, in virtual time.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::*;
use crate::{
    config::{Dial, Host, Hosts, OriginTls},
    secret::Secret,
};

/// What is at a host.
#[derive(Clone, Copy)]
enum Is {
    Primary,
    Standby,
    ReadOnly,
    Away,
    Silent,
    Full,
    Barred,
}

struct Fake {
    hosts: Mutex<Vec<Is>>,
    reached: AtomicUsize,
    moved: Mutex<Vec<String>>,
}

impl Reach for Fake {
    type Connection = usize;

    async fn reach(&self, host: usize, _: Duration) -> Result<(usize, Server), ConnectError> {
        self.reached.fetch_add(1, Ordering::Relaxed);
        let is = self.hosts.lock()[host];
        // What is said to a connection takes a moment.
        tokio::task::yield_now().await;
        let server = |is_standby, is_read_only| Ok((host, Server { is_standby, is_read_only }));
        match is {
            Is::Primary => server(false, false),
            Is::Standby => server(true, false),
            Is::ReadOnly => server(false, true),
            Is::Away => Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()),
            Is::Silent => std::future::pending().await,
            Is::Full => Err(ConnectError::Refused {
                errno: None,
                sqlstate: String::from("53300"),
                message: String::from("too many"),
            }),
            Is::Barred => Err(ConnectError::Authentication(String::from("no"))),
        }
    }

    fn moved(&self, moved: &Moved) {
        let Moved { from, to, why } = moved;
        self.moved.lock().push(format!("{} -> {to}: {why}", from.as_deref().unwrap_or("-")));
    }
}

impl Fake {
    fn are(&self, hosts: &[Is]) {
        *self.hosts.lock() = hosts.to_vec();
    }
}

const WITHIN: Duration = Duration::from_secs(4);

fn world(hosts: &[Is], wanted: SessionAttrs) -> (OriginConfig, Fake) {
    let dial = |number: usize| Dial::Tcp { host: ["a", "b", "c"][number].into(), port: 1 };
    let others = (1..hosts.len()).map(|it| Host { dial: dial(it), tls: OriginTls::Plaintext });
    let origin = OriginConfig {
        dial: dial(0),
        database: String::from("d"),
        user: String::from("u"),
        password: Secret::new(String::new()).into(),
        tls: OriginTls::Plaintext,
        hosts: Hosts::new(others.collect(), wanted),
        compression: None,
    };
    let fake = Fake {
        hosts: Mutex::new(hosts.to_vec()),
        reached: AtomicUsize::new(0),
        moved: Mutex::default(),
    };
    (origin, fake)
}

async fn host((origin, fake): &(OriginConfig, Fake)) -> Result<usize, String> {
    let opened = open(origin, fake, WITHIN).await;
    opened
        .map(|(connection, on)| {
            assert_eq!(connection, on.host());
            connection
        })
        .map_err(|error| error.to_string())
}

#[tokio::test(start_paused = true)]
async fn the_first_host_that_is_what_was_asked_for_is_used() {
    use Is::{Away, Primary, ReadOnly, Standby};
    use SessionAttrs as Wanted;
    for (hosts, wanted, expected) in [
        (&[Standby, Primary][..], Wanted::Any, Some(0)),
        (&[Standby, Primary], Wanted::ReadWrite, Some(1)),
        (&[Away, ReadOnly, Primary], Wanted::ReadWrite, Some(2)),
        (&[Away, ReadOnly, Primary], Wanted::Primary, Some(1)),
        (&[Primary, ReadOnly], Wanted::ReadOnly, Some(1)),
        (&[Primary, Standby], Wanted::Standby, Some(1)),
        (&[Primary, Standby], Wanted::PreferStandby, Some(1)),
        (&[Away, Primary], Wanted::PreferStandby, Some(1)),
        (&[Primary, Primary], Wanted::Standby, None),
        (&[Standby], Wanted::Primary, None),
        (&[Primary], Wanted::Primary, Some(0)),
    ] {
        let world = world(hosts, wanted);
        assert_eq!(host(&world).await.ok(), expected, "{wanted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_none_fits_it_is_told_what_was_found_on_each() {
    let world = world(&[Is::Standby, Is::Away, Is::Full], SessionAttrs::ReadWrite);
    let began = Instant::now();
    let error = host(&world).await.unwrap_err();
    assert_eq!(
        error,
        "no host is what target_session_attrs = \"read-write\" asks for: a:1 is a standby; \
         b:1: the connection broke during login: connection reset; \
         c:1: the database refused the connection: too many (53300)"
    );
    assert!(began.elapsed() < ROUND, "nobody ever was, so that none is waited for");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_lost_or_demoted_has_a_successor_and_all_move_there_at_once() {
    let world = world(&[Is::Primary, Is::Standby], SessionAttrs::ReadWrite);
    let (origin, fake) = &world;
    let (_, before) = open(origin, fake, WITHIN).await.unwrap();
    fake.are(&[Is::Away, Is::Primary]);
    let (one, other) = tokio::join!(host(&world), host(&world));
    assert_eq!((one, other), (Ok(1), Ok(1)));
    assert!(!before.is_in_use());
    // It comes back as a standby, and they change once more.
    fake.are(&[Is::Primary, Is::Standby]);
    assert_eq!(host(&world).await, Ok(0));
    assert_eq!(
        *fake.moved.lock(),
        ["a:1 -> b:1: a:1: the connection broke during login: connection reset", "b:1 -> a:1: "]
    );
}

#[tokio::test(start_paused = true)]
async fn a_successor_is_waited_for_and_a_host_that_is_full_or_knows_us_not_has_none() {
    let world = world(&[Is::Primary, Is::Standby], SessionAttrs::ReadWrite);
    let fake = &world.1;
    assert_eq!(host(&world).await, Ok(0));
    fake.are(&[Is::Full, Is::Primary]);
    assert!(host(&world).await.unwrap_err().contains("too many"));
    fake.are(&[Is::Barred, Is::Primary]);
    assert!(host(&world).await.unwrap_err().contains("refused the login"));
    fake.are(&[Is::Silent, Is::Standby]);
    let promoted = async {
        sleep(WITHIN / 2).await;
        fake.are(&[Is::Silent, Is::Primary]);
    };
    let began = Instant::now();
    let (found, ()) = tokio::join!(host(&world), promoted);
    assert_eq!(found.ok(), None, "half of the time went to the silent one");
    assert!(began.elapsed() <= WITHIN);
    assert_eq!(host(&world).await, Ok(1));
    fake.are(&[Is::Away, Is::Away]);
    let promoted = async {
        sleep(WITHIN / 4).await;
        fake.are(&[Is::Primary, Is::Away]);
    };
    let (found, ()) = tokio::join!(host(&world), promoted);
    assert_eq!(found, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn a_surprise_is_looked_into_by_one_and_not_again_and_again() {
    let world = world(&[Is::Primary, Is::Standby], SessionAttrs::ReadWrite);
    let (origin, fake) = &world;
    let (_, on) = open(origin, fake, WITHIN).await.unwrap();
    let look = || look_again(origin, fake, &on, WITHIN);
    let before = fake.reached.load(Ordering::Relaxed);
    assert_eq!(tokio::join!(look(), look(), look()), (false, false, false));
    assert_eq!(fake.reached.load(Ordering::Relaxed), before + 1);
    fake.are(&[Is::ReadOnly, Is::Primary]);
    assert!(!look().await, "it was looked at just now");
    tokio::time::advance(LOOK).await;
    assert_eq!(tokio::join!(look(), look()), (true, true));
    assert_eq!(fake.reached.load(Ordering::Relaxed), before + 3);
    assert_eq!(*fake.moved.lock(), ["a:1 -> b:1: a:1 is read-only"]);
}
