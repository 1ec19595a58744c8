//! Tables and properties of the codec, and transcripts of the stream made of it.

use std::io::ErrorKind;

use bytes::BytesMut;
use proptest::{collection::vec, prelude::*};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::codec::*;
use super::*;

/// Decodes everything, with neighbouring pieces of data joined.
fn decode_all(role: Role, pieces: &[&[u8]]) -> Result<Vec<Event>, FrameError> {
    let mut decoder = Decoder::new(role);
    let (mut input, mut events) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(event) = decoder.decode(&mut input)? {
            match (events.last_mut(), event) {
                (Some(Event::Data(last)), Event::Data(more)) => last.extend_from_slice(&more),
                (_, event) => events.push(event),
            }
        }
    }
    Ok(events)
}

fn data(bytes: &[u8]) -> Event {
    Event::Data(BytesMut::from(bytes))
}

#[test]
fn the_examples_of_the_rfc_decode() {
    // RFC 6455, 5.7.
    let hello = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(decode_all(Role::Client, &[&hello]), Ok(vec![data(b"Hello")]));
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode_all(Role::Server, &[&masked]), Ok(vec![data(b"Hello")]));
    let fragmented = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    assert_eq!(decode_all(Role::Client, &[&fragmented]), Ok(vec![data(b"Hello")]));
    let ping = [0x89, 0x02, 0x48, 0x65];
    assert_eq!(decode_all(Role::Client, &[&ping]), Ok(vec![Event::Ping(b"He"[..].into())]));
    let long = [&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0][..], &[7; 65536]].concat();
    assert_eq!(decode_all(Role::Client, &[&long]), Ok(vec![data(&[7; 65536])]));
}

#[test]
fn a_control_frame_may_stand_inside_a_fragmented_message() {
    let wire = [0x02, 1, b'a', 0x89, 0, 0x80, 1, b'b', 0x88, 2, 3, 232];
    let close = Event::Close(NORMAL[..].into());
    let ping = Event::Ping(BytesMut::new());
    assert_eq!(decode_all(Role::Client, &[&wire]), Ok(vec![data(b"a"), ping, data(b"b"), close]));
}

#[test]
fn what_breaks_the_framing_is_named() {
    for (wire, error) in [
        (&[0xC2, 0][..], FrameError::ReservedBit),
        (&[0x82, 0x80, 0, 0, 0, 0], FrameError::Masking),
        (&[0x83, 0], FrameError::Opcode),
        (&[0x80, 0], FrameError::Fragmentation),
        (&[0x02, 0, 0x82, 0], FrameError::Fragmentation),
        (&[0x09, 0], FrameError::Control),
        (&[0x89, 126, 0, 126], FrameError::Control),
        (&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], FrameError::Length),
    ] {
        assert_eq!(decode_all(Role::Client, &[wire]), Err(error), "{wire:?}");
    }
    assert_eq!(decode_all(Role::Server, &[&[0x82, 1, b'a']]), Err(FrameError::Masking));
}

/// A frame as a peer may send it: any fragmentation, any length.
#[derive(Clone, Debug)]
struct Sent {
    first: u8,
    payload: Vec<u8>,
    mask: [u8; 4],
}

fn messages() -> impl Strategy<Value = Vec<Sent>> {
    let fragment = || vec(any::<u8>(), 0..400);
    let message = (vec(fragment(), 1..4), vec(any::<u8>(), 0..125), any::<[u8; 4]>(), 0x9_u8..=0xA);
    vec(message, 0..6).prop_map(|messages| {
        let mut sent = Vec::new();
        for (fragments, control, mask, opcode) in messages {
            let last = fragments.len() - 1;
            for (at, payload) in fragments.into_iter().enumerate() {
                let opcode = if at == 0 { BINARY } else { CONTINUATION };
                let fin = if at == last { FIN } else { 0 };
                sent.push(Sent { first: fin | opcode, payload, mask });
                sent.push(Sent { first: FIN | opcode_or_ping(opcode), payload: Vec::new(), mask });
            }
            sent.push(Sent { first: FIN | opcode, payload: control, mask });
        }
        sent
    })
}

/// Interleaves a ping after the first fragment and a pong after the others.
fn opcode_or_ping(opcode: u8) -> u8 {
    if opcode == BINARY { PING } else { PONG }
}

