//! What a checkout costs: ours, and bb8's alone, with connections that open at once.
//!
//! The difference is what the pool adds to bb8: the order of waiters, and the word of failed connects. bb8's own
//! number is the most that a pool of another make could save.
//!
//! Nobody waits in `free`. In `64_on_20` 64 tasks want one of 20 connections, and who has one lets others run before
//! it is given back; the time is that of all, divided by the checkouts.

use std::{convert::Infallible, future::Future, num::NonZeroU32, sync::Arc, time::Duration};

use bb8::ManageConnection;
use criterion::Criterion;
use origin::pool::{Origin, Pool};
use serving::config::PoolConfig;
use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinSet, yield_now},
    time::Instant,
};

const TASKS: u64 = 64;

const MAX_SIZE: NonZeroU32 = NonZeroU32::new(20).expect("it is not zero");

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let config = PoolConfig { max_size: MAX_SIZE, ..PoolConfig::default() };
    let inside = runtime.enter();
    let ours = Arc::new(Pool::new(Instantly, &config));
    let plain = bb8::Pool::builder()
        .max_size(MAX_SIZE.get())
        .min_idle(config.min_idle)
        .connection_timeout(config.checkout_timeout)
        .idle_timeout(config.idle_timeout)
        .max_lifetime(None)
        .queue_strategy(bb8::QueueStrategy::Lifo)
        .retry_connection(false)
        .build_unchecked(Instantly);
    drop(inside);
    checkouts(&mut criterion, &runtime, "checkout/pool", &ours);
    checkouts(&mut criterion, &runtime, "checkout/bb8", &Arc::new(plain));
    criterion.final_summary();
}

fn checkouts<L: Lender>(criterion: &mut Criterion, runtime: &Runtime, name: &str, lender: &Arc<L>) {
    let mut group = criterion.benchmark_group(name);
    group.bench_function("free", |bencher| {
        bencher.iter_custom(|times| runtime.block_on(alone(&**lender, times)));
    });
    group.bench_function("64_on_20", |bencher| {
        bencher.iter_custom(|times| runtime.block_on(crowd(lender, times)));
    });
    group.finish();
}

async fn alone(lender: &impl Lender, times: u64) -> Duration {
    let begun = Instant::now();
    for _ in 0..times {
        lender.lend(async {}).await;
    }
    begun.elapsed()
}

/// So many checkouts, shared out among the tasks.
async fn crowd<L: Lender>(lender: &Arc<L>, times: u64) -> Duration {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let share = times / TASKS + u64::from(task < times % TASKS);
        let lender = Arc::clone(lender);
        tasks.spawn(async move {
            for _ in 0..share {
                lender.lend(yield_now()).await;
            }
        });
    }
    tasks.join_all().await;
    begun.elapsed()
}

/// Who lends connections.
trait Lender: Send + Sync + 'static {
    /// Lends one for as long as `hold` takes.
    fn lend(&self, hold: impl Future<Output = ()> + Send) -> impl Future<Output = ()> + Send;
}

impl Lender for Pool<Instantly> {
    async fn lend(&self, hold: impl Future<Output = ()> + Send) {
        let loan = match self.try_checkout() {
            Some(loan) => loan,
            None => self.checkout().await.expect("connecting cannot fail"),
        };
        hold.await;
        loan.checkin();
    }
}

impl Lender for bb8::Pool<Instantly> {
    async fn lend(&self, hold: impl Future<Output = ()> + Send) {
        let _loan = self.get_owned().await.expect("connecting cannot fail");
        hold.await;
    }
}

/// An origin that has a connection at once, and bb8's view of the same.
#[derive(Debug)]
struct Instantly;

/// A connection without a socket.
#[derive(Debug)]
struct Connection;

impl Origin for Instantly {
    type Connection = Connection;
    type Error = Infallible;

    async fn connect(&self) -> Result<Connection, Infallible> {
        Ok(Connection)
    }

    fn is_refusal(error: &Infallible) -> bool {
        match *error {}
    }

    fn check(&self, _: &mut Connection, _: Instant, _: Duration) -> Result<(), Infallible> {
        Ok(())
    }

    fn rest(_connection: &Connection) -> bool {
        true
    }
}

impl ManageConnection for Instantly {
    type Connection = Connection;
    type Error = Infallible;

    async fn connect(&self) -> Result<Connection, Infallible> {
        Ok(Connection)
    }

    async fn is_valid(&self, _connection: &mut Connection) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _connection: &mut Connection) -> bool {
        false
    }
}
