//! Changes, two planes on one database, keys, and histories that went back.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::{
    resources::{Account, Zone},
    seal::SealError,
};

fn actor() -> Actor {
    Actor { who: String::from("tests"), whence: String::from("here") }
}

fn keys() -> String {
    Keyring::new_line("k").to_string()
}

async fn plane(folder: &TempDir, keys: &str) -> Arc<Plane> {
    let url = format!("sqlite:{}", folder.path().join("control.db").display());
    Plane::open(Database::open(&url).await.unwrap(), keys.parse().unwrap()).await.unwrap()
}

fn account(id: &str, name: &str) -> Account {
    Account { id: id.to_owned(), name: name.to_owned(), created_at: Moment(1) }
}

/// A rule about more than one record: names are unique.
fn add(edit: &mut Edit, id: &str, name: &str) -> Result<(), &'static str> {
    if edit.accounts.iter().any(|known| known.name == name) {
        return Err("taken");
    }
    edit.put(account(id, name));
    Ok(())
}

#[tokio::test]
async fn a_change_is_kept_and_a_refused_one_is_not() {
    let (folder, keys) = (TempDir::new().unwrap(), keys());
    let plane = plane(&folder, &keys).await;
    plane.change(actor(), "add", |edit| add(edit, "1", "one")).await.unwrap();
    let adding = |edit: &mut Edit| {
        edit.put(account("3", "three"));
        add(edit, "2", "one")
    };
    let refused = plane.change(actor(), "add", adding).await;
    assert!(matches!(refused, Err(ChangeError::Refused("taken"))));
    let nothing = plane.change(actor(), "look", |_edit| Ok::<_, ()>(7)).await.unwrap();
    assert_eq!((nothing, plane.known().position.revision), (7, 1));
    let again = self::plane(&folder, &keys).await;
    assert_eq!(again.known().accounts.len(), 1);
    assert_eq!(again.known().accounts.get("1").unwrap().name, "one");
    let audit = again.database().audit(None, 10).await.unwrap();
    let shown: Vec<_> = audit.iter().map(|it| (it.revision, &*it.action, &*it.subject)).collect();
    assert_eq!(shown, [(1, "add", "account/1")]);
}

#[tokio::test]
async fn two_planes_see_each_other_and_keep_a_rule_together() {
    let (folder, keys) = (TempDir::new().unwrap(), keys());
    let (one, two) = (plane(&folder, &keys).await, plane(&folder, &keys).await);
    for round in 0..10 {
        let (name, first, second) = (format!("n{round}"), format!("a{round}"), format!("b{round}"));
        let (a, b) = tokio::join!(
            one.change(actor(), "add", |edit| add(edit, &first, &name)),
            two.change(actor(), "add", |edit| add(edit, &second, &name)),
        );
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    }
    assert_eq!(one.current().await.unwrap().accounts.len(), 10);
    assert_eq!(two.current().await.unwrap().accounts.len(), 10);
    one.change(actor(), "delete", |edit| {
        edit.delete::<Account>("a0").or_else(|| edit.delete::<Account>("b0"));
        Ok::<_, ()>(())
    })
    .await
    .unwrap();
    assert_eq!(two.current().await.unwrap().accounts.len(), 9);
}

#[tokio::test]
async fn a_follower_is_told() {
    let (folder, keys) = (TempDir::new().unwrap(), keys());
    let (one, two) = (plane(&folder, &keys).await, plane(&folder, &keys).await);
    let mut news = two.watch();
    let following = two.follow();
    let told = async {
        news.mark_unchanged();
        one.change(actor(), "add", |edit| add(edit, "1", "one")).await.unwrap();
        news.changed().await.unwrap();
        assert_eq!(news.borrow().accounts.len(), 1);
    };
    tokio::select! {
        () = following => {}
        () = told => {}
    }
}

