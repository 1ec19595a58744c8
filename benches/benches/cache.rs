//! What the cache adds to a statement whose meaning is known (which is in `sql`): its key, and the look.

use std::{hint::black_box, sync::Arc, time::Duration};

use bytes::Bytes;
use cache::{
    Cache, CacheLimits, Freshness, Key, KeyBuilder, Lookup, Reply,
    sql::{TableName, Writes},
};
use criterion::{BatchSize, Criterion};

const QUERY: &str = "SELECT p.id, p.name, count(*) FROM people p JOIN orders o ON o.person = p.id \
     WHERE p.country = $1 AND o.total > 100 GROUP BY p.id, p.name ORDER BY 3 DESC LIMIT 20";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    keys(&mut criterion);
    lookups(&mut criterion);
    criterion.final_summary();
}

/// The key of an extended request, with the fields that a session gives it.
fn keys(criterion: &mut Criterion) {
    criterion.bench_function("key/extended", |bencher| {
        bencher.iter(|| key(black_box(QUERY)));
    });
}

/// A fresh entry; one that a write has outdated; one that is not there, up to its commit.
fn lookups(criterion: &mut Criterion) {
    let cache = Cache::new(CacheLimits {
        capacity_bytes: 64 << 20,
        collecting_bytes: 16 << 20,
        max_entry_bytes: 1 << 20,
    });
    let scope: Arc<str> = Arc::from("bench");
    let tables = [TableName::bare("people"), TableName::bare("orders")];
    let fresh = Freshness {
        max_age: Duration::from_secs(3600),
        stale_while_revalidate: Duration::from_secs(15),
        born_by: None,
    };
    let key = key(QUERY);
    let look = || cache.lookup(key, &scope, &tables, fresh);
    let fill = || {
        let Lookup::Lead(fill) = look() else {
            unreachable!("nobody else asks, and it is not there")
        };
        assert!(fill.commit(reply()), "nothing was written meanwhile");
    };

    fill();
    assert!(matches!(look(), Lookup::Hit(_)), "it was committed");
    criterion.bench_function("lookup/hit", |bencher| bencher.iter(look));

    let writes = Writes::Tables(vec![TableName::bare("people")]);
    let outdate = || cache.invalidate(&scope, &writes);
    criterion.bench_function("lookup/miss_and_commit", |bencher| {
        bencher.iter_batched(outdate, |()| fill(), BatchSize::PerIteration);
    });
}

fn key(query: &str) -> Key {
    KeyBuilder::new("bench")
        .field("wire", &[0, 1, 1])
        .field("settings", &[b's'; 256])
        .field("text", query.as_bytes())
        .field("types", b"\0\0")
        .field("bind", b"\0\0\0\x01\0\0\0\x02no\0\0")
        .finish()
}

fn reply() -> Reply {
    Reply {
        description: Bytes::from_static(&[0; 64]),
        rows: vec![Bytes::from_static(&[0; 1024])],
        complete: Bytes::from_static(b"SELECT 20\0"),
    }
}
