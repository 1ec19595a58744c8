//! Events of real servers: an INSERT of one row, and an ALTER TABLE, up to the end of the file. Both have checksums.

use super::{Event, Format};

/// MySQL 9.7: with GTIDs.
const MYSQL: &[&str] = &[
    "2e2f0e6b0f010000007b0000007f00000000000400392e372e342d3200000000000000000000000000000000000000000000\
     0000000000000000000000000000000000000000002e2f0e6b13000d0008000000000400040000006300041a080000000000\
     00020000000a0a0a2a2a001234000a280000011a546977",
    "2e2f0e6b23010000001f0000009e000000800000000000000000002d2115bc",
    "2e2f0e6b21010000004f000000ed000000000000ed76c6a7ed2d11f1adad02fc000000010100000000000000020000000000\
     00000001000000000000005ff46e2f896106fc1901506201009d567c4e",
    "2e2f0e6b02010000004a00000037010000080008000000000000000300001d000000000000012000a0450000000006037374\
     640421002100ff0012ff0061707000424547494e063966dc",
    "2e2f0e6b1301000000350000006c010000000053000000000001000361707000076163636f756e7400020303000001010062\
     8a82ef",
    "2e2f0e6b1e010000002c0000009801000000005300000000001100020002ff0007000000460000002449aee8",
    "2e2f0e6b10010000001f000000b70100000000040000000000000022cb8c15",
    "2e2f0e6b21010000004d00000004020000000001ed76c6a7ed2d11f1adad02fc000000010200000000000000020100000000\
     000000020000000000000080076f2f896106c050620100b84d1fe5",
    "2e2f0e6b02010000007300000077020000000008000000000000000300002e000000000000012000a0450000000006037374\
     640421002100ff000c016170700011050000000000000012ff00130061707000616c746572207461626c65206163636f756e\
     7420616464206320696e742bd5607b",
    "2e2f0e6b04010000002c000000a30200000000040000000000000062696e6c6f672e303030303032c496641d",
];

/// MariaDB 10.11: with the text beside the rows.
const MARIADB: &[&str] = &[
    "1b2f0e6b0f01000000fc000000000100000000040031302e31312e31392d4d6172696144422d302b646562313275312d6c6f\
     6700000000000000000000000000000000000000001b2f0e6b13380d000800120004040404120000e400041a080000000808\
     08020000000a0a0a0000000000000a0a0a000000000000000000000000000000000000000000000000000000000000000000\
     0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
     000000000000000000000000000000000000000000000000000000000000000000000000041304000d0808080a0a0a01918a\
     1993",
    "1b2f0e6ba3010000001d0000001d010000000000000000000065bc329d",
    "1b2f0e6ba101000000280000004501000000000d00000062696e6c6f672e3030303030317a077e82",
    "1b2f0e6ba2010000002a0000006f01000008000100000000000000000000000c000000000000a7341159",
    "1b2f0e6ba00100000039000000a80100000000696e7365727420696e746f206163636f756e742076616c7565732028372c20\
     37302982881bf7",
    "1b2f0e6b130100000032000000da010000000012000000000001000361707000076163636f756e740002030300004c4c4d77",
    "1b2f0e6b17010000002a00000004020000000012000000000001000203fc07000000460000008ca289c5",
    "1b2f0e6b10010000001f00000023020000000003000000000000009b7fbeb3",
    "1b2f0e6ba2010000002a0000004d0200000800020000000000000000000000290000000000009c65941f",
    "1b2f0e6b020100000068000000b5020000000004000000000000000300002300000000000101000020540000000006037374\
     640421002100080081040000000000000061707000616c746572207461626c65206163636f756e7420616464206320696e74\
     ce9c1720",
    "1b2f0e6b04010000002c000000e10200000000040000000000000062696e6c6f672e30303030303288d842db",
];

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |digits: &[u8]| u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(byte).collect()
}

/// Each event in words, but for those that change nothing.
fn told(events: &[&str]) -> Vec<String> {
    let (mut format, mut told) = (Format::default(), Vec::new());
    for event in events {
        let event = bytes(event);
        let (_header, event) = format.read(&event, event.len()).unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        match event {
            Event::Format(described) => format = described,
            Event::Harmless => {}
            Event::Gtid(gtid) => told.push(format!("gtid, begins: {}", gtid.begins)),
            Event::Query(query) => {
                told.push(format!("{}: {}", text(query.schema), text(&query.text)));
            }
            Event::Table { schema, name } => told.push(format!("{}.{}", text(schema), text(name))),
            Event::Rotate { file, position } => told.push(format!("{} {position}", text(file))),
            event => told.push(format!("{event:?}")),
        }
    }
    told
}

#[test]
fn what_real_servers_write_is_read() {
    let of_mysql = [
        "gtid, begins: false",
        "app: BEGIN",
        "app.account",
        "Rows",
        "Commit",
        "gtid, begins: false",
        "app: alter table account add c int",
        "binlog.000002 4",
    ];
    assert_eq!(told(MYSQL), of_mysql);
    let of_mariadb = [
        "gtid, begins: true",
        "app.account",
        "Rows",
        "Commit",
        "gtid, begins: false",
        "app: alter table account add c int",
        "binlog.000002 4",
    ];
    assert_eq!(told(MARIADB), of_mariadb);
}

#[test]
fn a_commit_of_mysql_has_its_time() {
    let (format, gtid) = (bytes(MYSQL[0]), bytes(MYSQL[2]));
    let Ok((_, Event::Format(format))) = Format::default().read(&format, format.len()) else {
        panic!("it is a description")
    };
    let Ok((header, Event::Gtid(gtid))) = format.read(&gtid, gtid.len()) else {
        panic!("it is an identity")
    };
    assert_eq!(gtid.committed_at.unwrap() / 1_000_000, header.timestamp.into());
}

#[test]
fn a_byte_that_is_another_is_noticed() {
    let description = bytes(MYSQL[0]);
    let read = Format::default().read(&description, description.len());
    let Ok((_, Event::Format(format))) = read else { panic!("it is a description") };
    for event in &MYSQL[2..] {
        let event = bytes(event);
        for at in 0..event.len() {
            let mut other = event.clone();
            other[at] ^= 1;
            // What makes a description of it is no longer under the old one.
            let read = format.read(&other, other.len());
            assert!(read.is_err(), "{at}: {read:?}");
        }
    }
}
