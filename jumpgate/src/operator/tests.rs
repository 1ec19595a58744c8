//! An operator's way from nothing to a guarded hostname.

use clap::Parser as _;

use super::{show::moment, *};
use crate::{
    args::{Args, Command},
    report::table,
};

/// Runs one command line on the store.
fn run(store: &Store, line: &str) -> Result<String, OperatorError> {
    let args = Args::try_parse_from(line.split(' ')).expect(line);
    match args.command {
        Some(Command::Tunnel { action, target }) => tunnel(store, &action, target.json),
        Some(Command::Access { action, target }) => access(store, &action, target.json),
        other => panic!("{other:?}"),
    }
}

#[test]
fn from_nothing_to_a_guarded_hostname() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("jumpgate.toml");
    let any = "127.0.0.1:0".parse().unwrap();
    let said = init(&config, any, any).unwrap();
    assert!(said.contains("jumpgate tunnel create"), "{said}");
    assert!(init(&config, any, any).unwrap_err().to_string().contains("is there already"));
    let store = Store::open(&home.path().join("edge")).unwrap();

    let said = run(&store, "jumpgate tunnel create office").unwrap();
    assert!(said.contains("cloudflared tunnel") && said.contains("jumpgate connector"), "{said}");
    let said = run(&store, "jumpgate tunnel route office db.test --service tcp://127.0.0.1:5432");
    assert!(said.unwrap().contains("Nobody may pass yet"));
    let said = run(&store, "jumpgate access token create proxy --duration forever").unwrap();
    let secret = said.split('"').nth(3).unwrap();
    assert_eq!(secret.len(), 64, "{said}");
    let said = run(&store, "jumpgate access app create db.test --token proxy").unwrap();
    assert_eq!(said, "db.test is guarded.");

    let lists = [
        ("jumpgate tunnel list", "db.test → tcp://127.0.0.1:5432"),
        ("jumpgate access token list", "forever"),
        ("jumpgate access policy list", "token:proxy"),
        ("jumpgate access app list", "token:proxy"),
    ];
    for (line, part) in lists {
        let said = run(&store, line).unwrap();
        assert!(said.contains(part) && !said.contains(secret), "{said}");
    }
    assert!(
        run(&store, "jumpgate access token revoke prox")
            .unwrap_err()
            .to_string()
            .contains("there is proxy")
    );
    run(&store, "jumpgate access token revoke proxy").unwrap();
    assert!(run(&store, "jumpgate access token list").unwrap().contains("no service token yet"));
}

#[test]
fn tokens_and_credentials_have_the_forms_of_the_other_tool() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::init(&home.path().join("edge"), &[]).unwrap();
    let file = home.path().join("credentials.json");
    let line =
        format!("jumpgate tunnel create office --quiet --credentials-file {}", file.display());
    let token: ::tunnel::token::TunnelToken = run(&store, &line).unwrap().parse().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["TunnelID"], token.tunnel().to_string());
    assert_eq!(json["AccountTag"], token.account_tag());
    let back: ::tunnel::token::TunnelToken = text.parse().unwrap();
    assert_eq!(*back.to_secret_text(), *token.to_secret_text());
}

/// FAULTS §3: README's `> tunnel.token` was readable by everybody.
#[test]
fn a_token_can_go_into_a_file_that_only_its_owner_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let store = Store::init(&home.path().join("edge"), &[]).unwrap();
    let file = home.path().join("tunnel.token");
    let out = format!("--out {}", file.display());
    let token = || -> ::tunnel::token::TunnelToken {
        std::fs::read_to_string(&file).unwrap().trim().parse().unwrap()
    };
    let said = run(&store, &format!("jumpgate tunnel create office {out}")).unwrap();
    let first = token();
    assert!(!said.contains(&**first.to_secret_text()) && said.contains("tunnel.token"), "{said}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let taken = run(&store, &format!("jumpgate tunnel create home {out}")).unwrap_err();
    assert!(taken.to_string().contains("cannot write"), "{taken}");
    assert_eq!(store.read().unwrap().tunnels.len(), 1, "no tunnel whose token is lost");

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = run(&store, &format!("jumpgate tunnel rotate office {out}")).unwrap();
    assert!(said.contains("The old token stays valid until"), "{said}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_ne!(*token().to_secret_text(), *first.to_secret_text());
    assert!(store.read().unwrap().tunnels[0].previous.is_some());
    let said = run(&store, "jumpgate tunnel list").unwrap();
    assert!(said.contains("before the last rotation is valid until"), "{said}");
    run(&store, "jumpgate tunnel rotate office --overlap 0s").unwrap();
    assert!(store.read().unwrap().tunnels[0].previous.is_none());
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2, "nothing else is left");
}

