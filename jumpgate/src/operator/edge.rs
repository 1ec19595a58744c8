//! `jumpgate edge init`: a folder with a certificate authority, and a file of settings.

use std::{fs, net::SocketAddr, path::Path};

use tunnel::{certs::Authority, store::Store};

use super::error::OperatorError;
use crate::tunnel_token::FileError;

/// Names of files in the edge's folder.
pub(crate) const CA_CERTIFICATE: &str = "ca.pem";
pub(crate) const CA_KEY: &str = "ca.key";
/// The folder beside the file of settings.
const FOLDER: &str = "edge";

/// Makes an edge: its folder beside `config`, and `config` itself. Returns what to print.
///
/// # Errors
///
/// [`OperatorError`] when one of the two is there already, or the file system refuses.
pub fn init(
    config: &Path,
    public: SocketAddr,
    connectors: SocketAddr,
) -> Result<String, OperatorError> {
    if config.exists() {
        let config = config.display();
        let words = format!("{config} is there already; name a new file with --config FILE");
        return Err(OperatorError::Settings(words));
    }
    let folder = config.parent().unwrap_or(Path::new("")).join(FOLDER);
    let authority = Authority::generate("Jumpgate edge")?;
    let key = authority.to_secret_key_pem();
    let certificate = authority.certificate_pem();
    let files = [(CA_CERTIFICATE, certificate.as_bytes()), (CA_KEY, key.as_bytes())];
    let store = Store::init(&folder, &files)?;
    let settings = format!(
        "# An edge, made by `jumpgate edge init`. What it knows is in the folder; change it with\n\
         # `jumpgate tunnel …` and `jumpgate access …`.\n\
         [edge]\n\
         public = \"{public}\"\n\
         connectors = \"{connectors}\"\n\
         state = \"{FOLDER}\"\n\
         # /ready, /healthcheck and /metrics, for a load balancer and Prometheus:\n\
         # metrics = \"127.0.0.1:9845\"\n\
         # For hostnames that the world knows, a certificate that the world trusts:\n\
         # certificate = \"fullchain.pem\"\n\
         # key = \"privkey.pem\"\n"
    );
    fs::write(config, settings).map_err(|source| FileError { path: config.to_owned(), source })?;
    let (config, ca) = (config.display(), store.path(CA_CERTIFICATE));
    let ca = ca.display();
    Ok(format!(
        "Made {config} and the folder {folder}. Connectors and proxies must trust {ca}: copy it to them.\n\
         \n\
         Next:\n  \
           jumpgate tunnel create office\n  \
           jumpgate tunnel route office db.example.com --service tcp://127.0.0.1:5432\n  \
           jumpgate access token create proxy\n  \
           jumpgate access app create db.example.com --token proxy\n  \
           jumpgate edge",
        folder = folder.display(),
    ))
}
