//! Bytes both ways between two streams, until either ends.
//!
//! There is no half close, because a WebSocket has none. What one side has sent is forwarded at
//! once; a side that does not take its bytes stops the other from being read.

use std::{io, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    time::timeout,
};

/// Forwards until one direction ends, then shuts both down.
pub(crate) async fn relay<A, B>(a: A, b: B) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (mut from_a, mut to_a) = split(a);
    let (mut from_b, mut to_b) = split(b);
    let outcome = tokio::select! {
        outcome = pump(&mut from_a, &mut to_b) => outcome,
        outcome = pump(&mut from_b, &mut to_a) => outcome,
    };
    // Who is let go while bytes to it are on their way may lose them: h2 discards what is queued
    // on a stream that is dropped, and a TCP socket closed with unread bytes is reset. So both are
    // read to their ends, for a moment. A peer that is gone already changes nothing.
    let farewell = async {
        tokio::join!(to_a.shutdown(), to_b.shutdown(), exhaust(&mut from_a), exhaust(&mut from_b))
    };
    let _late_or_gone = timeout(FAREWELL_TIMEOUT, farewell).await;
    outcome
}

/// Forwards one direction. Each read is one write and one flush: no timer, no waiting for more.
async fn pump<R, W>(from: &mut R, to: &mut W) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = BytesMut::with_capacity(SMALL_BUFFER_LEN);
    loop {
        buffer.clear();
        let len = from.read_buf(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        to.write_all(&buffer).await?;
        to.flush().await?;
        // Most streams are idle most of the time, so only a busy one gets a large buffer.
        let is_small = buffer.capacity() < LARGE_BUFFER_LEN;
        if is_small && len == buffer.capacity() {
            buffer = BytesMut::with_capacity(LARGE_BUFFER_LEN);
        } else if !is_small && len < SMALL_BUFFER_LEN {
            buffer = BytesMut::with_capacity(SMALL_BUFFER_LEN);
        }
    }
}

/// Reads to the end, for nothing.
async fn exhaust<R: AsyncRead + Unpin>(from: &mut R) {
    let mut nothing = [0; 1024];
    while from.read(&mut nothing).await.is_ok_and(|len| len > 0) {}
}

const SMALL_BUFFER_LEN: usize = 4 * 1024;
const LARGE_BUFFER_LEN: usize = 32 * 1024;
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test]
    async fn the_end_of_one_direction_ends_both_after_what_was_sent() {
        let (mut client, near) = duplex(64);
        let (far, mut server) = duplex(64);
        let talk = async {
            client.write_all(b"question").await.expect("room");
            let mut question = [0; 8];
            server.read_exact(&mut question).await.expect("forwarded");
            server.write_all(b"answer").await.expect("room");
            drop(server);
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.expect("the end");
            drop(client);
            assert_eq!((&question[..], &*answer), (&b"question"[..], "answer"));
        };
        let (outcome, ()) = tokio::join!(relay(near, far), talk);
        outcome.expect("a clean end");
    }
}
