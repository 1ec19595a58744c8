//! Scenarios that say the same of PostgreSQL, MariaDB and MySQL: told once, run with each.

mod activity;
mod ahead;
mod cache;
mod faults;
mod freshness;
mod nodes;
mod origins;
mod passwords;
mod rules;

use e2e::engine::Stage;

/// Adds these databases in place of those that were added before, and waits until they are in force.
pub(crate) async fn reload<S: Stage>(stage: &mut S, databases: String) {
    let reloaded = |stage: &mut S| stage.jumpgate().logs().matches("reloaded").count();
    let before = reloaded(stage);
    stage.jumpgate().reload(|setup| setup.more = databases).expect("a reload");
    while reloaded(stage) <= before {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
