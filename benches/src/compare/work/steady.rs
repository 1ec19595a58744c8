//! A few clients that keep asking while something else happens, and how long they waited.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use super::crowd;
use crate::compare::contender::Contender;

/// Clients that ask, on a thread of their own: what else this program does must not be what they wait for.
#[derive(Debug)]
pub struct Steady {
    stop: Arc<AtomicBool>,
    ended: oneshot::Receiver<Result<Served>>,
}

/// How they were served: how long each answer took, in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Served(Histogram<u64>);

impl Served {
    fn nobody() -> Result<Self> {
        let bound = u64::try_from(PATIENCE.as_nanos()).context("a bound")?;
        Ok(Self(Histogram::new_with_bounds(1, bound, 3)?))
    }

    /// How many answers came.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// What this share of them took at the most, in milliseconds.
    #[must_use]
    pub fn wait_ms(&self, share: f64) -> f64 {
        crate::report::float(self.0.value_at_quantile(share)) / 1e6
    }

    /// The longest that one took, in milliseconds.
    #[must_use]
    pub fn longest_ms(&self) -> f64 {
        crate::report::float(self.0.max()) / 1e6
    }
}

impl Steady {
    /// Has them asked once, then again and again.
    ///
    /// # Errors
    ///
    /// They cannot log in.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends them.
    pub async fn start(contender: &Contender) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (begun, beginning) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (contender, until) = (contender.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let served = runtime
                .context("the runtime")
                .and_then(|runtime| runtime.block_on(ask(&contender, begun, &until)));
            // Nobody may be left who wants to know.
            drop(end.send(served));
        });
        let steady = Self { stop, ended };
        match beginning.await {
            Ok(()) => Ok(steady),
            Err(_ended) => Err(match steady.end().await {
                Ok(_) => anyhow!("they have ended"),
                Err(error) => error,
            }),
        }
    }

    /// Ends them.
    ///
    /// # Errors
    ///
    /// An answer did not come.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends them too.
    pub async fn end(mut self) -> Result<Served> {
        self.stop.store(true, Ordering::Relaxed);
        (&mut self.ended).await.context("their thread has ended")?
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

async fn ask(
    contender: &Contender,
    begun: oneshot::Sender<()>,
    stop: &AtomicBool,
) -> Result<Served> {
    let mut clients = crowd::open(contender, CLIENTS, CLIENTS).await?;
    crowd::ask_all(&mut clients).await?;
    ensure!(begun.send(()).is_ok(), "nobody waits for them");
    let asking = clients.into_iter().map(|mut client| async move {
        let mut served = Served::nobody()?;
        while !stop.load(Ordering::Relaxed) {
            let begin = Instant::now();
            let asking = timeout(PATIENCE, client.state()).await;
            let state = asking.context("no answer in time").flatten()?;
            ensure!(state.rows > 0, "a table without rows");
            let took = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
            served.0.saturating_record(took);
            sleep(PAUSE).await;
        }
        anyhow::Ok(served)
    });
    let mut all = Served::nobody()?;
    for served in try_join_all(asking).await? {
        all.0.add(served.0)?;
    }
    Ok(all)
}

const CLIENTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(30);
