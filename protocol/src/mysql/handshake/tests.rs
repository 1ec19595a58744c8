//! Captured logins, and that what is written is read again.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{fields::extended, *};
use crate::{
    mysql::capabilities::{CapabilityFlags, MariaDbFlags, StatusFlags},
    reader::DecodeError,
};

/// The greeting of a MySQL 8 server.
const MYSQL_8: &[u8] =
    b"\x0a8.0.36\0\x0b\0\0\0\x3c\x1f\x40\x5d\x6a\x3b\x06\x2e\0\xff\xff\xff\x02\0\
    \xff\xdf\x15\0\0\0\0\0\0\0\0\0\0\x27\x4d\x67\x14\x60\x0b\x1e\x4a\x0f\x72\x39\x03\0\
    caching_sha2_password\0";

/// What mysql2 answers through a Worker's binding, with a short proof.
const MYSQL2: &[u8] = b"\xce\xf3\xba\x08\0\0\0\0\xe0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    app\0\x05proofshop\0mysql_native_password\0\x12\x0c_client_name\x04node";

fn offered() -> CapabilityFlags {
    CapabilityFlags::all() - CapabilityFlags::CLIENT_SSL
}

#[test]
fn a_greeting_of_mysql_8_is_understood() {
    let greeting = Greeting::decode(MYSQL_8).expect("valid");
    assert_eq!(greeting.version, "8.0.36");
    assert_eq!(greeting.thread_id, 11);
    assert_eq!(
        greeting.scramble,
        *b"\x3c\x1f\x40\x5d\x6a\x3b\x06\x2e\x27\x4d\x67\x14\x60\x0b\x1e\x4a\x0f\x72\x39\x03"
    );
    assert_eq!(greeting.collation, 255);
    assert_eq!(greeting.status, StatusFlags::SERVER_STATUS_AUTOCOMMIT);
    assert_eq!(greeting.plugin, "caching_sha2_password");
    assert!(greeting.capabilities.contains(
        CapabilityFlags::CLIENT_DEPRECATE_EOF
            | CapabilityFlags::CLIENT_SESSION_TRACK
            | CapabilityFlags::CLIENT_SSL
    ));
    let mut out = BytesMut::new();
    greeting.encode(&mut out);
    assert_eq!(out, MYSQL_8);
}

/// The greeting of MariaDB 10.11.
#[test]
fn a_greeting_of_mariadb_says_what_it_can_do_beyond_32_bits() {
    let wire = b"\x0a5.5.5-10.11.19-MariaDB\0\x0b\0\0\0\x3c\x1f\x40\x5d\x6a\x3b\x06\x2e\0\xfe\xf7\x08\x02\0\
        \xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0\x27\x4d\x67\x14\x60\x0b\x1e\x4a\x0f\x72\x39\x03\0\
        mysql_native_password\0";
    let greeting = Greeting::decode(wire).expect("valid");
    let some = MariaDbFlags::MARIADB_CLIENT_EXTENDED_METADATA
        | MariaDbFlags::MARIADB_CLIENT_STMT_BULK_OPERATIONS;
    assert!(greeting.extended.contains(some));
    let mut out = BytesMut::new();
    greeting.encode(&mut out);
    assert_eq!(&out[..], wire);
    // MySQL has other things there, or may have.
    let capabilities = greeting.capabilities | CapabilityFlags::CLIENT_LONG_PASSWORD;
    out.clear();
    Greeting { capabilities, ..greeting }.encode(&mut out);
    assert_eq!(Greeting::decode(&out).expect("valid").extended, MariaDbFlags::empty());
}

#[test]
fn a_greeting_without_the_nul_behind_its_method_is_understood() {
    let cut = &MYSQL_8[..MYSQL_8.len() - 1];
    assert_eq!(Greeting::decode(cut), Greeting::decode(MYSQL_8));
}

#[test]
fn a_greeting_that_is_cut_or_too_old_is_refused() {
    let end_of_scramble = MYSQL_8.len() - b"caching_sha2_password\0".len();
    for cut in 0..end_of_scramble {
        assert!(Greeting::decode(&MYSQL_8[..cut]).is_err(), "{cut}");
    }
    let mut old = MYSQL_8.to_vec();
    old[0] = 9;
    assert_eq!(Greeting::decode(&old), Err(DecodeError::Value("protocol version")));
    let mut old = MYSQL_8.to_vec();
    old[8 + 4 + 8 + 1 + 1] = 0;
    assert_eq!(Greeting::decode(&old), Err(DecodeError::Value("server capabilities")));
}

