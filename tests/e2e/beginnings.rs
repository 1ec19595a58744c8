//! What sessions begin with, while it changes at the origin. The scenarios for MySQL are in `mysql/beginnings.rs`.

use e2e::{
    jumpgate::Setup,
    stage::{Place, Stage, eventually},
    wire::Wire,
};

/// Has another connection opened while the first is in use.
async fn another_connection(holder: &mut Wire, other: &mut Wire) {
    holder.hold_a_backend().await;
    other.hold_a_backend().await;
    other.run("COMMIT").await;
    holder.run("COMMIT").await;
}

/// FAULTS row 15: `ALTER ROLE … SET` around the proxy is known as soon as one connection is opened.
async fn backends_do_not_differ_in_what_they_begin_with(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    assert_eq!(one.value("SHOW search_path").await, "\"$user\", public");
    let mut superuser = stage.superuser().await;
    superuser.run("ALTER ROLE app IN DATABASE app SET search_path = two").await;
    superuser.run("ALTER ROLE app SET DateStyle = 'German'").await;
    another_connection(&mut one, &mut two).await;
    for _turn in 0..4 {
        for client in [&mut one, &mut two] {
            assert_eq!(client.value("SHOW search_path").await, "two");
            assert_eq!(client.value("SHOW DateStyle").await, "German, DMY");
            assert_eq!(client.parameters["DateStyle"], "German, DMY");
        }
        another_connection(&mut one, &mut two).await;
    }
    assert_eq!(stage.client().await.parameters["DateStyle"], "German, DMY");
}

/// FAULTS row 15: through the proxy it holds at once, and no reply is kept from before.
async fn an_alter_role_through_the_proxy_holds_at_once(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(3)).await;
    let (mut one, mut two) = (stage.client().await, stage.client().await);
    one.run("ALTER ROLE app SET search_path = one").await;
    let name = "SELECT name FROM thing";
    eventually("it is kept", async || {
        let mut reader = stage.client().await;
        assert_eq!(reader.value(name).await, "from one");
        reader.cache_status().await == "hit"
    })
    .await;
    two.run("ALTER ROLE app SET search_path = two").await;
    for _turn in 0..3 {
        assert_eq!(one.value(name).await, "from two");
        assert_eq!(two.value(name).await, "from two");
        assert_eq!(stage.client().await.value(name).await, "from two");
        another_connection(&mut one, &mut two).await;
    }
    one.run("ALTER ROLE app RESET ALL").await;
    assert_eq!(two.value("SHOW search_path").await, "\"$user\", public");
}

e2e::scenarios! {
    jumpgate_twice: [
        backends_do_not_differ_in_what_they_begin_with,
        an_alter_role_through_the_proxy_holds_at_once,
    ],
}
