//! MariaDB from apt, MySQL 9.7 from Debian's `sid` without installing it, and a data folder of each that is made once.
//!
//! How MySQL's packages get here is [`crate::sid`]'s.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::{Process, ROOT_PASSWORD, Server, ready};
use crate::{install, sid};

/// The server program, ready for more arguments.
///
/// # Errors
///
/// When it cannot be installed.
pub(super) fn server(server: Server) -> Result<Command> {
    match server {
        Server::MariaDb => {
            let program = Path::new("/usr/sbin/mariadbd");
            ensure!(
                program.exists(),
                "MariaDB is missing: apt-get install mariadb-server-core mariadb-client-core"
            );
            let mut command = Command::new(program);
            command.arg("--no-defaults");
            Ok(command)
        }
        Server::MySql => {
            let home = mysql_9()?;
            let mut command = sid::command(&home, "usr/sbin/mysqld");
            command
                .arg("--no-defaults")
                .arg(format!("--basedir={}", home.join("usr").display()))
                .arg(format!("--lc-messages-dir={}", home.join("usr/share/mysql").display()))
                .arg(format!("--plugin-dir={}", home.join("usr/lib/mysql/plugin").display()))
                .args(["--mysqlx=OFF", "--secure-file-priv=NULL"]);
            Ok(command)
        }
    }
}

/// The command line client of a server's own family: `mariadb` or `mysql`.
///
/// # Errors
///
/// When it cannot be installed.
pub fn command_line(server: Server) -> Result<Command> {
    let mut command = match server {
        Server::MariaDb => Command::new("mariadb"),
        Server::MySql => sid::command(&mysql_9()?, "usr/bin/mysql"),
    };
    command.args(["--no-defaults", "--protocol=tcp", "--default-character-set=utf8mb4"]);
    if server == Server::MySql {
        // Since 9.4 commands of the client itself (`use`, `source`, `delimiter`) must be asked for.
        command.arg("--commands");
    }
    Ok(command)
}

/// The folder that MySQL's packages were unpacked into.
fn mysql_9() -> Result<PathBuf> {
    install::once("mysql-9", |folder| {
        sid::unpack(folder, &["mysql-server-core", "mysql-client-core"])
    })
}

/// The data folder that all others of this server are copies of: its users, and the databases of the fixture.
///
/// # Errors
///
/// When the server cannot be installed or the fixture is refused.
pub fn template(server: Server) -> Result<PathBuf> {
    self::server(server)?;
    let fixture = [FIXTURE, server.own_fixture()].concat();
    let root = root_everywhere();
    // A change of the fixture makes a new template.
    let mut hash = 0_u32;
    for byte in root.bytes().chain(fixture.bytes()).chain(super::SETTINGS.join(" ").bytes()) {
        hash = hash.wrapping_mul(31).wrapping_add(byte.into());
    }
    install::once(&format!("{server}-template-{hash:08x}"), |folder| {
        let data = folder.join("data");
        let mut make = match server {
            Server::MariaDb => {
                let mut make = Command::new("mariadb-install-db");
                make.args([
                    "--no-defaults",
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                ]);
                make
            }
            Server::MySql => {
                let mut make = self::server(server)?;
                make.arg("--initialize-insecure");
                make
            }
        };
        make.arg(format!("--datadir={}", data.display())).args(super::SETTINGS).args(as_root()?);
        install::run(make.current_dir(folder))?;
        fill(server, &data, &root, &fixture)
    })
}

/// The arguments of a server that is started by root: both refuse without them.
pub(super) fn as_root() -> Result<Vec<&'static str>> {
    use std::os::unix::fs::MetadataExt;
    let uid = fs::metadata("/proc/self")?.uid();
    Ok(if uid == 0 { vec!["--user=root"] } else { Vec::new() })
}

/// Creates the fixture with a running server and its own command line.
fn fill(server: Server, data: &Path, root: &str, fixture: &str) -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let (init, script) = (data.with_extension("init.sql"), data.with_extension("sql"));
    // At first root may come through the socket only, whose path must be short.
    fs::write(&init, root)?;
    fs::write(&script, fixture)?;
    let mut command = self::server(server)?;
    super::listening(&mut command, server, data, port)?;
    command.arg(format!("--init-file={}", init.display())).current_dir(data);
    let mut process = Process::start("template", &mut command, data.with_extension("log"))?;
    ready(&mut process, 0)?;
    let mut client = command_line(server)?;
    client.args(["-h", "127.0.0.1", "-u", "root", "--batch", "-P", &port.to_string()]);
    client.env("MYSQL_PWD", ROOT_PASSWORD);
    if server == Server::MySql {
        client.args(["--ssl-mode=DISABLED", "--get-server-public-key"]);
    }
    client.stdin(Stdio::from(fs::File::open(&script)?));
    install::run(&mut client).context("the fixture")?;
    process.signal("TERM");
    let status = process.wait(std::time::Duration::from_secs(60));
    ensure!(status.is_some_and(|status| status.success()), "the template does not stop");
    Ok(())
}

/// Lets root in over TCP; MariaDB's own `root@127.0.0.1` without a password would come first.
fn root_everywhere() -> String {
    format!(
        "DROP USER IF EXISTS root@'127.0.0.1';\n\
         CREATE USER root@'%' IDENTIFIED BY '{ROOT_PASSWORD}';\n\
         GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;\n"
    )
}

const FIXTURE: &str = include_str!("fixture.sql");
