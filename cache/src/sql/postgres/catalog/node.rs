//! The nodes of the graph: ways to use the objects of a catalog.

/// One way to use one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) usage: Usage,
    /// The object's `oid`; of [`Usage::DefinesObjects`] and [`Usage::Casts`] there is one.
    pub(super) object: u32,
}

/// How an object is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Usage {
    /// A function is called.
    Call,
    /// An operator is applied.
    Operate,
    /// A value of a type is made, or told.
    Type,
    /// An operator family compares or sorts.
    Family,
    /// A relation is read.
    Read,
    /// A relation is written: what runs then, not the relation itself.
    Write,
    /// Some cast is made that was not there at first.
    Casts,
    /// An object is made, changed, dropped or kept in order.
    DefinesObjects,
}

impl Usage {
    /// Whether it is of no object, but of all of a kind.
    pub(super) const fn is_of_all(self) -> bool {
        matches!(self, Self::Casts | Self::DefinesObjects)
    }
}

/// Whether an object was made by a user, and not by `initdb` (`FirstNormalObjectId`).
pub(super) const fn is_users(object: u32) -> bool {
    object >= 16384
}