#[tokio::test]
async fn nothing_can_be_read_without_the_key_or_in_the_file() {
    let (folder, keys) = (TempDir::new().unwrap(), keys());
    let plane = plane(&folder, &keys).await;
    plane.change(actor(), "add", |edit| add(edit, "1", "hunter2")).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!content.windows(7).any(|window| window == b"hunter2"));
    }
    let url = format!("sqlite:{}", folder.path().join("control.db").display());
    let other = Database::open(&url).await.unwrap();
    let refused = Plane::open(other, self::keys().parse().unwrap()).await;
    assert!(matches!(refused, Err(PlaneError::Sealed(SealError::Broken))));
}

#[tokio::test]
async fn a_new_key_takes_over() {
    let (folder, old, new) = (TempDir::new().unwrap(), keys(), Keyring::new_line("n"));
    let before = plane(&folder, &old).await;
    before.change(actor(), "add", |edit| add(edit, "1", "one")).await.unwrap();
    let both = plane(&folder, &format!("{}{old}", *new)).await;
    assert_eq!(both.rekey(actor()).await.unwrap(), 1);
    assert_eq!(both.rekey(actor()).await.unwrap(), 0);
    let after = plane(&folder, &new).await;
    assert_eq!(after.known().accounts.len(), 1);
}

/// A backup that is put back has a smaller revision, or another history: all of it is read.
#[tokio::test]
async fn a_history_that_went_back_is_read_as_a_whole() {
    let (folder, keys) = (TempDir::new().unwrap(), keys());
    let backup = folder.path().join("backup.db");
    let url = format!("sqlite:{}", backup.display());
    let keyring = || keys.parse().unwrap();
    let old = Plane::open(Database::open(&url).await.unwrap(), keyring()).await.unwrap();
    let stays = plane(&folder, &keys).await;
    stays.change(actor(), "add", |edit| add(edit, "1", "kept")).await.unwrap();
    stays.change(actor(), "add", |edit| add(edit, "2", "lost")).await.unwrap();
    old.change(actor(), "add", |edit| add(edit, "3", "other")).await.unwrap();
    old.change(actor(), "zone", |edit| {
        let (id, account, name) = (String::from("z"), String::from("3"), String::from("z"));
        edit.put(Zone { id, account, name, created_at: Moment(1) });
        Ok::<_, ()>(())
    })
    .await
    .unwrap();
    // The same length, another history.
    let news = old.database().since(&stays.known().position).await.unwrap();
    assert!(news.is_whole);
    assert_eq!(news.changes.len(), 2);
    // Part of this one.
    let first = Position { revision: 1, ..Position::default() };
    assert!(old.database().since(&first).await.unwrap().is_whole);
    let known = old.known().position.clone();
    assert!(old.database().since(&known).await.unwrap().changes.is_empty());
}

/// Wherever it is cut off: by a client that goes, or by the end of the process.
#[tokio::test]
async fn a_change_that_is_cut_off_is_kept_as_a_whole_or_not_at_all() {
    let (folder, keys) = (TempDir::new().unwrap(), keys());
    let (one, two) = (plane(&folder, &keys).await, plane(&folder, &keys).await);
    for round in 0..60_u64 {
        let [first, second] = ["a", "b"].map(|half| format!("{half}{round}"));
        let change = one.change(actor(), "add", |edit| {
            add(edit, &first, &first)?;
            add(edit, &second, &second)
        });
        let made = tokio::time::timeout(Duration::from_micros(round * 100), change).await.is_ok();
        // What was cut off may still be made in between.
        for seen in [two.current().await.unwrap(), one.current().await.unwrap()] {
            let there = [&first, &second].map(|id| seen.accounts.get(id).is_some());
            assert!(there[0] == there[1] && (there[0] || !made), "{there:?} {made}");
        }
    }
    one.change(actor(), "add", |edit| add(edit, "last", "last")).await.unwrap();
    let (own, seen) = (one.known(), two.current().await.unwrap());
    assert_eq!((own.accounts.len(), &own.position), (seen.accounts.len(), &seen.position));
}
