//! Secrets are told once, to whoever makes them, and are found nowhere else: in no other answer, error, output, log or file.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use e2e::{
    certificates::Authority,
    control::Control,
    follower::{Follower, Leader},
    metrics,
    postgres::{APP_PASSWORD, Postgres},
    stage::{Version, eventually, run_on_a_runtime},
};
use serde_json::{Value, json};

const ORIGIN: &str = "0rigin-secret-7b21f0c4";
const CLIENT: &str = "cl1ent-secret-93ad55e1";
const ROTATED: &str = "r0tated-secret-1f0e88b7";
/// Of 32 bytes.
const TUNNEL: &str = "tunnel-secret-of-32-bytes-5c01e9";
/// What is sent in vain.
const REFUSED: &str = "ref0sed-secret-60d2ab19";

/// What may be heard or read by others, each with what it is.
#[derive(Default)]
struct Heard(Vec<(String, String)>);

impl Heard {
    fn hears(&mut self, what: impl Into<String>, said: impl AsRef<[u8]>) {
        // What is looked for is ASCII.
        let said = String::from_utf8_lossy(said.as_ref()).into_owned();
        self.0.push((what.into(), said));
    }

    /// What is answered to a request that tells no secret.
    async fn asks(&mut self, control: &Leader, method: &str, path: &str, body: Value) -> u16 {
        let (status, answer) = control.ask(method, path, &body).await.unwrap();
        self.hears(format!("{method} {path}"), answer.to_string());
        status
    }

    /// Where a secret is, however it is written.
    fn finds(&self, secret: impl AsRef<[u8]>) -> Vec<&str> {
        let forms = forms(secret.as_ref());
        let has = |said: &str| forms.iter().any(|form| said.contains(form));
        let found = self.0.iter().filter(|(_, said)| has(said));
        found.map(|(what, _)| what.as_str()).collect()
    }
}

/// As it is, in hex, and in base64 wherever it begins there.
fn forms(secret: &[u8]) -> Vec<String> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let plain = String::from_utf8(secret.to_vec());
    let mut forms: Vec<_> = plain.into_iter().chain([hex.to_uppercase(), hex]).collect();
    for before in 0..3 {
        let base64 = STANDARD.encode([&vec![0; before], secret].concat());
        let (from, to) = ((before * 8).div_ceil(6), (before + secret.len()) * 8 / 6);
        let whole = base64.get(from..to).unwrap();
        forms.push(whole.replace('+', "-").replace('/', "_"));
        forms.push(whole.to_owned());
    }
    forms
}

#[test]
fn a_secret_is_told_once_and_is_nowhere_else() {
    run_on_a_runtime(|| async {
        let lines = "test_connections = false\n[log]\nfilter = \"trace,axum=trace,hyper=trace,sqlx=trace\"\n";
        let mut control = Leader::from(Control::start_with(&[], lines).unwrap());
        let proxy = Follower::start(&control.section()).unwrap();
        let postgres = Postgres::start(Version::Fifteen, &Authority::new(), &[]).unwrap();
        let (ids, mut secrets) = make(&control, &postgres).await;
        let key = fs::read_to_string(control.home().join("control.key")).unwrap();
        let node = fs::read_to_string(control.home().join("node.token")).unwrap();
        let key = key.trim_end().rsplit(':').next().unwrap();
        let sealing = STANDARD.decode(key).unwrap();
        secrets.push(key.to_owned());
        secrets.extend([control.token.clone(), node.trim().to_owned()]);
        let mut heard = Heard::default();
        eventually("it is served", async || proxy.serves("real", CLIENT).await).await;
        assert!(!proxy.serves("real", REFUSED).await);
        for away in ["away", "tunnelled"] {
            assert!(!proxy.serves(away, CLIENT).await);
        }
        refused(&mut control, &mut heard).await;
        looks(&control, &ids, &mut heard).await;
        // What was told last may be nothing that a proxy keeps.
        eventually("it is kept", async || proxy.snapshot().exists()).await;
        for path in ["/metrics", "/readyz", "/healthz"] {
            heard.hears(path, metrics::get(proxy.admin, path).await.unwrap().1);
        }
        heard.hears("the control node's log", control.log());
        heard.hears("the proxy's log", proxy.log());
        heard.hears("the proxy's snapshot", fs::read(proxy.snapshot()).unwrap());
        for file in ["control.db", "control.db-wal", "control.db-shm"] {
            heard.hears(file, fs::read(control.home().join(file)).unwrap_or_default());
        }
        // The search finds what is there.
        assert!(heard.finds("create config").iter().any(|it| it.starts_with("control.db")));
        assert!(heard.finds("127.0.0.1").contains(&"the control node's log"));
        assert_eq!(heard.finds(sealing), Vec::<&str>::new(), "the key that seals");
        for secret in &secrets {
            assert_eq!(heard.finds(secret), Vec::<&str>::new(), "{secret}");
        }
    });
}

