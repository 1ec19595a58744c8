# What a connector and an edge say on the control stream, from the facts in TUNNEL_PROTOCOL.md, B3.
#
# The interface is written as the structs of its calls: the generated half of an RPC system is not
# used, the messages of the RPC protocol carry these structs as they are. A struct with the
# parameters of a method in their order has the layout that the method itself would give them.
#
#   interface 0xf71695ec7fe85497
#     method 0  RegisterParams  -> RegisterResults
#     method 1  Nothing         -> Nothing
#     method 2  ConfigureParams -> Nothing
#
# The Rust next to this file comes from capnp 0.9 or later and the plug-in of the same minor version
# as the capnp crate (`cargo install capnpc --version 0.27`), in the folder `tunnel/src/rpc`:
#
#   capnp compile -o rust tunnelrpc.capnp && \
#     sed -i -e '1i //! Generated from `tunnelrpc.capnp`, which says how; not to be edited.' \
#       -e 's/crate::tunnelrpc_capnp/crate::rpc::tunnelrpc_capnp/g' tunnelrpc_capnp.rs && \
#     rustfmt --edition 2024 tunnelrpc_capnp.rs

@0xdb8274f9144abc7e;

const registrationInterface :UInt64 = 0xf71695ec7fe85497;
const registerMethod :UInt16 = 0;
const unregisterMethod :UInt16 = 1;
const configureMethod :UInt16 = 2;

struct RegisterParams {
  auth @0 :TunnelAuth;
  tunnelId @1 :Data;
  # Sixteen bytes.
  connIndex @2 :UInt8;
  options @3 :ConnectionOptions;
}

struct TunnelAuth {
  accountTag @0 :Text;
  tunnelSecret @1 :Data;
}

struct ConnectionOptions {
  client @0 :ClientInfo;
  originLocalIp @1 :Data;
  # Four or sixteen bytes; an IPv4 address comes mapped into IPv6.
  replaceExisting @2 :Bool;
  compressionQuality @3 :UInt8;
  numPreviousAttempts @4 :UInt8;
}

struct ClientInfo {
  clientId @0 :Data;
  # Sixteen bytes, the same on all connections of a process.
  features @1 :List(Text);
  version @2 :Text;
  arch @3 :Text;
}

struct RegisterResults {
  result @0 :ConnectionResponse;
}

struct ConnectionResponse {
  result :union {
    error @0 :ConnectionError;
    connectionDetails @1 :ConnectionDetails;
  }
}

struct ConnectionError {
  cause @0 :Text;
  retryAfter @1 :Int64;
  # Nanoseconds; connectors look at shouldRetry only.
  shouldRetry @2 :Bool;
}

struct ConnectionDetails {
  uuid @0 :Data;
  # Sixteen bytes.
  locationName @1 :Text;
  tunnelIsRemotelyManaged @2 :Bool;
}

struct ConfigureParams {
  config @0 :Data;
  # JSON.
}

struct Nothing {
}
