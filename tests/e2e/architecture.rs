//! The rules of ARCHITECTURE.md as tests: who may know whom, how long a file may be, what every crate says first.
//!
//! No database is needed. What clippy checks (length of functions, number of arguments) is not repeated here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use e2e::install::workspace;

/// The folders of the crates.
pub(crate) const MEMBERS: [&str; 13] = [
    "protocol",
    "cache",
    "cluster",
    "tunnel",
    "control",
    "origin",
    "proxy/serving",
    "proxy/postgres",
    "proxy/mysql",
    "proxy",
    "jumpgate",
    "tests",
    "benches",
];
const LEAVES: [&str; 4] = ["protocol", "cache", "tunnel", "control"];
/// Which packages of the workspace each member may depend on, its tests included.
const EDGES: [(&str, &[&str]); 13] = [
    ("protocol", &[]),
    ("cache", &[]),
    ("cluster", &["cache"]),
    ("tunnel", &[]),
    ("control", &[]),
    ("origin", &["protocol", "tunnel"]),
    ("proxy/serving", &["protocol", "cache", "tunnel", "origin"]),
    ("proxy/postgres", &["protocol", "cache", "origin", "serving"]),
    ("proxy/mysql", &["protocol", "cache", "origin", "serving"]),
    ("proxy", &["cache", "serving", "postgres", "mysql"]),
    (
        "jumpgate",
        &[
            "protocol", "cache", "cluster", "tunnel", "control", "origin", "serving", "postgres",
            "mysql", "proxy",
        ],
    ),
    ("tests", &["cache"]),
    ("benches", &["protocol", "cache", "origin", "serving", "e2e"]),
];
/// What the proxy is made of.
const OF_THE_PROXY: [&str; 4] = ["proxy/serving", "proxy/postgres", "proxy/mysql", "proxy"];
/// What only the binary may use: the command line and the file of settings.
const OF_THE_BINARY: [&str; 3] = ["clap", "toml", "tracing-subscriber"];
/// No file may be longer.
const MAX_FILE_LINES: usize = 500;
/// No file of the product may be longer, up to the tests at its end.
const MAX_PRODUCT_LINES: usize = 400;
/// What no product is made of.
const OF_THE_TESTS: [&str; 2] = ["tests", "benches"];
/// Files that are longer and are being taken apart.
const TOO_LONG: [&str; 8] = [
    "proxy/postgres/src/session.rs",
    "proxy/postgres/src/relay.rs",
    "proxy/postgres/src/forward.rs",
    "proxy/postgres/src/replay.rs",
    "proxy/mysql/src/session.rs",
    "proxy/mysql/src/relay.rs",
    "proxy/mysql/src/forward.rs",
    "proxy/mysql/src/replay.rs",
];
/// Generated tables and code, exempt from the wall by name.
const TABLES: [&str; 3] = ["sqlstate.rs", "builtins.rs", "tunnelrpc_capnp.rs"];

fn dependencies(crate_name: &str) -> Vec<String> {
    table(crate_name, "dependencies")
}

/// The packages in a table of a crate's manifest.
fn table(crate_name: &str, key: &str) -> Vec<String> {
    let path = workspace().join(crate_name).join("Cargo.toml");
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let manifest: toml::Table = text.parse().expect("the manifest is TOML");
    let table = manifest.get(key).and_then(toml::Value::as_table);
    table.into_iter().flat_map(|table| table.keys().cloned()).collect()
}

/// Every Rust file below a folder.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .filter(|path| {
            path.file_name().is_some_and(|name| name != "target" && name != "node_modules")
        })
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The lines of a file that are code or comment, with their number; string literals are not told apart.
fn lines(path: &Path) -> Vec<String> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(ToOwned::to_owned).collect()
}

/// The name of the package in a folder.
fn package(member: &str) -> &str {
    member.rsplit('/').next().unwrap_or(member)
}

/// The dependency rule: a leaf crate knows nothing of its siblings.
#[test]
fn leaf_crates_stand_alone() {
    for leaf in LEAVES {
        let found = dependencies(leaf);
        let siblings: Vec<_> =
            found.iter().filter(|name| MEMBERS.map(package).contains(&name.as_str())).collect();
        assert!(siblings.is_empty(), "{leaf} must not depend on {siblings:?}");
    }
}

#[test]
fn a_crate_depends_only_on_those_below_it() {
    let packages = ["e2e", "bench"].into_iter().chain(MEMBERS.map(package)).collect::<Vec<_>>();
    assert_eq!(EDGES.map(|(member, _)| member), MEMBERS);
    for (member, allowed) in EDGES {
        let found = [table(member, "dependencies"), table(member, "dev-dependencies")].concat();
        let found = found.iter().filter(|name| packages.contains(&name.as_str()));
        let others: Vec<_> = found.filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(others.is_empty(), "{member} must not depend on {others:?}");
    }
}

#[test]
fn a_proxy_reads_no_file_and_no_command_line() {
    for member in OF_THE_PROXY {
        let found = dependencies(member);
        for forbidden in OF_THE_BINARY {
            assert!(!found.iter().any(|name| name == forbidden), "{member} depends on {forbidden}");
        }
    }
}

