//! A slow or broken network: a TCP relay that delays every byte, can be cut, and can swallow.
//!
//! Bytes leave a fixed time after they came, each way, and keep their order; throughput is not limited. Of a distant
//! relay opening a connection takes its time too, as it does where the network is real.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Result;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_util::task::TaskTracker;

/// A relay on a loopback port; it ends when it is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    /// Counts the connections since the last cut.
    uncut: Arc<Mutex<TaskTracker>>,
}

/// What the network does to the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    /// They arrive.
    Fair,
    /// They vanish, and nobody is told: a half-open connection.
    Swallowing,
    /// Every connection up to this number is cut.
    Cut(u64),
}

/// Where a relay leads, and how far that is.
#[derive(Clone, Copy, Debug)]
struct Line {
    target: SocketAddr,
    /// What each byte takes one way.
    delay: Duration,
    /// What each step of opening a connection takes one way.
    opening: Duration,
}

impl Relay {
    /// Starts a relay to `target` that holds every byte for `delay`.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start(target: SocketAddr, delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Self::on(listener, Line { target, delay, opening: Duration::ZERO })
    }

    /// Starts a relay that makes `target` distant: as [`Self::start`], and opening a connection costs a round trip.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub fn distant(target: SocketAddr, delay: Duration) -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Self::on(TcpListener::from_std(listener)?, Line { target, delay, opening: delay })
    }

    fn on(listener: TcpListener, line: Line) -> Result<Self> {
        let address = listener.local_addr()?;
        let weather = Arc::new(watch::Sender::new(Weather::Fair));
        let tasks = TaskTracker::new();
        let uncut = Arc::new(Mutex::new(TaskTracker::new()));
        let counter = Arc::clone(&uncut);
        let shared = weather.subscribe();
        let spawner = tasks.clone();
        tasks.spawn(async move {
            let mut closed = shared.clone();
            let accept = async {
                while let Ok((client, _peer)) = listener.accept().await {
                    spawner.spawn(serve(client, line, shared.clone(), Arc::clone(&counter)));
                }
            };
            tokio::select! {
                () = accept => {}
                () = async { while closed.changed().await.is_ok() {} } => {}
            }
        });
        Ok(Self { address, weather, uncut })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection that is open now, and ends when all are closed; new ones are carried.
    pub async fn cut(&self) {
        let cut = {
            let mut uncut = self.uncut.lock();
            self.weather.send_modify(|weather| {
                let next = if let Weather::Cut(number) = weather { *number + 1 } else { 1 };
                *weather = Weather::Cut(next);
            });
            std::mem::take(&mut *uncut)
        };
        cut.close();
        cut.wait().await;
    }

    /// From now on bytes vanish, both ways, while connections stay open.
    pub fn swallow(&self) {
        self.weather.send_replace(Weather::Swallowing);
    }
}

/// One connection, from its accept to its end or a cut.
async fn serve(
    client: TcpStream,
    line: Line,
    mut weather: watch::Receiver<Weather>,
    uncut: Arc<Mutex<TaskTracker>>,
) {
    let _counted = {
        // Under the lock, so that a cut either counts this connection and closes it, or neither.
        let uncut = uncut.lock();
        weather.mark_unchanged();
        uncut.token()
    };
    tokio::select! {
        () = carry(client, line, &weather) => {}
        () = cut(weather.clone()) => {}
    }
}

async fn carry(client: TcpStream, line: Line, weather: &watch::Receiver<Weather>) {
    let Line { target, delay, opening } = line;
    // The kernel has told the client that it is connected, which it is only now: SYN and SYN-ACK were under way.
    let connected = Instant::now() + 2 * opening;
    if client.set_nodelay(true).is_err() {
        return;
    }
    sleep_until(connected).await;
    let (from_client, to_client) = client.into_split();
    let (to_server, accepted) = oneshot::channel();
    let (queue, due) = mpsc::channel(PIECES_MAX);
    let up = async {
        let leave = async {
            if let Ok(to_server) = accepted.await {
                leave(due, to_server, weather).await;
            }
        };
        tokio::join!(arrive(from_client, queue, delay), leave);
    };
    let down = async {
        // The server knows of the client when its ACK has come too.
        sleep_until(connected + opening).await;
        let Ok(server) = TcpStream::connect(target).await else { return };
        if server.set_nodelay(true).is_err() {
            return;
        }
        let (from_server, half) = server.into_split();
        let (queue, due) = mpsc::channel(PIECES_MAX);
        if to_server.send(half).is_ok() {
            tokio::join!(arrive(from_server, queue, delay), leave(due, to_client, weather));
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

async fn cut(mut weather: watch::Receiver<Weather>) {
    while weather.changed().await.is_ok() {
        if matches!(*weather.borrow_and_update(), Weather::Cut(_)) {
            return;
        }
    }
}

/// Reads bytes and puts down when each is due, until there are no more or nobody takes them.
async fn arrive(mut from: OwnedReadHalf, queue: mpsc::Sender<Piece>, delay: Duration) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let bytes = buffer.get(..count).unwrap_or_default().to_vec();
        let due = (!delay.is_zero()).then(|| Instant::now() + delay);
        if queue.send(Piece { due, bytes }).await.is_err() {
            return;
        }
    }
}

/// Writes bytes when they are due, until there are no more or nobody takes them.
async fn leave(
    mut queue: mpsc::Receiver<Piece>,
    mut to: OwnedWriteHalf,
    weather: &watch::Receiver<Weather>,
) {
    while let Some(Piece { due, bytes }) = queue.recv().await {
        if let Some(due) = due {
            sleep_until(due).await;
        }
        // A change since the connection was made is its end, which may not have been seen yet.
        let vanishes =
            weather.has_changed().unwrap_or(true) || *weather.borrow() == Weather::Swallowing;
        if !vanishes && to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Bytes under way.
#[derive(Debug)]
struct Piece {
    /// When they are to leave; at once, if there is no delay.
    due: Option<Instant>,
    bytes: Vec<u8>,
}

/// The most pieces under way in one direction.
const PIECES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    const DELAY: Duration = Duration::from_millis(20);

    /// A server that greets whoever connects, and answers one byte with one.
    async fn greeter() -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            client.write_all(b"g").await.unwrap();
            let asked = client.read_u8().await.unwrap();
            client.write_u8(asked).await.unwrap();
        });
        (address, tasks)
    }

    /// When the greeting came and the answer to what was asked at once, since the client connected.
    async fn times(relay: Relay) -> [Duration; 2] {
        let begun = Instant::now();
        let mut client = TcpStream::connect(relay.address()).await.unwrap();
        client.write_u8(b'a').await.unwrap();
        let mut times = [Duration::ZERO; 2];
        for (time, expect) in times.iter_mut().zip(b"ga") {
            assert_eq!(client.read_u8().await.unwrap(), *expect);
            *time = begun.elapsed();
        }
        times
    }

    #[tokio::test]
    async fn opening_a_connection_costs_a_round_trip_where_it_is_distant() {
        let (server, _tasks) = greeter().await;
        let [greeted, answered] = times(Relay::distant(server, DELAY).unwrap()).await;
        assert!(greeted >= 4 * DELAY, "SYN, SYN-ACK, ACK and greeting take {greeted:?}");
        assert!(answered >= 4 * DELAY, "SYN, SYN-ACK, question and answer take {answered:?}");
        let (server, _tasks) = greeter().await;
        let [greeted, _] = times(Relay::start(server, DELAY).await.unwrap()).await;
        assert!(greeted >= DELAY, "a greeting takes {greeted:?}");
    }
}
