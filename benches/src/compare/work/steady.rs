//! A few clients that keep asking while something else happens, and the longest that they waited.

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

/// How they were served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Served {
    /// How many answers came.
    pub count: u64,
    /// The longest that one took, in milliseconds.
    pub longest_ms: f64,
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
        let mut served = Served { count: 0, longest_ms: 0.0 };
        while !stop.load(Ordering::Relaxed) {
            let begin = Instant::now();
            let asking = timeout(PATIENCE, client.state()).await;
            let state = asking.context("no answer in time").flatten()?;
            ensure!(state.rows > 0, "a table without rows");
            let took = begin.elapsed().as_secs_f64() * 1e3;
            served = Served { count: served.count + 1, longest_ms: served.longest_ms.max(took) };
            sleep(PAUSE).await;
        }
        anyhow::Ok(served)
    });
    let all = try_join_all(asking).await?;
    Ok(Served {
        count: all.iter().map(|served| served.count).sum(),
        longest_ms: all.iter().map(|served| served.longest_ms).fold(0.0, f64::max),
    })
}

const CLIENTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(30);
