//! What a walsender and its plugin say: nothing panics, what is read lies within what was said, and the beginning of a change is
//! read as the whole is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::postgres::replication::{Copied, Message};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Copied::Wal { data, .. }) = Copied::decode(bytes) {
        look(data);
    }
    look(bytes);
});

fn look(data: &[u8]) {
    match Message::decode(data) {
        Ok(Message::Truncate(relations)) => assert!(relations.iter().count() * 4 <= data.len()),
        Ok(Message::Relation(relation)) => {
            let said = relation.schema.len() + relation.name.len() + relation.described.len();
            // The tag, the number and the ends of two names.
            assert_eq!(said + 7, data.len());
        }
        Ok(whole @ Message::Change { .. }) => assert_eq!(Message::decode(&data[..5]), Ok(whole)),
        Ok(_) | Err(_) => {}
    }
}
