//! A slow or broken network: a TCP relay that delays every byte, can be cut, and can swallow.
//!
//! Bytes leave a fixed time after they came, each way, and keep their order; throughput is not limited.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Result;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
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

impl Relay {
    /// Starts a relay to `target` that holds every byte for `delay`.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start(target: SocketAddr, delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
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
                    spawner.spawn(carry(
                        client,
                        target,
                        delay,
                        shared.clone(),
                        Arc::clone(&counter),
                    ));
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

async fn carry(
    client: TcpStream,
    target: SocketAddr,
    delay: Duration,
    mut weather: watch::Receiver<Weather>,
    uncut: Arc<Mutex<TaskTracker>>,
) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    for stream in [&client, &server] {
        if stream.set_nodelay(true).is_err() {
            return;
        }
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let _counted = {
        // Under the lock, so that a cut either counts this connection and closes it, or neither.
        let uncut = uncut.lock();
        weather.mark_unchanged();
        uncut.token()
    };
    let watched = weather.clone();
    tokio::select! {
        () = pump(from_client, to_server, delay, weather.clone()) => {}
        () = pump(from_server, to_client, delay, weather) => {}
        () = cut(watched) => {}
    }
}

async fn cut(mut weather: watch::Receiver<Weather>) {
    while weather.changed().await.is_ok() {
        if matches!(*weather.borrow_and_update(), Weather::Cut(_)) {
            return;
        }
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    weather: watch::Receiver<Weather>,
) {
    let (queue, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(1024);
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let bytes = buffer.get(..count).unwrap_or_default().to_vec();
            if queue.send((Instant::now() + delay, bytes)).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((when, bytes)) = due.recv().await {
            if !delay.is_zero() {
                sleep_until(when).await;
            }
            let swallowing = *weather.borrow() == Weather::Swallowing;
            if !swallowing && to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}
