//! What was found, for people, and what must not become less.

use std::{collections::BTreeMap, fmt};

use cache::sql::Verdict;

use super::Text;

/// What must be cached at least, in thousandths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pins {
    pub(super) cached: usize,
    pub(super) without_clock: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Report<'a> {
    all: Count,
    sources: BTreeMap<&'a str, Count>,
    refused: BTreeMap<String, Vec<&'a Text>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    texts: usize,
    cached: usize,
    /// Refused for nothing but the clock.
    clock: usize,
}

impl<'a> Report<'a> {
    /// Counts a text by its verdict.
    pub(super) fn add(&mut self, text: &'a Text, verdict: &Verdict) {
        let (is_kept, is_timed) = match verdict {
            Verdict::Cacheable { .. } => (1, 0),
            Verdict::Timed { .. } => (0, 1),
            Verdict::Refused(_) => (0, 0),
        };
        for count in [&mut self.all, self.sources.entry(&text.source).or_default()] {
            count.texts += 1;
            count.cached += is_kept;
            count.clock += is_timed;
        }
        let why = match verdict {
            Verdict::Cacheable { .. } => return,
            Verdict::Timed { .. } => CLOCK.to_owned(),
            Verdict::Refused(reason) => reason.to_string(),
        };
        self.refused.entry(why).or_default().push(text);
    }

    /// Prints it, and fails when less is cached than is pinned.
    pub(super) fn hold(&self, server: &str, pins: Pins) {
        eprintln!("== {server}\n{self}");
        let Count { texts, cached, clock } = self.all;
        let least = |pin: usize| (texts * pin).div_ceil(1000);
        assert!(cached >= least(pins.cached), "{server} caches {cached} of {texts}\n{self}");
        let still = cached + clock;
        assert!(
            still >= least(pins.without_clock),
            "{server} caches {still} of {texts} with the clock stopped\n{self}"
        );
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:14} {:}", "all", self.all)?;
        for (source, count) in &self.sources {
            writeln!(f, "{source:14} {count}")?;
        }
        let mut reasons: Vec<_> = self.refused.iter().collect();
        reasons.sort_by_key(|(why, texts)| (usize::MAX - texts.len(), why.as_str()));
        for (why, texts) in &reasons {
            writeln!(f, "{:4}  {why}", texts.len())?;
        }
        for (why, texts) in &reasons {
            writeln!(f, "\n-- {} refused: {why}", texts.len())?;
            for Text { source, sql, .. } in *texts {
                let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
                writeln!(f, "{source}: {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { texts, cached, clock } = *self;
        let thousandths = |part: usize| part * 1000 / texts.max(1);
        let (now, still) = (thousandths(cached), thousandths(cached + clock));
        write!(
            f,
            "{cached:4} of {texts:4} cached ({:2}.{} %); with the clock stopped {:4} ({:2}.{} %)",
            now / 10,
            now % 10,
            cached + clock,
            still / 10,
            still % 10
        )
    }
}

const CLOCK: &str = "the clock, and nothing else";
