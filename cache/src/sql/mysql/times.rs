//! What a query does with dates and times: a TIME that is turned into a date takes the current one.
//!
//! The text says which values meet, and the catalog what columns hold. Columns are told by their names within the tables of
//! one query, whatever alias stands before them; so a name may hold more here than it does, and never less. Nothing here
//! knows SQL: `walk` fills it.
//!
//! Tried on MySQL 9 and MariaDB 10.11: the current date is taken by what is made for dates (`Item::get_date_from_time`,
//! `Time::get_mysql_time`), and where a TIME and a date are compared or are one value. Neither a text nor a number that looks
//! like a time does that, nor a TIME that is shown or is a text or a number.

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::common::Clock;

/// What a value may be. A set of the constants here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Kinds(u8);

impl Kinds {
    /// Nothing that matters.
    pub(super) const NONE: Self = Self(0);
    /// A TIME.
    pub(super) const TIME: Self = Self(1);
    /// A DATE, DATETIME or TIMESTAMP.
    pub(super) const DATE: Self = Self(1 << 1);
    /// Out of JSON, which is compared as such; but a cast may find a TIME in it.
    pub(super) const JSON: Self = Self(1 << 2);
    /// A parameter, which may be a date. (An execution with a TIME is not cached: see the proxy.)
    pub(super) const PARAMETER: Self = Self(1 << 3);
    /// The present moment.
    pub(super) const NOW: Self = Self(1 << 4);
    /// In UTC.
    pub(super) const UTC: Self = Self(1 << 5);
    /// Whatever any column of the query's tables is.
    pub(super) const ANY: Self = Self(1 << 6);
    /// One of several values, which may be of several types.
    const ONE_OF_SEVERAL: Self = Self(1 << 7);

    /// Either.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without these.
    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is one of these.
    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A value in a query.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Operand {
    /// What the text says of it.
    pub(super) kinds: Kinds,
    /// It may be any of these columns: numbers of [`Times::names`], in order.
    columns: Vec<u32>,
}

impl From<Kinds> for Operand {
    fn from(kinds: Kinds) -> Self {
        Self { kinds, columns: Vec::new() }
    }
}

impl Operand {
    /// A column.
    pub(super) fn column(number: u32) -> Self {
        Self { kinds: Kinds::NONE, columns: vec![number] }
    }

    fn is_plain(&self) -> bool {
        self.kinds == Kinds::NONE && self.columns.is_empty()
    }

    fn is_parameter(&self) -> bool {
        self.kinds == Kinds::PARAMETER && self.columns.is_empty()
    }

    /// Makes this either of both.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.kinds = self.kinds.or(other.kinds);
        self.columns.extend_from_slice(&other.columns);
        self.columns.sort_unstable();
        self.columns.dedup();
    }
}

/// What a query does with dates and times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The names of columns, in lower case, with their numbers.
    names: BTreeMap<String, u32>,
    /// What is given the name of each number.
    given: Vec<Operand>,
    /// What a column may hold whose name follows from an expression.
    unnamed: Operand,
    /// What any column may hold: one of a UNION with a star.
    everywhere: Operand,
    /// Values of which the date is taken.
    dated: BTreeSet<Operand>,
    /// Values that are compared with each other, or may be one value.
    mixed: BTreeSet<Operand>,
    /// Values that are moved by less than a day.
    moved: BTreeSet<Operand>,
    /// What else is asked of the clock, in words.
    pub(super) clock: BTreeSet<(Clock, &'static str)>,
}

