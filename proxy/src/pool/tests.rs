//! The pool with a fake origin that can stall, fail and count, in virtual time.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;
use crate::config::PoolMode;

#[derive(Debug)]
struct Connection {
    number: u32,
    lent: bool,
    dead: bool,
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("refused")]
struct Refused;

#[derive(Debug, Default)]
struct Fake {
    opened: Arc<AtomicU32>,
    refuses: Arc<AtomicBool>,
}

impl Origin for Fake {
    type Connection = Connection;
    type Error = Refused;

    async fn connect(&self) -> Result<Connection, Refused> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Refused);
        }
        let number = self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Connection { number, lent: false, dead: false })
    }

    fn check(&self, connection: &mut Connection) -> Result<(), Refused> {
        if connection.dead { Err(Refused) } else { Ok(()) }
    }

    fn set_lent(connection: &mut Connection, lent: bool) {
        connection.lent = lent;
    }

    fn is_lent(connection: &Connection) -> bool {
        connection.lent
    }
}

fn pool(origin: Fake, max_size: u32) -> Arc<Pool<Fake>> {
    pool_with_idle(origin, max_size, 0)
}

fn pool_with_idle(origin: Fake, max_size: u32, min_idle: u32) -> Arc<Pool<Fake>> {
    let config = PoolConfig {
        mode: PoolMode::Transaction,
        max_size: std::num::NonZeroU32::new(max_size).expect("not zero"),
        min_idle,
        checkout_timeout: Duration::from_secs(15),
        connect_timeout: Duration::from_secs(15),
        idle_timeout: None,
        max_lifetime: None,
        statement_timeout: None,
    };
    Arc::new(Pool::new(origin, &config))
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
async fn a_refused_connect_is_heard_at_once() {
    let origin = Fake::default();
    origin.refuses.store(true, Ordering::SeqCst);
    let refuses = Arc::clone(&origin.refuses);
    let pool = pool(origin, 1);
    let began = Instant::now();
    assert!(matches!(pool.checkout().await, Err(CheckoutError::Connect(Refused))));
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

#[tokio::test(start_paused = true)]
async fn a_warmed_pool_has_its_connections_before_anybody_asks() {
    let pool = pool_with_idle(Fake::default(), 5, 3);
    pool.warm().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // bb8 makes up for the one that was lent for a moment.
    assert!(pool.status().idle >= 3);
}
