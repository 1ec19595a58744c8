//! Packets: sequence ids, and payloads of 16 MiB, which are sent in parts.
//!
//! The client checks every sequence id, here and in all other scenarios.

use e2e::{
    jumpgate::Setup,
    mysql::{
        flags::{capability, command},
        reply::{Outcome, done, rows},
        say::{self, Value},
        stage::{Place, Stage},
        wire::Wire,
    },
};

/// The payloads around the longest packet, and one of two whole packets and an empty third.
const SIZES: [usize; 4] = [0xff_fffe, 0xff_ffff, 0x100_0000, 2 * 0xff_ffff];

/// A COM_QUERY whose payload has exactly so many bytes; its text, and the length of its literal.
fn query_of(wire: &Wire, size: usize) -> (Vec<u8>, usize) {
    let (head, tail) = ("SELECT length('", "')");
    let empty = wire.text_of(&[head, tail].concat()).len();
    let length = size - empty;
    let payload = wire.text_of(&format!("{head}{}{tail}", "x".repeat(length)));
    assert_eq!(payload.len(), size);
    (payload, length)
}

async fn a_query_of_16_mib_arrives_whole(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    for capabilities in [0, capability::QUERY_ATTRIBUTES | capability::DEPRECATE_EOF] {
        let mut wire = stage.client_with(capabilities).await;
        for size in SIZES {
            let (payload, length) = query_of(&wire, size);
            let reply = wire.ask(&payload).await;
            assert_eq!(rows(&reply), [[Some(length.to_string())]], "a payload of {size:#x}");
        }
        assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
    }
}

async fn a_row_of_16_mib_arrives_whole(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    for capabilities in [0, capability::DEPRECATE_EOF] {
        let mut wire = stage.client_with(capabilities).await;
        for size in SIZES {
            // The length of a value below 16 MiB takes 4 bytes, and 9 from there on.
            let head = if size - 4 < 1 << 24 { 4 } else { 9 };
            let sql = format!("SELECT repeat('y', {})", size - head);
            let reply = wire.run(&sql).await;
            let Some(Outcome::Rows(set)) = reply.first() else { panic!("a set") };
            let row = set.rows.first().expect("a row");
            assert_eq!(row.len(), size);
            assert!(row.slice(head..).iter().all(|byte| *byte == b'y'), "{size:#x}: other bytes");
            assert_eq!(set.rows.len(), 1);
        }
        assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
    }
}

async fn a_parameter_of_16_mib_arrives_whole(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client().await;
    let statement = wire.prepare("INSERT INTO large (body) VALUES (?)").await;
    let empty =
        say::execute(statement.id, say::Execute::default(), &[Value::Text(Vec::new())]).len();
    for size in SIZES {
        let head = if size - empty - 3 < 1 << 24 { 4 } else { 9 };
        let length = size - (empty - 1) - head;
        let payload =
            say::execute(statement.id, say::Execute::default(), &[Value::Text(vec![b'z'; length])]);
        assert_eq!(payload.len(), size);
        let id = done(&wire.ask(&payload).await).insert_id;
        let stored = format!("SELECT length(body) FROM large WHERE id = {id}");
        assert_eq!(wire.value(&stored).await, length.to_string());
    }
}

async fn long_data_of_16_mib_arrives_whole(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let mut wire = stage.client().await;
    let statement = wire.prepare("INSERT INTO large (body) VALUES (?)").await;
    let mut whole = 0;
    for size in [0xff_ffff, 0x100_0000] {
        let data = vec![b'l'; size - 7];
        wire.command(&say::long_data(statement.id, 0, &data)).await;
        whole += data.len();
    }
    let id = done(&wire.execute(statement.id, &[Value::Long]).await).insert_id;
    let stored = format!("SELECT length(body) FROM large WHERE id = {id}");
    assert_eq!(wire.value(&stored).await, whole.to_string());
}

async fn a_packet_over_the_limit_is_refused(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    let (mut wire, mut other) = (stage.client().await, stage.client().await);
    // Five parts promise 80 MiB; 64 are allowed. The server may hang up while they are sent.
    let part = vec![b'x'; 0xff_ffff];
    let mut sent = true;
    for sequence in 0..5_u8 {
        let head = [0xff, 0xff, 0xff, sequence];
        sent = sent && wire.try_send(head).await && wire.try_send(&part).await;
    }
    // FAULTS §3: the servers number their answer on from the part that was too much.
    let answer = wire.bytes_until_closed().await;
    let code = answer.get(3..7).map(|b| (b[0], b[1], u16::from_le_bytes([b[2], b[3]])));
    assert!(matches!(code, None | Some((5, 0xff, 1153))), "{:?}", answer.get(..60));
    assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
}

async fn sequence_ids_wrap_at_256_packets(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    for capabilities in [0, capability::DEPRECATE_EOF] {
        let mut wire = stage.client_with(capabilities).await;
        for sql in ["SELECT id FROM wide ORDER BY id", "SELECT filler FROM wide ORDER BY id"] {
            for _turn in 0..2 {
                assert_eq!(rows(&wire.run(sql).await).len(), 3000);
            }
        }
        assert_eq!(rows(&wire.binary("SELECT id FROM wide ORDER BY id", &[]).await).len(), 3000);
    }
}

async fn a_command_with_a_wrong_sequence_id_is_an_error(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let mut other = stage.client().await;
    let mut wire = stage.client().await;
    wire.send([1, 0, 0, 9, command::PING]).await;
    let answer = wire.bytes_until_closed().await;
    // 1156: packets out of order. Some versions only hang up.
    let code = answer.get(4..7).map(|bytes| (bytes[0], u16::from_le_bytes([bytes[1], bytes[2]])));
    assert!(matches!(code, None | Some((0xff, 1156))), "{answer:?}");
    assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
}

/// FAULTS row 64: the servers answer with 1047 and go on.
async fn an_empty_packet_is_no_command(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(2)).await;
    let (mut wire, mut other) = (stage.client().await, stage.client().await);
    for _turn in 0..2 {
        wire.command(b"").await;
        assert!(wire.packet().await.starts_with(&[0xff, 0x17, 0x04]), "1047");
        assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
    }
    assert_eq!(other.value("SELECT 'unharmed'").await, "unharmed");
}

/// FAULTS row 61: more columns than 16 bits count.
async fn a_row_of_65536_columns_arrives_whole(place: Place) {
    let stage = Stage::with(place, Setup::pool_of(1)).await;
    for capabilities in [0, capability::DEPRECATE_EOF] {
        let mut wire = stage.client_with(capabilities).await;
        for columns in [65_535, 65_536, 70_000] {
            let sql = format!("SELECT 1{}", ",1".repeat(columns - 1));
            let reply = wire.run(&sql).await;
            assert_eq!(rows(&reply).first().map(Vec::len), Some(columns));
        }
        assert_eq!(wire.value("SELECT 'goes on'").await, "goes on");
    }
}

e2e::mysql_scenarios! {
    everywhere: [
        a_query_of_16_mib_arrives_whole,
        a_row_of_16_mib_arrives_whole,
    ],
    twice: [
        a_parameter_of_16_mib_arrives_whole,
        long_data_of_16_mib_arrives_whole,
        a_packet_over_the_limit_is_refused,
        sequence_ids_wrap_at_256_packets,
        a_command_with_a_wrong_sequence_id_is_an_error,
        an_empty_packet_is_no_command,
        a_row_of_65536_columns_arrives_whole,
    ],
}
