//! Several control nodes on one store: a node is known to all of them, and follows one.

use e2e::{
    certificates::Authority,
    control::NAME,
    follower::{Follower, Leader},
    stage::{eventually, run_on_a_runtime},
};
use serde_json::{Value, json};

use crate::fleet::{PASSWORD, database, is_served, make};

/// Whether a control node knows one proxy, which has all that there is.
async fn knows(control: &Leader) -> bool {
    let nodes = control.nodes().await.unwrap();
    nodes.len() == 1 && nodes[0]["is_current"] == true
}

/// How many proxies a purge by this control node has reached.
async fn purged(control: &Leader, config: &str) -> Value {
    let purge = format!("/{{a}}/hyperdrive/configs/{config}/purge");
    control.told("POST", &purge, &json!({})).await.unwrap()["nodes"].clone()
}

#[test]
fn a_proxy_of_two_control_nodes_is_known_to_both_follows_either_and_goes_on_without() {
    run_on_a_runtime(|| async {
        let (_postgres, origin) = database();
        let authority = Authority::new();
        let mut one = Leader::start_over_tls(&authority).unwrap();
        let mut two = one.beside().unwrap();
        let stranger = one.section_with(&[&two], "127.0.0.1", &authority).unwrap();
        let stranger = Follower::start(&stranger).unwrap();
        let remedy = "its certificate is for another name: put one that it has into url";
        eventually("it says what to do", async || stranger.log().contains(remedy)).await;
        assert!(one.nodes().await.unwrap().is_empty(), "it has told nobody its token");
        drop(stranger);
        let section = one.section_with(&[&two], NAME, &authority).unwrap();
        let proxy = Follower::start(&section).unwrap();
        let id = make(&one, "one", &origin).await;
        is_served(&proxy, "one").await;
        for control in [&one, &two] {
            eventually("both know it", async || knows(control).await).await;
            assert_eq!(purged(control, &id).await, 1);
        }
        let listener = &two.nodes().await.unwrap()[0]["listeners"][0];
        assert_eq!(listener["port"], proxy.address.port());
        let path = format!("/{{a}}/hyperdrive/configs/{id}/credentials");
        let made = two.told("POST", &path, &json!({ "user": "other" })).await.unwrap();
        let url = made["connection_string"].as_str().unwrap();
        assert!(url.contains(&format!("@{}/one", proxy.address)), "{url}");

        one.kill();
        make(&two, "two", &origin).await;
        is_served(&proxy, "two").await;
        eventually("it follows the other", async || knows(&two).await).await;
        one.run().unwrap();
        eventually("the first knows it again", async || knows(&one).await).await;
        assert_eq!(purged(&one, &id).await, 1);

        let mut client = proxy.client("one", PASSWORD).await;
        one.kill();
        two.kill();
        assert_eq!(client.value("SELECT 1").await, "1");
        assert!(proxy.serves("two", PASSWORD).await);
        two.run().unwrap();
        make(&two, "three", &origin).await;
        is_served(&proxy, "three").await;
    });
}

/// The moment is part of what the proxy was told.
#[test]
fn the_password_before_ends_without_a_control_node_and_over_a_restart() {
    run_on_a_runtime(|| async {
        let (_postgres, origin) = database();
        let mut control = Leader::start().unwrap();
        let mut proxy = Follower::start(&control.section()).unwrap();
        let id = make(&control, "one", &origin).await;
        is_served(&proxy, "one").await;
        let rotate = format!("/{{a}}/hyperdrive/configs/{id}/credentials/app/rotate");
        let next = json!({ "password": "next", "overlap": 15 });
        control.told("POST", &rotate, &next).await.unwrap();
        eventually("both are right", async || {
            proxy.serves("one", "next").await && proxy.serves("one", PASSWORD).await
        })
        .await;
        eventually("it is kept", async || proxy.has_kept_all(&control).await.unwrap()).await;
        control.kill();
        eventually("one is right", async || !proxy.serves("one", PASSWORD).await).await;
        assert!(proxy.serves("one", "next").await);
        proxy.restart().unwrap();
        assert!(proxy.serves("one", "next").await && !proxy.serves("one", PASSWORD).await);
    });
}
