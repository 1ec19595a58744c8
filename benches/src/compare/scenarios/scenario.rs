//! What a scenario is, and what those of both engines share.

use crate::compare::{
    contender::Who,
    figures::Figure,
    goals::{Bound::AtMost, Goal},
    work::{Work, texts::Texts},
};

/// One piece of work, done by some in turn.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What the progress calls it.
    pub title: String,
    /// What is done.
    pub work: Work,
    /// By whom, where they are there.
    pub who: Vec<Who>,
    /// What is shown of it.
    pub rows: Vec<Row>,
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its beginning.
    pub title: String,
    /// What it shows.
    pub figure: Figure,
    /// Which of Jumpgate's contenders it is about.
    pub ours: Who,
    /// What that should be.
    pub goal: Option<Goal>,
}

impl Scenario {
    pub(super) fn new(title: impl Into<String>, work: Work, who: impl Into<Vec<Who>>) -> Self {
        Self { title: title.into(), work, who: who.into(), rows: Vec::new() }
    }

    /// Whether any of its rows has a goal.
    #[must_use]
    pub fn has_goal(&self) -> bool {
        self.rows.iter().any(|row| row.goal.is_some())
    }

    /// Those that a goal needs; who was named by hand is added elsewhere.
    #[must_use]
    pub fn needed(&self) -> Vec<Who> {
        let needs = |who: &&Who| {
            let named = |row: &Row| row.goal.as_ref().and_then(Goal::other) == Some(*who);
            self.rows.iter().any(|row| row.ours == **who || named(row))
        };
        self.who.iter().filter(needs).cloned().collect()
    }

    /// Without the rows whose title lacks a word; nothing where none is left.
    #[must_use]
    pub fn only(mut self, word: Option<&str>) -> Option<Self> {
        let word = word.unwrap_or_default().to_lowercase();
        self.rows.retain(|row| row.title.to_lowercase().contains(&word));
        (!self.rows.is_empty()).then_some(self)
    }

    /// Adds a row, about the last of Jumpgate's contenders.
    pub(super) fn row(mut self, what: &str, figure: Figure, goal: impl Into<Option<Goal>>) -> Self {
        let ours = self.who.iter().rev().find(|who| who.is_ours()).cloned();
        let (ours, goal) = (ours.unwrap_or(Who::Jumpgate), goal.into());
        let title = format!("{}: {what}", self.title);
        self.rows.push(Row { title, figure, ours, goal });
        self
    }
}

/// What clients and database need is not the proxy's, but bounds what any proxy can reach.
pub(super) const MACHINE: &str = "all CPU µs";

/// How light clients are served beside one whose texts are heavy to read.
pub(super) fn beside_texts(engine: &str, who: impl Into<Vec<Who>> + Clone) -> [Scenario; 2] {
    [(Texts::Pathological, "pathological texts"), (Texts::Large, "INSERTs of 500 KB")].map(
        |(texts, what)| {
            let title = format!("{engine}, 4 light clients beside {what}");
            Scenario::new(title, Work::Texts(texts), who.clone())
                .row("p50 µs", Figure::P50Micros, None)
                .row("p99 ms", Figure::P99Ms, Goal::Value(AtMost(HELD_UP_MS)))
                .row("longest ms", Figure::LongestMs, None)
        },
    )
}

/// Nobody is held up longer by what another client sends.
const HELD_UP_MS: f64 = 50.0;
