//! The open stream: bytes in, bytes out, and a keeper that notices a dead path.
//!
//! An idle stream is polled by nobody (it may wait in a pool), so a small task of its own probes
//! it. On the data path the task costs one uncontended lock per poll and no hop.

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{MissedTickBehavior, interval},
};
use tokio_rustls::client::TlsStream;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::websocket::WebSocket;

type Socket = WebSocket<TlsStream<TcpStream>>;

/// One forwarded connection.
///
/// Writes are gathered until a flush, or until a message is full. There is no half close: a
/// shutdown ends both directions, and when the peer ends, so does everything.
pub struct Stream {
    socket: Arc<Mutex<Socket>>,
    wakers: Arc<Wakers>,
    waker: Waker,
    _keeper: AbortOnDropHandle<()>,
}

impl Stream {
    /// Takes over an upgraded socket and starts its keeper.
    pub(super) fn new(socket: Socket, ping_interval: Duration, tasks: &TaskTracker) -> Self {
        let wakers = Arc::new(Wakers::default());
        let waker = Waker::from(Arc::clone(&wakers));
        let socket = Arc::new(Mutex::new(socket));
        let keeper = keep(Arc::downgrade(&socket), Arc::clone(&wakers), ping_interval);
        let keeper = AbortOnDropHandle::new(tasks.spawn(keeper));
        Self { socket, wakers, waker, _keeper: keeper }
    }

    /// Has the peer ended the stream, or is its path dead? A pool asks before it lends one out.
    pub fn has_ended(&self) -> bool {
        let mut socket = self.socket.lock();
        // What came while nobody read decides; the waker is the one of the last reader.
        let _pending_or_data = socket.poll_pull(&mut Context::from_waker(&self.waker));
        socket.has_ended()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.wakers.reader.register(cx.waker());
        let cx = &mut Context::from_waker(&self.waker);
        Pin::new(&mut *self.socket.lock()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wakers.writer.register(cx.waker());
        let cx = &mut Context::from_waker(&self.waker);
        Pin::new(&mut *self.socket.lock()).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wakers.writer.register(cx.waker());
        let cx = &mut Context::from_waker(&self.waker);
        Pin::new(&mut *self.socket.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wakers.writer.register(cx.waker());
        let cx = &mut Context::from_waker(&self.waker);
        Pin::new(&mut *self.socket.lock()).poll_shutdown(cx)
    }
}

/// Who waits for the socket. A read may have to write (pongs) and the keeper does both, so the
/// socket knows only one waker, which wakes all.
#[derive(Debug, Default)]
struct Wakers {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

/// Pings once per interval; a whole interval without any byte after a ping means the path is dead.
///
/// Not at once after a bulk of bytes, though: if the origin does not take them for a while, the
/// ping waits behind them and the path is only full.
async fn keep<S: AsyncRead + AsyncWrite + Unpin>(
    socket: Weak<Mutex<WebSocket<S>>>,
    wakers: Arc<Wakers>,
    ping_interval: Duration,
) {
    let waker = Waker::from(Arc::clone(&wakers));
    let mut ticks = interval(ping_interval.max(MIN_PING_INTERVAL));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut silent_rounds = 0;
    loop {
        ticks.tick().await;
        let Some(socket) = socket.upgrade() else { return };
        let cx = &mut Context::from_waker(&waker);
        let is_open = probe(&mut socket.lock(), &mut silent_rounds, cx);
        wakers.wake_by_ref();
        if !is_open {
            return;
        }
    }
}

/// One round of the keeper; `false` when there is nothing left to keep.
fn probe<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocket<S>,
    silent_rounds: &mut u32,
    cx: &mut Context<'_>,
) -> bool {
    // Takes in what came while nobody read, so that a pong is not overlooked.
    let pulled = socket.poll_pull(cx);
    if socket.has_ended() || matches!(pulled, Poll::Ready(Err(_))) {
        return false;
    }
    if socket.has_heard() {
        *silent_rounds = 0;
        socket.ping();
    } else {
        *silent_rounds += 1;
        let is_bulk = socket.unheard_len() > BULK_LEN;
        if !is_bulk || *silent_rounds >= BULK_ROUNDS {
            socket.give_up();
            return false;
        }
    }
    // Pending is fine: whoever writes next sends it, or the next round finds the path dead.
    !matches!(socket.poll_drain(cx), Poll::Ready(Err(_)))
}

const MIN_PING_INTERVAL: Duration = Duration::from_millis(10);

/// Less than the sockets on the way hold, so a ping behind less than this is never stuck.
const BULK_LEN: usize = 64 * 1024;
/// How many silent rounds a path has that was given more.
const BULK_ROUNDS: u32 = 8;

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        time::Instant,
    };