/// FAULTS §3: applications and policies could only be deleted and made anew.
#[test]
fn applications_and_policies_can_be_changed() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::init(&home.path().join("edge"), &[]).unwrap();
    for line in [
        "jumpgate access token create one",
        "jumpgate access token create two",
        "jumpgate access policy create all --include any --require token:one",
        "jumpgate access app create db.test --token one",
        "jumpgate access app update db.test --token two --policy all --service-auth-401 true",
        "jumpgate access policy update all --include token:two --require none",
    ] {
        run(&store, line).expect(line);
    }
    let list = |line: &str| -> serde_json::Value {
        serde_json::from_str(&run(&store, line).unwrap()).unwrap()
    };
    let app = &list("jumpgate access app list --json")[0];
    assert_eq!(app["policies"], serde_json::json!(["all", "db.test"]));
    assert_eq!(app["service_auth_401"], true);
    let policies = list("jumpgate access policy list --json");
    assert_eq!(policies[0]["include"], serde_json::json!(["token:two"]));
    assert_eq!(policies[0]["require"], serde_json::json!([]));
    assert_eq!(policies[1]["include"], serde_json::json!(["token:two"]));
    let header = "jumpgate access app update db.test --token-header Authorization";
    run(&store, header).unwrap();
    assert_eq!(list("jumpgate access app list --json")[0]["token_header"], "Authorization");
    assert_eq!(list("jumpgate access app list --json")[0]["policies"], app["policies"]);
    for line in ["jumpgate access app update db.test", "jumpgate access policy update all"] {
        Args::try_parse_from(line.split(' ')).expect_err("nothing to change");
    }
}

/// FAULTS §4: the lists had no JSON.
#[test]
fn every_list_can_be_had_as_json() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::init(&home.path().join("edge"), &[]).unwrap();
    for line in [
        "jumpgate tunnel create office",
        "jumpgate tunnel route office db.test --service tcp://127.0.0.1:5432",
        "jumpgate access token create proxy",
        "jumpgate access app create db.test --token proxy",
    ] {
        run(&store, line).expect(line);
    }
    for (line, key, value) in [
        ("jumpgate tunnel list --json", "name", "office"),
        ("jumpgate access token list --json", "name", "proxy"),
        ("jumpgate access policy list --json", "name", "db.test"),
        ("jumpgate access app list --json", "hostname", "db.test"),
    ] {
        let said = run(&store, line).unwrap();
        let list: serde_json::Value = serde_json::from_str(&said).expect(line);
        assert_eq!(list[0][key], value, "{line}");
        assert!(!said.contains("secret\":"), "{said}");
    }
    let said = run(&store, "jumpgate tunnel list --json").unwrap();
    let tunnel: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(tunnel[0]["hostnames"][0]["service"], "tcp://127.0.0.1:5432");
    assert_eq!(tunnel[0]["connectors"], serde_json::Value::Null, "no edge runs");
    assert!(run(&store, "jumpgate tunnel list").unwrap().contains("No edge runs"));
}

#[test]
fn a_table_is_as_wide_as_its_cells() {
    let rows = [["A", "B"], ["long", "x"], ["ü", ""]].map(|row| row.map(String::from).to_vec());
    assert_eq!(table(&rows), "A     B\nlong  x\nü");
    assert_eq!(moment(86_400 * 365), "1971-01-01 00:00");
}
