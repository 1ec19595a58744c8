//! How long reads are answered from the cache: for all of a config, and by its rules for some tables and users.

use std::{fmt, sync::Arc, time::Duration};

use cache::sql::TableName;

/// Caching of one config's reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachingConfig {
    /// No read is ever stored or answered from the cache.
    pub disabled: bool,
    /// A result younger than this is a hit. At most 3600 s.
    pub max_age: Duration,
    /// For this long after `max_age` it is served stale while one refresh runs.
    pub stale_while_revalidate: Duration,
    /// Which reads in transactions may be answered too.
    pub in_transactions: InTransactions,
    /// A result that tells the time, or counts from it, is a hit up to this age; none is at zero. At most 3600 s.
    pub clock_max_age: Duration,
    /// What is otherwise for some, in order.
    pub rules: Vec<Arc<CachingRule>>,
}

/// Which reads in transactions that have only read may be answered from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InTransactions {
    /// None.
    Off,
    /// Those at READ COMMITTED.
    Committed,
    /// Those at REPEATABLE READ too, as far as all come from one moment: nothing is written around the proxy.
    Repeatable,
}

/// How long reads live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// Up to this age a result is a hit.
    pub max_age: Duration,
    /// For this long after that it is served stale while one refresh runs.
    pub stale_while_revalidate: Duration,
    /// Up to this age a result that tells the time is a hit.
    pub clock_max_age: Duration,
}

/// How long reads of some tables, or of some user, live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachingRule {
    /// Its place among all of its config, from 1.
    pub number: usize,
    /// It is about reads of these; about all where there is none.
    pub tables: Vec<TableName>,
    /// It is about this user's reads; about everybody's where there is none.
    pub user: Option<String>,
    /// `None` where they are never cached.
    pub ages: Option<Ages>,
}

impl Default for CachingConfig {
    fn default() -> Self {
        Self {
            disabled: false,
            max_age: Duration::from_secs(60),
            stale_while_revalidate: Duration::from_secs(15),
            in_transactions: InTransactions::Off,
            clock_max_age: Duration::ZERO,
            rules: Vec::new(),
        }
    }
}

impl CachingConfig {
    /// What it says to one of its users.
    #[must_use]
    pub fn of_user(self: &Arc<Self>, user: &str) -> Arc<Self> {
        if self.rules.iter().all(|rule| rule.user.is_none()) {
            return Arc::clone(self);
        }
        let is_of = |rule: &&Arc<CachingRule>| rule.user.as_deref().is_none_or(|name| name == user);
        let rules = self.rules.iter().filter(is_of).cloned().collect();
        Arc::new(Self { rules, ..Self::clone(self) })
    }

    /// How long reads live of which no rule says anything.
    pub const fn usual(&self) -> Ages {
        let Self { max_age, stale_while_revalidate, clock_max_age, .. } = *self;
        Ages { max_age, stale_while_revalidate, clock_max_age }
    }

    /// How long a read of these tables lives; `None` where it is never cached. Of each table the first rule that is about it
    /// counts, and of several tables the shortest ages.
    pub fn ages(&self, tables: &[TableName]) -> Option<Ages> {
        if self.rules.is_empty() {
            return Some(self.usual());
        }
        let mut ages: Option<Ages> = None;
        for rule in self.rules_for(tables) {
            let own = rule.ages?;
            ages = Some(ages.map_or(own, |others| others.shorter(own)));
        }
        Some(ages.unwrap_or(self.usual()))
    }

    /// The rules that say how long a read of these tables lives: of each table the first that is about it. One may be there
    /// more than once.
    pub fn rules_for<'a>(
        &'a self,
        tables: &'a [TableName],
    ) -> impl Iterator<Item = &'a Arc<CachingRule>> {
        let of_none = || self.rules.iter().find(|rule| rule.tables.is_empty());
        let of = |table| self.rules.iter().find(move |rule| rule.is_about(table));
        let no_table = tables.is_empty().then(of_none).flatten();
        tables.iter().filter_map(of).chain(no_table)
    }
}

impl Ages {
    const fn of(self) -> [Duration; 3] {
        [self.max_age, self.stale_while_revalidate, self.clock_max_age]
    }

    fn shorter(self, other: Self) -> Self {
        Self {
            max_age: self.max_age.min(other.max_age),
            stale_while_revalidate: self.stale_while_revalidate.min(other.stale_while_revalidate),
            clock_max_age: self.clock_max_age.min(other.clock_max_age),
        }
    }
}

