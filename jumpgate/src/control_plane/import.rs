//! `jumpgate control import`: takes over what an edge has kept in a folder of its own.

use std::path::Path;

use anyhow::Context as _;
use control::{
    import,
    plane::{ChangeError, World},
    view::edge::EdgeView,
};
use tunnel::{state::State, store::Store};

use super::store::{open, operator};
use crate::config::ControlSetup;

/// Where the state of an emptied folder is kept.
const KEPT: &str = "state.imported.json";

/// Puts what a folder holds into an account, and empties the folder where that is asked for. Returns what to print.
///
/// # Errors
///
/// Why nothing was taken over.
pub async fn import(
    setup: ControlSetup,
    folder: &Path,
    account: Option<&str>,
    empty: bool,
) -> anyhow::Result<String> {
    let store = Store::open(folder)?;
    let state = store.read()?;
    // The view's JSON is the state's, key by key.
    let view: EdgeView = serde_json::from_value(serde_json::to_value(&state)?)?;
    let plane = open(setup).await?;
    let taken = plane.change(operator(), "import", |edit| {
        let account = account_of(edit, account)?;
        import::import(edit, &account, &view)
    });
    let count = match taken.await {
        Ok(count) => count,
        // Taken over before, and to be emptied now.
        Err(ChangeError::Refused(_there)) if empty && holds(&plane.known(), &view) => 0,
        Err(ChangeError::Refused(why)) => anyhow::bail!("{why}"),
        Err(ChangeError::Plane(error)) => return Err(error.into()),
    };
    if !empty {
        return Ok(format!(
            "Took over {count} records; the edge goes on by its folder. Next: have the edge follow a control node ([control] \
             with url and token_file in its file), and when `jumpgate nodes` shows it, run this again with --empty."
        ));
    }
    store.write_file(KEPT, &serde_json::to_vec_pretty(&state)?)?;
    let emptied = store.change(|state| {
        *state = State { version: state.version, ..State::default() };
        Ok(())
    });
    emptied.context("the folder could not be emptied")?;
    let kept = store.path(KEPT);
    Ok(format!("Emptied the folder; what it held is kept in {}.", kept.display()))
}

/// The account that is meant: the one that was named, or the only one.
fn account_of(world: &World, named: Option<&str>) -> Result<String, String> {
    let mut all = world.accounts.iter();
    let found = match named {
        Some(name) => all.find(|it| it.id == name || it.name == name),
        None => all.next().filter(|_| world.accounts.len() == 1),
    };
    let names = || world.accounts.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = found.map(|account| account.id.clone());
    found.ok_or_else(|| format!("choose an account with --account: {}", names()))
}

/// Whether all that it knows is there.
fn holds(world: &World, view: &EdgeView) -> bool {
    view.tunnels.iter().all(|it| world.tunnels.get(&it.id).is_some())
        && view.routes.iter().all(|it| world.hostnames.get(&it.hostname).is_some())
        && view.service_tokens.iter().all(|it| world.service_tokens.get(&it.id).is_some())
        && view.policies.iter().all(|it| world.policies.get(&it.id).is_some())
        && view.applications.iter().all(|it| world.applications.get(&it.id).is_some())
}

#[cfg(test)]
mod tests {
    use control::seal::Keyring;
    use origin::secret::Secret;
    use tunnel::changes::{NewApplication, Selector};

    use super::*;

    /// Whoever is connected by the folder is so by the store, and nothing of either is lost.
    #[tokio::test]
    async fn an_edge_knows_the_same_before_and_after() {
        let home = tempfile::tempdir().unwrap();
        let (folder, file) = (home.path().join("edge"), home.path().join("c.toml"));
        let store = Store::init(&folder, &[]).unwrap();
        store.change(|state| state.create_tunnel("office", 1)).unwrap();
        store.change(|state| state.create_token("proxy", None, 1)).unwrap();
        let service = "tcp://127.0.0.1:5432".parse().unwrap();
        store.change(|state| state.route("db.test", "office", Some(service))).unwrap();
        let application = NewApplication {
            hostname: String::from("db.test"),
            include: vec![Selector::Token(String::from("proxy"))],
            ..NewApplication::default()
        };
        store.change(|state| state.create_application(&application)).unwrap();
        let before = store.read().unwrap();
        let listen = ([127, 0, 0, 1], 0).into();
        super::super::init(&file, listen, "sqlite:control.db", "main").await.unwrap();
        let key = std::fs::read_to_string(home.path().join("control.key")).unwrap();
        let setup = || ControlSetup {
            listen,
            tls: None,
            store: Secret::new(format!("sqlite:{}", home.path().join("control.db").display())),
            keyring: key.parse::<Keyring>().unwrap(),
            tests_connections: true,
        };
        import(setup(), &folder, None, false).await.unwrap();
        let again = import(setup(), &folder, None, false).await.unwrap_err().to_string();
        assert!(again.contains("the tunnel \"office\" is there already"), "{again}");
        let plane = open(setup()).await.unwrap();
        let view = serde_json::to_value(EdgeView::of(&plane.known())).unwrap();
        let after: State = serde_json::from_value(view).unwrap();
        assert_eq!(State { version: before.version, ..after }, before);
        import(setup(), &folder, None, true).await.unwrap();
        assert!(store.read().unwrap().tunnels.is_empty());
        assert!(folder.join(KEPT).is_file());
    }
}
