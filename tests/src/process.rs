//! A child process whose standard output is awaited line by line and whose standard error is kept.
//!
//! It ends with its owner: by pid, never by name.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use tokio::time::Instant;

/// A process started by the harness.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; its standard error goes to the file `log`.
    ///
    /// # Errors
    ///
    /// When the program cannot be started.
    pub fn start(name: &str, command: &mut Command, log: PathBuf) -> Result<Self> {
        let stderr = File::options().create(true).append(true).open(&log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().context("stdout is piped")?;
        let seen = Arc::clone(&lines);
        // Ends with the pipe, so with the process.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                seen.lock().push(line);
            }
        });
        Ok(Self { name: name.to_owned(), child, lines, log })
    }

    /// Waits for a line that starts with `prefix` and returns what follows it.
    ///
    /// # Errors
    ///
    /// When the process ends first or says nothing for 30 seconds; the error carries its log.
    pub fn says(&mut self, prefix: &str) -> Result<String> {
        let give_up = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(rest) = self.lines.lock().iter().find_map(|line| line.strip_prefix(prefix))
            {
                return Ok(rest.trim().to_owned());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before `{prefix}`\n{}", self.name, self.log());
            }
            if Instant::now() > give_up {
                bail!("{} never said `{prefix}`\n{}", self.name, self.log());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for a line with `words` in it.
    ///
    /// # Errors
    ///
    /// As of [`Self::says`].
    pub fn says_somewhere(&mut self, words: &str) -> Result<()> {
        let give_up = Instant::now() + Duration::from_secs(30);
        while !self.lines.lock().iter().any(|line| line.contains(words)) {
            let said = || self.lines.lock().join("\n");
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before `{words}`\n{}", self.name, said());
            }
            if Instant::now() > give_up {
                bail!("{} never said `{words}`\n{}", self.name, said());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// What it has written to standard output so far.
    pub fn said(&self) -> Vec<String> {
        self.lines.lock().clone()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name (`HUP`, `TERM`, `KILL`).
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits for its end, at most `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let give_up = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < give_up => thread::sleep(Duration::from_millis(10)),
                Ok(status) => return status,
                Err(_unwaitable) => return None,
            }
        }
    }

    /// Waits for its end, at most `limit`, while the other tasks of the test go on.
    pub async fn ends(&mut self, limit: Duration) -> Option<ExitStatus> {
        let give_up = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < give_up => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Ok(status) => return status,
                Err(_unwaitable) => return None,
            }
        }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The most memory that it ever had at once, in bytes (`VmHWM`).
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The memory that it has, in bytes (`VmRSS`).
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("memory");
        kilobytes.trim().parse::<u64>().expect("a number") * 1024
    }

    /// What it wrote to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- log of {} ---\n{}", self.name, tail(&self.log(), 60));
        }
        self.signal("KILL");
        if let Err(error) = self.child.wait() {
            eprintln!("{} cannot be waited for: {error}", self.name);
        }
    }
}

/// Sends a signal to one process.
pub fn signal(pid: u32, name: &str) {
    let sent =
        Command::new("kill").args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status();
    if let Err(error) = sent {
        eprintln!("kill -s {name} {pid}: {error}");
    }
}

/// The last `count` lines of a text.
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}
