//! Which file imports from which: every path is followed to the file where its last name is defined.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use super::source::{Mention, Source};

/// What one file takes from another: the paths as they are written, with their lines.
pub(super) type Imports<'a> = BTreeMap<(&'a Path, &'a Path), Vec<&'a Mention>>;

/// What a name leads to: a module, or something that a module defines.
#[derive(Debug, Clone, Copy)]
enum Place {
    Module(usize),
    Item(usize),
}

impl Place {
    const fn module(self) -> usize {
        match self {
            Self::Module(id) | Self::Item(id) => id,
        }
    }
}

/// The names that were asked for on the way, so that globs which import each other come to an end.
type Asked<'a> = HashSet<(usize, &'a str)>;

impl Source {
    /// All imports between the files of the crate.
    pub(super) fn imports(&self) -> Imports<'_> {
        let mut imports = Imports::new();
        for (id, module) in self.modules.iter().enumerate() {
            let imported = module.imports.iter().map(|import| &import.from);
            let mentioned = module.mentions.iter().filter(|mention| self.adds(id, mention));
            for mention in imported.chain(mentioned) {
                for place in self.follow(id, &mention.path, &mut Asked::new()) {
                    let file = &self.modules[place.module()].file;
                    if *file != module.file {
                        imports.entry((&module.file, file)).or_default().push(mention);
                    }
                }
            }
        }
        imports
    }

    /// Whether a path says more than the `use` behind its first name: it does not if that is a type, as in `State::Ready`.
    fn adds(&self, module: usize, mention: &Mention) -> bool {
        let [first, ..] = &mention.path[..] else { return false };
        ["crate", "self", "super"].contains(&first.as_str())
            || self
                .look_up(module, first, &mut Asked::new())
                .is_some_and(|places| places.iter().any(|place| matches!(place, Place::Module(_))))
    }

    /// Where a path leads that is written in a module; nowhere, if to another crate.
    fn follow<'a>(
        &'a self,
        module: usize,
        path: &'a [String],
        asked: &mut Asked<'a>,
    ) -> Vec<Place> {
        match path {
            [first, rest @ ..] if first == "crate" => self.descend(0, rest, asked),
            [first, ..] if first == "self" || first == "super" => self.descend(module, path, asked),
            [first, rest @ ..] => {
                let places = self.look_up(module, first, asked).unwrap_or_default();
                self.continued(&places, rest, asked)
            }
            [] => vec![Place::Module(module)],
        }
    }

    /// Where a path leads that begins at a module of this crate.
    fn descend<'a>(
        &'a self,
        module: usize,
        path: &'a [String],
        asked: &mut Asked<'a>,
    ) -> Vec<Place> {
        let [first, rest @ ..] = path else { return vec![Place::Module(module)] };
        match first.as_str() {
            "self" => self.descend(module, rest, asked),
            "super" => {
                let parent = self.modules[module].parent.expect("super is not above the root");
                self.descend(parent, rest, asked)
            }
            // What cannot be found is made by a macro or generated, there.
            name => match self.look_up(module, name, asked) {
                Some(places) => self.continued(&places, rest, asked),
                None => vec![Place::Item(module)],
            },
        }
    }

    /// Where the rest of a path leads: through modules, and no further than an item.
    fn continued<'a>(
        &'a self,
        places: &[Place],
        rest: &'a [String],
        asked: &mut Asked<'a>,
    ) -> Vec<Place> {
        if rest.is_empty() {
            return places.to_vec();
        }
        let modules = places.iter().filter(|place| matches!(place, Place::Module(_)));
        let modules: Vec<_> = modules.map(|place| place.module()).collect();
        if modules.is_empty() {
            return places.to_vec();
        }
        modules.into_iter().flat_map(|module| self.descend(module, rest, asked)).collect()
    }

    /// What a name means in a module: one of another crate is known, and leads nowhere.
    fn look_up<'a>(
        &'a self,
        module: usize,
        name: &'a str,
        asked: &mut Asked<'a>,
    ) -> Option<Vec<Place>> {
        if !asked.insert((module, name)) {
            return None;
        }
        let Self { modules } = self;
        let child = modules[module].children.get(name).map(|child| Place::Module(*child));
        let item = modules[module].items.contains(name).then_some(Place::Item(module));
        let mut places: Vec<_> = child.into_iter().chain(item).collect();
        let mut is_known = !places.is_empty();
        for import in &modules[module].imports {
            if import.name.as_deref() == Some(name) {
                is_known = true;
                places.extend(self.follow(module, &import.from.path, asked));
            }
        }
        if is_known {
            return Some(places);
        }
        let globs = modules[module].imports.iter().filter(|import| import.name.is_none());
        let globs: Vec<_> =
            globs.flat_map(|glob| self.follow(module, &glob.from.path, asked)).collect();
        globs.into_iter().find_map(|place| match place {
            Place::Module(module) => self.look_up(module, name, asked),
            Place::Item(_) => None,
        })
    }
}
