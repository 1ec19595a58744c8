//! The pool with a fake origin that can stall, fail and count, in virtual time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{checkout::reaper_rate, *};
use crate::config::{PoolConfig, PoolMode};

#[derive(Debug)]
struct Connection {
    number: u32,
    dead: bool,
    /// Its way is about to end.
    leaving: bool,
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("refused")]
struct Refused {
    is_denial: bool,
}

#[derive(Clone, Debug, Default)]
struct Fake {
    attempts: Arc<AtomicU32>,
    opened: Arc<AtomicU32>,
    refuses: Arc<AtomicBool>,
    /// A refusal is the origin's word, and not the network's.
    denies: bool,
    /// Connections with a smaller number have died.
    dead_before: Arc<AtomicU32>,
}

impl Fake {
    /// Everything that is open dies, unnoticed.
    fn kill_all(&self) {
        self.dead_before.store(self.opened.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

const CONNECT_TIME: Duration = Duration::from_millis(5);

impl Origin for Fake {
    type Connection = Connection;
    type Error = Refused;

    async fn connect(&self) -> Result<Connection, Refused> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(CONNECT_TIME).await;
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Refused { is_denial: self.denies });
        }
        let number = self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Connection { number, dead: false, leaving: false })
    }

    fn is_refusal(error: &Refused) -> bool {
        error.is_denial
    }

    fn check(&self, connection: &mut Connection, _: Instant, _: Duration) -> Result<(), Refused> {
        let died = connection.number < self.dead_before.load(Ordering::SeqCst);
        if connection.dead || died { Err(Refused { is_denial: false }) } else { Ok(()) }
    }

    fn rest(connection: &Connection) -> bool {
        !connection.leaving
    }
}

fn pool(origin: Fake, max_size: u32) -> Arc<Pool<Fake>> {
    pool_with_idle(origin, max_size, 0)
}

fn pool_with_idle(origin: Fake, max_size: u32, min_idle: u32) -> Arc<Pool<Fake>> {
    Arc::new(Pool::new(origin, &config(max_size, min_idle)))
}

