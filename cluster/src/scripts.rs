//! What is asked of the tier. Each script happens at one moment of its server; together they are the protocol of `docs/CLUSTER.md`.

use redis::Script;

/// The scripts, each with its hash.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) announce: Script,
    pub(crate) answer: Script,
    pub(crate) end: Script,
    pub(crate) expel: Script,
    pub(crate) join: Script,
    pub(crate) look: Script,
    pub(crate) orphans: Script,
    pub(crate) renew: Script,
    pub(crate) settle: Script,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            announce: Script::new(include_str!("scripts/announce.lua")),
            answer: Script::new(include_str!("scripts/answer.lua")),
            end: Script::new(include_str!("scripts/end.lua")),
            expel: Script::new(include_str!("scripts/expel.lua")),
            join: Script::new(include_str!("scripts/join.lua")),
            look: Script::new(include_str!("scripts/look.lua")),
            orphans: Script::new(include_str!("scripts/orphans.lua")),
            renew: Script::new(include_str!("scripts/renew.lua")),
            settle: Script::new(include_str!("scripts/settle.lua")),
        }
    }
}