fn wire(frames: &[Sent]) -> Vec<u8> {
    let mut out = Vec::new();
    for Sent { first, payload, mask } in frames {
        out.push(*first);
        match u8::try_from(payload.len()) {
            Ok(len) if len < 126 => out.push(MASKED | len),
            _ => {
                out.push(MASKED | LEN_16);
                out.extend(u16::try_from(payload.len()).expect("short").to_be_bytes());
            }
        }
        out.extend(mask);
        let start = out.len();
        out.extend(payload);
        apply_mask(&mut out[start..], *mask);
    }
    out
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_how_the_bytes_were_cut(
        frames in messages(),
        cuts in vec(1..50_usize, 1..20),
    ) {
        let wire = wire(&frames);
        let (mut pieces, mut rest) = (Vec::new(), &wire[..]);
        for cut in cuts.iter().cycle() {
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        let whole = decode_all(Role::Server, &[&wire]);
        prop_assert!(whole.is_ok());
        prop_assert_eq!(decode_all(Role::Server, &pieces), whole);
    }

    #[test]
    fn decoding_gives_back_what_was_encoded(
        payload in vec(any::<u8>(), 0..MAX_MESSAGE_LEN),
        is_client: bool,
    ) {
        let (near, far) =
            if is_client { (Role::Client, Role::Server) } else { (Role::Server, Role::Client) };
        let mut wire = BytesMut::new();
        encode(near, Kind::Binary, &payload, &mut wire);
        encode(near, Kind::Ping, b"p", &mut wire);
        let mut expected = vec![data(&payload), Event::Ping(b"p"[..].into())];
        if payload.is_empty() {
            expected.remove(0);
        }
        prop_assert_eq!(decode_all(far, &[&wire]), Ok(expected));
    }

    #[test]
    fn who_sees_frames_pass_knows_where_they_end(frames in messages(), cut in 1..50_usize) {
        let (mut passing, mut ends, mut at) = (Passing::new(), Vec::new(), 0);
        let encoded = wire;
        let wire = encoded(&frames);
        while at < wire.len() {
            let len = passing.left().min(cut).min(wire.len() - at);
            prop_assert!(len > 0);
            passing.pass(&wire[at..at + len]);
            at += len;
            if passing.is_between_frames() {
                ends.push(at);
            }
        }
        let expected = frames.iter().scan(0, |end, frame| {
            *end += encoded(std::slice::from_ref(frame)).len();
            Some(*end)
        });
        prop_assert_eq!(ends, expected.collect::<Vec<_>>());
        // All at once is the same.
        let mut whole = Passing::new();
        whole.pass(&wire);
        prop_assert!(whole.is_between_frames());
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>, is_client: bool) {
        let role = if is_client { Role::Client } else { Role::Server };
        let _events_or_error = decode_all(role, &[&bytes]);
        Passing::new().pass(&bytes);
    }
}

/// A client's stream and the raw other end of its socket.
fn client() -> (WebSocket<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(1 << 20);
    (WebSocket::new(near, Role::Client, BytesMut::new()), far)
}

async fn written(mut far: DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    far.read_to_end(&mut bytes).await.expect("a pipe");
    bytes
}

#[tokio::test]
async fn small_writes_are_one_message_once_flushed() {
    let (mut client, far) = client();
    for byte in b"abc" {
        client.write_all(&[*byte]).await.expect("room");
    }
    client.flush().await.expect("sent");
    drop(client);
    let bytes = written(far).await;
    assert_eq!(bytes.len(), 2 + 4 + 3);
    assert_eq!(decode_all(Role::Server, &[&bytes]), Ok(vec![data(b"abc")]));
}

#[tokio::test]
async fn no_message_is_larger_than_a_connector_takes() {
    let (mut client, far) = client();
    let sent: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    client.write_all(&sent).await.expect("room");
    client.flush().await.expect("sent");
    drop(client);
    let bytes = written(far).await;
    let (mut rest, mut messages) = (&bytes[..], 0);
    while let [first, second, tail @ ..] = rest {
        assert_eq!(*first, FIN | BINARY);
        let (len, tail) = match second & !MASKED {
            LEN_16 => (usize::from(u16::from_be_bytes([tail[0], tail[1]])), &tail[2..]),
            len => (usize::from(len), tail),
        };
        assert!(len <= MAX_MESSAGE_LEN);
        rest = &tail[4 + len..];
        messages += 1;
    }
    assert_eq!(messages, sent.len().div_ceil(FILL_LEN));
    assert_eq!(decode_all(Role::Server, &[&bytes]), Ok(vec![data(&sent)]));
}

#[tokio::test]
async fn a_ping_is_answered_while_reading() {
    let (mut client, mut far) = client();
    far.write_all(&[0x89, 2, b'h', b'i', 0x82, 1, b'x']).await.expect("room");
    assert_eq!(client.read_u8().await.expect("data"), b'x');
    far.write_all(&[0x82, 1, b'y', 0x88, 0]).await.expect("room");
    assert_eq!(client.read_to_end(&mut Vec::new()).await.expect("the end"), 1);
    drop(client);
    let pong = Event::Close(BytesMut::new());
    let events = decode_all(Role::Server, &[&written(far).await]).expect("valid");
    assert_eq!(events.len(), 2, "a pong and the echoed close");
    assert_eq!(events[0], Event::Pong(b"hi"[..].into()));
    assert_eq!(events[1], pong);
}

#[tokio::test]
async fn the_end_needs_no_close_frame() {
    let (mut client, mut far) = client();
    far.write_all(&[0x82, 1, b'x']).await.expect("room");
    drop(far);
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await.expect("a clean end");
    assert_eq!(bytes, b"x");
    let error = client.write_all(b"late").await.expect_err("no half close");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn an_end_inside_a_frame_is_an_error() {
    let (mut client, mut far) = client();
    far.write_all(&[0x82, 9, b'x']).await.expect("room");
    drop(far);
    let error = client.read_to_end(&mut Vec::new()).await.expect_err("cut off");
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn shutdown_sends_what_was_gathered_and_then_closes() {
    let (mut client, far) = client();
    client.write_all(b"last").await.expect("room");
    client.shutdown().await.expect("sent");
    let close = Event::Close(NORMAL[..].into());
    let expected = vec![data(b"last"), close];
    assert_eq!(decode_all(Role::Server, &[&written(far).await]), Ok(expected));
}

#[tokio::test]
async fn a_huge_inbound_message_streams_through() {
    let (mut client, mut far) = client();
    far.write_all(&[0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0]).await.expect("room");
    for _ in 0..64 {
        far.write_all(&[5; 8192]).await.expect("room");
        let mut piece = [0; 8192];
        client.read_exact(&mut piece).await.expect("it does not wait for the whole");
        assert_eq!(piece, [5; 8192]);
    }
}

const NORMAL: [u8; 2] = [3, 232];
