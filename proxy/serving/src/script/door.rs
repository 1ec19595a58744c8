//! The origin's door: where the connections of the proxy arrive, and how whoever dials is received.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU32, Ordering},
};

use parking_lot::Mutex;
use tokio::{io::DuplexStream, sync::mpsc, task::JoinSet};

use super::words::{Arrival, Beginning, Words};

/// How the origin receives whoever dials.
pub(super) const THERE: u8 = 0;

pub(super) const AWAY: u8 = 1;
pub(super) const MUTE: u8 = 2;

/// Where the connections of the proxy arrive.
pub(super) struct Door {
    pub(super) peers: mpsc::Receiver<DuplexStream>,
    pub(super) arrived: mpsc::Sender<Arrival>,
    pub(super) dials: Arc<AtomicU32>,
    pub(super) reception: Arc<AtomicU8>,
    pub(super) beginning: Arc<Mutex<Beginning>>,
    pub(super) muted: Arc<Mutex<Vec<DuplexStream>>>,
}

impl Door {
    pub(super) async fn receive<W: Words>(mut self) {
        let (mut logins, numbers) = (JoinSet::new(), Arc::new(AtomicU32::new(1)));
        loop {
            tokio::select! {
                Some(ended) = logins.join_next() => {
                    if ended.is_err() {
                        return;
                    }
                }
                peer = self.peers.recv() => {
                    let Some(peer) = peer else { return };
                    self.dials.fetch_add(1, Ordering::SeqCst);
                    match self.reception.load(Ordering::SeqCst) {
                        AWAY => continue,
                        MUTE => {
                            self.muted.lock().push(peer);
                            continue;
                        }
                        _ => {}
                    }
                    let (arrived, numbers) = (self.arrived.clone(), Arc::clone(&numbers));
                    let beginning = self.beginning.lock().clone();
                    logins.spawn(async move {
                        drop(arrived.send(W::accept(peer, &numbers, beginning).await).await);
                    });
                }
            }
        }
    }
}
