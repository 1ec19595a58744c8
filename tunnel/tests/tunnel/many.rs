//! Five hundred streams at once over two connectors, and what one lost connection costs.

use std::net::SocketAddr;

use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional, split},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tunnel::client::{Client, Stream};

use crate::stage::{CONNECTIONS, PATIENCE, Stage, echo};

const STREAMS: usize = 500;
/// What each of them sends, in two halves.
const LEN: usize = 200_000;
/// The most memory that clients, edge, connectors and service may take together, all in this one process: 1 MB for each
/// stream, which is buffers and TLS at six places.
const MEMORY: u64 = 512 << 20;

/// Bytes that depend on the seed and do not repeat soon.
fn noise(seed: usize, len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ ((seed as u64 + 1) << 20);
    let step = |_at| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..len.div_ceil(8)).flat_map(step).take(len).collect()
}

/// Sends bytes and takes them back at the same time. `None` when the stream ended on the way.
async fn exchange(stream: Stream, sent: &[u8]) -> Option<Stream> {
    let (mut from, mut to) = split(stream);
    let write = async {
        to.write_all(sent).await?;
        to.flush().await
    };
    let read = async {
        let mut hash = Sha256::new();
        let (mut left, mut buffer) = (sent.len(), vec![0; 16 * 1024]);
        while left > 0 {
            let len = from.read(&mut buffer).await?;
            if len == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            hash.update(&buffer[..len]);
            left -= len;
        }
        Ok(hash.finalize())
    };
    let (written, hash) = tokio::join!(write, read);
    let hash = written.and(hash).ok()?;
    assert_eq!(hash, Sha256::digest(sent), "what came back is not what was sent");
    Some(from.unsplit(to))
}

/// Dials, exchanges one half, waits for the word to go on, exchanges the other. Says whether it came to its end.
async fn run(
    client: Client,
    seed: usize,
    halves: watch::Sender<usize>,
    mut go_on: watch::Receiver<bool>,
) -> bool {
    let stream = client.dial().await.expect("a stream");
    let bytes = noise(seed, LEN);
    let (first, second) = bytes.split_at(LEN / 2);
    let stream = exchange(stream, first).await.expect("nothing is cut yet");
    halves.send_modify(|count| *count += 1);
    go_on.wait_for(|is_on| *is_on).await.expect("the test goes on");
    exchange(stream, second).await.is_some()
}

/// Carries connections to the edge, one of which can be cut.
async fn relay(edge: SocketAddr, tasks: &TaskTracker) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let cut = CancellationToken::new();
    let (first, inner) = (cut.clone(), tasks.clone());
    tasks.spawn(async move {
        let mut at = 0_u32;
        while let Ok((mut near, _)) = listener.accept().await {
            // Only the first one is cut.
            let end = if at == 0 { first.clone() } else { CancellationToken::new() };
            at += 1;
            inner.spawn(async move {
                let mut far = TcpStream::connect(edge).await.expect("the edge listens");
                end.run_until_cancelled(copy_bidirectional(&mut near, &mut far)).await;
            });
        }
    });
    (address, cut)
}

/// The most memory that this process ever had.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a proc file system");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_streams_lose_only_those_whose_connection_is_cut() {
    let (service, tasks) = (echo().await, TaskTracker::new());
    let mut stage = Stage::open().await;
    let direct = stage.edge.connectors;
    let (address, cut) = relay(direct, &tasks).await;
    stage.edge.connectors = address;
    let (first, _stop_first) = stage.watched_connector(service).await;
    stage.edge.connectors = direct;
    let (second, _stop_second) = stage.watched_connector(service).await;

    let (halves, mut done) = watch::channel(0);
    let (go, go_on) = watch::channel(false);
    let mut streams = JoinSet::new();
    for seed in 0..STREAMS {
        let client = stage.client(Some(stage.token.clone()));
        streams.spawn(run(client, seed, halves.clone(), go_on.clone()));
    }
    let all = done.wait_for(|count| *count == STREAMS);
    timeout(6 * PATIENCE, all).await.expect("in time").expect("they run");
    let (on_first, on_second) = (first.stats().active, second.stats().active);
    assert_eq!(on_first + on_second, STREAMS as u64, "all are open at once");
    let share = STREAMS as u64 / u64::from(2 * CONNECTIONS);
    assert!(on_first >= share && on_second >= share, "{on_first} and {on_second}");

    cut.cancel();
    go.send_replace(true);
    let mut whole = 0;
    let wait = async {
        while let Some(ended) = streams.join_next().await {
            whole += usize::from(ended.expect("no stream brings anything wrong"));
        }
    };
    timeout(6 * PATIENCE, wait).await.expect("in time");
    let cut_off = STREAMS - whole;
    let share = usize::try_from(share).expect("small");
    // One connection of four; they are shared out evenly, up to streams that were opened at the same moment.
    assert!((share / 2..=share * 2).contains(&cut_off), "{cut_off} streams were cut off");
    let peak = peak_memory();
    eprintln!("{cut_off} cut off, at most {} MB in all", peak >> 20);
    assert!(peak < MEMORY, "{} MB", peak >> 20);
}
