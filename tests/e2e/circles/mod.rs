//! No file imports from a file that imports from it, be it round some corners: but for a table, which can only shrink.
//!
//! `source` reads the modules of a crate, `imports` follows each path to the file where its last name is defined, `allowed`
//! is the table. A name that a module only re-exports comes from where it is defined; a re-export is itself an import, and
//! `mod` is none. Calls of methods are not seen, nor is what is for tests only.

mod allowed;
mod examples;
mod imports;
mod source;

use std::{collections::BTreeSet, path::Path};

use e2e::install::workspace;
use petgraph::{algo::tarjan_scc, graphmap::DiGraphMap};

use self::{allowed::CIRCLES, imports::Imports, source::Source};
use crate::architecture::{MEMBERS, sources};

/// Files of which each leads to each.
type Circle<'a> = BTreeSet<&'a Path>;

/// The libraries and binaries in a folder.
fn crates(folder: &Path) -> Vec<Source> {
    let is_root = |file: &&Path| file.ends_with("lib.rs") || file.ends_with("main.rs");
    let files = sources(&folder.join("src"));
    files.iter().map(AsRef::as_ref).filter(is_root).map(Source::read).collect()
}

fn circles<'a>(imports: &Imports<'a>) -> Vec<Circle<'a>> {
    let graph: DiGraphMap<&Path, ()> = imports.keys().copied().collect();
    let components = tarjan_scc(&graph).into_iter().filter(|component| component.len() > 1);
    components.map(|component| component.into_iter().collect()).collect()
}

/// Each file of a circle with what it imports from the others.
fn drawn(circle: &Circle<'_>, imports: &Imports<'_>, folder: &Path) -> String {
    let mut lines = Vec::new();
    for file in circle {
        lines.push(format!("  {}", within(file, folder)));
        let closing = imports.iter().filter(|((from, to), _)| from == file && circle.contains(to));
        for ((_, to), mentions) in closing {
            for mention in mentions {
                let (line, path) = (mention.line, mention.path.join("::"));
                lines.push(format!("    line {line}: {path}, which is in {}", within(to, folder)));
            }
        }
    }
    lines.join("\n")
}

fn within(file: &Path, folder: &Path) -> String {
    file.strip_prefix(folder).unwrap_or(file).display().to_string()
}

/// What the table does not say of a crate, and what it says that is no longer so.
fn differences(member: &str) -> Vec<String> {
    let folder = workspace().join(member);
    let mut listed: Vec<_> = CIRCLES.iter().filter(|entry| entry.member == member).collect();
    let mut wrong = Vec::new();
    for source in crates(&folder) {
        let imports = source.imports();
        for circle in circles(&imports) {
            let files: BTreeSet<_> = circle.iter().map(|file| within(file, &folder)).collect();
            let is_it = |files: &BTreeSet<String>, entry: &[&str]| {
                entry.len() == files.len() && entry.iter().all(|file| files.contains(*file))
            };
            match listed.iter().position(|entry| is_it(&files, entry.files)) {
                Some(place) => drop(listed.remove(place)),
                None => wrong.push(format!(
                    "{member}: these files import each other, and the table has no such circle. Move what is shared to \
                     where all may import it.\n{}",
                    drawn(&circle, &imports, &folder)
                )),
            }
        }
    }
    wrong.extend(listed.into_iter().map(|entry| {
        format!(
            "{member}: this circle is not there any more, or not with all of these files. Take them from the table \
             ({}).\n  {}",
            entry.reason,
            entry.files.join("\n  ")
        )
    }));
    wrong
}

#[test]
fn no_files_import_each_other_but_for_those_of_the_table() {
    let members = MEMBERS.into_iter().filter(|member| *member != "tests");
    let wrong: Vec<_> = members.flat_map(differences).collect();
    assert!(wrong.is_empty(), "\n\n{}\n", wrong.join("\n\n"));
}

#[test]
fn the_table_is_of_crates_that_are_and_gives_reasons() {
    for entry in CIRCLES {
        assert!(MEMBERS.contains(&entry.member), "{} is no crate", entry.member);
        assert!(entry.reason.ends_with('.'), "{:?} has no reason", entry.files);
    }
}
