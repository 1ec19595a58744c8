//! What outlives a start of `jumpgate dev`: the password in the connection strings, and the port of the metrics.
//!
//! So that what a person put into an application's settings goes on working. Nothing else is kept.

use std::{
    fs, io,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use origin::secret::Secret;
use serde::{Deserialize, Serialize};

/// The name of the file in its folder.
const FILE: &str = "dev.json";

/// What was made at the first start.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    password: String,
    admin_port: u16,
}

impl Kept {
    /// What the folder has, or new ones. A port that somebody else has by now is another one.
    pub(super) fn of(folder: Option<&Path>) -> Self {
        let text = folder.and_then(|folder| fs::read_to_string(folder.join(FILE)).ok());
        let kept = text.and_then(|text| serde_json::from_str::<Self>(&text).ok());
        let mut kept = kept.unwrap_or_else(|| Self { password: random_hex(), admin_port: 0 });
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, kept.admin_port));
        if TcpListener::bind(wanted).is_err() {
            kept.admin_port = 0;
        }
        kept
    }

    /// Keeps them, with the port that the metrics really have.
    pub(super) fn keep(mut self, folder: &Path, admin: Option<SocketAddr>) -> io::Result<()> {
        self.admin_port = admin.map_or(0, |admin| admin.port());
        fs::create_dir_all(folder)?;
        let text = serde_json::to_string(&self).map_err(io::Error::other)?;
        // Nobody else may read it, at no moment.
        let new = folder.join(format!("{FILE}.new"));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        fs::rename(new, folder.join(FILE))
    }

    /// The client's password.
    pub(super) fn password(&self) -> Secret<String> {
        Secret::new(self.password.clone())
    }

    /// Where the metrics were.
    pub(super) fn admin(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.admin_port).into()
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("admin_port", &self.admin_port).finish_non_exhaustive()
    }
}

/// Where a user's programs keep such things (XDG Base Directory Specification).
pub(super) fn usual_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = variable("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")));
    state.map(|state| state.join("jumpgate"))
}

/// 32 random bytes.
pub(super) fn random_hex() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// FAULTS §4: a new password and port at each start.
    #[test]
    fn the_password_and_the_port_outlive_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        let first = Kept::of(Some(&folder));
        let password = first.password();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        first.keep(&folder, Some(free)).unwrap();
        let second = Kept::of(Some(&folder));
        assert_eq!((second.password().expose(), second.admin()), (password.expose(), free));
        let mode = fs::metadata(folder.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{second:?}").contains(password.expose()));

        let taken = TcpListener::bind(free).unwrap();
        assert_eq!(Kept::of(Some(&folder)).admin().port(), 0, "somebody has it: {taken:?}");
        fs::write(folder.join(FILE), "nonsense").unwrap();
        assert_ne!(Kept::of(Some(&folder)).password().expose(), password.expose());
        assert_ne!(Kept::of(None).password().expose(), password.expose());
    }
}
