//! What sessions begin with, while it changes at the origin. The scenarios for PostgreSQL are in `beginnings.rs`.

use e2e::{
    jumpgate::Setup,
    mysql::{
        stage::{Place, Stage},
        wire::Wire,
    },
};

const SHOWN: &str = "SELECT @@div_precision_increment";

/// Has another connection opened while the first is in use.
async fn another_connection(holder: &mut Wire, other: &mut Wire) {
    holder.run("BEGIN").await;
    other.run("BEGIN").await;
    other.run("COMMIT").await;
    holder.run("COMMIT").await;
}

/// FAULTS row 19c: SET GLOBAL around the proxy is known as soon as one connection is opened, and through it at once.
async fn backends_do_not_differ_in_what_they_begin_with(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut root = stage.root().await;
    root.run("GRANT SUPER ON *.* TO app@'%'").await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    assert_eq!(one.value(SHOWN).await, "4");
    root.run("SET GLOBAL div_precision_increment = 6").await;
    another_connection(&mut one, &mut two).await;
    for _turn in 0..4 {
        assert_eq!((one.value(SHOWN).await, two.value(SHOWN).await), ("6".into(), "6".into()));
        another_connection(&mut one, &mut two).await;
    }
    two.run("SET GLOBAL div_precision_increment = 8").await;
    for _turn in 0..4 {
        assert_eq!((one.value(SHOWN).await, two.value(SHOWN).await), ("8".into(), "8".into()));
        assert_eq!(stage.client().await.value(SHOWN).await, "8");
        another_connection(&mut one, &mut two).await;
    }
}

e2e::mysql_scenarios! {
    jumpgate_twice: [
        backends_do_not_differ_in_what_they_begin_with,
    ],
}
