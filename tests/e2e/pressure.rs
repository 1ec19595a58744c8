//! The process itself: few files, many strangers, a signal that comes early, logs for machines. No database is needed.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use e2e::{
    install, metrics,
    process::Process,
    stage::{eventually, run_on_a_runtime},
    wire::{Endpoint, Wire},
};
use tokio::{net::TcpStream, time::timeout};

/// A proxy for a database that nobody runs.
pub(super) fn file(more: &str) -> String {
    format!(
        "[listen]\npostgres = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n{more}\n\
         [[database]]\nname = \"app\"\n[[database.user]]\nname = \"app\"\npassword = \"p\"\n\
         [database.caching]\ndisabled = true\n\
         [database.origin]\nscheme = \"postgres\"\nhost = \"127.0.0.1\"\nport = 1\ndatabase = \"d\"\nuser = \"u\"\npassword = \"p\"\n"
    )
}

/// Starts the proxy with so many files.
fn start(folder: &Path, files: u32, text: &str) -> Process {
    fs::write(folder.join("proxy.toml"), text).unwrap();
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {files} && exec \"$0\" proxy -c proxy.toml");
    command.args(["-c", &script]).arg(install::jumpgate().unwrap());
    command.current_dir(folder).env_remove("RUST_LOG");
    Process::start("proxy", &mut command, folder.join("proxy.log")).unwrap()
}

fn address(process: &mut Process, door: &str) -> SocketAddr {
    process.says(&format!("jumpgate: {door} on ")).unwrap().parse().unwrap()
}

/// Opens a connection and says nothing; `None` where it is not even let in.
async fn silent(address: SocketAddr) -> Option<TcpStream> {
    timeout(Duration::from_secs(2), TcpStream::connect(address)).await.ok()?.ok()
}

/// FAULTS row 30: a SIGHUP right after the first accepted connection killed the process in 20 of 30 starts.
#[test]
fn a_hangup_right_after_the_start_is_a_reload() {
    run_on_a_runtime(|| async {
        for _start in 0..8 {
            let folder = tempfile::tempdir().unwrap();
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let door = free.local_addr().unwrap();
            drop(free);
            let text = file("").replacen("127.0.0.1:0", &door.to_string(), 1);
            let mut proxy = start(folder.path(), 1024, &text);
            // At the very first moment at which it can be seen from outside, by a shell that starts nothing for it.
            let (port, pid) = (door.port(), proxy.pid());
            let script = format!(
                "until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do :; done; kill -HUP {pid}"
            );
            let hangup = Command::new("timeout").args(["20", "bash", "-c", &script]).status();
            assert!(hangup.unwrap().success(), "it listens: {}", proxy.log());
            eventually("the file is read again", async || proxy.log().contains("reloaded")).await;
            assert!(proxy.is_running() && silent(door).await.is_some());
        }
    });
}

/// FAULTS rows 56, 58 and 62: with 256 files, hundreds of silent connections at both doors kept everybody out, the log
/// had 20 lines a second, and `/readyz` was dead.
#[test]
fn few_files_and_many_strangers_keep_nobody_out() {
    run_on_a_runtime(|| async {
        let folder = tempfile::tempdir().unwrap();
        let mut proxy = start(folder.path(), 256, &file(""));
        let (door, admin) = (address(&mut proxy, "postgres"), address(&mut proxy, "admin"));
        assert!(proxy.log().contains("too few files may be open"), "{}", proxy.log());
        let mut strangers = Vec::new();
        for _ in 0..300 {
            strangers.push(silent(door).await);
            strangers.push(silent(admin).await);
        }
        let ready = timeout(Duration::from_secs(10), metrics::get(admin, "/readyz")).await;
        assert_eq!(ready.expect("in time").expect("an answer").0, 200);
        let endpoint = Endpoint {
            address: door,
            user: "app".into(),
            password: "wrong".into(),
            database: "app".into(),
        };
        let mut client = Wire::open(door).await;
        let refused = timeout(Duration::from_secs(10), client.login(&endpoint, &[])).await;
        let refused = refused.expect("in time").expect_err("a wrong password");
        assert_eq!(refused.field(b'C'), "28P01");
        let complaints = proxy.log().matches("cannot accept").count();
        assert!(complaints <= 2, "{complaints} lines: {}", proxy.log());
        assert_eq!(strangers.len(), 600);
    });
}
