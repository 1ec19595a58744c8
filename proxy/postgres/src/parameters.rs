//! The settings that a server reports by itself, as a backend or a client was last told of them.

use std::{collections::BTreeMap, sync::Arc};

use serving::intern::Interner;

/// The settings that a backend reports by ParameterStatus, with their canonical values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Arc<Values>);

/// By name.
pub(crate) type Values = BTreeMap<Box<str>, Box<str>>;

impl Parameters {
    /// Records a reported value.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        if self.get(name) != Some(value) {
            Arc::make_mut(&mut self.0).insert(name.into(), value.into());
        }
    }

    /// The value last reported.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| &**value)
    }

    /// Every name and value, in the order of the names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Takes the one copy of these values in the place of its own.
    pub(crate) fn intern(&mut self, values: &Interner<Values>) {
        self.0 = values.intern(Arc::clone(&self.0));
    }

    /// Whether both are the same values. If so they are one copy afterwards, and the next comparison is of two
    /// pointers.
    pub(crate) fn unite(&mut self, other: &mut Self, values: &Interner<Values>) -> bool {
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        if self.0 != other.0 {
            return false;
        }
        self.intern(values);
        other.0 = Arc::clone(&self.0);
        true
    }

    /// Whether both are the same values, most often found without looking at them.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}
