//! What one statement reads and uses, as its text says it: names, and what is known of the values between them.

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::common::{Clock, Obstacle, TableName, Volatile};

/// What a statement reads and uses, by name. The catalog says what the names mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Tables and views, also those only written; not the names of CTEs.
    pub relations: BTreeSet<TableName>,
    /// Functions, aggregates and window functions.
    pub functions: BTreeSet<FunctionCall>,
    /// Operators, also those that IN, BETWEEN, LIKE and the like stand for.
    pub operators: BTreeSet<OperatorUse>,
    /// Types in casts and column definitions.
    pub types: BTreeSet<TypeUse>,
    /// Last parts of qualified column names: `t.f` may also call a function `f` of the row.
    pub columns: BTreeSet<String>,
    /// Names that the statement gives to columns, rows and relations, each with what they may stand for.
    pub aliases: BTreeMap<String, BTreeSet<Value>>,
    /// What it makes of values of several types.
    pub mixes: Mixes,
    /// What is cast to a date or time type and is no constant.
    pub date_casts: BTreeSet<Value>,
    /// What forbids caching whatever the catalog says.
    pub obstacles: BTreeSet<Obstacle>,
    /// What is volatile whatever the catalog says.
    pub volatile: BTreeSet<Volatile>,
    /// What it takes of the clock by itself, with words for it.
    pub clock: BTreeSet<(Clock, Volatile)>,
    /// What it may read that changes without DDL.
    pub restless: Restless,
    /// Part of it was not walked: functions and relations are all here, what else there is may be missing.
    pub is_partial: bool,
}

/// Whether values of several types may become one, which is of either or of a third.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mixes {
    /// In a UNION or the like, whose columns have the names of one side.
    pub columns: bool,
    /// In a CASE, COALESCE, array or the like.
    pub values: bool,
}

/// What is read of the server that changes without DDL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restless {
    /// Columns of its catalogs may be such.
    pub columns: bool,
    /// Settings that are asked for may be such.
    pub settings: bool,
}

/// A call of a function by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionCall {
    /// The schema, where it was spelled out or the grammar supplies it.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
    /// How many arguments; none when an argument list is spread with VARIADIC.
    pub arguments: Option<usize>,
    /// The first of them, where their places are certain.
    pub values: Vec<Value>,
}

/// A use of an operator by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperatorUse {
    /// The schema, where it was spelled out.
    pub schema: Option<String>,
    /// The name, such as `+`.
    pub name: String,
    /// What stands before it; of a prefix operator nothing that is known.
    pub left: Value,
    /// What stands behind it.
    pub right: Value,
}

/// A use of a type by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeUse {
    /// The schema, where it was spelled out or the grammar supplies it.
    pub schema: Option<String>,
    /// The name, without the brackets of an array.
    pub name: String,
}

/// What a text says of the type of a value. The catalog says which that is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// Nothing.
    #[default]
    Unknown,
    /// A text in quotation marks or NULL, which becomes what is asked for.
    Literal,
    /// A constant whose type has this number.
    Constant(u32),
    /// A column of this name.
    Column(String),
    /// A parameter: of a statement the session sees its value, of a function nobody.
    Parameter,
    /// What a cast to this type makes.
    Cast(TypeUse),
    /// What a function gives.
    Call(Box<FunctionCall>),
    /// What an operator gives.
    Operation(Box<OperatorUse>),
    /// One of these, as of CASE and COALESCE.
    OneOf(Vec<Self>),
}

impl Reads {
    /// A name stands for what may be this.
    pub(super) fn names(&mut self, name: &str, value: Value) {
        self.aliases.entry(name.to_owned()).or_default().insert(value);
    }
}
