//! The password of an origin, while a config changes that nobody had used.

use std::sync::Arc;

use ::origin::secret::Secret;
use serving::{
    config::{DatabaseConfig, Engine, sample},
    context::Common,
    directory::FEW,
    observe::Metrics,
    salts::Salts,
    shutdown::Shutdown,
};

use crate::Context;

/// So many that each is opened when it is first used.
fn databases(password: &str) -> impl Iterator<Item = DatabaseConfig> {
    let password = Secret::new(password.to_owned());
    (0..=FEW).map(move |n| {
        let mut database = sample::database(Engine::Postgres, &format!("tenant_{n}"));
        database.origin.password = password.clone().into();
        Arc::make_mut(&mut database.caching).disabled = true;
        database
    })
}

#[tokio::test]
async fn a_login_that_began_before_a_reload_has_the_password_that_came_with_it() {
    let salts = Salts::random();
    let config = |password| sample::config(&salts, databases(password));
    let first = config("old");
    let common = Common::new(&first, Arc::new(Metrics::new()), &Shutdown::new());
    let context = Context::new(&first, common);
    let find = || context.directory.find("tenant_0").unwrap();
    let began = find();
    context.reload(&config("new"));
    let (old, new) = (began.open(), find().open());
    for password in ["new", "newer"] {
        let newest = find().open();
        for database in [&old, &new, &newest] {
            assert_eq!(database.config.origin.password.now().expose(), password);
        }
        context.reload(&config("newer"));
    }
}
