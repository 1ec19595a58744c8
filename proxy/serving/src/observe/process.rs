//! The process itself, read when it is scraped: its time, memory and files, under the names that Prometheus's own
//! client libraries use.

use std::{fmt, fs, time::SystemTime};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// Ticks of the clock a second, as Linux tells times to programs (`USER_HZ`, proc(5)).
const TICKS: f64 = 100.0;

/// What the operating system knows of the process.
#[derive(Debug)]
pub(super) struct Process {
    /// Seconds since 1970 at the start.
    started: f64,
}

impl Process {
    /// The process, which has just been started.
    pub(super) fn new() -> Self {
        Self { started: now() }
    }
}

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs_f64())
}

impl Collector for Process {
    /// What cannot be read is left out.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut put = |name, help, metric: &dyn Shown| metric.put(&mut encoder, name, help);
        let started = ConstGauge::new(self.started);
        put("process_start_time_seconds", "When it was started", &started)?;
        if let Some(seconds) = fs::read_to_string("/proc/self/stat").ok().and_then(|it| cpu(&it)) {
            let seconds = ConstCounter::new(seconds);
            put("process_cpu_seconds", "Time of the processor", &seconds)?;
        }
        if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().and_then(|it| rss(&it)) {
            put("process_resident_memory_bytes", "Memory in use", &ConstGauge::new(bytes))?;
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            let count = i64::try_from(files.count()).unwrap_or(i64::MAX);
            put("process_open_fds", "Open files", &ConstGauge::new(count))?;
        }
        if let Ok(limit) = rlimit::Resource::NOFILE.get_soft() {
            let limit = ConstGauge::new(i64::try_from(limit).unwrap_or(i64::MAX));
            put("process_max_fds", "Files that may be open", &limit)?;
        }
        Ok(())
    }
}

/// A value with its kind.
pub(super) trait Shown {
    fn put(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str) -> fmt::Result;
}

impl<M: EncodeMetric> Shown for M {
    fn put(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str) -> fmt::Result {
        self.encode(encoder.encode_descriptor(name, help, None, self.metric_type())?)
    }
}

/// The seconds in `/proc/self/stat`, whose second field is a name that may hold anything.
fn cpu(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    // utime and stime, the fields 14 and 15 (proc(5)).
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

/// The bytes in `/proc/self/status`.
fn rss(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<i64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_memory_are_read_as_linux_writes_them() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 2 3 4 250 150 0 0 20 0 1 0 99 1 1";
        assert_eq!(cpu(stat), Some(4.0));
        assert_eq!(rss("Name:\tx\nVmRSS:\t   2048 kB\n"), Some(2 << 20));
        assert_eq!((cpu("7 (a"), rss("VmSize: 1 kB")), (None, None));
    }
}
