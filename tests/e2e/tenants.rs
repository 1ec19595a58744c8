//! One proxy for many databases, of which some are used.

use std::fmt::Write as _;

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually},
    wire::{Endpoint, Wire},
};

use super::operating::refused;

/// Each with this many connections at most, at the origin of the stage.
fn tenants(stage: &Stage, names: impl Iterator<Item = usize>) -> String {
    let port = stage.postgres.address().port();
    let mut text = String::new();
    for n in names {
        write!(
            text,
            "[[database]]\nname = \"tenant_{n}\"\n[[database.user]]\nname = \"user_{n}\"\npassword = \"p\"\n\
             [database.origin]\nscheme = \"postgres\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             database = \"app\"\nuser = \"app\"\npassword_file = \"origin-password\"\n\
             [database.mtls]\nsslmode = \"require\"\n[database.pool]\nmax_clients = 2\n"
        )
        .unwrap();
    }
    text
}

fn tenant(stage: &Stage, n: usize) -> Endpoint {
    stage.endpoint().with_database(&format!("tenant_{n}")).with_user(&format!("user_{n}"), "p")
}

/// The databases that the proxy shows.
async fn shown(stage: &Stage) -> Vec<usize> {
    let metrics = stage.metrics().await;
    let is_shown = |n: &usize| {
        let name = format!("tenant_{n}");
        metrics.sum("jumpgate_pool_max_size", &[("database", &name)]) > 0.0
    };
    (0..60).filter(is_shown).collect()
}

/// With many, nothing is opened before it is used, and what a reload takes away is gone.
async fn a_database_among_many_is_opened_by_its_first_client_and_gone_with_its_last(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(2)).await;
    let reload = |stage: &mut Stage, names: std::ops::Range<usize>| {
        let text = tenants(stage, names);
        stage.jumpgate().reload(|setup| setup.more = text).unwrap();
    };
    reload(&mut stage, 0..50);
    let comes_in = async |stage: &Stage, n| {
        let endpoint = tenant(stage, n);
        Wire::open(endpoint.address).await.login(&endpoint, &[]).await.is_ok()
    };
    eventually("they are known", async || comes_in(&stage, 49).await).await;
    assert_eq!(shown(&stage).await, [49]);
    let mut client = Wire::connect(&tenant(&stage, 7)).await;
    assert_eq!(client.value("SELECT 'seven'").await, "seven");
    assert_eq!(shown(&stage).await, [7, 49]);
    let wrong = tenant(&stage, 8).with_user("user_8", "wrong");
    assert_eq!(refused(&wrong, &[]).await.field(b'C'), "28P01");
    assert_eq!(shown(&stage).await, [7, 49], "whoever knows no password opens nothing");

    reload(&mut stage, 10..60);
    eventually("the new ones are known", async || comes_in(&stage, 59).await).await;
    assert_eq!(refused(&tenant(&stage, 7), &[]).await.field(b'C'), "28P01", "nobody has it now");
    assert_eq!(shown(&stage).await, [7, 49, 59], "its session goes on");
    assert_eq!(client.value("SELECT 'still'").await, "still");
    drop(client);
    eventually("it is shown no more", async || shown(&stage).await == [49, 59]).await;
}

async fn a_database_has_as_many_clients_as_the_file_says(place: Place) {
    let mut stage = Stage::with(place, Setup::pool_of(2)).await;
    let text = tenants(&stage, 0..2);
    stage.jumpgate().reload(|setup| setup.more = text).unwrap();
    let comes_in = async |stage: &Stage, n| {
        let endpoint = tenant(stage, n);
        Wire::open(endpoint.address).await.login(&endpoint, &[]).await.is_ok()
    };
    eventually("they are known", async || comes_in(&stage, 1).await).await;
    let endpoint = tenant(&stage, 0);
    let (mut first, second) = (Wire::connect(&endpoint).await, Wire::connect(&endpoint).await);
    let told = refused(&endpoint, &[]).await;
    assert_eq!(told.field(b'C'), "53300");
    assert_eq!(told.field(b'M'), "too many connections for database \"tenant_0\"");
    assert!(comes_in(&stage, 1).await, "another database has places of its own");
    let reason = [("reason", "too_many_of_database")];
    assert!(stage.metrics().await.sum("jumpgate_logins_refused_total", &reason) >= 1.0);
    // It leaves without a word, with a transaction open.
    first.run("BEGIN").await;
    drop(first);
    eventually("its place is given back", async || comes_in(&stage, 0).await).await;
    drop(second);
}

e2e::scenarios! {
    jumpgate_once: [
        a_database_among_many_is_opened_by_its_first_client_and_gone_with_its_last,
        a_database_has_as_many_clients_as_the_file_says,
    ],
}
