//! What is measured: work, who does it, and the rows of the table that come of it, with their goals.

mod mysql;
mod postgres;
mod scenario;

use e2e::jumpgate::Engine;

pub use self::scenario::{Row, Scenario};

/// Those of an engine; of a quick run, with less work.
#[must_use]
pub fn of(engine: Engine, quick: bool) -> Vec<Scenario> {
    match engine {
        Engine::Postgres => postgres::all(quick),
        Engine::MySql => mysql::all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{contender::Who, goals::Goal};

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
