//! How fast the parts are, without a network or a database.
//!
//! The measurements are in `benches/`, for criterion: `protocol` walks frames and feeds the tracker, `cache`
//! analyses statements, makes keys and looks them up. `./run bench` runs them; `./run bench lookup` those
//! with that word in their name.
//!
//! There is no load tester yet: nothing here says what a client sees under load. It comes with the
//! comparison against a direct connection and PgBouncer (issue 5).
