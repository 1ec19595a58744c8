//! A spare stream to an edge that opens every tunnel, and can end them all.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest as _, Sha1};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tunnel::{
    certs::{Authority, client_config, server_config},
    client::{Client, ClientConfig},
};

use super::*;

const HOSTNAME: &str = "db.example.test";
const PATIENCE: Duration = Duration::from_secs(20);

struct Edge {
    dial: Dial,
    opened: Arc<AtomicUsize>,
    ends: watch::Sender<u32>,
    _serving: JoinSet<()>,
}

impl Edge {
    async fn open() -> Self {
        let authority = Authority::generate("tests").unwrap();
        let leaf = authority.server(&[HOSTNAME]).unwrap();
        let tls = server_config(&leaf.certificate_pem, &leaf.key_pem).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(ClientConfig {
            hostname: HOSTNAME.into(),
            address: Some(listener.local_addr().unwrap()),
            token: None,
            tls: client_config(authority.certificate_pem()).unwrap(),
            connect_timeout: PATIENCE,
            ping_interval: PATIENCE,
        });
        let (ends, ended) = watch::channel(0);
        let opened = Arc::<AtomicUsize>::default();
        let (mut serving, counter) = (JoinSet::new(), Arc::clone(&opened));
        serving.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let tls = TlsAcceptor::from(Arc::clone(&tls));
                streams.spawn(serve(socket, tls, Arc::clone(&counter), ended.clone()));
            }
        });
        Self { dial: Dial::Tunnel(Arc::new(client.unwrap())), opened, ends, _serving: serving }
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

async fn serve(
    socket: TcpStream,
    tls: TlsAcceptor,
    opened: Arc<AtomicUsize>,
    mut ended: watch::Receiver<u32>,
) {
    let mut peer = BufReader::new(tls.accept(socket).await.unwrap());
    let (mut line, mut key) = (String::new(), String::new());
    while line != "\r\n" {
        line.clear();
        peer.read_line(&mut line).await.unwrap();
        if let Some(value) = line.strip_prefix("Sec-WebSocket-Key: ") {
            value.trim().clone_into(&mut key);
        }
    }
    let hash = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        STANDARD.encode(hash),
    );
    peer.write_all(answer.as_bytes()).await.unwrap();
    peer.flush().await.unwrap();
    ended.mark_unchanged();
    opened.fetch_add(1, Ordering::SeqCst);
    let mut byte = [0];
    tokio::select! {
        _ = peer.read(&mut byte) => {}
        _ = ended.changed() => {}
    }
    // The client may have left already.
    let _gone = peer.shutdown().await;
}

async fn eventually(mut is_so: impl FnMut() -> bool) {
    let polling = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, polling).await.expect("in time");
}

#[tokio::test]
async fn one_is_kept_while_it_is_wanted_and_another_follows_the_one_that_was_taken() {
    let edge = Edge::open().await;
    let spare = Arc::new(Spare::new(&edge.dial));
    let (wanted, keeper) = (Arc::new(AtomicBool::new(false)), Arc::clone(&spare));
    let (asked, asking) = (Arc::<AtomicUsize>::default(), Arc::clone(&wanted));
    let counter = Arc::clone(&asked);
    let mut keeping = JoinSet::new();
    keeping.spawn(async move {
        let is_wanted = || {
            counter.fetch_add(1, Ordering::SeqCst);
            Some(asking.load(Ordering::SeqCst))
        };
        keeper.keep(is_wanted).await;
    });
    eventually(|| asked.load(Ordering::SeqCst) >= 2).await;
    assert!(spare.take().is_none() && edge.opened() == 0, "nothing runs");

    wanted.store(true, Ordering::SeqCst);
    eventually(|| spare.kept.lock().is_some()).await;
    let taken = spare.take().expect("a stream");
    assert!(matches!(taken, Stream::Tunnel(_)));
    eventually(|| spare.kept.lock().is_some()).await;
    assert_eq!(edge.opened(), 2, "one at a time");

    // A peer that ended it, as a server does after its authentication timeout.
    edge.ends.send_modify(|ends| *ends += 1);
    eventually(|| spare.kept.lock().as_ref().is_none_or(|kept| kept.stream.has_ended())).await;
    assert!(spare.take().is_none(), "it is not handed out");
    eventually(|| edge.opened() == 3).await;
}

#[tokio::test]
async fn nobody_who_wants_one_is_the_end_of_it() {
    let edge = Edge::open().await;
    let spare = Spare::new(&edge.dial);
    tokio::time::timeout(PATIENCE, spare.keep(|| None)).await.expect("it ends");
    let direct = Spare::new(&Dial::Tcp { host: "h".into(), port: 1 });
    direct.keep(|| Some(true)).await;
    assert!(direct.take().is_none());
}
