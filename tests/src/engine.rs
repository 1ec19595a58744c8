//! Scenarios of whatever engine: what PostgreSQL's and MySQL's harness have in common.
//!
//! A scenario is an `async fn` over a [`Place`]; both `scenarios!` and `mysql_scenarios!` may list it.

#![expect(async_fn_in_trait, reason = "only scenarios call these, each on a runtime of its own")]

use crate::{
    jumpgate::{self, Jumpgate, Setup},
    metrics::Metrics,
    mysql, postgres, relay,
    stage::{self, Route},
    wire,
};

/// Rows as text.
pub type Rows = Vec<Vec<Option<String>>>;

/// What came of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// All rows.
    pub rows: Rows,
    /// The text of the error; empty where there was none.
    pub error: String,
    /// Its SQLSTATE, or MySQL's number.
    pub code: String,
}

/// Where a scenario runs.
pub trait Place: Copy {
    /// The world there.
    type Stage: Stage;

    /// A world with these settings.
    async fn stage(self, setup: Setup) -> Self::Stage;

    /// How clients reach it.
    fn route(self) -> Route;
}

/// A database, and jumpgate in front of it unless the route is direct.
pub trait Stage {
    /// Who speaks with it.
    type Client: Client;
    /// The same for the database.
    type Database: Database;

    /// The processes of jumpgate.
    fn jumpgate(&mut self) -> &mut Jumpgate;
    /// The database.
    fn database(&mut self) -> &mut Self::Database;
    /// The network between them, where the setup asks for one.
    fn relay(&self) -> Option<&relay::Relay>;
    /// A logged-in client.
    async fn client(&self) -> Self::Client;
    /// One that may send several statements at once.
    async fn client_of_several(&self) -> Self::Client;
    /// One that goes around jumpgate.
    async fn direct(&self) -> Self::Client;
    /// One that goes around jumpgate and may do everything.
    async fn superuser(&self) -> Self::Client;
    /// A client of another `[[database]]`, if it is let in and its origin is there.
    async fn client_of(&self, database: &str, user: &str, password: &str) -> Option<Self::Client>;
    /// Another jumpgate in front of the same database.
    fn another(&self, setup: Setup) -> Jumpgate;
    /// A client of a jumpgate.
    async fn client_at(&self, jumpgate: &Jumpgate) -> Self::Client;
    /// What `/metrics` says now.
    async fn metrics(&self) -> Metrics;
    /// Whether jumpgate is not in the way.
    fn is_direct(&self) -> bool;
}

/// A real server.
pub trait Database {
    /// `scheme` in the file of jumpgate.
    const SCHEME: &'static str;
    /// `pg_sleep` and `sleep`.
    const SLEEP: &'static str;

    /// How often statements with this text in them have run.
    fn executions(&self, text: &str) -> usize;
    /// Ends it at once.
    fn kill_9(&mut self);
    /// Starts it again.
    fn restart(&mut self);
    /// Where it listens.
    fn port(&self) -> u16;
}

/// A client.
pub trait Client {
    /// Sends a statement, and hears nothing yet.
    async fn start(&mut self, sql: &str);
    /// Hears the first message.
    async fn begin(&mut self);
    /// Hears the rest.
    async fn end(&mut self) -> Answer;
    /// Hears to the end of a reply, or of the connection: how many errors there were.
    async fn errors(&mut self) -> usize;
    /// Sends a statement that may end the connection: what is heard, and whether the session goes on.
    async fn attempt(&mut self, sql: &str) -> (Answer, bool);
    /// Sends a statement and hears it to its end.
    async fn query(&mut self, sql: &str) -> Answer {
        self.start(sql).await;
        self.end().await
    }
    /// The same of one that must not fail.
    async fn run(&mut self, sql: &str) -> Rows {
        let answer = self.query(sql).await;
        assert_eq!(answer.error, "", "{sql}");
        answer.rows
    }
    /// The first value of one that must not fail.
    async fn value(&mut self, sql: &str) -> String {
        let value = self.run(sql).await.into_iter().flatten().next();
        value
            .unwrap_or_else(|| panic!("{sql} returns no value"))
            .unwrap_or_else(|| String::from("NULL"))
    }
    /// What the cache had to do with the last statement.
    async fn cache_status(&mut self) -> String;
}

