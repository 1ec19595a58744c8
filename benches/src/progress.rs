//! What is seen while it runs: a line per second on standard error.

use std::io::{IsTerminal, Write, stderr};

use indicatif::{ProgressBar, ProgressStyle};

use crate::record::Tally;

/// Where the lines go.
#[derive(Debug)]
pub enum Progress {
    /// Nowhere.
    Quiet,
    /// To a file or a pipe.
    Lines,
    /// Above a bar.
    Bar(ProgressBar),
}

impl Progress {
    /// For a run of so many seconds.
    #[must_use]
    pub fn new(quiet: bool, seconds: u64) -> Self {
        if quiet {
            return Self::Quiet;
        }
        if !stderr().is_terminal() {
            return Self::Lines;
        }
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} s  {msg}");
        let bar = ProgressBar::new(seconds);
        Self::Bar(style.map_or_else(|_wrong| bar.clone(), |style| bar.clone().with_style(style)))
    }

    /// Says something.
    pub fn say(&self, line: &str) {
        match self {
            Self::Quiet => {}
            // Nobody is left to be told that standard error is gone.
            Self::Lines => drop(writeln!(stderr(), "{line}")),
            Self::Bar(bar) => bar.println(line),
        }
    }

    /// A second went by in the round of a target.
    pub fn second(&self, label: &str, number: u32, tally: &Tally) {
        self.say(&line(label, number, tally));
        if let Self::Bar(bar) = self {
            bar.set_message(label.to_owned());
            bar.inc(1);
        }
    }

    /// Another part of the work begins, at this second of the whole.
    pub fn part(&self, label: &str, second: u64) {
        match self {
            Self::Bar(bar) => {
                bar.set_message(label.to_owned());
                bar.set_position(second);
            }
            other => other.say(label),
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn line(label: &str, number: u32, tally: &Tally) -> String {
    let mut line = format!(
        "{label}  {number:>2} s  {:>6} tps  p50 {:.3} ms  p99 {:.3} ms  errors {}",
        tally.right,
        tally.percentile_ms(50.0),
        tally.percentile_ms(99.0),
        tally.errors,
    );
    if tally.wrong > 0 {
        line.push_str(&format!("  WRONG {}", tally.wrong));
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::Outcome;

    #[test]
    fn a_line_says_how_the_second_was() {
        let mut tally = Tally::new();
        tally.record(Duration::from_millis(2), Outcome::Right);
        let calm = line("direct 1/5", 3, &tally);
        assert_eq!(calm, "direct 1/5   3 s       1 tps  p50 2.001 ms  p99 2.001 ms  errors 0");
        tally.record(Duration::from_millis(2), Outcome::Wrong("x".into()));
        assert!(line("direct 1/5", 3, &tally).ends_with("errors 0  WRONG 1"));
    }
}
