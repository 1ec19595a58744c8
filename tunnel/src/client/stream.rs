//! The open stream: bytes in, bytes out, and a keeper that notices a dead path.
//!
//! An idle stream is polled by nobody (it may wait in a pool), so a small task of its own looks at
//! it: it probes the path, and ends a stream that rests while its connector or edge leaves. On the
//! data path the task costs one uncontended lock per poll and no hop.

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
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_rustls::client::TlsStream;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::websocket::WebSocket;

/// One forwarded connection.
///
/// Writes are gathered until a flush, or until a message is full. There is no half close: a
/// shutdown ends both directions, and when the peer ends, so does everything.
pub struct Stream {
    kept: Arc<Mutex<Kept<TlsStream<TcpStream>>>>,
    wakers: Arc<Wakers>,
    waker: Waker,
    _keeper: AbortOnDropHandle<()>,
}

/// What the stream and its keeper share.
#[derive(Debug)]
struct Kept<S> {
    socket: WebSocket<S>,
    /// Nobody is in the middle of anything on it, so it may end at any time.
    is_resting: bool,
}

impl Stream {
    /// Takes over an upgraded socket and starts its keeper.
    pub(super) fn new(
        socket: WebSocket<TlsStream<TcpStream>>,
        ping_interval: Duration,
        tasks: &TaskTracker,
    ) -> Self {
        let wakers = Arc::new(Wakers::default());
        let waker = Waker::from(Arc::clone(&wakers));
        let kept = Arc::new(Mutex::new(Kept { socket, is_resting: false }));
        let keeper = keep(Arc::downgrade(&kept), Arc::clone(&wakers), ping_interval);
        let keeper = AbortOnDropHandle::new(tasks.spawn(keeper));
        Self { kept, wakers, waker, _keeper: keeper }
    }

    /// Has the peer ended the stream, or is its path dead or about to end? Nothing new should begin
    /// on it then.
    pub fn has_ended(&self) -> bool {
        !self.is_good(&mut self.kept.lock())
    }

    /// Takes the stream out of its rest, unless it [has ended](Self::has_ended). A pool asks before
    /// it lends one out.
    pub fn lend(&self) -> bool {
        let mut kept = self.kept.lock();
        let is_good = self.is_good(&mut kept);
        kept.is_resting &= !is_good;
        is_good
    }

    /// Nobody is in the middle of anything on it: from now on it may end at any time. `false` where it
    /// should end at once.
    pub fn rest(&self) -> bool {
        let mut kept = self.kept.lock();
        kept.is_resting = true;
        !kept.socket.is_leaving()
    }

