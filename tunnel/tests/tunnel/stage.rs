//! What the scenarios stand on: an edge, a connector, a service, and clients of them.

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy, split},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tunnel::{
    access::{ServiceToken, SigningKeys},
    certs::{self, Authority},
    client::{Client, ClientConfig},
    connector::{Connector, ConnectorConfig, Ingress, Monitor, Targets},
    edge::{Edge, EdgeConfig, Handle},
    state::{State, TokenRecord, Tunnel},
    token::{TunnelId, TunnelToken},
};

pub(crate) const HOSTNAME: &str = "db.example.test";
pub(crate) const CONNECTIONS: u8 = 2;

/// Longer than anything here takes, so that a failure is not a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An edge and what it takes to reach it.
pub(crate) struct Stage {
    authority: Authority,
    pub(crate) token: ServiceToken,
    tunnel: TunnelToken,
    pub(crate) edge: RunningEdge,
    tasks: TaskTracker,
}

/// An edge that runs until it is stopped.
pub(crate) struct RunningEdge {
    pub(crate) public: SocketAddr,
    pub(crate) connectors: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) stop: CancellationToken,
}

impl RunningEdge {
    /// Changes what the edge knows.
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = State::clone(&self.handle.state());
        change(&mut state);
        self.handle.set_state(state).expect("it fits together");
    }
}

impl Stage {
    /// An edge without any connector.
    pub(crate) async fn open() -> Self {
        let authority = Authority::generate("tests").expect("an authority");
        let token = ServiceToken::new("88bf.access", "bdd31cbc").expect("valid");
        let tunnel = TunnelToken::new("tag", TunnelId::random(), [7; 32]).expect("valid");
        let tasks = TaskTracker::new();
        let any = ([127, 0, 0, 1], 0).into();
        let config = edge_config(&authority, &token, &tunnel, (any, any));
        let edge = start_edge(config, &tasks).await;
        Self { authority, token, tunnel, edge, tasks }
    }

    /// An edge with a connector in front of the service.
    pub(crate) async fn with_service(service: SocketAddr) -> (Self, CancellationToken) {
        let stage = Self::open().await;
        let stop = stage.start_connector(service).await;
        (stage, stop)
    }

