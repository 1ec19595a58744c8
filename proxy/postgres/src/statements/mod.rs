//! The client's statements and portals under our names: Parse, Bind, Describe, Execute, Close.
//!
//! * [`parse`], [`portal`], [`close`]: the messages.
//! * [`settling`]: what a statement is, which only its backend shows (see [`super::prepared`]).
//! * [`refused`]: errors of ours among a backend's replies.

mod close;
mod parse;
mod portal;
mod refused;
mod settling;

pub(crate) use self::{
    parse::MAX_PER_CLIENT,
    refused::fail,
    settling::{is_read_by_parse, is_settled_by_parse, settle},
};
