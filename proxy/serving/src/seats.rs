//! How many clients are connected as each user of each database.
//!
//! They are counted by name, and where there is no bound too, so that a reload finds those who are there.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::{config::DatabaseConfig, error::ClientError};

/// The clients that have logged in, by database and user.
#[derive(Debug, Default)]
pub struct Seats {
    /// There is an entry where somebody is.
    taken: Mutex<HashMap<Whose, u32>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Whose {
    database: String,
    user: String,
}

/// One client among those of its user, until it is dropped.
#[must_use = "dropping it gives it to another"]
#[derive(Debug)]
pub struct Seat {
    whose: Whose,
    seats: Arc<Seats>,
}

impl Seats {
    /// A seat of a user of this database, if one is left.
    ///
    /// # Errors
    ///
    /// [`ClientError::TooManyOfUser`].
    pub fn take(
        self: &Arc<Self>,
        config: &DatabaseConfig,
        user: &str,
    ) -> Result<Seat, ClientError> {
        let whose = Whose { database: config.name.clone(), user: user.to_owned() };
        let most = config.max_connections(user);
        let mut taken = self.taken.lock();
        let before = taken.get(&whose).copied().unwrap_or_default();
        if most.is_some_and(|most| before >= most.get()) {
            return Err(ClientError::TooManyOfUser);
        }
        taken.insert(whose.clone(), before.saturating_add(1));
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
        let Some(there) = taken.get_mut(&self.whose) else { return };
        *there = there.saturating_sub(1);
        if *there == 0 {
            taken.remove(&self.whose);
        }
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
        let (first, second) = (seats.take(&two, "u").unwrap(), seats.take(&two, "u").unwrap());
        assert_eq!(seats.take(&two, "u").unwrap_err(), ClientError::TooManyOfUser);
        drop(first);
        let third = seats.take(&two, "u").unwrap();
        assert!(seats.take(&two, "u").is_err());
        drop((second, third));
        assert!(seats.taken.lock().is_empty());
    }

    #[test]
    fn the_seats_of_other_users_and_databases_are_others() {
        let (seats, one, other) = (Arc::<Seats>::default(), database("a", 1), database("b", 1));
        let seat = seats.take(&one, "u").unwrap();
        assert!(seat.is_of(&one, "u") && !seat.is_of(&other, "u") && !seat.is_of(&one, "v"));
        let _elsewhere = seats.take(&other, "u").unwrap();
        let _unbounded = [seats.take(&one, "v").unwrap(), seats.take(&one, "v").unwrap()];
    }

    #[test]
    fn whoever_came_before_there_was_a_bound_counts() {
        let seats = Arc::<Seats>::default();
        let before = [(); 3].map(|()| seats.take(&database("a", 0), "u").unwrap());
        let bounded = database("a", 2);
        assert!(seats.take(&bounded, "u").is_err());
        let [kept, second, third] = before;
        drop((second, third));
        let _second = seats.take(&bounded, "u").unwrap();
        drop(kept);
    }
}
