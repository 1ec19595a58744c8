//! What is measured: work, who does it, and the rows of the table that come of it, with their goals.

mod mysql;
mod postgres;

use e2e::jumpgate::Engine;

use super::{
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
    fn new(title: impl Into<String>, work: Work, who: impl Into<Vec<Who>>) -> Self {
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
    fn row(mut self, what: &str, figure: Figure, goal: impl Into<Option<Goal>>) -> Self {
        let ours = self.who.iter().rev().find(|who| who.is_ours()).cloned();
        let (ours, goal) = (ours.unwrap_or(Who::Jumpgate), goal.into());
        let title = format!("{}: {what}", self.title);
        self.rows.push(Row { title, figure, ours, goal });
        self
    }
}

/// Those of an engine; of a quick run, with less work.
#[must_use]
pub fn of(engine: Engine, quick: bool) -> Vec<Scenario> {
    match engine {
        Engine::Postgres => postgres::all(quick),
        Engine::MySql => mysql::all(),
    }
}

/// What clients and database need is not the proxy's, but bounds what any proxy can reach.
const MACHINE: &str = "all CPU µs";

/// How light clients are served beside one whose texts are heavy to read.
fn beside_texts(engine: &str, who: impl Into<Vec<Who>> + Clone) -> [Scenario; 2] {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_is_about_somebody_who_does_the_work() {
        let all = [Engine::Postgres, Engine::MySql].into_iter().flat_map(|of_it| of(of_it, false));
        for scenario in all {
            for row in &scenario.rows {
                assert!(row.ours.is_ours() && scenario.who.contains(&row.ours), "{}", row.title);
                let other = row.goal.as_ref().and_then(Goal::other);
                assert!(other.is_none_or(|other| scenario.who.contains(other)), "{}", row.title);
            }
        }
    }

    #[test]
    fn a_word_chooses_rows_whatever_its_case() {
        let all = of(Engine::Postgres, true);
        let chosen: Vec<_> = all
            .iter()
            .cloned()
            .filter_map(|scenario| scenario.only(Some("TRANSACTIONS/s")))
            .collect();
        assert!(chosen.len() > 5 && chosen.iter().all(|scenario| scenario.rows.len() == 1));
        assert!(all[0].clone().only(Some("nothing")).is_none());
    }

    #[test]
    fn a_quick_run_leaves_out_whom_no_goal_names() {
        let all = of(Engine::Postgres, true);
        assert_eq!(all[0].needed(), [Who::PgBouncer, Who::Jumpgate]);
        let cached = all.iter().find(|scenario| scenario.title.starts_with("cached")).unwrap();
        assert_eq!(cached.needed(), [Who::Direct, Who::Jumpgate, Who::Cached]);
    }
}
