# What a connector asks of an edge, with a real interface (TUNNEL_PROTOCOL.md, B3), for the C++
# library behind pycapnp. The edge's own schema has no interface: the two were written apart.

@0xdb8274f9144abc7e;

interface RegistrationServer @0xf71695ec7fe85497 {
  registerConnection @0 (
    auth :Credentials, tunnelId :Data, connIndex :UInt8, options :Options
  ) -> (result :Outcome);
  unregisterConnection @1 () -> ();
  updateLocalConfiguration @2 (config :Data) -> ();
}

struct Credentials {
  accountTag @0 :Text;
  tunnelSecret @1 :Data;
}

struct Options {
  client @0 :Client;
  originLocalIp @1 :Data;
  replaceExisting @2 :Bool;
  compressionQuality @3 :UInt8;
  numPreviousAttempts @4 :UInt8;
}

struct Client {
  clientId @0 :Data;
  features @1 :List(Text);
  version @2 :Text;
  arch @3 :Text;
}

struct Outcome {
  result :union {
    error @0 :Problem;
    connectionDetails @1 :Details;
  }
}

struct Problem {
  cause @0 :Text;
  retryAfter @1 :Int64;
  shouldRetry @2 :Bool;
}

struct Details {
  uuid @0 :Data;
  locationName @1 :Text;
  tunnelIsRemotelyManaged @2 :Bool;
}
