//! Scenarios on real databases.

