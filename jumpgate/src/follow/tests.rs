//! What is held, and how it is kept.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use control::{
    database::Position,
    nodes::wire::{News, Role},
};
use origin::secret::Secret;
use serde_json::{Value, json};

use super::{held::Held, snapshot::SnapshotFile};

fn config(id: char, name: &str) -> Value {
    json!({ "id": id.to_string().repeat(32), "name": name, "origin": {
        "scheme": "postgres", "host": "db.test", "port": 5432, "database": "d", "user": "u",
        "password": "hunter2",
    } })
}

fn news(revision: i64, is_whole: bool, configs: Vec<Value>) -> News {
    let position = Position { revision, tag: String::new() };
    News { is_whole, configs, ..News::none(position) }
}

fn names(held: &Held) -> Vec<&str> {
    held.configs().map(|config| config.name.as_str()).collect()
}

#[test]
fn what_has_not_changed_stays_the_same_and_what_is_wrong_is_left_out() {
    let mut wrong = config('c', "c");
    wrong["origin"]["port"] = json!(0);
    let mut newer = config('d', "d");
    newer["field_of_the_future"] = json!("hunter2");
    let first = vec![config('a', "a"), config('b', "b"), wrong, newer];
    let first = Held::default().after(news(1, true, first));
    assert_eq!(names(&first), ["a", "b"]);
    let said: Vec<_> = first.mistakes().collect();
    assert!(said[0].contains("\"c\"") && said[0].contains("origin.port"), "{said:?}");
    assert!(said[1].contains("\"d\"") && said[1].contains("update this node"), "{said:?}");
    assert!(!format!("{first:?}").contains("hunter2"), "{first:?}");
    let mut change = news(2, false, vec![config('b', "b2"), config('a', "a")]);
    change.removed = vec!["c".repeat(32)];
    let second = first.after(change);
    assert_eq!(names(&second), ["a", "b2"]);
    let one = |held: &Held| Arc::clone(held.configs().next().unwrap());
    assert!(Arc::ptr_eq(&one(&first), &one(&second)));
    let back = second.after(news(1, true, vec![config('a', "a")]));
    assert_eq!((names(&back), back.revision()), (vec!["a"], 1));
    assert!(Arc::ptr_eq(&one(&first), &one(&back)));
}

#[test]
fn a_snapshot_is_read_again_by_its_own_node_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        |token: &str, role| SnapshotFile::new(folder.path(), &Secret::new(token.to_owned()), role);
    let own = file("token", Role::Proxy);
    assert!(own.read().unwrap().is_none());
    let held = Held::default().after(news(7, true, vec![config('a', "a")]));
    for _twice in 0..2 {
        own.write(&held).unwrap();
    }
    let read = own.read().unwrap().unwrap();
    assert_eq!((names(&read), read.revision()), (vec!["a"], 7));
    let mode = fs::metadata(own.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let whole = fs::read(own.path()).unwrap();
    assert!(!String::from_utf8_lossy(&whole).contains("db.test"));
    assert!(file("other", Role::Proxy).read().unwrap_err().contains("another token"));
    let edge = file("token", Role::Edge);
    fs::copy(own.path(), edge.path()).unwrap();
    assert!(edge.read().unwrap_err().contains("it was changed"));
    fs::write(own.path(), &whole[..whole.len() / 2]).unwrap();
    assert!(own.read().unwrap_err().contains("cut short"));
    // What a crash has left of the next one is no matter.
    fs::write(own.path().with_extension("new"), &whole[..whole.len() / 2]).unwrap();
    own.write(&held).unwrap();
    assert_eq!(names(&own.read().unwrap().unwrap()), ["a"]);
}
