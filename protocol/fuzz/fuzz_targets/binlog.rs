//! A binary log from a peer: packets, events, and transactions in one event.
//!
//! Nothing panics, no more is kept than may be, where a packet ends does not depend on how the bytes were cut, and what is read
//! of an event lies within it.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use protocol::mysql::binlog::{Event, Format, Header, KEPT_LEN, Packets};

fuzz_target!(|bytes: &[u8]| {
    let (mut whole, mut packets) = (BytesMut::from(bytes), Packets::default());
    let (mut buffer, mut pieces) = (BytesMut::new(), Packets::default());
    let mut rest = bytes.iter();
    let mut format = Format::default();
    while let Ok(Some(packet)) = packets.take(&mut whole) {
        assert!(packet.head.len() <= packet.len && packet.head.len() <= KEPT_LEN + 1);
        let piece = loop {
            match pieces.take(&mut buffer).expect("it was valid in one piece") {
                Some(packet) => break packet,
                None => buffer.extend(rest.next()),
            }
        };
        assert_eq!(piece, packet);
        if let Ok((header, event)) = format.read(&packet.head, packet.len) {
            assert_eq!(header.len, packet.len);
            if let Event::Format(described) = event {
                format = described;
                continue;
            }
            told(&format, &header, &event);
        }
    }
    // With checksums few inputs would come further.
    let read = Format::default().read(bytes, bytes.len());
    if let Ok((header, event)) = read {
        told(&Format::default(), &header, &event);
    }
});

fn told(format: &Format, header: &Header, event: &Event<'_>) {
    match event {
        Event::Query(query) => assert!(query.text.len() <= KEPT_LEN.max(header.len)),
        Event::Table { schema, name } => assert!(schema.len() + name.len() <= header.len),
        Event::Rotate { file, .. } => assert!(file.len() <= header.len),
        Event::Payload(payload) => {
            let _end = format.events(payload, |header, event| {
                if !matches!(event, Event::Payload(_)) {
                    told(format, &header, &event);
                }
            });
        }
        Event::Format(_)
        | Event::Rows
        | Event::Gtid(_)
        | Event::Commit
        | Event::Heartbeat
        | Event::Harmless
        | Event::Unseen => {}
    }
}
