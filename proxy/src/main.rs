//! The binary `jumpgate`.
fn main() {}
