//! History in a database, without nodes.

use serde_json::json;

use super::*;
use crate::{plane::Actor, resources::Hyperdrive, seal::Keyring};

const ACCOUNT: &str = "a";

struct Site {
    history: History,
    plane: Arc<Plane>,
    _folder: tempfile::TempDir,
}

fn config(id: &str, account: &str) -> Hyperdrive {
    let json = json!({
        "id": id, "account": account, "name": format!("name-{id}"), "origin": {}, "caching": {}, "pool": {},
        "created_on": Moment(1), "modified_on": Moment(1),
    });
    serde_json::from_value(json).unwrap()
}

impl Site {
    async fn new() -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("control.db").display());
        let keyring = Keyring::new_line("k").parse().unwrap();
        let plane = Plane::open(Database::open(&url).await.unwrap(), keyring).await.unwrap();
        let actor = Actor { who: String::from("tests"), whence: String::from("here") };
        let made = plane.change(actor, "set up", |edit| {
            for (id, account) in [("1", ACCOUNT), ("2", ACCOUNT), ("3", "b")] {
                edit.put(config(id, account));
            }
            Ok::<_, ()>(())
        });
        made.await.unwrap();
        Self { history: History::new(Arc::clone(&plane)), plane, _folder: folder }
    }

    async fn told(&self, node: &str, account: Option<&str>, minutes: &[Minute]) {
        self.history.take(node, account, minutes);
        self.history.write_all().await;
    }

    async fn of(&self, scope: &str, period: Period) -> Value {
        of(self.plane.database(), scope, period).await.unwrap()
    }

    async fn count(&self, scope: &str, period: Period) -> Value {
        self.of(scope, period).await["total"]["count"].clone()
    }

    /// Rows of this width.
    async fn rows(&self, width: i64) -> usize {
        self.plane.database().history(&["1", "2", "3", "b", ACCOUNT], width, 0).await.unwrap().len()
    }
}

fn minute(id: &str, ago: i64, hits: u64) -> Minute {
    Minute {
        database: format!("name-{id}"),
        id: id.to_owned(),
        minute: u64::try_from(now() - ago).unwrap(),
        queries: [(String::from("hit"), hits)].into(),
        in_use: hits,
        ..Minute::default()
    }
}

#[tokio::test]
async fn a_minute_that_is_told_twice_counts_once_in_every_sum() {
    let site = Site::new().await;
    let before = site.plane.database().position().await.unwrap();
    let minutes = [minute("1", 5, 3), minute("1", 6, 4), minute("2", 5, 10), minute("3", 5, 100)];
    for _ in 0..2 {
        site.told("p", None, &minutes).await;
    }
    // One more in the same, twice, and one of them again.
    site.told("p", None, &[minute("1", 7, 2), minute("1", 5, 1), minute("1", 7, 2)]).await;
    site.told("q", None, &[minute("1", 5, 1)]).await;
    for period in [Period::Hour, Period::Day, Period::Week] {
        assert_eq!(site.count("1", period).await, 10, "{period:?}");
        assert_eq!(site.count("2", period).await, 10, "{period:?}");
        assert_eq!(site.count(ACCOUNT, period).await, 20, "{period:?}");
        assert_eq!(site.count("b", period).await, 100, "{period:?}");
    }
    // Connections of an account stand beside each other; of all its minutes the fullest counts.
    assert_eq!(site.of("1", Period::Hour).await["total"]["in_use"], 4);
    assert_eq!(site.of(ACCOUNT, Period::Hour).await["total"]["in_use"], 14);
    let each = of_each(site.plane.database(), &site.plane.known(), "b").await.unwrap();
    assert_eq!((&each[0]["name"], &each[0]["count"]), (&json!("name-3"), &json!(100)));
    assert_eq!(each.len(), 1);
    assert_eq!(site.plane.database().position().await.unwrap(), before);
}

#[tokio::test]
async fn what_nobody_knows_and_what_is_of_another_time_or_account_is_not_kept() {
    let site = Site::new().await;
    let unknown = minute("9", 1, 1);
    let endless = Minute { minute: u64::MAX, ..minute("1", 1, 1) };
    let of_others = minute("3", 1, 1);
    // Of the file of a shared proxy, or of a config that had the name before; of an older node; of the name before.
    let of_a_file = Minute { id: String::from("4"), ..minute("1", 1, 1) };
    let of_old = Minute { id: String::new(), ..minute("1", 1, 1) };
    let renamed = Minute { database: String::from("before"), ..minute("1", 1, 1) };
    site.told("p", None, &[of_a_file, of_old, renamed]).await;
    assert_eq!(site.rows(1).await, 0);
    let times = [minute("1", -AHEAD_MINUTES - 2, 1), minute("1", KEPT_MINUTES + 1, 1)];
    site.told("p", Some(ACCOUNT), &[vec![unknown, endless, of_others], times.to_vec()].concat())
        .await;
    assert_eq!(site.rows(1).await, 0);
    assert_eq!(site.history.complained.lock().len(), 1);
    // A clock that is a little ahead is no reason to lose anything.
    site.told("p", None, &[minute("1", -AHEAD_MINUTES, 1)]).await;
    assert_eq!(site.rows(1).await, 2);
    let many: Vec<_> = (0..TOLD_MAX + 7).map(|_| minute("1", 1, 1)).collect();
    assert_eq!(rows(&site.plane.known(), "p", None, &many, now()).0.len(), TOLD_MAX);
}

#[tokio::test]
async fn what_is_older_than_a_week_is_forgotten() {
    let site = Site::new().await;
    let minutes: Vec<_> = (1..1_100).map(|ago| minute("1", KEPT_MINUTES - ago, 1)).collect();
    site.told("p", None, &minutes).await;
    site.told("p", None, &[minute("1", 1, 1)]).await;
    assert_eq!(site.rows(1).await, 2 * 1_100);
    site.history.forget_old(now()).await;
    assert_eq!(site.rows(1).await, 2 * 1_100);
    // So much later that all but the last are old, more than one step takes.
    site.history.forget_old(now() + 2_000).await;
    for width in WIDTHS {
        assert_eq!(site.rows(width).await, 2, "{width}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_loses_history_and_nothing_else() {
    let site = Site::new().await;
    site.plane.database().close().await;
    site.told("p", None, &[minute("1", 1, 1)]).await;
    assert!(site.history.waiting.lock().is_empty());
    let complained = site.history.complained.lock().clone();
    assert_eq!(complained.len(), 1);
    site.told("p", None, &[minute("1", 1, 1)]).await;
    assert_eq!(*site.history.complained.lock(), complained);
    for _ in 0..WAITING_MAX + 5 {
        site.history.take("p", None, &[minute("1", 1, 1)]);
    }
    assert_eq!(site.history.waiting.lock().len(), WAITING_MAX);
}
