//! Work that would keep a serving thread from its other sessions.
//!
//! Reading a text of a megabyte takes a tenth of a second. So it is done on other threads, few of them, while the
//! client that wants it waits alone. It knows neither engine, and not what is done.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};
use tokio_util::task::TaskTracker;

/// A longer text is not read on a serving thread, unless it is remembered.
pub const LONG_TEXT: usize = 8 << 10;
/// How much may go on at a time: one that takes its time leaves room for another.
const PLACES: usize = 2;
/// How long a client waits; what it wanted is then not known.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs work beside the serving threads, in the order in which it comes.
#[derive(Clone, Debug)]
pub struct Heavy {
    places: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Heavy {
    /// A place for work whose threads `tasks` knows of.
    pub fn new(tasks: TaskTracker) -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), tasks }
    }

    /// Takes all places, as long as what is returned lives.
    #[cfg(feature = "testing")]
    pub async fn occupied(&self) -> tokio::sync::OwnedSemaphorePermit {
        let places = u32::try_from(PLACES).expect("few places");
        Arc::clone(&self.places).acquire_many_owned(places).await.expect("nobody closes it")
    }

    /// What the work comes to. `None` when that takes too long, or when it panics.
    ///
    /// # Cancel safety
    ///
    /// Work that has begun goes on when it is dropped, and nobody hears of it.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let done = async {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            let task = self.tasks.spawn_blocking(move || {
                let done = work();
                drop(place);
                done
            });
            task.await.ok()
        };
        timeout(PATIENCE, done).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// FAULTS row 50: what is heavy leaves the serving thread to others.
    #[tokio::test]
    async fn the_thread_that_asks_is_free_meanwhile() {
        let heavy = Heavy::new(TaskTracker::new());
        let (begin, begun) = mpsc::channel::<u32>();
        let work = heavy.run(move || begun.recv());
        // On one thread this would wait for ever: nobody else sends.
        let other = async { begin.send(7) };
        let (done, sent) = tokio::join!(work, other);
        assert_eq!((done, sent.is_ok()), (Some(Ok(7)), true));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_for_a_place() {
        let heavy = Heavy::new(TaskTracker::new());
        let taken = Arc::clone(&heavy.places).acquire_many_owned(2).await.expect("both places");
        assert_eq!(heavy.run(|| 1).await, None);
        drop(taken);
        assert_eq!(heavy.run(|| 1).await, Some(1));
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_place_back() {
        let heavy = Heavy::new(TaskTracker::new());
        for _ in 0..=PLACES {
            assert_eq!(heavy.run(|| panic!("on purpose")).await, None::<()>);
        }
        assert_eq!(heavy.run(|| 1).await, Some(1));
    }
}