    use super::*;
    use crate::websocket::Role;

    const INTERVAL: Duration = Duration::from_secs(20);

    fn kept() -> (Arc<Mutex<WebSocket<DuplexStream>>>, DuplexStream, AbortOnDropHandle<()>) {
        let (near, far) = duplex(1 << 20);
        let socket = WebSocket::new(near, Role::Client, BytesMut::new());
        let socket = Arc::new(Mutex::new(socket));
        let keeper = keep(Arc::downgrade(&socket), Arc::default(), INTERVAL);
        let keeper = AbortOnDropHandle::new(TaskTracker::new().spawn(keeper));
        (socket, far, keeper)
    }

    #[tokio::test(start_paused = true)]
    async fn a_path_without_pongs_is_declared_dead() {
        let (socket, mut far, keeper) = kept();
        let mut ping = [0; 6];
        far.read_exact(&mut ping).await.expect("a ping");
        assert_eq!(ping[..2], [0x89, 0x80]);
        keeper.await.expect("the keeper ends by itself");
        let mut socket = Arc::into_inner(socket).expect("the keeper is gone").into_inner();
        let error = socket.read_u8().await.expect_err("dead");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = socket.write_all(b"x").await.expect_err("dead");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_path_with_pongs_stays_alive_though_nobody_reads() {
        let (socket, mut far, keeper) = kept();
        for _ in 0..10 {
            let mut ping = [0; 6];
            far.read_exact(&mut ping).await.expect("a ping");
            far.write_all(&[0x8A, 0]).await.expect("a pong");
        }
        assert!(!keeper.is_finished());
        assert!(!socket.lock().has_ended());
    }

    #[tokio::test(start_paused = true)]
    async fn a_path_that_is_full_gets_more_time_but_not_for_ever() {
        let (socket, far, keeper) = kept();
        let start = Instant::now();
        let cx = &mut Context::from_waker(Waker::noop());
        let mut written = 0;
        // Nobody reads at the far end, as when an origin waits for a lock.
        while written <= BULK_LEN {
            let write = Pin::new(&mut *socket.lock()).poll_write(cx, &[0; 1024]);
            let Poll::Ready(Ok(len)) = write else { unreachable!("{write:?}") };
            written += len;
        }
        assert!(Pin::new(&mut *socket.lock()).poll_flush(cx).is_ready());
        keeper.await.expect("the keeper ends by itself");
        assert_eq!(start.elapsed(), INTERVAL * (1 + BULK_ROUNDS));
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn unread_data_is_proof_of_life() {
        let (socket, mut far, keeper) = kept();
        far.write_all(&[0x82, 1, b'x']).await.expect("room");
        tokio::time::sleep(INTERVAL * 5).await;
        assert!(!keeper.is_finished());
        let mut byte = [0];
        let mut buf = ReadBuf::new(&mut byte);
        let read = Pin::new(&mut *socket.lock())
            .poll_read(&mut Context::from_waker(Waker::noop()), &mut buf);
        assert!(matches!(read, Poll::Ready(Ok(()))));
        assert_eq!(buf.filled(), b"x");
    }
}