/// Makes what has secrets: the ids of all, and the secrets.
async fn make(control: &Leader, postgres: &Postgres) -> (Vec<String>, Vec<String>) {
    let mut ids = Vec::new();
    let mut told = async |path: &str, body: Value| {
        let made = control.told("POST", path, &body).await.unwrap();
        ids.extend(made["id"].as_str().map(str::to_owned));
        made
    };
    let token = told("/{a}/access/service_tokens", json!({ "name": "proxy" })).await;
    let any = json!([{ "service_token": { "token_id": token["id"] } }]);
    let own = json!({ "name": "own", "decision": "non_identity", "include": any });
    told("/{a}/access/policies", own.clone()).await;
    told("/{a}/access/apps", json!({ "domain": "db.test", "policies": [own] })).await;
    let endpoint = postgres.endpoint();
    let origin = |host: &str, port: u16, password: &str| {
        json!({
            "scheme": "postgres", "host": host, "port": port, "database": endpoint.database,
            "user": endpoint.user, "password": password,
        })
    };
    let mut tunnelled = origin("db.test", 0, ORIGIN);
    tunnelled.as_object_mut().unwrap().remove("port");
    tunnelled["access_client_id"] = token["client_id"].clone();
    tunnelled["access_client_secret"] = token["client_secret"].clone();
    let configs = [
        ("real", origin("127.0.0.1", endpoint.address.port(), APP_PASSWORD)),
        ("away", origin("127.0.0.1", 1, ORIGIN)),
        ("tunnelled", tunnelled),
    ];
    for (name, origin) in configs {
        told("/{a}/hyperdrive/configs", json!({ "name": name, "origin": origin })).await;
        let user = json!({ "user": "app", "password": CLIENT });
        let made = told(&format!("/{{a}}/hyperdrive/configs/{name}/credentials"), user).await;
        assert_eq!(made["password"], CLIENT, "it is told once");
    }
    let rotate = "/{a}/hyperdrive/configs/away/credentials/app/rotate";
    told(rotate, json!({ "password": ROTATED })).await;
    let leaf = Authority::new().leaf(&["client.test"]);
    let certificate =
        json!({ "name": "client", "certificates": leaf.certificate, "private_key": leaf.key });
    told("/{a}/mtls_certificates", certificate).await;
    let tunnel = json!({ "name": "office", "tunnel_secret": STANDARD.encode(TUNNEL) });
    let tunnel = told("/{a}/cfd_tunnel", tunnel).await;
    let api = told("/user/tokens", json!({ "name": "ci", "scope": "read" })).await;
    let lead = json!({ "tunnel": "office", "service": "tcp://127.0.0.1:5432" });
    control.told("PUT", "/{a}/hostnames/db.test", &lead).await.unwrap();
    let rotated = told("/{a}/access/service_tokens/proxy/rotate", json!({ "overlap": 60 })).await;
    let mut secrets =
        [ORIGIN, CLIENT, ROTATED, TUNNEL, REFUSED, APP_PASSWORD].map(str::to_owned).to_vec();
    let texts =
        [&token["client_secret"], &rotated["client_secret"], &tunnel["token"], &api["value"]];
    secrets.extend(texts.map(|text| text.as_str().unwrap().to_owned()));
    secrets.extend(leaf.key.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    (ids, secrets)
}

/// Requests, logins and tools that are refused with a secret in their hands.
async fn refused(control: &mut Leader, heard: &mut Heard) {
    let origin = json!({ "password": REFUSED, "scheme": REFUSED, "host": REFUSED, "access_client_secret": REFUSED });
    for (method, path, body) in [
        (
            "POST",
            "/{a}/hyperdrive/configs",
            json!({ "name": "x", "origin": { "password": REFUSED } }),
        ),
        (
            "PATCH",
            "/{a}/hyperdrive/configs/away",
            json!({ "origin": { "password": { "is": REFUSED } } }),
        ),
        (
            "PATCH",
            "/{a}/hyperdrive/configs/away",
            json!({ "origin": { "password": REFUSED, "port": 0 } }),
        ),
        (
            "PATCH",
            "/{a}/hyperdrive/configs/tunnelled",
            json!({ "origin": { "access_client_secret": REFUSED, "port": 1 } }),
        ),
        ("PUT", "/{a}/hyperdrive/configs/away", json!({ "name": 7, "origin": origin })),
        (
            "POST",
            "/{a}/hyperdrive/configs/away/credentials",
            json!({ "user": "app", "password": REFUSED }),
        ),
        (
            "POST",
            "/{a}/hyperdrive/configs/away/credentials",
            json!({ "user": "", "password": REFUSED }),
        ),
        (
            "POST",
            "/{a}/mtls_certificates",
            json!({ "certificates": REFUSED, "private_key": REFUSED }),
        ),
        ("POST", "/{a}/cfd_tunnel", json!({ "name": "x", "tunnel_secret": REFUSED })),
        ("PATCH", "/{a}/cfd_tunnel/office", json!({ "tunnel_secret": [REFUSED] })),
        ("POST", "/user/tokens", json!({ "name": "x", "scope": REFUSED })),
    ] {
        assert_eq!(heard.asks(control, method, path, body).await, 400, "{method} {path}");
    }
    heard.asks(control, "POST", "/{a}/hyperdrive/configs/away/check", Value::Null).await;
    let url = format!("http://{}", control.address);
    let token = std::mem::replace(&mut control.token, REFUSED.to_owned());
    assert_eq!(heard.asks(control, "GET", "/user", Value::Null).await, 401);
    let wrong = ["list", "--api-url", &url, "--api-token", REFUSED];
    heard.hears("jumpgate list", control.tool(&wrong).unwrap().1);
    control.token = token;
}

/// Whatever can be looked at, by the API and by the tools.
async fn looks(control: &Leader, ids: &[String], heard: &mut Heard) {
    let (_, document) = control.ask("GET", "/openapi.json", &Value::Null).await.unwrap();
    let zones = control.told("GET", "/zones", &Value::Null).await.unwrap();
    let zone = zones[0]["id"].as_str().unwrap().to_owned();
    let names = ["away", "tunnelled", "real", "proxy", "own", "office", "db.test", "client"];
    let ids: Vec<_> = ids.iter().map(String::as_str).chain(names).collect();
    let mut count = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        // Whoever may change a tunnel is told its token, again and again.
        if methods.get("get").is_none() || path.ends_with("/token") {
            continue;
        }
        let path = path.replace("{account}", &control.account).replace("{zone}", &zone);
        for id in &ids {
            let path = path.split('/').map(|part| if part.starts_with('{') { *id } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            count += u16::from(heard.asks(control, "GET", &path, Value::Null).await == 200);
        }
    }
    assert!(count > 100, "{count}");
    for tool in [
        "list",
        "get away",
        "get tunnelled",
        "credentials list away",
        "cert list",
        "token list",
        "audit --count 500",
        "nodes",
        "tunnel list",
        "tunnel info office",
        "tunnel hostnames",
        "access token list",
        "access policy list",
        "access app list",
    ] {
        for json in [None, Some("--json")] {
            let arguments: Vec<_> = tool.split(' ').chain(json).collect();
            let (code, said) = control.tool(&arguments).unwrap();
            assert_eq!(code, 0, "{tool}: {said}");
            heard.hears(tool, said);
        }
    }
}
