//! What counts as an import, on crates of a few lines.

use std::{fs, path::Path};

use super::{circles, source::Source, within};

/// The imports of a crate with these files, each as `from > to`.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let source = Source::read(&folder.path().join("lib.rs"));
    let imports = source.imports();
    let name = |file: &Path| within(file, folder.path());
    let found: Vec<_> =
        imports.keys().map(|(from, to)| format!("{} > {}", name(from), name(to))).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_a_parent_defines_is_imported_from_it() {
    check(
        &[("lib.rs", "mod a; pub struct Thing;"), ("a.rs", "use super::Thing;")],
        &["a.rs > lib.rs"],
    );
}

#[test]
fn what_a_parent_re_exports_is_imported_from_where_it_is() {
    check(
        &[
            ("lib.rs", "mod a; mod b; pub use b::deep::Thing as Other;"),
            ("a.rs", "use crate::{Other, b};"),
            ("b/mod.rs", "pub(crate) mod deep; pub use deep::*;"),
            ("b/deep.rs", "pub struct Thing;"),
        ],
        &["a.rs > b/deep.rs", "a.rs > b/mod.rs", "b/mod.rs > b/deep.rs", "lib.rs > b/deep.rs"],
    );
    check(
        &[
            ("lib.rs", "mod a; mod b; use b::*;"),
            ("a.rs", "use super::Thing;"),
            ("b.rs", "pub struct Thing;"),
        ],
        &["a.rs > b.rs", "lib.rs > b.rs"],
    );
}

#[test]
fn a_module_is_told_from_a_function_of_its_name() {
    let files = |a| {
        [
            ("lib.rs", "mod a; mod b; mod c; use c::b;"),
            ("a.rs", a),
            ("b.rs", ""),
            ("c.rs", "pub fn b() {}"),
        ]
    };
    check(&files("use super::b::{self};"), &["a.rs > b.rs", "lib.rs > c.rs"]);
    check(&files("use super::b;"), &["a.rs > b.rs", "a.rs > c.rs", "lib.rs > c.rs"]);
}

#[test]
fn a_path_in_code_is_an_import() {
    let b = ("b.rs", "pub fn b() {} pub mod inner { pub struct Thing; }");
    for code in [
        "fn f() { super::b::b() }",
        "fn f(thing: &crate::b::inner::Thing) {}",
        "fn f() { println!(\"{}\", super::b::b()) }",
        "use super::b::inner as i; impl From<i::Thing> for u8 {}",
        "fn f() { use crate::b::inner::*; }",
        "mod inner { fn f() { super::super::b::b() } }",
    ] {
        check(&[("lib.rs", "mod a; mod b;"), ("a.rs", code), b], &["a.rs > b.rs"]);
    }
    check(&[("lib.rs", "mod b; fn f() { b::b() }"), b], &["lib.rs > b.rs"]);
}

#[test]
fn tests_visibilities_and_other_crates_are_no_imports() {
    for code in [
        "pub(super) struct A; pub(in crate::b) struct B;",
        "#[cfg(test)] mod tests { use super::super::b::b; }",
        "#[cfg(test)] use crate::b;",
        "#[cfg(test)] fn f() { crate::b::b() }",
        "struct A; impl A { #[cfg(test)] fn f() { crate::b::b() } }",
        "use b::b; use ::b::b as c; fn f() { std::fs::read(); self::g() } fn g() {}",
    ] {
        let b = ("b.rs", "pub fn b() {}");
        check(&[("lib.rs", "mod a; mod b;"), ("a.rs", code), b], &[]);
    }
}

#[test]
fn a_circle_is_found_round_corners() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use super::b::B; use super::d::D;"),
        ("b.rs", "use super::c::C; pub struct B;"),
        ("c.rs", "use super::a; pub struct C;"),
        ("d.rs", "pub struct D;"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let source = Source::read(&folder.path().join("lib.rs"));
    let found = circles(&source.imports());
    let names = found.iter().map(|circle| circle.iter().map(|file| within(file, folder.path())));
    assert_eq!(names.map(Vec::from_iter).collect::<Vec<_>>(), [["a.rs", "b.rs", "c.rs"]]);
}
