//! What ten thousand databases of one proxy cost that nobody uses: to take them in, to reload them with one changed, and
//! to find one of them and its user at a login.

use std::sync::Arc;

use criterion::{BatchSize, Criterion};
use serving::{
    config::{Config, DatabaseConfig, Engine, sample},
    directory::{Directory, Namesake},
    salts::Salts,
};

const DATABASES: usize = 10_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let salts = Salts::random();
    let mut config = sample::config(&salts, []);
    config.databases = (0..DATABASES).map(|n| database(n, &salts)).collect();
    let new = |config: &Config| {
        Directory::new(
            Engine::Postgres,
            config,
            |one: &Arc<DatabaseConfig>, _namesake: Option<Namesake<'_, String>>| {
                Arc::new(one.name.clone())
            },
        )
    };
    let mut group = criterion.benchmark_group("directory");
    group.bench_function("new_of_10000", |bencher| {
        bencher.iter_batched(|| (), |()| new(&config), BatchSize::PerIteration);
    });
    let directory = new(&config);
    group.bench_function("reload_of_10000_with_one_changed", |bencher| {
        bencher.iter_batched_ref(
            || {
                let mut changed = sample::config(&salts, []);
                changed.databases.clone_from(&config.databases);
                changed.databases[5_000] = database(5_000, &salts);
                changed
            },
            |changed| directory.reload(changed),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("find_among_10000", |bencher| {
        bencher.iter(|| (directory.find("tenant_5000"), directory.home_of("user_5000")));
    });
    group.finish();
}

/// A change to a reload each time.
fn database(n: usize, salts: &Salts) -> Arc<DatabaseConfig> {
    let mut database = sample::database(Engine::Postgres, &format!("tenant_{n}"));
    database.users =
        vec![sample::user(Engine::Postgres, &format!("user_{n}"), "open sesame", salts)];
    Arc::new(database)
}
