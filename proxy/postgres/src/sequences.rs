//! Whose `currval` and `lastval` a backend has.
//!
//! They are remembered by the backend, which serves many. A session has a *home*: the backend where it drew from a
//! sequence last, as long as nobody else has drawn there since. Before a text that names one of the two functions runs on
//! any other, or one behind which code asks, that one is made to forget (`DISCARD SEQUENCES`), so that the answer is the session's own or 55000, and
//! never another's or an old one. In a database where such a text was seen, what may draw finds its backend empty, and
//! the session keeps it for a moment: applications ask right behind their INSERT.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use cache::sql::{
    Writes,
    postgres::{Analysis, Classified, Kind, StatementFacts},
};
use tokio::time::Instant;

use super::{
    backend::{Backend, Note},
    client::Client,
    lacking::run_in_group,
    plan::{Text, is_harmless, only_draws},
    questions::ask,
    work::Work,
};

/// The longest that a session keeps its home for the question.
const KEPT: Duration = Duration::from_secs(10);
/// How long it keeps it even if others want it: the question comes right behind what drew.
const KEPT_ANYWAY: Duration = Duration::from_millis(20);
/// How long it keeps it behind what draws in so many words, or may draw and ask for all that is known, where nobody has asked
/// yet, unless others want it.
const KEPT_UNASKED: Duration = Duration::from_secs(1);
/// How often it is seen from then on whether others want it.
const LOOK: Duration = Duration::from_millis(100);

/// Whether the texts of one database ask for what was drawn.
#[derive(Debug, Default)]
pub(crate) struct SequenceUse {
    is_seen: AtomicBool,
    homes: AtomicU64,
}

/// The home of one session, by a number that no other has. A backend knows whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home(u64);

impl Home {
    /// Of a backend that may remember anything.
    const ANYBODY: Self = Self(u64::MAX);
}

/// Where a session stands with its sequences on the backend that it has.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    /// Its backend is being made to forget, which fails with a transaction that has failed.
    is_awaited: bool,
    /// The group in which its backend, which remembers another's, became its home because of what may draw: unless that
    /// succeeds it is none.
    claimed: Option<u64>,
    /// How long it keeps its home, and when to look whether others want it.
    kept: Option<(Instant, Instant)>,
}

impl Drawn {
    /// Whether its backend was being made to forget, which has an end now.
    pub(crate) fn has_forgotten(&mut self) -> bool {
        std::mem::take(&mut self.is_awaited)
    }

    /// All that was sent was heard, and succeeded.
    pub(crate) fn heard(&mut self) {
        self.is_awaited = false;
        self.claimed = None;
    }

    /// When to look whether the session still keeps its backend.
    pub(crate) fn look(&self) -> Option<Instant> {
        self.kept.map(|(_, look)| look)
    }
}

impl Client {
    /// Before a text runs: as a simple query, or by an Execute among other messages.
    pub(crate) fn before_sequences(&mut self, work: &mut Work, text: &Text, is_simple: bool) {
        let analysis = &*text.analysis;
        work.drawn.kept = None;
        // Unless what ends the block is under way, nothing runs in it.
        if work.loan.is_failed() {
            return;
        }
        let may_draw = may_draw(analysis);
        let behind = self.behind(may_draw, analysis, |_| text.judged.clone());
        let asks_for_sure = calls(analysis, &ASKING) || behind.asks == Asks::Surely;
        let asks = asks_for_sure || behind.asks == Asks::Perhaps;
        if !asks && !may_draw {
            return;
        }
        let database = Arc::clone(&self.database);
        if asks_for_sure {
            database.sequences.is_seen.store(true, Ordering::Relaxed);
        }
        let is_in_use = database.sequences.is_seen.load(Ordering::Relaxed);
        // Only there it pays to look closer.
        let draws = !is_in_use || calls(analysis, &DRAWING) || behind.writes;
        if !asks && !draws {
            return;
        }
        let is_home = self.facts.home.is_some() && work.loan.home == self.facts.home;
        if (is_in_use || asks) && !is_home && work.loan.home.is_some() {
            forget(&mut work.loan, is_simple);
            work.drawn.is_awaited = true;
            // What comes behind is dealt with once it is known that it did.
            work.barrier = true;
        }
        if draws && !is_home {
            if !is_in_use && work.loan.home.is_some() {
                work.drawn.claimed = Some(self.facts.statements.group());
            }
            let home = Home(database.sequences.homes.fetch_add(1, Ordering::Relaxed));
            self.facts.home = Some(home);
            work.loan.home = Some(home);
        }
        let (kept, anyway) = match is_in_use {
            true if draws => (KEPT, KEPT_ANYWAY),
            true => (KEPT, Duration::ZERO),
            false if behind.is_unknown || calls(analysis, &DRAWING) => {
                (KEPT_UNASKED, Duration::ZERO)
            }
            false => return,
        };
        let now = Instant::now();
        work.drawn.kept = Some((now + kept, now + anyway));
    }

