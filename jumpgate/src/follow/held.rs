//! What a node was told last.

use std::{collections::BTreeMap, fmt, sync::Arc};

use control::{Config, Draft, database::Position, nodes::wire::News, view::edge::EdgeView};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::{info, warn};

/// What a node was told last. What has not changed is shared with what it was told before.
#[derive(Clone, Debug, Default)]
pub struct Held {
    position: Option<Position>,
    /// Of the control node that told it.
    version: Option<String>,
    /// By id.
    configs: BTreeMap<String, Arc<Kept>>,
    edge: Option<Arc<EdgeView>>,
    /// Counts what it was told since the start of the process.
    generation: u64,
}

/// A config as it came, and what is made of it.
struct Kept {
    json: Value,
    config: Result<Arc<Config>, String>,
}

/// How it is written down.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    position: Position,
    #[serde(default)]
    version: Option<String>,
    configs: Vec<Value>,
    edge: Option<EdgeView>,
}

impl Held {
    /// Where that was; `None` before anything was told.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// The version of the control node that told it.
    pub(super) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// How many changes there had been; none before anything was told.
    pub fn revision(&self) -> i64 {
        self.position.as_ref().map_or(0, |position| position.revision)
    }

    /// Counts what it was told since the start of the process.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// How many configs.
    pub fn len(&self) -> usize {
        self.configs.len()
    }

    /// Whether it was told of no config.
    pub fn is_empty(&self) -> bool {
        self.configs.is_empty()
    }

    /// The configs that keep every rule.
    pub fn configs(&self) -> impl Iterator<Item = &Arc<Config>> {
        self.configs.values().filter_map(|kept| kept.config.as_ref().ok())
    }

    /// What is said of those that do not.
    pub fn mistakes(&self) -> impl Iterator<Item = &str> {
        self.configs.values().filter_map(|kept| kept.config.as_ref().err().map(String::as_str))
    }

    /// What an edge has to know.
    pub fn edge(&self) -> Option<&EdgeView> {
        self.edge.as_deref()
    }

    /// Whether the same is served by it. It may stand elsewhere in the store's history.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.configs.len() == other.configs.len()
            && self
                .configs
                .values()
                .zip(other.configs.values())
                .all(|(ours, theirs)| Arc::ptr_eq(ours, theirs))
            && self.edge == other.edge
            && self.position.is_some() == other.position.is_some()
            && self.version == other.version
    }

    /// What a node knows behind these news.
    pub(super) fn after(&self, news: News) -> Self {
        let News { position, version, is_whole, configs, removed, edge, .. } = news;
        if let (true, Some(known)) = (is_whole, &self.position) {
            let (before, told) = (known.revision, position.revision);
            if told > before {
                info!(
                    before,
                    told, "another control node, or one that was started anew, has told everything"
                );
            } else {
                info!(before, told, "the control node's store was put back, and is followed back");
            }
        }
        let mut after = if is_whole { BTreeMap::new() } else { self.configs.clone() };
        for id in &removed {
            after.remove(id);
        }
        for json in configs {
            let Some(id) = json["id"].as_str().map(ToOwned::to_owned) else {
                warn!("a config without an id came from the control node; it is left out");
                continue;
            };
            // Made anew only where it has changed: checking passwords costs time, on purpose.
            let known = self.configs.get(&id).filter(|known| known.json == json);
            let kept = known.cloned().unwrap_or_else(|| Arc::new(Kept::of(json)));
            after.insert(id, kept);
        }
        let edge = edge.map(Arc::new);
        Self {
            position: Some(position),
            version,
            configs: after,
            edge: if is_whole { edge } else { edge.or_else(|| self.edge.clone()) },
            generation: self.generation + 1,
        }
    }

    pub(super) fn written(&self) -> Option<Written> {
        Some(Written {
            position: self.position.clone()?,
            version: self.version.clone(),
            configs: self.configs.values().map(|kept| kept.json.clone()).collect(),
            edge: self.edge.as_deref().cloned(),
        })
    }

    pub(super) fn of(written: Written) -> Self {
        let Written { position, version, configs, edge } = written;
        let news = News { version, is_whole: true, configs, edge, ..News::none(position) };
        Self::default().after(news)
    }
}

impl Kept {
    fn of(json: Value) -> Self {
        let name = json["name"].as_str().unwrap_or("without a name").to_owned();
        // What serde says of a wrong value would show it.
        let draft = Draft::deserialize(&json).map_err(|_shows_values| {
            String::from(
                "it has fields that this version of Jumpgate does not know; update this node",
            )
        });
        let config = draft.and_then(|draft| draft.check().map_err(|all| all.to_string()));
        let config = config.map(Arc::new).map_err(|why| {
            let why = format!("{name:?} cannot be served: {}", why.replace('\n', "; "));
            warn!("from the control node: {why}; all others go on");
            why
        });
        Self { json, config }
    }
}

impl fmt::Debug for Kept {
    /// Without the JSON, in which secrets are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}
