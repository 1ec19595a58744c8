//! What a client asks for: the command byte, `COM_QUERY` and `COM_STMT_EXECUTE` with query attributes.
//!
//! The rest of the commands is a number or a text, and is read where it is used. Bodies are without the command
//! byte.

mod execute;
mod parameter;
mod query;
mod tag;
#[cfg(test)]
mod tests;

pub use self::{
    execute::{
        BULK_SEND_TYPES, BulkExecute, CURSOR_TYPE_NO_CURSOR, CURSOR_TYPE_READ_ONLY, Execute, Known,
        PARAMETER_COUNT_AVAILABLE,
    },
    parameter::{Parameter, UNSIGNED, Value},
    query::Query,
    tag::CommandTag,
};
