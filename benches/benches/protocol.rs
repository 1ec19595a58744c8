//! What one frame costs on its way through: its header, and the tracker's word on whose it is.
//!
//! Nothing here decodes a body, because the relay does not either.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput};
use protocol::postgres::{
    encode,
    frame::{BackendTag, HEADER_LEN, Header},
    message::{Bind, Parse},
    pipeline::{Asker, Pipeline, Request, TransactionStatus},
};

const ROWS: usize = 1000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    relay_of_rows(&mut criterion);
    extended_batch(&mut criterion);
    views(&mut criterion);
    criterion.final_summary();
}

/// A result of a thousand rows, as the relay walks it: to the next header, and to the tracker.
fn relay_of_rows(criterion: &mut Criterion) {
    let mut wire = BytesMut::new();
    encode::frame(b'T', &[b"\0\0"], &mut wire);
    for _ in 0..ROWS {
        encode::frame(b'D', &[b"\0\x01\0\0\0\x20", &[b'x'; 32]], &mut wire);
    }
    encode::frame(b'C', &[b"SELECT 1000\0"], &mut wire);
    encode::ready_for_query(TransactionStatus::Idle, &mut wire);

    let mut group = criterion.benchmark_group("relay");
    group.throughput(Throughput::Bytes(wire.len() as u64));
    group.bench_function("frames_of_1000_rows", |bencher| {
        bencher.iter(|| frames(black_box(&wire)).count());
    });
    group.bench_function("pipeline_over_1000_rows", |bencher| {
        bencher.iter(|| {
            let mut pipeline = Pipeline::<()>::default();
            pipeline.sent(Request::Query, Asker::Client, None);
            hear(&mut pipeline, black_box(&wire));
            assert!(pipeline.is_idle());
        });
    });
    group.finish();
}

/// What a driver sends for one statement with parameters, and the reply.
fn extended_batch(criterion: &mut Criterion) {
    let mut wire = BytesMut::new();
    wire.extend_from_slice(encode::PARSE_COMPLETE);
    wire.extend_from_slice(encode::BIND_COMPLETE);
    encode::frame(b'T', &[b"\0\0"], &mut wire);
    encode::frame(b'D', &[b"\0\x01\0\0\0\x011"], &mut wire);
    encode::frame(b'C', &[b"SELECT 1\0"], &mut wire);
    encode::ready_for_query(TransactionStatus::Idle, &mut wire);

    let mut pipeline = Pipeline::<()>::default();
    criterion.bench_function("pipeline/extended_batch", |bencher| {
        bencher.iter(|| {
            for request in [
                Request::Parse,
                Request::Bind,
                Request::DescribePortal,
                Request::Execute,
                Request::Sync,
            ] {
                pipeline.sent(request, Asker::Client, None);
            }
            hear(&mut pipeline, black_box(&wire));
            assert!(pipeline.is_idle());
        });
    });
}

/// The borrowed views of the two messages that every extended request has.
fn views(criterion: &mut Criterion) {
    let parse = b"s1\0SELECT name FROM people WHERE id = $1\0\0\x01\0\0\0\x17";
    let bind = b"\0s1\0\0\x01\0\x01\0\x01\0\0\0\x04\0\0\0\x2a\0\x01\0\x01";
    criterion.bench_function("view/parse", |bencher| {
        bencher.iter(|| Parse::decode(black_box(parse)).expect("it is a Parse"));
    });
    criterion.bench_function("view/bind", |bencher| {
        bencher.iter(|| {
            let bind = Bind::decode(black_box(bind)).expect("it is a Bind");
            bind.parameters().expect("it has one parameter").values.len()
        });
    });
}

fn hear(pipeline: &mut Pipeline<()>, wire: &[u8]) {
    for (tag, status) in frames(wire) {
        let received = pipeline.received(tag, status).expect("the backend owed this");
        black_box(received.to);
    }
}

/// The tags in `wire`, each with the first byte of its body.
fn frames(mut wire: &[u8]) -> impl Iterator<Item = (BackendTag, Option<u8>)> {
    std::iter::from_fn(move || {
        let header = Header::peek(wire).expect("the headers are ours")?;
        let (frame, rest) = wire.split_at_checked(header.frame_len())?;
        wire = rest;
        Some((BackendTag::from(header.tag), frame.get(HEADER_LEN).copied()))
    })
}
