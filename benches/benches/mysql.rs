//! What one packet of MySQL costs on its way through: its header, and the tracker's word on what it is; and the views
//! of the two commands that carry almost all of an application's requests.
//!
//! The counterpart of `protocol`, which is PostgreSQL's.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput};
use protocol::mysql::{
    capabilities::{CapabilityFlags, ColumnType, StatusFlags},
    command::{Execute, Known, Query},
    exchange::{CommandKind, Exchange, Needs},
    packet::{self, HEADER_LEN, Header},
    reply::{
        ColumnDef, EOF_HEADER, OK_HEADER, OkPacket, PrepareOk, encode_column_count, encode_text_row,
    },
};

const ROWS: usize = 1000;

const CAPABILITIES: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF)
    .union(CapabilityFlags::CLIENT_SESSION_TRACK);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    relay_of_rows(&mut criterion);
    small_replies(&mut criterion);
    packets(&mut criterion);
    views(&mut criterion);
    criterion.final_summary();
}

/// A result of a thousand rows, as the relay walks it: to the next header, and to the tracker.
fn relay_of_rows(criterion: &mut Criterion) {
    let wire = result(ROWS);
    let mut group = criterion.benchmark_group("mysql/relay");
    group.throughput(Throughput::Bytes(wire.len() as u64));
    group.bench_function("packets_of_1000_rows", |bencher| {
        bencher.iter(|| payloads(black_box(&wire)).count());
    });
    group.bench_function("exchange_over_1000_rows", |bencher| {
        bencher.iter(|| {
            let mut exchange = Exchange::new(CAPABILITIES);
            exchange.sent(CommandKind::Query);
            hear(&mut exchange, black_box(&wire));
            assert!(exchange.is_idle());
        });
    });
    group.finish();
}

/// The replies that most commands have: an OK, one row, a prepared statement.
fn small_replies(criterion: &mut Criterion) {
    let ok = wire(|put| put(&mut |out| idle().encode(OK_HEADER, CAPABILITIES, out)));
    let row = result(1);
    let prepared = wire(|put| {
        put(&mut |out| PrepareOk { statement: 1, columns: 1, params: 1, warnings: 0 }.encode(out));
        put(&mut column);
        put(&mut column);
    });
    let mut group = criterion.benchmark_group("mysql/exchange");
    for (name, command, wire) in [
        ("ok", CommandKind::Query, ok),
        ("one_row", CommandKind::Query, row),
        ("prepare", CommandKind::Prepare, prepared),
    ] {
        let mut exchange = Exchange::new(CAPABILITIES);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                exchange.sent(command);
                hear(&mut exchange, black_box(&wire));
                assert!(exchange.is_idle());
            });
        });
    }
    group.finish();
}

/// Packets as they are joined, cut and numbered anew, where a payload is needed whole.
fn packets(criterion: &mut Criterion) {
    let wire = result(ROWS);
    let mut group = criterion.benchmark_group("mysql/packet");
    group.throughput(Throughput::Bytes(wire.len() as u64));
    group.bench_function("take_1000_rows", |bencher| {
        bencher.iter_batched_ref(
            || wire.clone(),
            |buffer| {
                let mut taken = 0;
                while packet::take(buffer, usize::MAX).expect("the packets are ours").is_some() {
                    taken += 1;
                }
                taken
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("put_1000_rows", |bencher| {
        let mut out = BytesMut::with_capacity(wire.len());
        bencher.iter(|| {
            out.clear();
            let mut sequence = 1;
            for payload in payloads(black_box(&wire)) {
                packet::put(&mut out, &mut sequence, payload);
            }
            out.len()
        });
    });
    group.bench_function("renumber_1000_rows", |bencher| {
        let mut wire = wire.clone();
        bencher.iter(|| packet::renumber(black_box(&mut wire), &mut 1));
    });
    group.finish();
}

/// The views of `COM_QUERY` and of `COM_STMT_EXECUTE`, with and without query attributes.
fn views(criterion: &mut Criterion) {
    let sql: &[u8] = b"SELECT name FROM people WHERE id = 42";
    let attributed = [b"\0\x01", sql].concat();
    let execute = b"\x01\0\0\0\0\x01\0\0\0\0\x01\x03\0\x2a\0\0\0";
    let mut group = criterion.benchmark_group("mysql/view");
    group.bench_function("query", |bencher| {
        bencher.iter(|| Query::decode(black_box(sql), false).expect("it is a text").sql.len());
    });
    group.bench_function("query_with_attributes", |bencher| {
        bencher.iter(|| Query::decode(black_box(&attributed), true).expect("none").sql.len());
    });
    group.bench_function("execute", |bencher| {
        let known = Known { params: 1, ..Known::default() };
        bencher.iter(|| Execute::decode(black_box(execute), known, false).expect("one parameter"));
    });
    group.finish();
}

/// A reply of the text protocol with one column.
fn result(rows: usize) -> BytesMut {
    wire(|put| {
        put(&mut |out| encode_column_count(1, out));
        put(&mut column);
        for _ in 0..rows {
            put(&mut |out| encode_text_row([Some(&[b'x'; 32][..])], out));
        }
        put(&mut |out| idle().encode(EOF_HEADER, CAPABILITIES, out));
    })
}

fn column(out: &mut BytesMut) {
    ColumnDef::computed(b"name", ColumnType::MYSQL_TYPE_VAR_STRING, 45, 256).encode(out);
}

fn idle() -> OkPacket<'static> {
    OkPacket { status: StatusFlags::SERVER_STATUS_AUTOCOMMIT, ..OkPacket::default() }
}

/// The payloads that `write` puts, each in a packet of its own.
fn wire(write: impl FnOnce(&mut dyn FnMut(&mut dyn FnMut(&mut BytesMut)))) -> BytesMut {
    let (mut out, mut sequence) = (BytesMut::new(), 1);
    write(&mut |encode| {
        let mut payload = BytesMut::new();
        encode(&mut payload);
        packet::put(&mut out, &mut sequence, &payload);
    });
    out
}

/// Feeds the tracker as the relay does: all of a payload only where it asks for that.
fn hear(exchange: &mut Exchange, wire: &[u8]) {
    for payload in payloads(wire) {
        let first = payload.first().copied().unwrap_or_default();
        let shown = match exchange.needs(payload.len(), first) {
            Needs::FirstByte => payload.get(..1).unwrap_or_default(),
            Needs::Whole => payload,
        };
        black_box(exchange.received(payload.len(), shown).expect("the backend owed this"));
    }
}

/// The payloads in `wire`.
fn payloads(mut wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let header = Header::peek(wire)?;
        let (packet, rest) = wire.split_at_checked(header.packet_len())?;
        wire = rest;
        packet.get(HEADER_LEN..)
    })
}