    /// The group that must be heard before a text runs, since it asks what the session may have drawn in it.
    pub(crate) fn unsure_draw(
        &self,
        work: &Work,
        query: &[u8],
        analysis: &Arc<Analysis>,
    ) -> Option<u64> {
        let judged = |session: &Self| session.judge(query, Arc::clone(analysis)).judged;
        let names = &self.facts.statements;
        let group = work.drawn.claimed.filter(|group| names.is_under_way(*group))?;
        let behind = || self.behind(may_draw(analysis), analysis, judged).asks;
        let asks = calls(analysis, &ASKING) || behind() != Asks::No;
        asks.then_some(group)
    }

    /// Whether a backend must forget what others drew before a text ends a block. One that has failed it ends all the same, so
    /// that nothing of ours may fail in front of it, in its group.
    pub(crate) fn forgets_before(&self, work: &Work, analysis: &Analysis) -> bool {
        let ends =
            |one: &StatementFacts| matches!(one.kind, Kind::Commit | Kind::PrepareTransaction);
        work.loan.home.is_some()
            && work.loan.home != self.facts.home
            && analysis.statements.iter().any(ends)
    }

    /// What a text does behind its words. Until the catalog was read that is not known: it may ask.
    fn behind(
        &self,
        may_draw: bool,
        analysis: &Analysis,
        judged: impl FnOnce(&Self) -> Option<Arc<Classified>>,
    ) -> Behind {
        let known = self.database.catalog.known();
        let is_worth_it = known.is_some_and(|known| may_draw || known.catalog().has_asking());
        match is_worth_it.then(|| judged(self)).flatten() {
            Some(judged) => Behind {
                // What code draws nobody has looked for.
                writes: judged.deeds.writes != Writes::None || runs_code(analysis),
                asks: match &judged.deeds {
                    deeds if deeds.asks_sequences => Asks::Surely,
                    deeds if deeds.is_opaque || judged.lacks => Asks::Perhaps,
                    _ => Asks::No,
                },
                is_unknown: false,
            },
            None if may_draw && may_ask(analysis) => {
                Behind { writes: true, asks: Asks::Perhaps, is_unknown: true }
            }
            None => Behind { writes: may_draw, ..Behind::default() },
        }
    }

    /// A request has failed: also one that was to make the backend forget, or that was to draw.
    pub(crate) fn forgets_no_more(&mut self, work: &mut Work) {
        if work.drawn.has_forgotten() | work.drawn.claimed.take().is_some() {
            self.facts.home = None;
            work.loan.home = Some(Home::ANYBODY);
        }
    }

    /// Whether the session keeps its backend for a question about what it drew. Not for long, and not if others want it.
    pub(crate) fn keeps_home(&self, work: &mut Work) -> bool {
        let Some((until, look)) = work.drawn.kept else { return false };
        let now = Instant::now();
        if now < look {
            return true;
        }
        let pool = self.database.pool.status();
        let has_room = pool.idle > 0 || pool.connections < pool.max_size;
        work.drawn.kept = (has_room && now < until).then_some((until, now + LOOK));
        work.drawn.kept.is_some()
    }

    /// Whether an idle backend, kept for nothing but such a question, is one that nobody is given any more: connections begin
    /// otherwise since.
    pub(crate) fn gives_home_up(&self, work: &mut Work) -> bool {
        if work.drawn.kept.is_none() || !work.loan.is_expired(Instant::now()) {
            return false;
        }
        work.drawn.kept = None;
        self.is_free_of(work)
    }
}

/// What of a text's deeds concerns sequences.
#[derive(Debug, Default)]
struct Behind {
    writes: bool,
    asks: Asks,
    /// The catalog is being read.
    is_unknown: bool,
}

/// Whether a text asks what its session drew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asks {
    #[default]
    No,
    /// Part of it cannot be seen.
    Perhaps,
    Surely,
}

/// The functions that tell what was drawn, and those that draw.
const ASKING: [&str; 2] = ["currval", "lastval"];
const DRAWING: [&str; 2] = ["nextval", "setval"];

fn runs_code(analysis: &Analysis) -> bool {
    analysis.statements.iter().any(|statement| statement.kind == Kind::Code)
}

fn calls(analysis: &Analysis, names: &[&str]) -> bool {
    let mut functions = analysis.statements.iter().flat_map(|one| &one.reads.functions);
    functions.any(|function| names.contains(&function.name.as_str()))
}

/// Whether a text may draw, by itself: what writes may have a default or a trigger that does, and so may a function.
fn may_draw(analysis: &Analysis) -> bool {
    let is_read = |one: &StatementFacts| one.kind == Kind::Select && one.reads.functions.is_empty();
    !analysis.statements.iter().all(|one| is_read(one) || is_harmless(one))
}

/// Whether what a text that may draw does behind its words may ask: by defaults, triggers and functions of the database's own.
fn may_ask(analysis: &Analysis) -> bool {
    let is_seen =
        |one: &StatementFacts| one.kind == Kind::Ddl || is_harmless(one) || only_draws(one);
    !analysis.statements.iter().all(is_seen)
}

/// Makes a backend forget, in front of what is sent to it next.
fn forget(backend: &mut Backend, is_simple: bool) {
    if is_simple && !backend.pipeline.is_open() {
        ask(backend, "DISCARD SEQUENCES", Note::Aside);
    } else {
        run_in_group(backend, "DISCARD SEQUENCES");
    }
    backend.home = None;
}
