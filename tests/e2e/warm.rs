//! The first client finds it warm: with `min_idle`, connections are open and the catalog is read before `/readyz` says so.

use std::{fmt::Write as _, time::Duration};

use e2e::{
    jumpgate::Setup,
    metrics,
    stage::{Place, Stage},
};

/// The status and the page of `/readyz`.
async fn readiness(stage: &mut Stage) -> (u16, String) {
    let admin = stage.jumpgate().admin();
    metrics::get(admin, "/readyz").await.unwrap()
}

async fn ready(stage: &mut Stage) -> String {
    loop {
        let (status, page) = readiness(stage).await;
        if status == 200 {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Our connections to the database, in the order of their ids.
const OURS: &str = "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity \
     WHERE application_name = 'jumpgate/app'";

async fn the_first_job_finds_a_connection_and_the_catalog(place: Place) {
    let setup = Setup { pool: "min_idle = 1".into(), ..Setup::pool_of(5) };
    let mut stage = Stage::with(place, setup).await;
    assert_eq!(ready(&mut stage).await, "ready\n");
    let mut superuser = stage.superuser().await;
    let before = superuser.value(OURS).await;
    assert!(!before.is_empty());
    let mut client = stage.client().await;
    let serving = client.value("SELECT pid FROM pg_stat_activity WHERE pid = pg_backend_pid()");
    let serving = serving.await;
    assert!(before.split(' ').any(|pid| pid == serving), "{serving} is not of {before}");
    client.run("SELECT name FROM item WHERE id = 7").await;
    assert_eq!(client.cache_status().await, "miss", "that it could be kept was known");
}

async fn an_origin_that_is_down_keeps_nobody_waiting_for_ever(place: Place) {
    let mut more = String::new();
    write!(
        more,
        "[[database]]\nname = \"dead\"\n[[database.user]]\nname = \"dead\"\npassword = \"p\"\n\
         [database.origin]\nscheme = \"postgres\"\nhost = \"127.0.0.1\"\nport = 1\n\
         database = \"app\"\nuser = \"app\"\npassword_file = \"origin-password\"\n\
         [database.mtls]\nsslmode = \"require\"\n[database.pool]\nmin_idle = 1\n"
    )
    .unwrap();
    let setup = Setup { pool: "min_idle = 2".into(), more, ..Setup::pool_of(5) };
    let mut stage = Stage::with(place, setup).await;
    while readiness(&mut stage).await != (503, "starting\nnot warm: dead\n".to_owned()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut client = stage.client().await;
    assert_eq!(client.value("SELECT 1").await, "1", "who is not down is served");
    assert_eq!(ready(&mut stage).await, "ready\nnot warm: dead\n");
}

e2e::scenarios! {
    jumpgate_twice: [
        the_first_job_finds_a_connection_and_the_catalog,
    ],
    jumpgate_once: [
        an_origin_that_is_down_keeps_nobody_waiting_for_ever,
    ],
}