    /// Stops the edge and starts it again at the same addresses.
    pub(crate) async fn restart_edge(&mut self) {
        self.edge.stop.cancel();
        let addresses = (self.edge.public, self.edge.connectors);
        let config = edge_config(&self.authority, &self.token, &self.tunnel, addresses);
        for address in [addresses.0, addresses.1] {
            while TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
        self.edge = start_edge(config, &self.tasks).await;
    }

    /// Starts a connector and waits until all its connections are registered.
    pub(crate) async fn start_connector(&self, service: SocketAddr) -> CancellationToken {
        self.watched_connector(service).await.1
    }

    /// The same, with a handle to look at it.
    pub(crate) async fn watched_connector(
        &self,
        service: SocketAddr,
    ) -> (Monitor, CancellationToken) {
        self.run(self.connector(self.tunnel.clone(), service)).await
    }

    /// A connector that does not run yet.
    pub(crate) fn connector(&self, token: TunnelToken, service: SocketAddr) -> Connector {
        Connector::new(self.connector_config(token, service))
    }

    /// The settings of such a connector.
    pub(crate) fn connector_config(
        &self,
        token: TunnelToken,
        service: SocketAddr,
    ) -> ConnectorConfig {
        let service = format!("tcp://{service}").parse().expect("a service");
        ConnectorConfig {
            edge: vec![self.edge.connectors.to_string()],
            token,
            tls: self.client_tls(),
            connections: CONNECTIONS,
            ingress: vec![Ingress { hostname: HOSTNAME.to_owned(), service }],
            targets: Targets::Any,
            dial_timeout: PATIENCE,
            grace_period: PATIENCE,
        }
    }

    /// Runs a connector until all its connections are registered, and longer.
    pub(crate) async fn run(&self, connector: Connector) -> (Monitor, CancellationToken) {
        let (mut registered, monitor) = (connector.registered(), connector.monitor());
        let stop = CancellationToken::new();
        self.tasks.spawn(connector.run(stop.clone()));
        let all = registered.wait_for(|count| *count == usize::from(CONNECTIONS));
        timeout(PATIENCE, all).await.expect("in time").expect("the connector runs");
        (monitor, stop)
    }

    /// The tunnel's credentials.
    pub(crate) fn tunnel_token(&self) -> TunnelToken {
        self.tunnel.clone()
    }

    /// The tunnel's credentials with another secret.
    pub(crate) fn wrong_tunnel_token(&self) -> TunnelToken {
        TunnelToken::new("tag", self.tunnel.tunnel(), [8; 32]).expect("valid")
    }

    /// TLS that trusts the edge.
    pub(crate) fn client_tls(&self) -> Arc<rustls::ClientConfig> {
        certs::client_config(self.authority.certificate_pem()).expect("roots")
    }

    /// A client that shows the right token to another address.
    pub(crate) fn client_of(&self, address: SocketAddr) -> Client {
        client(&self.authority, address, Some(self.token.clone()))
    }

    /// A client that shows this token.
    pub(crate) fn client(&self, token: Option<ServiceToken>) -> Client {
        client(&self.authority, self.edge.public, token)
    }

    /// Sends raw bytes to the public side and reads the whole answer.
    pub(crate) async fn ask(&self, request: &str) -> String {
        let socket = TcpStream::connect(self.edge.public).await.expect("the edge listens");
        let tls = self.client_tls();
        let name = HOSTNAME.try_into().expect("a name");
        let mut socket: TlsStream<_> =
            TlsConnector::from(tls).connect(name, socket).await.expect("a TLS handshake");
        socket.write_all(request.as_bytes()).await.expect("the edge reads");
        socket.flush().await.expect("the edge reads");
        let mut answer = Vec::new();
        // The edge may close while bytes of ours are still unread, which resets the connection.
        let _reset_or_end = timeout(PATIENCE, socket.read_to_end(&mut answer)).await;
        String::from_utf8(answer).expect("text")
    }
}

fn edge_config(
    authority: &Authority,
    token: &ServiceToken,
    tunnel: &TunnelToken,
    (public, connectors): (SocketAddr, SocketAddr),
) -> EdgeConfig {
    let certificate = authority.edge(&[HOSTNAME]).expect("a certificate");
    let tls = certs::server_config(&certificate.certificate_pem, &certificate.key_pem);
    let tls = tls.expect("valid");
    EdgeConfig {
        public,
        connectors,
        public_tls: tls.clone(),
        connector_tls: tls,
        state: state(token, tunnel),
        signing_keys: Some(signing_keys()),
        max_refusals_per_minute: EdgeConfig::DEFAULT_MAX_REFUSALS_PER_MINUTE,
        drain_timeout: Duration::from_millis(500),
    }
}

/// One hostname that leads to the tunnel, and that only this token may pass to.
fn state(token: &ServiceToken, tunnel: &TunnelToken) -> State {
    let token = TokenRecord::of("proxy", token);
    let mut state = State { tunnels: vec![Tunnel::from(tunnel)], ..State::default() };
    state.guard(HOSTNAME, tunnel.tunnel(), &[token.id]);
    state.service_tokens.push(token);
    state
}

/// The same for all tests, because making keys takes long.
fn signing_keys() -> Arc<SigningKeys> {
    static KEYS: LazyLock<Arc<SigningKeys>> =
        LazyLock::new(|| Arc::new(SigningKeys::generate(0).expect("a key")));
    Arc::clone(&KEYS)
}

async fn start_edge(config: EdgeConfig, tasks: &TaskTracker) -> RunningEdge {
    let edge = Edge::bind(config).await.expect("free ports");
    let stop = CancellationToken::new();
    let running = RunningEdge {
        public: edge.public_addr(),
        connectors: edge.connectors_addr(),
        handle: edge.handle(),
        stop: stop.clone(),
    };
    tasks.spawn(edge.run(stop));
    running
}

/// A client of an edge at this address.
pub(crate) fn client(
    authority: &Authority,
    edge: SocketAddr,
    token: Option<ServiceToken>,
) -> Client {
    Client::new(client_config(authority, edge, token)).expect("a valid hostname")
}

/// The settings of such a client.
pub(crate) fn client_config(
    authority: &Authority,
    edge: SocketAddr,
    token: Option<ServiceToken>,
) -> ClientConfig {
    ClientConfig {
        hostname: HOSTNAME.to_owned(),
        address: Some(edge),
        token,
        tls: certs::client_config(authority.certificate_pem()).expect("roots"),
        connect_timeout: PATIENCE,
        ping_interval: PATIENCE,
    }
}

/// A service that sends back what it gets; after a first `F` it sends without end instead.
pub(crate) async fn echo() -> SocketAddr {
    serve(|socket| async move {
        let (mut from, mut to) = split(socket);
        let mut first = [0];
        if from.read_exact(&mut first).await.is_err() {
            return;
        }
        let _gone = if first == *b"F" {
            while to.write_all(&[0; 4096]).await.is_ok() {}
            Ok(0)
        } else {
            to.write_all(&first).await.expect("the peer reads");
            copy(&mut from, &mut to).await
        };
    })
    .await
}

/// A TCP server with one task per connection.
pub(crate) async fn serve<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let tasks = TaskTracker::new();
    let inner = tasks.clone();
    tasks.spawn(async move {
        while let Ok((socket, _peer)) = listener.accept().await {
            inner.spawn(serve(socket));
        }
    });
    address
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("bound")
}

/// TLS of a server under the usual hostname.
pub(crate) fn server_tls(authority: &Authority) -> Arc<rustls::ServerConfig> {
    let certificate = authority.server(&[HOSTNAME]).expect("a certificate");
    certs::server_config(&certificate.certificate_pem, &certificate.key_pem).expect("valid")
}
