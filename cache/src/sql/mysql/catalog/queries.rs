//! The texts that read the origin's catalog: MySQL 8 and later, MariaDB 10.11 and later.
//!
//! Only `information_schema` is asked, with columns that both servers have, so that an account needs
//! no right to `mysql.*`. What an account may not see is NULL or missing there; then what depends on
//! it is not cached.

use super::CatalogQuery;

impl CatalogQuery {
    /// Every query that a catalog is built from.
    pub const ALL: [Self; 6] =
        [Self::Tables, Self::Views, Self::Cascades, Self::Functions, Self::Columns, Self::Code];

    /// The text to run at the origin. Every column is text or NULL.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Tables => TABLES,
            Self::Views => VIEWS,
            Self::Cascades => CASCADES,
            Self::Functions => FUNCTIONS,
            Self::Columns => COLUMNS,
            Self::Code => CODE,
        }
    }

    /// How many columns its rows have.
    pub const fn width(self) -> usize {
        match self {
            Self::Tables | Self::Cascades => 4,
            Self::Views => 3,
            Self::Functions | Self::Columns => 5,
            Self::Code => 6,
        }
    }
}

/// Schema, name, type, engine.
const TABLES: &str = "\
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE
  FROM information_schema.TABLES
 WHERE TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')";

/// Schema, name, definition: empty when the account may not see it.
const VIEWS: &str = "\
SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION
  FROM information_schema.VIEWS
 WHERE TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')";

/// The table that is referred to and the one whose rows change with it.
const CASCADES: &str = "\
SELECT UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME, CONSTRAINT_SCHEMA, TABLE_NAME
  FROM information_schema.REFERENTIAL_CONSTRAINTS
 WHERE UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT')
    OR DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT')";

/// Schema, name, YES when it says it is deterministic, what it says of data, body or NULL.
const FUNCTIONS: &str = "\
SELECT ROUTINE_SCHEMA, ROUTINE_NAME, IS_DETERMINISTIC, SQL_DATA_ACCESS, ROUTINE_DEFINITION
  FROM information_schema.ROUTINES
 WHERE ROUTINE_TYPE = 'FUNCTION'
   AND ROUTINE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')";

/// Schema, table, column, type, expression of a computed column; and the routines with a parameter that
/// is a TIME.
const COLUMNS: &str = "\
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, GENERATION_EXPRESSION
  FROM information_schema.COLUMNS
 WHERE TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
   AND (DATA_TYPE IN ('date', 'datetime', 'json', 'time', 'timestamp', 'year')
    OR GENERATION_EXPRESSION <> '')
UNION ALL
SELECT SPECIFIC_SCHEMA, SPECIFIC_NAME, '', 'time parameter', NULL
  FROM information_schema.PARAMETERS
 WHERE DATA_TYPE = 'time'
   AND SPECIFIC_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')";

/// Schema and name of a routine, or of the table of a trigger; what it is; the modes that it was stored in; body or NULL;
/// YES where that is what was written.
const CODE: &str = "\
SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE, SQL_MODE, ROUTINE_DEFINITION,
       IF(VERSION() LIKE '%MariaDB%', 'YES', 'NO')
  FROM information_schema.ROUTINES
 WHERE ROUTINE_TYPE IN ('FUNCTION', 'PROCEDURE')
   AND ROUTINE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
UNION ALL
SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, 'TRIGGER', SQL_MODE, ACTION_STATEMENT,
       IF(VERSION() LIKE '%MariaDB%', 'YES', 'NO')
  FROM information_schema.TRIGGERS
 WHERE EVENT_OBJECT_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')";