impl CachingRule {
    /// A name without a schema may mean a table in any.
    fn is_about(&self, table: &TableName) -> bool {
        let is_same = |own: &TableName| {
            own.name == table.name
                && match (&own.schema, &table.schema) {
                    (Some(own), Some(schema)) => own == schema,
                    _ => true,
                }
        };
        self.tables.is_empty() || self.tables.iter().any(is_same)
    }
}

/// As it stands in the file, with the ages that it leaves to its config.
impl fmt::Display for CachingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} of [database.caching]: ", self.number)?;
        if !self.tables.is_empty() {
            let tables: Vec<_> = self.tables.iter().map(|table| format!("\"{table}\"")).collect();
            write!(f, "tables = [{}], ", tables.join(", "))?;
        }
        if let Some(user) = &self.user {
            write!(f, "user = {user:?}, ")?;
        }
        let Some(ages) = self.ages else { return f.write_str("never = true") };
        let [max_age, stale, clock] = ages.of().map(|age| age.as_secs_f64());
        write!(f, "max_age = {max_age}, stale_while_revalidate = {stale}, clock_max_age = {clock}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ages(max_age: u64, stale: u64) -> Option<Ages> {
        Some(Ages {
            max_age: Duration::from_secs(max_age),
            stale_while_revalidate: Duration::from_secs(stale),
            clock_max_age: Duration::ZERO,
        })
    }

    fn caching(rules: &[(&[&str], Option<&str>, Option<Ages>)]) -> Arc<CachingConfig> {
        let rules = rules.iter().zip(1..).map(|((names, user, ages), number)| {
            let (tables, user) = (tables(names), user.map(ToOwned::to_owned));
            Arc::new(CachingRule { number, tables, user, ages: *ages })
        });
        Arc::new(CachingConfig { rules: rules.collect(), ..CachingConfig::default() })
    }

    fn tables(names: &[&str]) -> Vec<TableName> {
        let table = |name: &&str| match name.split_once('.') {
            Some((schema, name)) => TableName::qualified(schema, name),
            None => TableName::bare(name),
        };
        names.iter().map(table).collect()
    }

    #[test]
    fn the_first_rule_about_a_table_counts_and_the_shortest_age_of_several() {
        let caching = caching(&[
            (&["shop.orders"], None, ages(5, 0)),
            (&["orders", "countries"], None, ages(600, 60)),
            (&["accounts"], None, None),
            (&["countries"], None, ages(1, 1)),
        ]);
        for (names, expected) in [
            (&["shop.orders"][..], ages(5, 0)),
            (&["crm.orders"], ages(600, 60)),
            // It may be the one of the shop.
            (&["orders"], ages(5, 0)),
            (&["countries"], ages(600, 60)),
            (&["countries", "nowhere"], ages(600, 60)),
            (&["countries", "shop.orders"], ages(5, 0)),
            (&["countries", "accounts"], None),
            (&["nowhere"], ages(60, 15)),
            (&[], ages(60, 15)),
        ] {
            assert_eq!(caching.ages(&tables(names)), expected, "{names:?}");
        }
    }

    #[test]
    fn a_rule_about_a_user_is_about_nobody_else() {
        let caching = caching(&[
            (&["accounts"], Some("report"), ages(30, 0)),
            (&["accounts"], None, None),
            (&[], Some("report"), ages(600, 0)),
        ]);
        let [report, web] = ["report", "web"].map(|user| caching.of_user(user));
        for (names, of_report, of_web) in [
            (&["accounts"][..], ages(30, 0), None),
            (&["orders"], ages(600, 0), ages(60, 15)),
            (&[], ages(600, 0), ages(60, 15)),
        ] {
            assert_eq!(report.ages(&tables(names)), of_report, "{names:?}");
            assert_eq!(web.ages(&tables(names)), of_web, "{names:?}");
        }
        assert_eq!(report.rules_for(&tables(&["orders"])).next().map(|rule| rule.number), Some(3));
    }

    #[test]
    fn without_a_rule_about_users_all_have_the_same() {
        let caching = caching(&[(&["a"], None, None)]);
        assert!(Arc::ptr_eq(&caching, &caching.of_user("web")));
    }

    #[test]
    fn a_rule_is_shown_as_it_is_written() {
        let caching =
            caching(&[(&["shop.orders", "t"], Some("web"), None), (&[], Some("r"), ages(2, 1))]);
        let shown: Vec<_> = caching.rules.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                r#"rule 1 of [database.caching]: tables = ["shop.orders", "t"], user = "web", never = true"#,
                r#"rule 2 of [database.caching]: user = "r", max_age = 2, stale_while_revalidate = 1, clock_max_age = 0"#,
            ]
        );
    }
}
