//! How many clients are connected to each database, and as each of its users.
//!
//! They are counted by name, and where there is no bound too, so that a reload finds those who are there.

use std::{collections::HashMap, hash::Hash, num::NonZeroU32, sync::Arc};

use parking_lot::Mutex;

use crate::{config::DatabaseConfig, error::ClientError};

/// The clients that have logged in.
#[derive(Debug, Default)]
pub struct Seats {
    taken: Mutex<Taken>,
}

/// There is an entry where somebody is.
#[derive(Debug, Default)]
struct Taken {
    of_users: HashMap<Whose, u32>,
    of_databases: HashMap<String, u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Whose {
    database: String,
    user: String,
}

/// One client among those of its user and its database, until it is dropped.
#[must_use = "dropping it gives it to another"]
#[derive(Debug)]
pub struct Seat {
    whose: Whose,
    seats: Arc<Seats>,
}

impl Seats {
    /// A seat of a user of this database, if one is left. Whoever leaves another for it has its place in the database
    /// already, if that is the same.
    ///
    /// # Errors
    ///
    /// [`ClientError::TooManyOfUser`], [`ClientError::TooManyOfDatabase`].
    pub fn take(
        self: &Arc<Self>,
        config: &DatabaseConfig,
        user: &str,
        left: Option<&Seat>,
    ) -> Result<Seat, ClientError> {
        let whose = Whose { database: config.name.clone(), user: user.to_owned() };
        let is_full = |most: Option<NonZeroU32>, there| most.is_some_and(|it| there >= it.get());
        let mut taken = self.taken.lock();
        let of_user = taken.of_users.get(&whose).copied().unwrap_or_default();
        if is_full(config.max_connections(user), of_user) {
            return Err(ClientError::TooManyOfUser);
        }
        let of_database = taken.of_databases.get(&whose.database).copied().unwrap_or_default();
        let is_there = left.is_some_and(|seat| seat.whose.database == whose.database);
        if !is_there && is_full(config.max_clients, of_database) {
            return Err(ClientError::TooManyOfDatabase);
        }
        taken.of_users.insert(whose.clone(), of_user.saturating_add(1));
        taken.of_databases.insert(whose.database.clone(), of_database.saturating_add(1));
        drop(taken);
        Ok(Seat { whose, seats: Arc::clone(self) })
    }
}

impl Seat {
    /// Whether it is one of this user of this database.
    pub fn is_of(&self, config: &DatabaseConfig, user: &str) -> bool {
        self.whose.database == config.name && self.whose.user == user
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock();
        one_less(&mut taken.of_users, &self.whose);
        one_less(&mut taken.of_databases, &self.whose.database);
    }
}

fn one_less<K: Eq + Hash>(taken: &mut HashMap<K, u32>, key: &K) {
    let Some(there) = taken.get_mut(key) else { return };
    *there = there.saturating_sub(1);
    if *there == 0 {
        taken.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::{
        config::{Engine, sample},
        salts::Salts,
    };

    fn database(name: &str, most: u32) -> DatabaseConfig {
        let mut database = sample::database(Engine::Postgres, name);
        let mut user = sample::user(Engine::Postgres, "u", "secret", &Salts::random());
        user.max_connections = NonZeroU32::new(most);
        database.users = vec![user];
        database
    }

    #[test]
    fn a_user_has_as_many_seats_as_the_config_says_and_gets_back_what_is_dropped() {
        let (seats, two) = (Arc::<Seats>::default(), database("a", 2));
        let (first, second) =
            (seats.take(&two, "u", None).unwrap(), seats.take(&two, "u", None).unwrap());
        assert_eq!(seats.take(&two, "u", None).unwrap_err(), ClientError::TooManyOfUser);
        drop(first);
        let third = seats.take(&two, "u", None).unwrap();
        assert!(seats.take(&two, "u", None).is_err());
        drop((second, third));
        let taken = seats.taken.lock();
        assert!(taken.of_users.is_empty() && taken.of_databases.is_empty());
    }

    #[test]
    fn the_seats_of_other_users_and_databases_are_others() {
        let (seats, one, other) = (Arc::<Seats>::default(), database("a", 1), database("b", 1));
        let seat = seats.take(&one, "u", None).unwrap();
        assert!(seat.is_of(&one, "u") && !seat.is_of(&other, "u") && !seat.is_of(&one, "v"));
        let _elsewhere = seats.take(&other, "u", None).unwrap();
        let _unbounded =
            [seats.take(&one, "v", None).unwrap(), seats.take(&one, "v", None).unwrap()];
    }

    #[test]
    fn whoever_came_before_there_was_a_bound_counts() {
        let seats = Arc::<Seats>::default();
        let before = [(); 3].map(|()| seats.take(&database("a", 0), "u", None).unwrap());
        let bounded = database("a", 2);
        assert!(seats.take(&bounded, "u", None).is_err());
        let [kept, second, third] = before;
        drop((second, third));
        let _second = seats.take(&bounded, "u", None).unwrap();
        drop(kept);
    }

    #[test]
    fn a_database_has_as_many_seats_as_the_config_says_for_all_its_users() {
        let (seats, mut two, other) = (Arc::<Seats>::default(), database("a", 0), database("b", 0));
        two.max_clients = NonZeroU32::new(2);
        let (first, second) = (seats.take(&two, "u", None).unwrap(), seats.take(&two, "v", None));
        for user in ["u", "v", "w"] {
            let full = seats.take(&two, user, None).unwrap_err();
            assert_eq!(full, ClientError::TooManyOfDatabase);
        }
        let elsewhere = seats.take(&other, "u", None).unwrap();
        assert!(seats.take(&two, "u", Some(&elsewhere)).is_err());
        let changed = seats.take(&two, "v", Some(&first)).unwrap();
        drop(first);
        assert!(seats.take(&two, "u", None).is_err(), "it is the same client");
        drop(changed);
        let _third = seats.take(&two, "u", None).unwrap();
        drop(second);
    }
}