impl Place for stage::Place {
    type Stage = stage::Stage;

    async fn stage(self, setup: Setup) -> stage::Stage {
        stage::Stage::with(self, setup).await
    }

    fn route(self) -> Route {
        self.route
    }
}

impl Stage for stage::Stage {
    type Client = wire::Wire;
    type Database = postgres::Postgres;

    fn jumpgate(&mut self) -> &mut Jumpgate {
        Self::jumpgate(self)
    }

    fn database(&mut self) -> &mut postgres::Postgres {
        &mut self.postgres
    }

    fn relay(&self) -> Option<&relay::Relay> {
        self.relay.as_ref()
    }

    async fn client(&self) -> wire::Wire {
        Self::client(self).await
    }

    async fn client_of_several(&self) -> wire::Wire {
        Self::client(self).await
    }

    async fn direct(&self) -> wire::Wire {
        Self::direct(self).await
    }

    async fn superuser(&self) -> wire::Wire {
        Self::superuser(self).await
    }

    async fn client_of(&self, database: &str, user: &str, password: &str) -> Option<wire::Wire> {
        let endpoint = self.endpoint().with_database(database).with_user(user, password);
        let mut wire = wire::Wire::open(endpoint.address).await;
        wire.login(&endpoint, &[]).await.is_ok().then_some(wire)
    }

    fn another(&self, setup: Setup) -> Jumpgate {
        let origin = self.relay.as_ref().map_or(self.postgres.address(), relay::Relay::address);
        Jumpgate::start(&self.authority, origin, false, setup).expect("jumpgate starts")
    }

    async fn client_at(&self, jumpgate: &Jumpgate) -> wire::Wire {
        wire::Wire::connect(&jumpgate.endpoint()).await
    }

    async fn metrics(&self) -> Metrics {
        Self::metrics(self).await
    }

    fn is_direct(&self) -> bool {
        Self::is_direct(self)
    }
}

impl Database for postgres::Postgres {
    const SCHEME: &'static str = "postgres";
    const SLEEP: &'static str = "pg_sleep";

    fn executions(&self, text: &str) -> usize {
        Self::executions(self, text)
    }

    fn kill_9(&mut self) {
        Self::kill_9(self);
    }

    fn restart(&mut self) {
        Self::restart(self).expect("the database starts again");
    }

    fn port(&self) -> u16 {
        self.address().port()
    }
}

impl Client for wire::Wire {
    async fn start(&mut self, sql: &str) {
        self.send(wire::say::query(sql)).await;
    }

    async fn begin(&mut self) {
        self.frame().await;
    }

    async fn errors(&mut self) -> usize {
        let mut errors = 0;
        while let Some(frame) = self.next().await {
            match frame.tag {
                b'E' => errors += 1,
                b'Z' => break,
                _ => {}
            }
        }
        errors
    }

    async fn attempt(&mut self, sql: &str) -> (Answer, bool) {
        let mut frames = Vec::new();
        let mut goes_on = self.try_send(wire::say::query(sql)).await;
        while frames.last().is_none_or(|frame: &wire::Frame| frame.tag != b'Z') {
            let Some(frame) = self.next().await else {
                goes_on = false;
                break;
            };
            frames.push(frame);
        }
        (heard(&frames), goes_on)
    }

    async fn end(&mut self) -> Answer {
        heard(&self.until_ready().await)
    }

    async fn cache_status(&mut self) -> String {
        Self::cache_status(self).await
    }
}

fn heard(frames: &[wire::Frame]) -> Answer {
    Answer { rows: wire::rows(frames), error: wire::error(frames), code: wire::sqlstate(frames) }
}

impl Place for mysql::stage::Place {
    type Stage = mysql::stage::Stage;

    async fn stage(self, setup: Setup) -> mysql::stage::Stage {
        mysql::stage::Stage::with(self, setup).await
    }

    fn route(self) -> Route {
        self.route
    }
}

