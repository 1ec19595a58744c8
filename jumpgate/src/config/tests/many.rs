//! A file of ten thousand configs, of which most are not used.

use std::{collections::HashSet, fmt::Write as _, sync::Arc};

use serving::config::Config;

use super::*;
use crate::config::Makings;

const CONFIGS: usize = 10_000;

/// A third each of PostgreSQL, of PostgreSQL behind a tunnel, and of MySQL; of `changed` the client's password differs.
fn file(changed: usize) -> String {
    let mut text = String::from("[listen]\npostgres = '127.0.0.1:0'\nmysql = '127.0.0.1:0'\n");
    for n in 0..CONFIGS {
        let way = match n % 3 {
            0 => "scheme = 'postgres'\nport = 5432",
            1 => "scheme = 'postgres'\naccess_client_id = 'a'\naccess_client_secret = 's'",
            _ => "scheme = 'mysql'\nport = 3306",
        };
        let password = if n == changed { "new" } else { "old" };
        write!(
            text,
            "[[database]]\nname = 'tenant_{n}'\n\
             [[database.user]]\nname = 'user_{n}'\npassword = '{password}'\n\
             [database.origin]\n{way}\nhost = 'db-{n}.example.test'\n\
             database = 'd'\nuser = 'u'\npassword = 'p'\n"
        )
        .unwrap();
    }
    text
}

/// What a reload of the file serves.
fn reload(text: &str, makings: &mut Makings) -> Config {
    let document = parse(text).unwrap();
    let configs = document.configs().unwrap();
    let config = document.proxy_with(&configs, makings).unwrap();
    makings.keep(&config);
    config
}

#[test]
fn what_is_costly_is_made_once_for_all_or_when_somebody_needs_it() {
    let mut makings = Makings::default();
    let first = parse(&file(CONFIGS)).unwrap().proxy_that_reloads(&mut makings).unwrap();
    makings.keep(&first);
    assert_eq!(first.databases.len(), CONFIGS);
    assert_eq!(first.salts.made(), 0, "no password was salted");
    assert_eq!(makings.contexts(), 3, "one for each engine, and one for the edge");

    let second = reload(&file(7), &mut makings);
    assert_eq!((second.salts.made(), makings.contexts()), (0, 3));
    let [before, after] = [&first, &second]
        .map(|config| config.databases.iter().map(Arc::as_ptr).collect::<HashSet<_>>());
    let others: Vec<_> = after.difference(&before).collect();
    assert_eq!(others, [&Arc::as_ptr(&second.databases[7])]);
    drop(first);

    let mtls = "[database.mtls]\nsslmode = 'plaintext-for-local-development'\n";
    let third = reload(&with_database(mtls), &mut makings);
    drop((second, third));
    assert_eq!(makings.contexts(), 3, "those of the configs before");
    drop(reload(&with_database(mtls), &mut makings));
    assert_eq!(makings.contexts(), 0, "nobody has them");
}

#[test]
fn a_mistake_in_one_of_many_is_found_when_the_file_is_read() {
    let mut makings = Makings::default();
    let text = file(CONFIGS);
    drop(reload(&text, &mut makings));
    let text = text.replacen("host = 'db-4.example.test'", "host = 'no host'", 1);
    let document = parse(&text).unwrap();
    let made = document.proxy_with(&document.configs().unwrap(), &mut makings);
    let error = made.map(drop).unwrap_err();
    assert!(error.to_string().contains("database.origin.host"), "{error}");
    assert_eq!(reload(&file(CONFIGS), &mut makings).databases.len(), CONFIGS);
}

#[test]
fn a_database_may_have_a_bound_on_its_clients() {
    let database = |most: &str| {
        let text = with_database(&format!("[database.pool]\n{most}\n"));
        parse(&text).unwrap().proxy().unwrap().databases.remove(0)
    };
    let (any, none) = (database(""), database("max_clients = 0"));
    let (two, three) = (database("max_clients = 2"), database("max_clients = 3"));
    assert_eq!((any.max_clients, none.max_clients), (None, None));
    assert_eq!(two.max_clients, NonZeroU32::new(2));
    // A reload takes it in, and keeps the connections to the origin.
    assert!(two.fingerprint != three.fingerprint && two.connections == three.connections);
}
