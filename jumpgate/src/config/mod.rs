//! The file of settings: read, checked, and turned into what each role is given.
//!
//! What was typed lives in [`file`]; one function per section turns it into values, and is the only place where rules
//! across fields exist. Nothing outside this module sees a `Section`.

mod connector_section;
mod database;
mod document;
mod error;
mod file;
mod name;
mod origin;
mod proxy_sections;
#[cfg(test)]
mod tests;
mod tunnel_sections;
mod words;

pub use self::{
    connector_section::ConnectorSetup,
    document::Document,
    error::{Complaint, ConfigError},
    tunnel_sections::EdgeSetup,
};
