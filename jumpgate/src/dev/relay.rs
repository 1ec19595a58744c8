//! A relay that makes a database distant: bytes leave it a fixed time after they came.
//!
//! Order is kept, and what is under way is bounded. Opening a connection costs one round trip too, as
//! it does on a real network.

use std::{io, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::debug;

/// Pieces under way per direction.
const PIECES_MAX: usize = 1024;
/// After a failed accept this much air.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes per piece.
const PIECE_LEN: usize = 16 * 1024;

/// A listener on loopback in front of a target.
#[derive(Debug)]
pub(super) struct Relay {
    listener: TcpListener,
    address: SocketAddr,
    target: String,
    round_trip: Duration,
}

impl Relay {
    /// Listens on a free port of loopback.
    pub(super) async fn bind(target: String, round_trip: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, target, round_trip })
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects to the target once, as every connection of a client will be.
    pub(super) async fn reaches(&self, limit: Duration) -> io::Result<()> {
        let connected = timeout(limit, TcpStream::connect(&self.target)).await;
        connected.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into())).map(drop)
    }

    /// Where it leads.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Relays until `end`.
    pub(super) async fn run(self, end: CancellationToken) {
        let tasks = TaskTracker::new();
        loop {
            let near = tokio::select! {
                () = end.cancelled() => return,
                accepted = self.listener.accept() => match accepted {
                    Ok((near, _peer)) => near,
                    Err(error) => {
                        debug!(error = &error as &dyn std::error::Error, "relay cannot accept");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let (target, round_trip, end) = (self.target.clone(), self.round_trip, end.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = end.cancelled() => {}
                    relayed = relay(near, target, round_trip) => if let Err(error) = relayed {
                        debug!(error = &error as &dyn std::error::Error, "relay ended");
                    }
                }
            });
        }
    }
}

async fn relay(near: TcpStream, target: String, round_trip: Duration) -> io::Result<()> {
    let opened = Instant::now() + round_trip;
    near.set_nodelay(true)?;
    let far = TcpStream::connect(target).await?;
    far.set_nodelay(true)?;
    sleep_until(opened).await;
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let half = round_trip / 2;
    tokio::try_join!(pump(near_read, far_write, half), pump(far_read, near_write, half))?;
    Ok(())
}

/// Moves bytes one way, each piece `delay` after it came.
async fn pump<R, W>(mut from: R, mut to: W, delay: Duration) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (under_way, mut arriving) = mpsc::channel::<(Instant, Bytes)>(PIECES_MAX);
    let read = async move {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(PIECE_LEN);
            if from.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            let piece = (Instant::now() + delay, buffer.split().freeze());
            if under_way.send(piece).await.is_err() {
                return Ok(());
            }
        }
    };
    let write = async {
        while let Some((due, piece)) = arriving.recv().await {
            sleep_until(due).await;
            to.write_all(&piece).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(|((), ())| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_leave_in_order_a_fixed_time_after_they_came() {
        let delay = Duration::from_millis(20);
        let (mut client, near) = tokio::io::duplex(1024);
        let (far, mut server) = tokio::io::duplex(1024);
        let started = Instant::now();
        let talk = async {
            client.write_all(b"first").await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            client.write_all(b"second").await.unwrap();
            drop(client);
            let mut heard = [0; 5];
            server.read_exact(&mut heard).await.unwrap();
            assert_eq!(started.elapsed(), delay);
            let mut rest = String::new();
            server.read_to_string(&mut rest).await.unwrap();
            assert_eq!((&heard, rest.as_str()), (b"first", "second"));
            assert_eq!(started.elapsed(), delay + Duration::from_millis(5));
        };
        let (pumped, ()) = tokio::join!(pump(near, far, delay), talk);
        pumped.unwrap();
    }
}