fn config(max_size: u32, min_idle: u32) -> PoolConfig {
    PoolConfig {
        mode: PoolMode::Transaction,
        max_size: std::num::NonZeroU32::new(max_size).expect("not zero"),
        min_idle,
        checkout_timeout: Duration::from_secs(15),
        connect_timeout: Duration::from_secs(15),
        idle_timeout: None,
        max_lifetime: None,
        statement_timeout: None,
        idle_in_transaction_timeout: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_returned_connection_is_lent_again_and_a_dropped_one_is_closed() {
    let pool = pool(Fake::default(), 1);
    let first = pool.checkout().await.expect("opens");
    assert_eq!(first.number, 0);
    first.checkin();
    let again = pool.checkout().await.expect("idle");
    assert_eq!(again.number, 0);
    drop(again);
    assert_eq!(pool.checkout().await.expect("opens").number, 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_died_while_idle_is_never_lent() {
    let pool = pool(Fake::default(), 1);
    let mut first = pool.checkout().await.expect("opens");
    first.dead = true;
    first.checkin();
    assert_eq!(pool.checkout().await.expect("opens another").number, 1);
}

/// FAULTS §3, "`idle_timeout = 2` closed after 22.6 s". In real time, which bb8 goes by.
#[tokio::test]
async fn an_idle_connection_is_closed_soon_after_its_time() {
    let mut config = config(1, 0);
    config.idle_timeout = Some(Duration::from_millis(300));
    let pool = Arc::new(Pool::new(Fake::default(), &config));
    pool.checkout().await.expect("opens").checkin();
    let since = Instant::now();
    while pool.status().connections > 0 {
        assert!(since.elapsed() < Duration::from_secs(5), "it is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(since.elapsed() >= Duration::from_millis(200), "not before");
    assert_eq!(reaper_rate(None), reaper_rate(Some(Duration::from_secs(600))), "not all the time");
}

/// FAULTS row 22.
#[tokio::test(start_paused = true)]
async fn a_connection_whose_way_is_about_to_end_is_closed_when_it_comes_back() {
    let pool = pool(Fake::default(), 1);
    let mut first = pool.checkout().await.expect("opens");
    first.leaving = true;
    first.checkin();
    assert_eq!(pool.status().idle, 0);
    assert_eq!(pool.checkout().await.expect("opens another").number, 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_max_size_are_open_and_the_rest_wait_in_order() {
    let pool = pool(Fake::default(), 2);
    let (a, b) = (pool.checkout().await.expect("one"), pool.checkout().await.expect("two"));
    let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let mut waiters = tokio::task::JoinSet::new();
    for number in 0..5 {
        let (pool, order) = (Arc::clone(&pool), Arc::clone(&order));
        waiters.spawn(async move {
            let loan = pool.checkout().await.expect("in time");
            order.lock().push(number);
            tokio::time::sleep(Duration::from_millis(10)).await;
            loan.checkin();
        });
        tokio::task::yield_now().await;
    }
    assert_eq!(pool.status().connections, 2);
    drop(a);
    b.checkin();
    while waiters.join_next().await.is_some() {}
    assert_eq!(*order.lock(), [0, 1, 2, 3, 4]);
    assert!(pool.status().connections <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_checkout_timeout() {
    let pool = pool(Fake::default(), 1);
    let _held = pool.checkout().await.expect("one");
    assert!(matches!(pool.checkout().await, Err(CheckoutError::TimedOut)));
}

#[tokio::test(start_paused = true)]
async fn after_another_password_a_refusal_keeps_nobody_waiting() {
    let origin = Fake::default();
    origin.refuses.store(true, Ordering::SeqCst);
    let refuses = Arc::clone(&origin.refuses);
    let pool = pool(origin, 1);
    assert!(pool.checkout().await.is_err());
    refuses.store(false, Ordering::SeqCst);
    assert!(pool.checkout().await.is_err(), "nobody asks again at once");
    pool.try_anew();
    assert!(pool.checkout().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_refused_connect_is_heard_at_once() {
    let origin = Fake::default();
    origin.refuses.store(true, Ordering::SeqCst);
    let refuses = Arc::clone(&origin.refuses);
    let pool = pool(origin, 1);
    let began = Instant::now();
    assert!(matches!(pool.checkout().await, Err(CheckoutError::Connect(_))));
    assert!(began.elapsed() < Duration::from_secs(1));
    refuses.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(pool.checkout().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_costs_no_place() {
    let pool = pool(Fake::default(), 1);
    for _ in 0..3 {
        let attempt = tokio::time::timeout(Duration::from_millis(1), pool.checkout()).await;
        assert!(attempt.is_err(), "a connect takes longer");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(pool.checkout().await.is_ok());
}

/// A pool that is kept warm until the test ends.
fn warm_pool(origin: &Fake, min_idle: u32) -> (Arc<Pool<Fake>>, tokio::task::JoinSet<()>) {
    let pool = pool_with_idle(origin.clone(), 10, min_idle);
    let mut keeper = tokio::task::JoinSet::new();
    keeper.spawn(keep_warm(Arc::downgrade(&pool), |pool| pool));
    (pool, keeper)
}

#[tokio::test(start_paused = true)]
async fn a_warm_pool_opens_its_connections_in_the_time_of_one() {
    let (pool, _keeper) = warm_pool(&Fake::default(), 4);
    tokio::time::sleep(CONNECT_TIME + Duration::from_millis(1)).await;
    assert_eq!(pool.status().idle, 4);
    tokio::time::sleep(Duration::from_secs(60)).await;
    // bb8 makes up for the one that is looked at.
    assert_eq!(pool.status().idle, 5);
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_the_first_are_being_opened_waits_for_one_of_them() {
    let origin = Fake::default();
    let (pool, _keeper) = warm_pool(&origin, 1);
    tokio::time::sleep(CONNECT_TIME / 2).await;
    assert!(!pool.is_warm());
    let asked = Instant::now();
    let lent = pool.checkout().await.expect("open");
    assert!(lent.number == 0 && asked.elapsed() < CONNECT_TIME);
    assert_eq!(origin.attempts.load(Ordering::SeqCst), 1, "no other was begun");
    assert!(pool.is_warm());
}

#[tokio::test(start_paused = true)]
async fn connections_that_all_died_while_idle_are_back_before_a_client_waits() {
    let origin = Fake::default();
    let (pool, _keeper) = warm_pool(&origin, 4);
    tokio::time::sleep(Duration::from_secs(5)).await;
    origin.kill_all();
    let (before, attempts) = (origin.opened.load(Ordering::SeqCst), Arc::clone(&origin.attempts));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(attempts.load(Ordering::SeqCst) >= before + 4);
    let asked = Instant::now();
    let lent = pool.checkout().await.expect("open");
    assert!(lent.number >= before && asked.elapsed().is_zero());
    // Those that are in use are replaced as well when they are lost.
    drop(lent);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(pool.status().idle >= 4);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_met_with_few_attempts_and_its_end_is_noticed() {
    let origin = Fake::default();
    let (pool, _keeper) = warm_pool(&origin, 4);
    tokio::time::sleep(Duration::from_secs(5)).await;
    origin.refuses.store(true, Ordering::SeqCst);
    origin.kill_all();
    let before = origin.attempts.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let attempts = origin.attempts.load(Ordering::SeqCst) - before;
    assert!((8..40).contains(&attempts), "{attempts}");
    origin.refuses.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(pool.status().idle >= 4);
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_the_answer_to_all_who_come_and_is_rarely_tested() {
    let origin = Fake { denies: true, ..Fake::default() };
    origin.refuses.store(true, Ordering::SeqCst);
    let (pool, _keeper) = warm_pool(&origin, 4);
    for _ in 0..600 {
        let asked = Instant::now();
        assert!(matches!(pool.checkout().await, Err(CheckoutError::Connect(_))));
        assert!(asked.elapsed() <= CONNECT_TIME);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Four together, and after 1, 2, 4, 8, 10, 10 … seconds one more.
    let attempts = origin.attempts.load(Ordering::SeqCst);
    assert!((8..15).contains(&attempts), "{attempts}");
    origin.refuses.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert!(pool.status().idle >= 4);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_connection_in_use_has_another_opened_when_that_can_be_had() {
    let origin = Fake::default();
    let pool = pool(origin.clone(), 2);
    let _held = pool.checkout().await.expect("opens");
    origin.refuses.store(true, Ordering::SeqCst);
    let heal = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        origin.refuses.store(false, Ordering::SeqCst);
    };
    let (lent, ()) = tokio::join!(pool.checkout(), heal);
    assert_eq!(lent.expect("opens").number, 1);
}

/// FAULTS row 32: what no client waits for takes a part of the connections, and none that a client could have.
#[tokio::test(start_paused = true)]
async fn what_no_client_waits_for_has_a_part_of_the_pool_and_comes_last() {
    let pool = pool(Fake::default(), 8);
    let turns = [pool.turn_aside(), pool.turn_aside()];
    assert!(turns.iter().all(Option::is_some) && pool.turn_aside().is_none());
    drop(turns);
    let mut lent = Vec::new();
    for _ in 0..8 {
        lent.push(pool.checkout().await.expect("opens"));
    }
    assert!(pool.turn_aside().is_none(), "all are taken");
    lent.pop();
    assert!(pool.turn_aside().is_some());
}