#[test]
fn the_protocol_performs_no_io() {
    let found = dependencies("protocol");
    for forbidden in ["tokio", "tracing", "serde", "rand", "tokio-util"] {
        assert!(
            !found.iter().any(|name| name == forbidden),
            "protocol must not depend on {forbidden}"
        );
    }
    for path in sources(&workspace().join("protocol/src")) {
        for line in lines(&path) {
            let code = line.split("//").next().unwrap_or_default();
            for forbidden in ["std::net", "std::time::Instant", "SystemTime", "std::fs"] {
                assert!(!code.contains(forbidden), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn nothing_depends_on_the_tests_or_the_benches() {
    for member in MEMBERS {
        let found = dependencies(member);
        assert!(!found.iter().any(|name| name == "bench"), "{member} depends on bench");
        assert!(
            member == "benches" || !found.iter().any(|name| name == "e2e"),
            "{member} depends on e2e"
        );
    }
}

#[test]
fn no_crate_brings_openssl() {
    let lock = fs::read_to_string(workspace().join("Cargo.lock")).expect("Cargo.lock");
    for forbidden in ["openssl", "openssl-sys", "native-tls"] {
        assert!(
            !lock.contains(&format!("name = \"{forbidden}\"\n")),
            "{forbidden} is in Cargo.lock"
        );
    }
}

#[test]
fn the_sql_of_an_engine_does_not_know_the_others() {
    let apart =
        [("postgres", "mysql"), ("mysql", "postgres"), ("common", "postgres"), ("common", "mysql")];
    for (folder, other) in apart {
        for path in sources(&workspace().join("cache/src/sql").join(folder)) {
            let code = |line: &String| line.split("//").next().unwrap_or_default().to_owned();
            let names = |line: &String| line.contains(&format!("{other}::"));
            let found: Vec<_> = lines(&path).iter().map(code).filter(names).collect();
            assert!(found.is_empty(), "{}: {found:?}", path.display());
        }
    }
}

#[test]
fn the_pool_imports_no_protocol() {
    for path in sources(&workspace().join("origin/src/pool")) {
        let imports = |line: &String| {
            line.trim_start().starts_with("use protocol") || line.contains(" protocol::")
        };
        let found: Vec<_> = lines(&path).into_iter().filter(imports).collect();
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}

/// Whether a file is generated.
fn is_table(path: &Path) -> bool {
    path.file_name().is_some_and(|name| TABLES.iter().any(|table| name == *table))
}

/// Whether a file is a module of tests, or belongs to one.
fn is_of_tests(path: &Path) -> bool {
    let within = path.strip_prefix(workspace()).unwrap_or(path);
    within.iter().any(|part| part == "tests" || part == "tests.rs")
}

/// How many lines there are in front of the module of tests at a file's end.
fn product_lines(path: &Path) -> usize {
    let lines = lines(path);
    let tests = lines.windows(2).position(|two| {
        two[0] == "#[cfg(test)]" && two[1].contains("mod ") && two[1].ends_with('{')
    });
    tests.unwrap_or(lines.len())
}

#[test]
fn no_file_is_longer_than_the_wall() {
    let long: Vec<String> = MEMBERS
        .iter()
        .flat_map(|member| sources(&workspace().join(member)))
        .filter(|path| !is_table(path))
        .map(|path| (lines(&path).len(), path))
        .filter(|(count, _)| *count > MAX_FILE_LINES)
        .map(|(count, path)| format!("{} has {count} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "files over {MAX_FILE_LINES} lines: {long:#?}");
}

#[test]
fn no_file_of_the_product_is_longer_than_its_wall() {
    let exempt = TOO_LONG.map(|file| workspace().join(file));
    let long: Vec<String> = MEMBERS
        .iter()
        .filter(|member| !OF_THE_TESTS.contains(member))
        .flat_map(|member| sources(&workspace().join(member)))
        .filter(|path| !is_table(path) && !is_of_tests(path) && !exempt.contains(path))
        .map(|path| (product_lines(&path), path))
        .filter(|(count, _)| *count > MAX_PRODUCT_LINES)
        .map(|(count, path)| format!("{} has {count} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "product files over {MAX_PRODUCT_LINES} lines: {long:#?}");
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<PathBuf> = MEMBERS
        .iter()
        .flat_map(|member| sources(&workspace().join(member)))
        .filter(|path| {
            !lines(path)
                .first()
                .is_some_and(|line| line.starts_with("//!") || line.starts_with("#!["))
        })
        .collect();
    assert!(silent.is_empty(), "files without a first line of `//!`: {silent:#?}");
}

#[test]
fn every_crate_root_carries_a_map() {
    for member in MEMBERS {
        let root = ["src/lib.rs", "src/main.rs"].map(|file| workspace().join(member).join(file));
        let found = root
            .iter()
            .any(|path| path.exists() && lines(path).iter().any(|line| line.starts_with("//!")));
        assert!(found, "{member} has no crate root with `//!`");
    }
}

#[test]
fn the_workspace_has_an_example_of_its_configuration() {
    let example = workspace().join("jumpgate.example.toml");
    let text = fs::read_to_string(&example)
        .unwrap_or_else(|error| panic!("{}: {error}", example.display()));
    let parsed: toml::Table = text.parse().expect("the example is TOML");
    for section in ["listen", "admin", "database", "cache", "edge", "connector"] {
        assert!(parsed.contains_key(section), "the example shows [{section}]");
    }
}
