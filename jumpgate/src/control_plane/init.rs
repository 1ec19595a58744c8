//! `jumpgate control init`: a store, its sealing key, an account, and the first tokens.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use control::{
    Moment,
    api::make_token,
    database::Database,
    plane::Plane,
    resources::{Account, ApiToken, Scope, Zone},
    seal::Keyring,
};

use super::store::operator;

const SEALING_KEY: &str = "control.key";
const NODE_TOKEN: &str = "node.token";

/// Makes a control plane beside the file `config`, and that file. Returns what to print.
///
/// # Errors
///
/// Where any of it is there already, or the store cannot be made.
pub async fn init(
    config: &Path,
    listen: SocketAddr,
    store: &str,
    account: &str,
) -> anyhow::Result<String> {
    let beside = |name: &str| config.parent().unwrap_or(Path::new("")).join(name);
    let (key_path, token_path) = (beside(SEALING_KEY), beside(NODE_TOKEN));
    for path in [config, &key_path, &token_path] {
        let path_shown = path.display();
        anyhow::ensure!(
            !path.exists(),
            "{path_shown} is there already; name a file in another folder with --config FILE"
        );
    }
    let url = match store.strip_prefix("sqlite:") {
        Some(file) => format!("sqlite:{}", beside(file).display()),
        None => store.to_owned(),
    };
    let line = Keyring::new_line("1");
    let database = Database::open(&url).await?;
    anyhow::ensure!(
        database.position().await?.revision == 0,
        "the store holds a control plane already; write a {} for it with the sealing key that it has",
        config.display()
    );
    let plane = Plane::open(database, line.parse()?).await?;
    let (admin, admin_text) = make_token("admin", Scope::Admin, None, None);
    let (node, node_text) = make_token("node", Scope::Node, None, None);
    let [account_id, zone_id] = [(); 2].map(|()| hex::encode(rand::random::<[u8; 16]>()));
    write(
        &key_path,
        &format!("# Seals the store; the first seals, all open. Keep a copy elsewhere.\n{}", *line),
    )?;
    write(&token_path, &format!("{node_text}\n"))?;
    let made = plane.change(operator(), "init", |edit| {
        let (id, name, created_at) = (account_id.clone(), account.to_owned(), Moment::now());
        edit.put(Account { id: id.clone(), name: name.clone(), created_at });
        edit.put(Zone { id: zone_id.clone(), account: id, name, created_at });
        edit.put(ApiToken::clone(&admin));
        edit.put(ApiToken::clone(&node));
        Ok::<_, std::convert::Infallible>(())
    });
    made.await.map_err(|error| anyhow::anyhow!("{error}"))?;
    let settings = format!(
        "# A control node, made by `jumpgate control init`.\n\
         [control]\n\
         listen = \"{listen}\"\n\
         # For other machines: a certificate that they trust.\n\
         # certificate = \"fullchain.pem\"\n\
         # key = \"privkey.pem\"\n\
         store = {store:?}\n\
         sealing_key_file = \"{SEALING_KEY}\"\n"
    );
    write(config, &settings)?;
    Ok(format!(
        "Made {config}, the store, {key} (keep a copy elsewhere: without it nothing can be read) and {token} (for proxies \
         and edges).\n\
         \n\
         The admin's token is not shown again:\n  \
           {admin_text}\n\
         \n\
         Next:\n  \
           jumpgate control -c {config}\n\
         then in a browser, with the admin's token:\n  \
           http://{listen}/\n\
         and for wrangler, Terraform and the SDKs:\n  \
           export CLOUDFLARE_API_BASE_URL=http://{listen}/client/v4 CLOUDFLARE_BASE_URL=http://{listen}/client/v4\n  \
           export CLOUDFLARE_API_TOKEN={admin_text} CLOUDFLARE_ACCOUNT_ID={account_id}",
        config = config.display(),
        key = key_path.display(),
        token = token_path.display(),
    ))
}

/// A new file that its owner alone may read.
fn write(path: &Path, content: &str) -> anyhow::Result<()> {
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::File::open(
            path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")),
        )?
        .sync_all()
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}
