//! The store as one of many, with peers that do as they are told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, advance};

use super::*;
use crate::peers::{Announcement, Boxed, Look, Looked, Peers, SharedStamps, Untold};
use crate::store::shared::Asked;

type Granted = oneshot::Sender<Result<(), Untold>>;

/// Peers that note what is asked of them.
#[derive(Debug, Default)]
struct Scripted {
    looks: Mutex<VecDeque<Looked>>,
    granted: Mutex<Vec<Granted>>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn says(&self, word: impl Into<String>) {
        self.said.lock().push(word.into());
    }

    fn said(&self) -> Vec<String> {
        std::mem::take(&mut self.said.lock())
    }
}

impl Peers for Scripted {
    fn announce(&self, _scope: &Arc<str>, writes: &Writes, backend: u32) -> Announcement {
        self.says(format!("announce {writes:?} by {backend}"));
        let (granted, told) = oneshot::channel();
        self.granted.lock().push(granted);
        let said = Arc::clone(&self.said);
        Announcement::new(told, move || said.lock().push("end".into()))
    }

    fn look<'a>(&'a self, look: Look<'a>) -> Boxed<'a, Looked> {
        self.says(format!("look {:?}", look.max_age));
        let looked = self.looks.lock().pop_front().unwrap_or(Looked::Nothing);
        Box::pin(std::future::ready(looked))
    }

    fn keep(&self, _key: Key, stamps: &SharedStamps, _life: Duration, _reply: &Arc<Reply>) {
        self.says(format!("keep {}", stamps.stamps));
    }

    fn give_up(&self, _key: Key) {
        self.says("give up");
    }

    fn outdate(&self, _scope: &Arc<str>, writes: &Writes) {
        self.says(format!("outdate {writes:?}"));
    }

    fn schema_changed(&self, _scope: &Arc<str>) {}
}

fn stamps() -> SharedStamps {
    SharedStamps { stamps: "e:1".into(), at: 0 }
}

fn world() -> (Cache, Arc<Scripted>) {
    let (cache, peers) = (cache(), Arc::new(Scripted::default()));
    cache.join(Arc::clone(&peers) as Arc<dyn Peers>);
    (cache, peers)
}

fn is_hit(cache: &Cache) -> bool {
    matches!(look(cache), Lookup::Hit(_))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_found_without_a_lease() {
    let (cache, peers) = world();
    assert!(matches!(look(&cache), Lookup::Written), "none was given yet");
    cache.serve_until(Instant::now() + Duration::from_secs(2));
    peers.looks.lock().push_back(Looked::Lead(stamps()));
    let mut fill = lead(look(&cache));
    assert_eq!(fill.ask(FRESH, false).await, Asked::Lead);
    assert!(fill.commit(reply("r")));
    assert!(is_hit(&cache));
    advance(Duration::from_secs(2)).await;
    assert!(matches!(look(&cache), Lookup::Written), "it is over");
    cache.serve_until(Instant::now() + Duration::from_secs(2));
    assert!(is_hit(&cache), "nothing was outdated meanwhile");
    cache.forget_everything();
    assert!(!is_hit(&cache));
    assert_eq!(peers.said(), ["look Some(60s)", "keep e:1"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_that_the_peers_were_not_asked_for() {
    let (cache, peers) = world();
    cache.serve_until(Instant::now() + Duration::from_secs(60));
    assert!(!lead(look(&cache)).commit(reply("r")), "not asked");
    let mut fill = lead(look(&cache));
    assert_eq!(fill.ask(FRESH, false).await, Asked::Nothing);
    assert!(!fill.commit(reply("r")), "and refused");
    peers.looks.lock().push_back(Looked::Lead(stamps()));
    let mut fill = lead(look(&cache));
    assert_eq!(fill.ask(FRESH, true).await, Asked::Lead);
    cache.invalidate(&scope(), &written("t"));
    assert!(!fill.commit(reply("r")), "another node has written it");
    let said = peers.said();
    assert_eq!(said, ["look Some(60s)", "look None", "give up"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_has_is_as_old_as_it_is() {
    let (cache, peers) = world();
    cache.serve_until(Instant::now() + Duration::from_secs(600));
    let age = Duration::from_secs(59);
    advance(age).await;
    peers.looks.lock().push_back(Looked::Found(reply("r"), age, stamps()));
    assert_eq!(lead(look(&cache)).ask(FRESH, false).await, Asked::Found);
    assert!(is_hit(&cache));
    advance(Duration::from_secs(1)).await;
    assert!(matches!(look(&cache), Lookup::Stale(..)), "a minute old");
    advance(Duration::from_secs(15)).await;
    peers.looks.lock().push_back(Looked::Found(reply("r"), Duration::ZERO, stamps()));
    let mut fill = lead(look(&cache));
    cache.invalidate(&scope(), &written("t"));
    assert_eq!(fill.ask(FRESH, false).await, Asked::Nothing, "written meanwhile");
}

#[tokio::test]
async fn a_write_is_held_back_until_all_have_been_told_of_all_of_it() {
    let (cache, peers) = world();
    let mut writing = cache.write(&scope(), &written("t"), 7);
    writing.extend(&written("t"));
    writing.extend(&written("u"));
    let gate = writing.gate().expect("two announcements");
    assert!(writing.gate().is_none(), "told once");
    assert!(writing.was_told(&written("u")) && !writing.was_told(&Writes::Everything));
    for granted in std::mem::take(&mut *peers.granted.lock()) {
        granted.send(Ok(())).unwrap();
    }
    assert_eq!(gate.await, Ok(()));
    cache.written(&scope(), &written("t"), Some(&writing));
    cache.written(&scope(), &Writes::Everything, Some(&writing));
    writing.settle();
    let said = peers.said();
    assert!(said[0].starts_with("announce Tables") && said[0].ends_with("by 7"), "{said:?}");
    assert_eq!((&*said[2], said.len()), ("outdate Everything", 5), "{said:?}");
    let mut refused = cache.write(&scope(), &written("t"), 7);
    let gate = refused.gate().unwrap();
    peers.granted.lock().pop().unwrap().send(Err(Untold)).unwrap();
    assert_eq!(gate.await, Err(Untold));
}
