//! CPU time and memory of a process, from Linux's `/proc`; see proc(5).
//!
//! Child processes do not count; threads do, also those that have ended.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};

/// A process that is watched.
#[derive(Clone, Debug)]
pub struct Process {
    folder: PathBuf,
    ticks_per_second: u64,
}

impl Process {
    /// The process with this id, which must be there.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn new(pid: u32) -> Result<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let process = Self { folder, ticks_per_second: clock()? };
        process.cpu()?;
        Ok(process)
    }

    /// CPU time so far, in user and kernel mode.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn cpu(&self) -> Result<Duration> {
        let (path, text) = self.read("stat")?;
        let ticks = cpu_ticks(&text).with_context(|| path)?;
        Ok(Duration::from_secs(ticks) / u32::try_from(self.ticks_per_second)?)
    }

    /// Memory that is resident now, in KB.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn resident_kb(&self) -> Result<u64> {
        let (path, text) = self.read("status")?;
        resident_kb(&text).with_context(|| path)
    }

    fn read(&self, file: &str) -> Result<(String, String)> {
        let path = self.folder.join(file);
        let name = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| name.clone())?;
        Ok((name, text))
    }
}

/// What was spent while something was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// CPU time of the watched process.
    pub process: Option<Duration>,
    /// CPU time of the whole machine, of whatever ran on it.
    pub machine: Duration,
}

/// Counts CPU time from its start on.
#[derive(Debug)]
pub struct Meter<'a> {
    process: Option<&'a Process>,
    before: Spent,
}

impl<'a> Meter<'a> {
    /// Starts, with a process to watch if there is one.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn start(process: Option<&'a Process>) -> Result<Self> {
        Ok(Self { process, before: Self::now(process)? })
    }

    /// What was spent since the start.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn read(&self) -> Result<Spent> {
        let (now, before) = (Self::now(self.process)?, self.before);
        let process = now.process.zip(before.process);
        Ok(Spent {
            process: process.map(|(now, before)| now.saturating_sub(before)),
            machine: now.machine.saturating_sub(before.machine),
        })
    }

    fn now(process: Option<&Process>) -> Result<Spent> {
        let process = process.map(Process::cpu).transpose()?;
        Ok(Spent { process, machine: machine_cpu()? })
    }
}

/// CPU time of the whole machine so far.
fn machine_cpu() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let ticks = busy_ticks(&text).context("/proc/stat")?;
    Ok(Duration::from_secs(ticks) / u32::try_from(clock()?)?)
}

fn clock() -> Result<u64> {
    let vector = fs::read("/proc/self/auxv").context("/proc/self/auxv")?;
    ticks_per_second(&vector).context("/proc/self/auxv")
}

/// All of the first line but the time that nobody used: user, nice, system, (idle, iowait,) irq, softirq.
fn busy_ticks(stat: &str) -> Option<u64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
    let ticks: Vec<u64> = fields.take(7).map(str::parse).collect::<Result<_, _>>().ok()?;
    let [user, nice, system, _idle, _iowait, irq, softirq] = ticks.as_slice() else { return None };
    [user, nice, system, irq, softirq].into_iter().try_fold(0_u64, |sum, one| sum.checked_add(*one))
}

/// `utime` and `stime`, fields 14 and 15. The name of the program, field 2, may contain anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    user.checked_add(fields.next()?.parse().ok()?)
}

/// `VmRSS`; a kernel thread has none.
fn resident_kb(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// `AT_CLKTCK` of the auxiliary vector (getauxval(3)): pairs of machine words.
fn ticks_per_second(vector: &[u8]) -> Option<u64> {
    const AT_CLKTCK: u64 = 17;
    let (words, _) = vector.as_chunks::<8>();
    let (pairs, _) = words.as_chunks::<2>();
    let found = pairs.iter().find(|[kind, _]| u64::from_ne_bytes(*kind) == AT_CLKTCK)?;
    Some(u64::from_ne_bytes(found[1])).filter(|ticks| *ticks > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let fields = "S 1 1 1 0 -1 4194560 100 0 0 0 250 50 7 7 20 0 5 0 100 1000 200";
        assert_eq!(cpu_ticks(&format!("42 (jumpgate) {fields}")), Some(300));
        assert_eq!(cpu_ticks(&format!("42 (a) b (c)) {fields}")), Some(300));
        for wrong in ["", "42 jumpgate", "42 (jumpgate) S 1 1", "42 (j) S 1 1 1 1 1 1 1 1 1 1 x y"]
        {
            assert_eq!(cpu_ticks(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn memory_is_what_is_resident() {
        let status = "Name:\tjumpgate\nVmHWM:\t   20000 kB\nVmRSS:\t   12345 kB\nThreads:\t4\n";
        assert_eq!(resident_kb(status), Some(12_345));
        assert_eq!(resident_kb("Name:\tkthreadd\nThreads:\t1\n"), None);
    }

    #[test]
    fn the_clock_is_told_by_the_kernel() {
        let words =
            |words: &[u64]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
        assert_eq!(ticks_per_second(&words(&[16, 17, 17, 100, 0, 0])), Some(100));
        assert_eq!(ticks_per_second(&words(&[6, 4096, 0, 0])), None);
        assert_eq!(ticks_per_second(&[17, 0, 0]), None);
    }

    #[test]
    fn the_machine_was_busy_but_for_its_idle_time() {
        let stat = "cpu  100 1 20 5000 9 3 4 2 0 0\ncpu0 1 1 1 1 1 1 1 0 0 0\n";
        assert_eq!(busy_ticks(stat), Some(128));
        for wrong in ["", "cpu 1 2", "cpu a b c d e f g", "intr 1 2 3 4 5 6 7"] {
            assert_eq!(busy_ticks(wrong), None, "{wrong}");
        }
        assert!(machine_cpu().unwrap() > Duration::ZERO);
    }

    #[test]
    fn a_process_can_watch_itself() {
        let process = Process::new(std::process::id()).unwrap();
        assert!(process.resident_kb().unwrap() > 0);
    }
}
