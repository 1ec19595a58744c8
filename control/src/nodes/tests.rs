//! Nodes as the control node hears them, without a socket.

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{
    activity::Activity,
    wire::{Answer, Command, Order, Outcome},
    *,
};
use crate::{
    api::make_token,
    database::{Database, Position},
    fleet::{Fleet as _, Unreachable},
    moment::Moment,
    plane::{Actor, Edit},
    resources::{Account, ApiToken, Credential, EdgeAddress, Hostname, Hyperdrive},
    seal::Keyring,
    view::proxy::draft,
};

const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

struct Site {
    nodes: Nodes,
    plane: Arc<Plane>,
    token: ApiToken,
    text: String,
    _folder: tempfile::TempDir,
}

fn actor() -> Actor {
    Actor { who: String::from("tests"), whence: String::from("here") }
}

fn config(id: &str) -> Hyperdrive {
    let json = json!({
        "id": id, "account": ACCOUNT, "name": format!("name-{id}"),
        "origin": {
            "scheme": "postgres", "host": "db.test", "port": 5432, "database": "d", "user": "u",
            "password": "hunter2",
        },
        "caching": {}, "pool": {}, "created_on": Moment(1), "modified_on": Moment(1),
    });
    serde_json::from_value(json).unwrap()
}

impl Site {
    async fn new(scope: Scope) -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("control.db").display());
        let keyring = Keyring::new_line("k").parse().unwrap();
        let plane = Plane::open(Database::open(&url).await.unwrap(), keyring).await.unwrap();
        let (token, text) = make_token("node", scope, None, None);
        let local = |draft: Draft| -> Asked<'static, Reached> {
            Box::pin(async move { Ok(json!({ "by": "control", "name": draft.name })) })
        };
        let nodes = Nodes::new(Arc::clone(&plane), Box::new(local));
        let site = Self { nodes, plane, token, text, _folder: folder };
        let token = site.token.clone();
        site.change(|edit| edit.put(token.clone())).await;
        site
    }

    async fn change(&self, change: impl Fn(&mut Edit)) {
        let change = |edit: &mut Edit| {
            change(edit);
            Ok::<_, ()>(())
        };
        self.plane.change(actor(), "test", change).await.unwrap();
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::builder().method(Method::POST).uri(path);
        let request = request.header("authorization", format!("Bearer {}", self.text));
        let request = request.body(Body::from(body.to_string())).unwrap();
        let answer = self.nodes.router().oneshot(request).await.unwrap();
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn follow_as(&self, node: Identity, known: Option<&Position>) -> News {
        let body = json!({ "node": node, "known": known, "told_by": VERSION, "status": {} });
        let (status, news) = self.post(FOLLOW, body).await;
        assert_eq!(status, StatusCode::OK, "{news}");
        serde_json::from_value(news).unwrap()
    }

    async fn follow(&self, known: Option<&Position>) -> News {
        self.follow_as(node("p"), known).await
    }
}

fn node(name: &str) -> Identity {
    let (instance, version) = (format!("instance-{name}"), String::from("1"));
    Identity { instance, name: name.to_owned(), role: Role::Proxy, version }
}