impl Times {
    /// The number of a name.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        let next = u32::try_from(self.given.len()).unwrap_or(u32::MAX);
        let number = *self.names.entry(name.to_lowercase()).or_insert(next);
        if number == next {
            self.given.push(Operand::default());
        }
        number
    }

    /// A name, or an expression without one, may stand for such a value.
    pub(super) fn called(&mut self, number: Option<u32>, value: &Operand) {
        let given = number.and_then(|number| self.given.get_mut(usize::try_from(number).ok()?));
        given.unwrap_or(&mut self.unnamed).absorb(value);
    }

    /// Any name may stand for such a value.
    pub(super) fn called_anything(&mut self, value: &Operand) {
        self.everywhere.absorb(value);
    }

    /// The date of a value is taken.
    pub(super) fn dated(&mut self, value: &Operand) {
        if !value.is_plain() {
            self.dated.insert(value.clone());
        }
    }

    /// Values are compared with each other, or any may be the result: which is what this returns.
    pub(super) fn mixed(&mut self, values: &[Operand]) -> Operand {
        let mut either = Operand::default();
        values.iter().for_each(|value| either.absorb(value));
        if values.iter().filter(|value| !value.is_plain()).count() > 1 {
            let mut mixed = either.clone();
            let parameters = values.iter().filter(|value| value.is_parameter()).count();
            if parameters > 0 && values.len() - parameters > 1 {
                // MySQL makes of it what the others are together, which may be a date whatever it is.
                mixed.kinds = mixed.kinds.or(Kinds::DATE);
            }
            self.mixed.insert(mixed);
        }
        if values.len() > 1 && !either.is_plain() {
            either.kinds = either.kinds.or(Kinds::ONE_OF_SEVERAL);
        }
        either
    }

    /// A value is moved by less than a day: a TIME stays one, unless the value is of no one type.
    pub(super) fn moved(&mut self, value: &Operand) {
        if !value.is_plain() {
            self.moved.insert(value.clone());
        }
    }

    /// Columns of the same name are compared, whichever there are.
    pub(super) fn mixed_with_itself(&mut self, value: Operand) {
        self.mixed.insert(value);
    }

    /// How many there are, for the weight in a memory.
    pub(super) fn len(&self) -> usize {
        let values = self.dated.len() + self.mixed.len() + self.moved.len();
        self.names.len() + values + self.clock.len()
    }

    /// Which date it takes, if any, where `held` says what columns of a name hold, and `any` what any column of its tables
    /// does.
    pub(super) fn taken(&self, any: Kinds, held: impl Fn(&str) -> Kinds) -> Taken {
        let mut taken = Taken::default();
        if self.dated.is_empty() && self.mixed.is_empty() && self.moved.is_empty() {
            return taken;
        }
        let known = Known::of(self, any, held);
        for value in &self.dated {
            let kinds = known.kinds(value);
            taken.by_text |= kinds.has(Kinds::TIME.or(Kinds::JSON));
            if kinds.has(Kinds::NOW) {
                let clock = if kinds.has(Kinds::UTC) { Clock::UtcDate } else { Clock::Date };
                taken.of_now = taken.of_now.max(Some(clock));
            }
        }
        for value in &self.mixed {
            let kinds = known.kinds(value);
            let has_time = kinds.has(Kinds::TIME);
            taken.by_text |= has_time && kinds.has(Kinds::DATE);
            taken.by_parameters |= has_time && kinds.has(Kinds::PARAMETER);
        }
        let several = Kinds::DATE.or(Kinds::ONE_OF_SEVERAL);
        let moved = self.moved.iter().map(|value| known.kinds(value));
        taken.by_text |= moved.into_iter().any(|it| it.has(Kinds::TIME) && it.has(several));
        taken
    }
}

/// By what the current date is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// By what stands in the text: a TIME is turned into a date.
    pub(super) by_text: bool,
    /// By a parameter, if that is a date.
    pub(super) by_parameters: bool,
    /// Of the present moment.
    pub(super) of_now: Option<Clock>,
}

/// What names hold.
struct Known {
    any: Kinds,
    /// By the number of the name.
    held: Vec<Kinds>,
}

impl Known {
    /// What a name may hold follows from others, so it is gone round until nothing is new.
    fn of(times: &Times, any: Kinds, held: impl Fn(&str) -> Kinds) -> Self {
        let mut known = Self { any, held: vec![Kinds::NONE; times.given.len()] };
        for (name, number) in &times.names {
            known.add(*number, held(name));
        }
        loop {
            let mut is_new = false;
            let everywhere = known.kinds(&times.everywhere);
            let unnamed = known.kinds(&times.unnamed).or(everywhere);
            for (name, number) in &times.names {
                let given =
                    usize::try_from(*number).ok().and_then(|number| times.given.get(number));
                let given = given.map_or(Kinds::NONE, |value| known.kinds(value));
                let of_others = if is_odd(name) { unnamed } else { everywhere };
                is_new |= known.add(*number, given.or(of_others));
            }
            if !is_new {
                return known;
            }
        }
    }

    /// Adds what a name may hold, and says whether that is news.
    fn add(&mut self, number: u32, kinds: Kinds) -> bool {
        let held = usize::try_from(number).ok().and_then(|number| self.held.get_mut(number));
        let Some(held) = held else { return false };
        let is_new = kinds.without(*held) != Kinds::NONE;
        *held = held.or(kinds);
        self.any = self.any.or(kinds);
        is_new
    }

    fn kinds(&self, value: &Operand) -> Kinds {
        let number = |number: &u32| usize::try_from(*number).ok();
        let columns = value.columns.iter().filter_map(number);
        let held = columns.filter_map(|number| self.held.get(number));
        let kinds = held.fold(value.kinds, |either, kinds| either.or(*kinds));
        if kinds.has(Kinds::ANY) { kinds.or(self.any) } else { kinds }
    }
}

/// Whether a column may be called so because that is its expression.
fn is_odd(name: &str) -> bool {
    !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        || CLOCK_WORDS.iter().any(|beginning| name.starts_with(beginning))
}

/// How expressions begin that tell the time and look like names.
const CLOCK_WORDS: [&str; 3] = ["current_", "local", "utc_"];
