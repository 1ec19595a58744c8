//! Waiting for what happens often, and for what happens once.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use pin_project_lite::pin_project;

/// Runs `often` to its end, or up to the end of `seldom`, which is then the error.
///
/// As `select!` does, but `seldom` is polled only when it was woken itself, and not each time that the task is:
/// waiting for the end of the process would otherwise take a lock, which all sessions share, several times for
/// each statement.
///
/// # Errors
///
/// What `seldom` ended with.
///
/// # Cancel safety
///
/// That of the two futures: both are dropped where they stand.
pub fn until<O: Future, S: Future>(often: O, seldom: S) -> Until<O, S> {
    Until { often, seldom, bell: None }
}

pin_project! {
    /// What [`until`] makes. Not an `async fn`, which would keep room for each of the two twice.
    #[must_use = "a future does nothing until it is awaited"]
    #[derive(Debug)]
    pub struct Until<O, S> {
        #[pin]
        often: O,
        #[pin]
        seldom: S,
        bell: Option<Arc<Bell>>,
    }
}

impl<O: Future, S: Future> Future for Until<O, S> {
    type Output = Result<O::Output, S::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(ended) = this.often.poll(cx) {
            return Poll::Ready(Ok(ended));
        }
        let bell = match this.bell {
            Some(bell) if bell.task.will_wake(cx.waker()) => {
                if !bell.has_rung.swap(false, Ordering::AcqRel) {
                    return Poll::Pending;
                }
                bell
            }
            bell => bell.insert(Arc::new(Bell {
                has_rung: AtomicBool::new(false),
                task: cx.waker().clone(),
            })),
        };
        let waker = Waker::from(Arc::clone(bell));
        this.seldom.poll(&mut Context::from_waker(&waker)).map(Err)
    }
}

/// Wakes the task, and says that it was this future's doing.
#[derive(Debug)]
struct Bell {
    has_rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::poll_fn, pin::pin};

    use tokio::task::yield_now;
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn the_seldom_one_is_polled_when_it_was_woken_and_not_else() {
        let polls = Cell::new(0);
        let end = CancellationToken::new();
        let mut cancelled = pin!(end.cancelled());
        let seldom = poll_fn(|cx| {
            polls.set(polls.get() + 1);
            cancelled.as_mut().poll(cx)
        });
        let often = async {
            for _ in 0..100 {
                yield_now().await;
            }
            end.cancel();
            std::future::pending::<()>().await;
        };
        assert_eq!(until(often, seldom).await, Err(()));
        assert_eq!(polls.get(), 2);
    }

    #[tokio::test]
    async fn what_is_over_already_ends_it_behind_the_first_poll() {
        assert_eq!(until(async { 1 }, async {}).await, Ok(1));
        assert_eq!(until(std::future::pending::<()>(), async { 2 }).await, Err(2));
    }

    #[tokio::test]
    async fn it_may_move_to_another_task() {
        let end = CancellationToken::new();
        let ended = end.clone();
        let mut waiting = Box::pin(until(std::future::pending::<()>(), async move {
            ended.cancelled().await;
        }));
        tokio::select! {
            biased;
            _ = &mut waiting => unreachable!("nothing has ended"),
            () = std::future::ready(()) => {}
        }
        let (ended, ()) = tokio::join!(waiting, async { end.cancel() });
        assert_eq!(ended, Err(()));
    }
}