    fn is_good(&self, kept: &mut Kept<TlsStream<TcpStream>>) -> bool {
        // What came while nobody read decides; the waker is the one of the last reader.
        let _pending_or_data = kept.socket.poll_pull(&mut Context::from_waker(&self.waker));
        !kept.socket.has_ended() && !kept.socket.is_leaving()
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
        Pin::new(&mut self.kept.lock().socket).poll_read(cx, buf)
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
        Pin::new(&mut self.kept.lock().socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wakers.writer.register(cx.waker());
        let cx = &mut Context::from_waker(&self.waker);
        Pin::new(&mut self.kept.lock().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wakers.writer.register(cx.waker());
        let cx = &mut Context::from_waker(&self.waker);
        Pin::new(&mut self.kept.lock().socket).poll_shutdown(cx)
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

/// Pings a path on which nothing came for a whole interval; as long again without any byte means that
/// it is dead.
///
/// A path that carries bytes needs no ping, and must not have one: a `cloudflared` answers without
/// asking whether it is in the middle of a frame (FAULTS 21). Nor is a path dead after a bulk of
/// bytes: if the origin does not take them for a while, the ping waits behind them.
async fn keep<S: AsyncRead + AsyncWrite + Unpin>(
    kept: Weak<Mutex<Kept<S>>>,
    wakers: Arc<Wakers>,
    ping_interval: Duration,
) {
    let waker = Waker::from(Arc::clone(&wakers));
    let ping_interval = ping_interval.max(MIN_PING_INTERVAL);
    let mut looks = interval(LOOK_INTERVAL.min(ping_interval / 2));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silence = Silence { since: Instant::now(), is_pinged: false };
    loop {
        looks.tick().await;
        let Some(kept) = kept.upgrade() else { return };
        let cx = &mut Context::from_waker(&waker);
        let found = look(&mut kept.lock(), &mut silence, ping_interval, cx);
        if found != Found::Silence {
            wakers.wake_by_ref();
        }
        if found == Found::End {
            return;
        }
    }
}

/// How long nothing has come.
#[derive(Clone, Copy, Debug)]
struct Silence {
    since: Instant,
    is_pinged: bool,
}

/// What a look at the stream has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Silence,
    /// Something moved, which others may wait for.
    Life,
    /// There is nothing left to keep.
    End,
}

/// One round of the keeper.
fn look<S: AsyncRead + AsyncWrite + Unpin>(
    Kept { socket, is_resting }: &mut Kept<S>,
    silence: &mut Silence,
    ping_interval: Duration,
    cx: &mut Context<'_>,
) -> Found {
    // Takes in what came while nobody read, so that a pong is not overlooked.
    let pulled = socket.poll_pull(cx);
    if socket.has_ended() || matches!(pulled, Poll::Ready(Err(_))) {
        return Found::End;
    }
    if socket.is_leaving() && *is_resting {
        socket.end(cx);
        return Found::End;
    }
    let now = Instant::now();
    if socket.take_heard() {
        *silence = Silence { since: now, is_pinged: false };
        return Found::Life;
    }
    let is_bulk = socket.unheard_len() > BULK_LEN;
    let patience = ping_interval * if is_bulk { 1 + BULK_INTERVALS } else { 2 };
    let silent_for = now - silence.since;
    if silent_for >= patience {
        socket.give_up();
        return Found::End;
    }
    if silence.is_pinged || silent_for < ping_interval {
        return Found::Silence;
    }
    silence.is_pinged = true;
    socket.ping();
    // Pending is fine: whoever writes next sends it, or the path is found dead.
    if matches!(socket.poll_drain(cx), Poll::Ready(Err(_))) { Found::End } else { Found::Life }
}

/// How long a stream that rests outlives the word that its way is about to end, at most.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
const MIN_PING_INTERVAL: Duration = Duration::from_millis(10);

/// Less than the sockets on the way hold, so a ping behind less than this is never stuck.
const BULK_LEN: usize = 64 * 1024;
/// How many intervals after its ping a path has that was given more.
const BULK_INTERVALS: u32 = 8;

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::websocket::{LEAVING, Role};

    const INTERVAL: Duration = Duration::from_secs(20);

    fn kept() -> (Arc<Mutex<Kept<DuplexStream>>>, DuplexStream, AbortOnDropHandle<()>) {
        let (near, far) = duplex(1 << 20);
        let socket = WebSocket::new(near, Role::Client, BytesMut::new());
        let kept = Arc::new(Mutex::new(Kept { socket, is_resting: false }));
        let keeper = keep(Arc::downgrade(&kept), Arc::default(), INTERVAL);
        let keeper = AbortOnDropHandle::new(TaskTracker::new().spawn(keeper));
        (kept, far, keeper)
    }

    /// The next byte, which must be there.
    fn next_byte(kept: &Mutex<Kept<DuplexStream>>) -> u8 {
        let mut byte = [0];
        let mut buf = ReadBuf::new(&mut byte);
        let cx = &mut Context::from_waker(Waker::noop());
        let read = Pin::new(&mut kept.lock().socket).poll_read(cx, &mut buf);
        assert!(matches!(read, Poll::Ready(Ok(()))) && buf.filled().len() == 1, "{read:?}");
        byte[0]
    }

    #[tokio::test(start_paused = true)]
    async fn a_path_without_pongs_is_declared_dead() {
        let (kept, mut far, keeper) = kept();
        let mut ping = [0; 6];
        far.read_exact(&mut ping).await.expect("a ping");
        assert_eq!(ping[..2], [0x89, 0x80]);
        keeper.await.expect("the keeper ends by itself");
        let mut socket = Arc::into_inner(kept).expect("the keeper is gone").into_inner().socket;
        let error = socket.read_u8().await.expect_err("dead");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = socket.write_all(b"x").await.expect_err("dead");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_path_with_pongs_stays_alive_though_nobody_reads() {
        let (kept, mut far, keeper) = kept();
        for _ in 0..10 {
            let mut ping = [0; 6];
            far.read_exact(&mut ping).await.expect("a ping");
            far.write_all(&[0x8A, 0]).await.expect("a pong");
        }
        assert!(!keeper.is_finished());
        assert!(!kept.lock().socket.has_ended());
    }

    /// FAULTS row 21: `cloudflared` answers a ping inside the frame that it is writing.
    #[tokio::test(start_paused = true)]
    async fn a_stream_that_carries_bytes_or_half_a_frame_is_not_pinged() {
        let (kept, mut far, keeper) = kept();
        // Bytes come just within each interval, first whole frames, then the bytes of one that is long.
        let long = [&[0x82, 126, 0, 200][..], &[b'y'; 200]].concat();
        for piece in std::iter::repeat_n(&[0x82, 1, b'x'][..], 5).chain(long.chunks(40)) {
            far.write_all(piece).await.expect("room");
            tokio::time::sleep(INTERVAL - Duration::from_secs(1)).await;
        }
        for expected in [&[b'x'; 5][..], &[b'y'; 200]].concat() {
            assert_eq!(next_byte(&kept), expected);
        }
        // In the middle of a frame a path that is silent is not asked either.
        far.write_all(&[0x82, 2, b'z']).await.expect("room");
        tokio::time::sleep(INTERVAL * 3 / 2).await;
        assert_eq!(next_byte(&kept), b'z');
        far.write_all(b"z").await.expect("room");
        tokio::time::sleep(INTERVAL / 2).await;
        let pinged = far.read_u8().now_or_never();
        assert!(pinged.is_none(), "{pinged:?}");
        // And then it is.
        assert_eq!(next_byte(&kept), b'z');
        assert_eq!(far.read_u8().await.expect("a ping"), 0x89);
        assert!(!keeper.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_frame_and_no_more_is_a_dead_path() {
        let (kept, mut far, keeper) = kept();
        far.write_all(&[0x82, 2]).await.expect("room");
        keeper.await.expect("the keeper ends by itself");
        assert!(kept.lock().socket.has_ended());
        drop(kept);
        let mut sent = Vec::new();
        far.read_to_end(&mut sent).await.expect("the end");
        assert_eq!(sent, b"", "no ping");
    }

    #[tokio::test(start_paused = true)]
    async fn a_path_that_is_full_gets_more_time_but_not_for_ever() {
        let (kept, far, keeper) = kept();
        let start = Instant::now();
        let cx = &mut Context::from_waker(Waker::noop());
        let mut written = 0;
        // Nobody reads at the far end, as when an origin waits for a lock.
        while written <= BULK_LEN {
            let write = Pin::new(&mut kept.lock().socket).poll_write(cx, &[0; 1024]);
            let Poll::Ready(Ok(len)) = write else { unreachable!("{write:?}") };
            written += len;
        }
        assert!(Pin::new(&mut kept.lock().socket).poll_flush(cx).is_ready());
        keeper.await.expect("the keeper ends by itself");
        assert_eq!(start.elapsed(), INTERVAL * (1 + BULK_INTERVALS));
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn unread_data_is_proof_of_life() {
        let (kept, mut far, keeper) = kept();
        far.write_all(&[0x82, 1, b'x']).await.expect("room");
        tokio::time::sleep(INTERVAL * 5).await;
        assert!(!keeper.is_finished());
        assert_eq!(next_byte(&kept), b'x');
    }

    /// FAULTS row 22.
    #[tokio::test(start_paused = true)]
    async fn a_stream_whose_way_ends_is_given_back_when_nobody_is_on_it() {
        let notice = [&[0x8A, 17][..], LEAVING].concat();
        for is_resting in [true, false] {
            let (kept, mut far, keeper) = kept();
            kept.lock().is_resting = is_resting;
            far.write_all(&notice).await.expect("room");
            let start = Instant::now();
            if !is_resting {
                tokio::time::sleep(INTERVAL / 2).await;
                assert!(!keeper.is_finished() && kept.lock().socket.is_leaving());
                far.write_all(&[0x82, 1, b'x']).await.expect("room");
                tokio::time::sleep(Duration::from_secs(1)).await;
                assert_eq!(next_byte(&kept), b'x', "who is on it goes on");
                kept.lock().is_resting = true;
            }
            let rested = Instant::now();
            keeper.await.expect("the keeper ends by itself");
            assert!(rested.elapsed() <= LOOK_INTERVAL, "{:?}", start.elapsed());
            assert!(kept.lock().socket.has_ended());
            let mut close = [0; 2];
            far.read_exact(&mut close).await.expect("a Close");
            assert_eq!(close, [0x88, 0x82]);
        }
    }
}