impl Stage for mysql::stage::Stage {
    type Client = mysql::wire::Wire;
    type Database = mysql::Mysql;

    fn jumpgate(&mut self) -> &mut Jumpgate {
        Self::jumpgate(self)
    }

    fn database(&mut self) -> &mut mysql::Mysql {
        &mut self.mysql
    }

    fn relay(&self) -> Option<&relay::Relay> {
        self.relay.as_ref()
    }

    async fn client(&self) -> mysql::wire::Wire {
        Self::client(self).await
    }

    async fn client_of_several(&self) -> mysql::wire::Wire {
        self.client_with(mysql::flags::capability::MULTI_STATEMENTS).await
    }

    async fn direct(&self) -> mysql::wire::Wire {
        Self::direct(self).await
    }

    async fn superuser(&self) -> mysql::wire::Wire {
        self.root().await
    }

    async fn client_of(
        &self,
        database: &str,
        user: &str,
        password: &str,
    ) -> Option<mysql::wire::Wire> {
        let endpoint = self.endpoint().with_database(database).with_user(user, password);
        let mut wire = mysql::wire::Wire::greeted(endpoint.address).await;
        wire.login(&endpoint, &mysql::login::Options::default()).await.ok()?;
        // The schema is looked for with the first statement.
        let code = mysql::reply::code(&wire.query("DO 1").await);
        (![1044, 1049].contains(&code)).then_some(wire)
    }

    fn another(&self, setup: Setup) -> Jumpgate {
        let origin = self.relay.as_ref().map_or(self.mysql.address(), relay::Relay::address);
        let setup = Setup { engine: jumpgate::Engine::MySql, ..setup };
        Jumpgate::start(&self.authority, origin, false, setup).expect("jumpgate starts")
    }

    async fn client_at(&self, jumpgate: &Jumpgate) -> mysql::wire::Wire {
        mysql::wire::Wire::connect(&jumpgate.endpoint()).await
    }

    async fn metrics(&self) -> Metrics {
        Self::metrics(self).await
    }

    fn is_direct(&self) -> bool {
        Self::is_direct(self)
    }
}

impl Database for mysql::Mysql {
    const SCHEME: &'static str = "mysql";
    const SLEEP: &'static str = "sleep";

    fn executions(&self, text: &str) -> usize {
        Self::executions(self, text)
    }

    fn kill_9(&mut self) {
        Self::kill_9(self);
    }

    fn restart(&mut self) {
        Self::restart(self).expect("the database starts again");
    }

    fn port(&self) -> u16 {
        self.address().port()
    }
}

impl Client for mysql::wire::Wire {
    async fn start(&mut self, sql: &str) {
        let payload = self.text_of(sql);
        self.command(&payload).await;
    }

    async fn begin(&mut self) {
        self.packet().await;
    }

    async fn errors(&mut self) -> usize {
        let mut packets = 0;
        while let Some(packet) = self.next().await {
            if packet.first() == Some(&0xff) {
                packets += 1;
                break;
            }
        }
        packets
    }

    async fn attempt(&mut self, sql: &str) -> (Answer, bool) {
        let Some(reply) = self.try_query(sql).await else { return (Answer::default(), false) };
        (answer(&reply), self.is_alive().await)
    }

    async fn end(&mut self) -> Answer {
        answer(&self.reply(false).await)
    }

    async fn cache_status(&mut self) -> String {
        Self::cache_status(self).await
    }
}

fn answer(reply: &mysql::reply::Reply) -> Answer {
    let code = mysql::reply::code(reply);
    Answer {
        rows: mysql::reply::rows(reply),
        error: mysql::reply::error(reply),
        code: if code == 0 { String::new() } else { code.to_string() },
    }
}

/// Waits until this client is served again, whatever errors come before.
///
/// # Panics
///
/// When that takes over a minute.
pub async fn recovers(client: &mut impl Client) {
    let give_up = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let answer = client.query("SELECT 1 /* jumpgate: no-cache */").await;
        if !answer.rows.is_empty() {
            return;
        }
        assert!(tokio::time::Instant::now() < give_up, "still not served: {}", answer.error);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
