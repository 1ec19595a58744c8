//! The file of settings: read, checked, and turned into what each role is given.
//!
//! What was typed lives in [`file`]; one function per section turns it into values, and nothing outside this module sees a
//! `Section`. Of a `[[database]]` that is a draft: the rules about configs are `control`'s, wherever a config comes from.

mod advertised;
mod client_user;
mod cluster_section;
mod connector_section;
mod contexts;
mod control_section;
mod database_section;
mod document;
mod error;
mod file;
mod file_store;
mod follow_section;
mod makings;
mod places;
mod proxy_sections;
mod served;
#[cfg(test)]
mod tests;
mod tunnel_sections;
mod words;

pub use self::{
    advertised::{Advertised, HostPort},
    connector_section::ConnectorSetup,
    control_section::ControlSetup,
    document::Document,
    error::{Complaint, ConfigError},
    file_store::FileStore,
    follow_section::FollowSetup,
    makings::{Makings, served_alone},
    tunnel_sections::EdgeSetup,
};