fn ids(news: &News) -> Vec<&str> {
    news.configs.iter().map(|config| config["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_node_is_told_everything_once_and_then_what_changes() {
    let site = Site::new(Scope::Node).await;
    site.change(|edit| ["a", "b", "c"].map(config).into_iter().for_each(|it| edit.put(it))).await;
    let first = site.follow(None).await;
    assert!(first.is_whole);
    assert_eq!(ids(&first), ["a", "b", "c"]);
    assert_eq!(first.configs[0]["origin"]["password"], "hunter2");
    assert!(!format!("{first:?}").contains("hunter2"));
    let waiting = site.follow(Some(&first.position));
    let salting = crate::Salting::new(vec![1; 16]);
    let hashes = crate::Hashes::of(&crate::Secret::from("s3cret"), &salting);
    let changing = site.change(|edit| {
        let (id, config) = (String::from("b/1"), String::from("b"));
        let user = String::from("app");
        let password = hashes.clone();
        edit.put(Credential {
            id,
            config,
            user,
            password,
            previous: None,
            max_connections: 0,
            created_at: Moment(1),
        });
        edit.delete::<Hyperdrive>("c");
    });
    let (second, ()) = tokio::join!(waiting, changing);
    assert!(!second.is_whole);
    assert_eq!(ids(&second), ["b"]);
    assert_eq!(second.configs[0]["users"][0]["name"], "app");
    assert_eq!(second.removed, ["c"]);
    // It has not heard the last one.
    let again = site.follow(Some(&first.position)).await;
    assert_eq!((ids(&again), again.is_whole), (vec!["b"], false));
    // Neither this nor what follows is part of our history.
    for other in [
        Position { revision: second.position.revision, tag: String::from("other") },
        Position { revision: 1_000, tag: String::new() },
    ] {
        let whole = site.follow(Some(&other)).await;
        assert_eq!((whole.is_whole, ids(&whole)), (true, vec!["a", "b"]));
    }
}

/// A control node that was started anew has not told anybody anything.
#[tokio::test]
async fn a_node_that_has_all_is_not_told_it_again() {
    let site = Site::new(Scope::Node).await;
    site.change(|edit| edit.put(config("a"))).await;
    let position = site.plane.known().position.clone();
    tokio::time::pause();
    let news = site.follow(Some(&position)).await;
    assert_eq!((news.is_whole, ids(&news).len(), &news.position), (false, 0, &position));
    // By another version it may have been told otherwise; once it is told by this one, all is well.
    for (name, told_by) in [("q", None), ("r", Some("0.0.1"))] {
        let body =
            json!({ "node": node(name), "known": position, "told_by": told_by, "status": {} });
        let news: News = serde_json::from_value(site.post(FOLLOW, body.clone()).await.1).unwrap();
        assert_eq!((news.is_whole, ids(&news)), (true, vec!["a"]));
        let again: News = serde_json::from_value(site.post(FOLLOW, body).await.1).unwrap();
        assert!(!again.is_whole);
    }
}

#[tokio::test]
async fn only_a_token_of_nodes_is_told_anything_and_only_while_it_is_valid() {
    let admin = Site::new(Scope::Admin).await;
    let body = json!({ "node": node("p"), "known": null, "status": {} });
    let (status, answer) = admin.post(FOLLOW, body.clone()).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
    let site = Site::new(Scope::Node).await;
    let position = site.follow(None).await.position;
    let body = json!({ "node": node("p"), "known": position, "status": {} });
    let revoking = site.change(|edit| {
        edit.delete::<ApiToken>(&site.token.id);
    });
    let ((status, answer), ()) = tokio::join!(site.post(FOLLOW, body), revoking);
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{answer}");
}

#[tokio::test]
async fn a_token_of_one_account_is_told_of_that_one() {
    let mut site = Site::new(Scope::Node).await;
    let (token, text) = make_token("other", Scope::Node, Some(String::from("other")), None);
    site.change(|edit| {
        edit.put(config("a"));
        edit.put(Hyperdrive { account: String::from("other"), ..config("b") });
        edit.put(token.clone());
    })
    .await;
    site.text = text;
    assert_eq!(ids(&site.follow(None).await), ["b"]);
}

#[tokio::test]
async fn a_check_is_walked_by_a_proxy_where_one_is_there() {
    let site = Site::new(Scope::Node).await;
    let draft = draft(&site.plane.known(), &config("a")).unwrap();
    let alone = site.nodes.check(&draft).await.unwrap();
    assert_eq!(alone, json!({ "by": "control", "name": "name-a" }));
    let position = site.follow(None).await.position;
    let refusal = Unreachable { code: 2011, message: String::from("no"), steps: vec![] };
    let proxy = async {
        let news = site.follow(Some(&position)).await;
        let command: Command = serde_json::from_value(news.commands[0].clone()).unwrap();
        assert!(matches!(&command.order, Order::Check { config } if config["id"] == "a"));
        assert!(!format!("{command:?}").contains("hunter2"));
        let answer = Answer { id: command.id, outcome: Outcome::Unreachable(refusal.clone()) };
        // Another has nothing to say about it.
        let report =
            |node: Identity| json!({ "node": node, "status": {}, "answers": [answer.clone()] });
        for node in [node("other"), node("p")] {
            assert_eq!(site.post(REPORT, report(node)).await.0, StatusCode::OK);
        }
    };
    let (checked, ()) = tokio::join!(site.nodes.check(&draft), proxy);
    assert_eq!(checked, Err(refusal));
}

#[tokio::test]
async fn a_purge_counts_the_proxies_that_have_done_it() {
    let site = Site::new(Scope::Node).await;
    site.change(|edit| edit.put(config("a"))).await;
    let position = site.follow(None).await.position;
    site.follow_as(node("silent"), None).await;
    tokio::time::pause();
    let proxy = async {
        let news = site.follow(Some(&position)).await;
        let command: Command = serde_json::from_value(news.commands[0].clone()).unwrap();
        assert!(matches!(&command.order, Order::Purge { id, .. } if id.as_deref() == Some("a")));
        let answers = [Answer { id: command.id, outcome: Outcome::Done(Value::Null) }];
        let report = json!({ "node": node("p"), "status": {}, "answers": answers });
        assert_eq!(site.post(REPORT, report).await.0, StatusCode::OK);
    };
    let (done, ()) = tokio::join!(site.nodes.purge(ACCOUNT, ("name-a", "a"), &[]), proxy);
    assert_eq!(done, 1);
}

#[tokio::test]
async fn a_node_that_follows_another_control_node_is_known_and_told_its_orders_alone() {
    let site = Site::new(Scope::Node).await;
    site.change(|edit| edit.put(config("a"))).await;
    tokio::time::pause();
    let body = json!({ "node": node("p"), "known": null, "status": {}, "only_commands": true });
    // Held to its end, and told nothing, whatever it lacks.
    let (_status, news) = site.post(FOLLOW, body.clone()).await;
    let news: News = serde_json::from_value(news).unwrap();
    let position = site.plane.known().position.clone();
    assert_eq!((ids(&news).len(), news.is_whole, &news.position), (0, false, &position));
    assert_eq!(site.nodes.nodes()[0]["is_current"], false);
    let report = json!({ "node": node("p"), "status": {}, "known": position });
    assert_eq!(site.post(REPORT, report).await.0, StatusCode::OK);
    assert_eq!(site.nodes.nodes()[0]["is_current"], true);
    let asking = site.post(FOLLOW, body);
    let (_purged, (_status, news)) =
        tokio::join!(site.nodes.purge(ACCOUNT, ("name-a", "a"), &[]), asking);
    let body = json!({ "node": node("p"), "known": position, "status": {}, "only_commands": true });
    assert_eq!(news["commands"].as_array().map(Vec::len), Some(1), "{news}");
    // What it was told of orders is no knowledge of it: all comes once it is followed.
    let whole = site.follow(None).await;
    assert_eq!((ids(&whole), whole.is_whole), (vec!["a"], true));
    // As where two of its URLs lead to one control node: the one for news is answered.
    let both = async { tokio::join!(site.follow(Some(&position)), site.post(FOLLOW, body)) };
    let (news, (status, _orders)) = both.await;
    assert_eq!((news.is_whole, status), (false, StatusCode::OK));
}

/// A config whose database is behind the hostname `db.test`, written so.
fn led_by_an_edge(edit: &mut Edit, host: &str) {
    let mut config = config("a");
    config.origin.port = None;
    config.origin.host = Some(host.to_owned());
    config.origin.access_client_id = Some(String::from("id"));
    edit.put(config);
    let (name, account, tunnel) = (String::from("db.test"), ACCOUNT.to_owned(), String::from("t"));
    edit.put(Hostname { name, account, tunnel, created_at: Moment(1) });
}

/// Another control node may have said more meanwhile: who cannot tell tells nothing.
#[tokio::test]
async fn who_cannot_read_the_store_takes_nobody_back() {
    let site = Site::new(Scope::Node).await;
    site.change(|edit| edit.put(config("a"))).await;
    let ours = site.plane.known().position.clone();
    site.plane.database().close().await;
    let later = Position { revision: ours.revision + 1, ..ours.clone() };
    let body = json!({ "node": node("p"), "known": later, "status": {} });
    assert_eq!(site.post(FOLLOW, body).await.0, StatusCode::SERVICE_UNAVAILABLE);
    // Whoever knows less, or nothing, is told what is known.
    let earlier = Position { revision: ours.revision - 1, ..ours };
    for known in [None, Some(&earlier)] {
        assert_eq!(ids(&site.follow(known).await), ["a"]);
    }
}

#[tokio::test]
async fn nodes_are_shown_with_what_they_lack_and_lost_ones_as_lost() {
    let site = Site::new(Scope::Node).await;
    let position = site.follow(None).await.position;
    // The store's own clock would run ahead.
    tokio::time::pause();
    assert_eq!(site.nodes.nodes()[0]["is_current"], false);
    site.follow(Some(&position)).await;
    let shown = site.nodes.nodes();
    assert_eq!((&shown[0]["is_current"], &shown[0]["status"]), (&json!(true), &json!("connected")));
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(site.nodes.nodes()[0]["status"], "lost");
    tokio::time::advance(Duration::from_secs(24 * 3600)).await;
    assert_eq!(site.nodes.nodes(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_config_that_leads_through_an_edge_of_ours_is_told_where_that_is() {
    let site = Site::new(Scope::Node).await;
    site.change(|edit| led_by_an_edge(edit, "DB.test/path")).await;
    let first = site.follow(None).await;
    assert_eq!(first.configs[0]["origin"].get("edge_address"), None);
    let edge = Identity { role: Role::Edge, ..node("e") };
    let status = json!({ "edge": { "public": "192.0.2.1:443", "ca_certificate": "PEM" } });
    let report = json!({ "node": edge, "status": status });
    assert_eq!(site.post(REPORT, report).await.0, StatusCode::OK);
    let second = site.follow(Some(&first.position)).await;
    assert_eq!(second.configs[0]["origin"]["edge_address"], "192.0.2.1:443");
    assert_eq!(second.configs[0]["origin"]["edge_ca_certificate"], "UEVN");
}

#[tokio::test]
async fn what_a_proxy_counts_is_kept_and_more_fields_than_are_known_do_no_harm() {
    let site = Site::new(Scope::Node).await;
    site.change(|edit| edit.put(config("a"))).await;
    let minute = Moment::now().unix_seconds() / 60 - 1;
    let told = json!({ "database": "name-a", "id": "a", "minute": minute, "queries": { "miss": 2 }, "new": 1 });
    let report = json!({ "node": node("p"), "status": {}, "minutes": [told, told] });
    assert_eq!(site.post(REPORT, report).await.0, StatusCode::OK);
    let keeping = site.nodes.keep_history();
    let kept = async {
        loop {
            let database = site.plane.database();
            let hour =
                crate::history::of(database, "a", crate::history::Period::Hour).await.unwrap();
            if hour["total"]["count"] == 2 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = keeping => {}
        () = kept => {}
    }
}

#[tokio::test]
async fn what_goes_on_is_asked_of_the_proxies_that_may_know_the_account() {
    let mut site = Site::new(Scope::Node).await;
    let (token, text) = make_token("other", Scope::Node, Some(String::from("other")), None);
    let (own, own_text) = make_token("own", Scope::Node, Some(ACCOUNT.to_owned()), None);
    site.change(|edit| {
        edit.put(token.clone());
        edit.put(own.clone());
        edit.put(config("a"));
        edit.put(Hyperdrive { account: String::from("other"), ..config("b") });
        for id in [ACCOUNT, "other"] {
            let (id, name) = (id.to_owned(), id.to_owned());
            edit.put(Account { id, name, created_at: Moment(1) });
        }
    })
    .await;
    let position = site.follow(None).await.position;
    let status = json!({ "declared": [{ "id": "c", "name": "internal" }] });
    let report = json!({ "node": node("p"), "status": status });
    assert_eq!(site.post(REPORT, report).await.0, StatusCode::OK);
    site.follow_as(node("silent"), None).await;
    // It is of another account, and is not asked.
    let ours = std::mem::replace(&mut site.text, text);
    site.follow_as(node("stranger"), None).await;
    site.text = ours;
    tokio::time::pause();
    let proxy = async {
        let news = site.follow(Some(&position)).await;
        let command: Command = serde_json::from_value(news.commands[0].clone()).unwrap();
        let Order::Activity { database, statements, sessions } = command.order else {
            panic!("{command:?}");
        };
        assert_eq!((database.as_deref(), statements, sessions), (Some("app"), 7, 8));
        // Its config, another account's, that of the proxy's own file, and one of an older proxy.
        let told =
            ["a", "b", "c", ""].map(|id| json!({ "database": "app", "id": id, "clients": 3 }));
        let activity = json!({ "databases": told });
        let answers = [Answer { id: command.id, outcome: Outcome::Done(activity) }];
        let report = json!({ "node": node("p"), "status": {}, "answers": answers });
        assert_eq!(site.post(REPORT, report).await.0, StatusCode::OK);
    };
    let (told, ()) = tokio::join!(site.nodes.activity(ACCOUNT, Some("app"), 7, 8), proxy);
    assert_eq!(told.asked, 2);
    let [(name, Activity { databases, .. })] = told.answers.as_slice() else { panic!("{told:?}") };
    let [database] = databases.as_slice() else { panic!("{databases:?}") };
    assert_eq!((name.as_str(), &*database.id, database.clients), ("p", "a", 3));
    // The account's own proxy has one of the same id in its file as the one that all share.
    site.text = own_text;
    site.follow_as(node("own"), None).await;
    let report = json!({ "node": node("own"), "status": status });
    assert_eq!(site.post(REPORT, report).await.0, StatusCode::OK);
    let order = Order::Activity { database: None, statements: 0, sessions: 0 };
    let ours = site.nodes.ours(ACCOUNT);
    let (_, given) = site.nodes.0.registry.give_proxies_of(ACCOUNT, &order, |it| ours.has(it, "c"));
    assert_eq!(given.iter().map(|it| &*it.node).collect::<Vec<_>>(), ["own"]);
    let (_, given) = site.nodes.0.registry.give_proxies_of(ACCOUNT, &order, |it| ours.has(it, "b"));
    assert!(given.is_empty());
}

#[tokio::test]
async fn an_edge_that_is_lost_gives_its_place_to_one_that_is_heard_and_takes_it_back() {
    let site = Site::new(Scope::Node).await;
    site.change(|edit| led_by_an_edge(edit, "db.test")).await;
    let says = async |name: &str, address: &str| {
        let edge = Identity { role: Role::Edge, ..node(name) };
        let status = json!({ "edge": { "public": address } });
        let body = json!({ "node": edge, "known": null, "status": status });
        assert_eq!(site.post(FOLLOW, body).await.0, StatusCode::OK);
    };
    let leads = || {
        let world = site.plane.known();
        let draft = draft(&world, world.hyperdrives.get("a").unwrap()).unwrap();
        draft.origin.unwrap().edge_address.unwrap().port()
    };
    says("e1", "192.0.2.1:1").await;
    says("e2", "192.0.2.2:2").await;
    assert_eq!(leads(), 1);
    let mut marked = std::collections::BTreeSet::new();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    // Whoever hears nobody is cut off itself.
    site.nodes.mark_lost_edges(&mut marked).await;
    assert_eq!(leads(), 1);
    says("e2", "192.0.2.2:2").await;
    site.nodes.mark_lost_edges(&mut marked).await;
    assert_eq!(leads(), 2);
    // Another control node hears it; we do not, and have said so once.
    let heard = |lost| EdgeAddress {
        id: String::from("e1"),
        public: Some(([192, 0, 2, 1], 1).into()),
        ca_certificate: None,
        lost,
    };
    site.change(|edit| edit.put(heard(None))).await;
    site.nodes.mark_lost_edges(&mut marked).await;
    assert_eq!(leads(), 1);
    site.change(|edit| edit.put(heard(Some(Moment::now())))).await;
    assert_eq!((leads(), site.plane.expire(actor()).await.unwrap()), (2, 0));
    says("e1", "192.0.2.1:1").await;
    assert_eq!(leads(), 1);
    site.change(|edit| edit.put(heard(Some(Moment(1))))).await;
    assert_eq!(site.plane.expire(actor()).await.unwrap(), 1);
    assert_eq!(site.plane.known().edges.len(), 1);
}

#[tokio::test]
async fn clients_are_led_to_where_a_proxy_says_that_it_is() {
    let site = Site::new(Scope::Node).await;
    assert_eq!(site.nodes.clients_at(ACCOUNT, "postgres"), None);
    let says = async |name: &str, host: Option<&str>, port: u16| {
        let listeners = json!([{ "engine": "postgres", "host": host, "port": port }]);
        let status = json!({ "listeners": listeners });
        let body = json!({ "node": node(name), "known": null, "status": status });
        assert_eq!(site.post(FOLLOW, body).await.0, StatusCode::OK);
    };
    let led =
        || site.nodes.clients_at(ACCOUNT, "postgres").map(|(host, port)| format!("{host} {port}"));
    // Heard from nowhere in particular, and on every address.
    says("d", None, 4).await;
    assert_eq!(led().unwrap(), "127.0.0.1 4");
    says("c", Some("127.0.0.1"), 3).await;
    assert_eq!(led().unwrap(), "127.0.0.1 3");
    says("b", Some("db.example.com"), 2).await;
    says("a", Some(&"x".repeat(254)), 1).await;
    assert_eq!(led().unwrap(), "db.example.com 2");
    assert_eq!(site.nodes.clients_at(ACCOUNT, "mysql"), None);
}