#[test]
fn a_response_of_mysql2_is_understood() {
    let response = HandshakeResponse::decode(MYSQL2, offered()).expect("valid");
    assert_eq!((response.user, response.auth), (&b"app"[..], &b"proof"[..]));
    assert_eq!(response.database, Some(&b"shop"[..]));
    assert_eq!(response.plugin, Some(&b"mysql_native_password"[..]));
    assert_eq!(response.collation, 224);
    let pairs: Vec<_> = attributes(response.attributes).collect();
    assert_eq!(pairs, [Ok((&b"_client_name"[..], &b"node"[..]))]);
    // What follows the last field is not looked at.
    let longer = [MYSQL2, b"more"].concat();
    assert_eq!(HandshakeResponse::decode(&longer, offered()), Ok(response));
}

#[test]
fn what_was_not_offered_has_no_fields() {
    let without =
        offered() - CapabilityFlags::CLIENT_CONNECT_WITH_DB - CapabilityFlags::CLIENT_CONNECT_ATTRS;
    let response = HandshakeResponse::decode(MYSQL2, without).expect("valid");
    assert!(!response.capabilities.contains(CapabilityFlags::CLIENT_CONNECT_WITH_DB));
    assert_eq!((response.database, response.plugin), (None, Some(&b"shop"[..])));
}

#[test]
fn fields_that_a_client_announces_and_leaves_out_are_forgiven() {
    let end = MYSQL2.len() - b"mysql_native_password\0\x12\x0c_client_name\x04node".len();
    let response = HandshakeResponse::decode(&MYSQL2[..end], offered()).expect("valid");
    assert_eq!((response.plugin, response.attributes), (None, &[][..]));
    for cut in 0..end {
        assert!(HandshakeResponse::decode(&MYSQL2[..cut], offered()).is_err(), "{cut}");
    }
}

#[test]
fn a_response_of_the_old_protocol_is_refused() {
    let mut old = MYSQL2.to_vec();
    old[1] &= !0x02;
    let refused = Err(DecodeError::Value("client capabilities"));
    assert_eq!(HandshakeResponse::decode(&old, offered()), refused);
}

#[test]
fn only_the_fixed_part_alone_asks_for_tls() {
    let mut out = BytesMut::new();
    let asked = (CapabilityFlags::CLIENT_PROTOCOL_41, MariaDbFlags::empty());
    encode_ssl_request(asked, 1 << 24, 45, &mut out);
    assert_eq!(out.len(), 32);
    let asked = CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_SSL;
    assert_eq!(ssl_request(&out), Some(asked));
    assert_eq!(ssl_request(&out[..31]), None);
    assert_eq!(ssl_request(&[&out[..], b"app\0"].concat()), None);
    out[1] &= !0x08;
    assert_eq!(ssl_request(&out), None);
    assert_eq!(ssl_request(b""), None);
}

#[test]
fn a_switch_of_methods_carries_a_nonce_and_its_nul() {
    let wire = b"\xfemysql_native_password\0abcdefghijklmnopqrst\0";
    let switch = AuthSwitch::decode(wire).expect("valid");
    assert_eq!(switch.plugin, b"mysql_native_password");
    assert_eq!(switch.scramble(), Ok(*b"abcdefghijklmnopqrst"));
    let mut out = BytesMut::new();
    switch.encode(&mut out);
    assert_eq!(out, &wire[..]);
    assert!(AuthSwitch { plugin: b"x", data: b"short" }.scramble().is_err());
    // The method from before MySQL 4.1.
    assert_eq!(AuthSwitch::decode(b"\xfe"), Err(DecodeError::Truncated));
    assert!(AuthSwitch::decode(b"\0mysql_native_password\0").is_err());
}

#[test]
fn more_data_begins_with_1() {
    let mut out = BytesMut::new();
    encode_auth_more_data(&[3], &mut out);
    assert_eq!(auth_more_data(&out), Some(&[3][..]));
    assert_eq!(auth_more_data(b"\0\0\0"), None);
    assert_eq!(auth_more_data(b""), None);
}

#[test]
fn attributes_that_lie_about_their_length_end_in_an_error() {
    let pairs: Vec<_> = attributes(b"\x01a\x01b\x01c\x09d").collect();
    assert_eq!(pairs, [Ok((&b"a"[..], &b"b"[..])), Err(DecodeError::Truncated)]);
    assert_eq!(attributes(b"").count(), 0);
}

