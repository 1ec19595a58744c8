//! Breadth-first search through every state that a model can come to: the shortest way to one that must not be.
//!
//! Kept of a state that was seen are its hash and that of the one before it; a trace is found by walking that way once more.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};

use foldhash::quality::FixedState;

/// Something that goes from state to state.
pub(crate) trait Model {
    /// All that can be different.
    type State: Clone + Hash;
    /// What happens between two states, as a trace shows it.
    type Step: Clone + Debug;
    /// Something that should happen somewhere.
    type Sight: Copy + Eq + Hash;

    /// Where it begins.
    fn first(&self) -> Self::State;
    /// All that can happen in a state.
    fn turns(&self, state: &Self::State, turns: &mut Vec<Turn<Self>>);
    /// The same for all states that differ in nothing but names.
    fn canonical(&self, state: &Self::State) -> Self::State;
    /// What never comes to its end from here, though nothing goes wrong any more.
    fn stuck(&self, state: &Self::State) -> Option<&'static str>;
}

/// One thing that can happen.
pub(crate) struct Turn<M: Model + ?Sized> {
    pub(crate) step: M::Step,
    pub(crate) after: M::State,
    pub(crate) sight: Option<M::Sight>,
    /// What must not be, and is.
    pub(crate) broken: Option<&'static str>,
}

/// What a search came to.
pub(crate) struct Found<M: Model> {
    pub(crate) states: usize,
    /// How many steps the longest of all shortest ways has.
    pub(crate) depth: usize,
    pub(crate) sights: HashSet<M::Sight>,
    pub(crate) broken: Option<Broken<M::Step>>,
}

/// A way to a state that must not be.
#[derive(Debug)]
pub(crate) struct Broken<S> {
    pub(crate) what: &'static str,
    pub(crate) steps: Vec<S>,
}

/// Searches until something is broken or every state was seen; of one in `every` also whether it is stuck (of none, if 0).
///
/// # Panics
///
/// When there are more than `limit` states: then nothing was shown.
pub(crate) fn search<M: Model>(model: &M, limit: usize, every: u64) -> Found<M> {
    let first = model.first();
    let mut before = HashMap::<u64, u64, FixedState>::default();
    before.insert(name(model, &first), 0);
    let (mut level, mut next, mut turns) = (vec![first], Vec::new(), Vec::new());
    let mut found = Found { states: 1, depth: 0, sights: HashSet::new(), broken: None };
    while !level.is_empty() {
        for state in level.drain(..) {
            let here = name(model, &state);
            if here.checked_rem(every) == Some(0)
                && let Some(what) = model.stuck(&state)
            {
                found.broken = Some(Broken { what, steps: trace(model, &before, here) });
                return found;
            }
            model.turns(&state, &mut turns);
            for turn in turns.drain(..) {
                found.sights.extend(turn.sight);
                if let Some(what) = turn.broken {
                    let mut steps = trace(model, &before, here);
                    steps.push(turn.step);
                    found.broken = Some(Broken { what, steps });
                    return found;
                }
                if let Entry::Vacant(place) = before.entry(name(model, &turn.after)) {
                    place.insert(here);
                    next.push(turn.after);
                    found.states += 1;
                }
            }
        }
        if std::env::var_os("JUMPGATE_MODEL_SHOWN").is_some() {
            eprintln!("{} steps: {} states, {} new", found.depth, found.states, next.len());
        }
        assert!(found.states <= limit, "more than {limit} states, {} of them seen", found.states);
        found.depth += usize::from(!next.is_empty());
        std::mem::swap(&mut level, &mut next);
    }
    found
}

fn name<M: Model>(model: &M, state: &M::State) -> u64 {
    FixedState::with_seed(1).hash_one(model.canonical(state))
}

/// The steps from the first state to the one of this name.
fn trace<M: Model>(model: &M, before: &HashMap<u64, u64, FixedState>, last: u64) -> Vec<M::Step> {
    let mut way = vec![last];
    while let Some(&earlier) =
        way.last().and_then(|name| before.get(name)).filter(|name| **name != 0)
    {
        way.push(earlier);
    }
    let (mut state, mut steps, mut turns) = (model.first(), Vec::new(), Vec::new());
    for wanted in way.into_iter().rev().skip(1) {
        model.turns(&state, &mut turns);
        let turn = turns.drain(..).find(|turn| name(model, &turn.after) == wanted);
        let turn = turn.expect("the way was gone before");
        (state, _) = (turn.after, steps.push(turn.step));
    }
    steps
}
