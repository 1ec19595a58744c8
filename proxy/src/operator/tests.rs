//! An operator's way from nothing to a guarded hostname.

use clap::Parser as _;

use super::*;
use crate::args::{Args, Command};

/// Runs one command line on the store.
fn run(store: &Store, line: &str) -> Result<String, OperatorError> {
    let args = Args::try_parse_from(line.split(' ')).expect(line);
    match args.command {
        Some(Command::Tunnel(action)) => tunnel(store, &action),
        Some(Command::Access(action)) => access(store, &action),
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

#[test]
fn a_table_is_as_wide_as_its_cells() {
    let rows = [["A", "B"], ["long", "x"], ["ü", ""]].map(|row| row.map(String::from).to_vec());
    assert_eq!(table(&rows), "A     B\nlong  x\nü");
    assert_eq!(moment(86_400 * 365), "1971-01-01 00:00");
}