#[test]
fn a_change_of_users_may_end_behind_the_schema() {
    let change = ChangeUser::decode(b"app\0\x02xyshop\0", offered()).expect("valid");
    assert_eq!((change.user, change.auth), (&b"app"[..], &b"xy"[..]));
    assert_eq!(
        (change.database, change.collation, change.plugin),
        (Some(&b"shop"[..]), None, None)
    );
    let change =
        ChangeUser::decode(b"app\0\0\0\x35\x01p\0\x04\x01a\x01b", offered()).expect("valid");
    assert_eq!((change.database, change.collation), (None, Some(309)));
    assert_eq!((change.plugin, change.attributes), (Some(&b"p"[..]), &b"\x01a\x01b"[..]));
    assert!(ChangeUser::decode(b"app\0\x09xy\0", offered()).is_err());
    assert!(ChangeUser::decode(b"app\0\0\0\x35", offered()).is_err());
}

#[test]
fn secrets_are_not_shown() {
    let response = HandshakeResponse::decode(MYSQL2, offered()).expect("valid");
    let change = ChangeUser::decode(b"app\0\x05proof\0", offered()).expect("valid");
    for shown in [format!("{response:?}"), format!("{change:?}")] {
        assert!(!shown.contains("proo") && !shown.contains("app"), "{shown}");
    }
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1_u8.., 1..20)
}

fn capabilities() -> impl Strategy<Value = CapabilityFlags> {
    any::<u32>().prop_map(|bits| {
        CapabilityFlags::from_bits_retain(bits)
            | CapabilityFlags::CLIENT_PROTOCOL_41
            | CapabilityFlags::CLIENT_SECURE_CONNECTION
    })
}

/// What is on the wire only with a capability.
fn only_with(capabilities: CapabilityFlags, flag: CapabilityFlags, field: &[u8]) -> Option<&[u8]> {
    capabilities.contains(flag).then_some(field)
}

proptest! {
    #[test]
    fn a_greeting_is_read_as_it_was_written(
        version in name(),
        thread_id: u32,
        scramble: [u8; 20],
        capabilities in capabilities(),
        more: u32,
        collation: u8,
        status: u16,
        plugin in name(),
    ) {
        let plugin = only_with(capabilities, CapabilityFlags::CLIENT_PLUGIN_AUTH, &plugin);
        let greeting = Greeting {
            version: version.into(),
            thread_id,
            scramble,
            capabilities,
            extended: extended(capabilities, more),
            collation,
            status: StatusFlags::from_bits_retain(status),
            plugin: Bytes::copy_from_slice(plugin.unwrap_or_default()),
        };
        let mut out = BytesMut::new();
        greeting.encode(&mut out);
        prop_assert_eq!(Greeting::decode(&out), Ok(greeting));
    }

    #[test]
    fn a_response_is_read_as_it_was_written(
        capabilities in capabilities(),
        max_packet: u32,
        more: u32,
        collation in 0_u16..256,
        texts in (name(), name(), name()),
        auth in prop::collection::vec(any::<u8>(), 0..256),
        attributes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (user, database, plugin) = texts;
        let response = HandshakeResponse {
            capabilities,
            extended: extended(capabilities, more),
            max_packet,
            collation,
            user: &user,
            auth: auth.get(..255).unwrap_or(&auth),
            database: only_with(capabilities, CapabilityFlags::CLIENT_CONNECT_WITH_DB, &database),
            plugin: only_with(capabilities, CapabilityFlags::CLIENT_PLUGIN_AUTH, &plugin),
            attributes: only_with(capabilities, CapabilityFlags::CLIENT_CONNECT_ATTRS, &attributes)
                .unwrap_or_default(),
            zstd_level: ZSTD_LEVEL,
        };
        let mut out = BytesMut::new();
        response.encode(&mut out);
        prop_assert_eq!(HandshakeResponse::decode(&out, CapabilityFlags::all()), Ok(response));
    }

    #[test]
    fn a_change_of_users_is_read_as_it_was_written(
        capabilities in capabilities(),
        collation: Option<u16>,
        texts in (name(), name(), name()),
        auth in prop::collection::vec(any::<u8>(), 0..255),
        attributes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (user, database, plugin) = texts;
        let rest = |flag, field| collation.and_then(|_| only_with(capabilities, flag, field));
        let change = ChangeUser {
            user: &user,
            auth: &auth,
            database: Some(&database),
            collation,
            plugin: rest(CapabilityFlags::CLIENT_PLUGIN_AUTH, &plugin),
            attributes: rest(CapabilityFlags::CLIENT_CONNECT_ATTRS, &attributes).unwrap_or_default(),
        };
        let mut out = BytesMut::new();
        change.encode(capabilities, &mut out);
        prop_assert_eq!(out[0], 0x11);
        prop_assert_eq!(ChangeUser::decode(&out[1..], capabilities), Ok(change));
    }
}
