//! What is told in a registration, and how it lies in a message.
//!
//! Every length is checked on the way in: a connector is a stranger until its secret is verified,
//! and a connector need not trust its edge with more than its bytes.

use std::{fmt, net::IpAddr};

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    error::RpcError,
    text::shown,
    tunnelrpc_capnp::{client_info, connection_details, connection_options, register_params},
};
use crate::token::TunnelId;

/// Who a connector is and what it may serve.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Register {
    /// The account the tunnel belongs to; free text.
    pub(crate) account_tag: String,
    /// What proves that the connector may serve the tunnel.
    pub(crate) secret: Zeroizing<Vec<u8>>,
    /// The tunnel to serve.
    pub(crate) tunnel: TunnelId,
    /// Which of its connections to this edge it is.
    pub(crate) conn_index: u8,
    /// The connector, the same on all connections of one process.
    pub(crate) connector: Uuid,
    /// What the connector can do, by name.
    pub(crate) features: Vec<String>,
    /// The connector's own version.
    pub(crate) version: String,
    /// System and processor that it runs on.
    pub(crate) arch: String,
    /// The address from which it dials, as it sees it.
    pub(crate) origin_local_ip: Option<IpAddr>,
    /// Should a connection with the same connector and index give way?
    pub(crate) replace_existing: bool,
    /// A wish for compression, without meaning today.
    pub(crate) compression_quality: u8,
    /// How often the connector has failed to register since it last was.
    pub(crate) num_previous_attempts: u8,
}

impl Register {
    /// Reads the parameters of the call.
    pub(super) fn read(params: register_params::Reader<'_>) -> Result<Self, RpcError> {
        let auth = params.get_auth()?;
        let options = params.get_options()?;
        let client = options.get_client()?;
        let secret = auth.get_tunnel_secret()?;
        if secret.len() > MAX_SECRET_LEN {
            return Err(RpcError::Length("tunnel secret"));
        }
        Ok(Self {
            account_tag: text("account tag", auth.get_account_tag()?)?,
            secret: Zeroizing::new(secret.to_vec()),
            tunnel: TunnelId::from_bytes(id("tunnel id", params.get_tunnel_id()?)?),
            conn_index: params.get_conn_index(),
            connector: Uuid::from_bytes(id("connector id", client.get_client_id()?)?),
            features: features(client)?,
            version: text("version", client.get_version()?)?,
            arch: text("architecture", client.get_arch()?)?,
            origin_local_ip: address(options.get_origin_local_ip()?)?,
            replace_existing: options.get_replace_existing(),
            compression_quality: options.get_compression_quality(),
            num_previous_attempts: options.get_num_previous_attempts(),
        })
    }

    /// Writes the parameters of the call.
    pub(super) fn write(&self, mut params: register_params::Builder<'_>) {
        params.set_conn_index(self.conn_index);
        let mut auth = params.reborrow().init_auth();
        auth.set_account_tag(&self.account_tag);
        auth.set_tunnel_secret(&self.secret);
        params.set_tunnel_id(self.tunnel.as_bytes());
        self.write_options(params.init_options());
    }

    fn write_options(&self, mut options: connection_options::Builder<'_>) {
        options.set_replace_existing(self.replace_existing);
        options.set_compression_quality(self.compression_quality);
        options.set_num_previous_attempts(self.num_previous_attempts);
        let mut client = options.reborrow().init_client();
        client.set_client_id(self.connector.as_bytes());
        let features = self.features.get(..MAX_FEATURES).unwrap_or(&self.features);
        let len = u32::try_from(features.len()).expect("they are no more than MAX_FEATURES");
        let mut list = client.reborrow().init_features(len);
        for (index, feature) in (0..).zip(features) {
            list.set(index, feature);
        }
        client.set_version(&self.version);
        client.set_arch(&self.arch);
        if let Some(address) = self.origin_local_ip {
            let octets = match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            options.set_origin_local_ip(&octets);
        }
    }
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Register")
            .field("account_tag", &self.account_tag)
            .field("tunnel", &self.tunnel)
            .field("conn_index", &self.conn_index)
            .field("connector", &self.connector)
            .field("features", &self.features)
            .field("version", &self.version)
            .field("arch", &self.arch)
            .field("origin_local_ip", &self.origin_local_ip)
            .field("replace_existing", &self.replace_existing)
            .field("compression_quality", &self.compression_quality)
            .field("num_previous_attempts", &self.num_previous_attempts)
            .finish_non_exhaustive()
    }
}

/// What the edge says of a connection that it has registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Details {
    /// The connection, for logs.
    pub(crate) uuid: Uuid,
    /// Free text that tells an operator which edge this is.
    pub(crate) location: String,
    /// Does the edge push the ingress rules, so that the connector's own are not asked for?
    pub(crate) is_remotely_managed: bool,
}

impl Details {
    /// Reads the good half of an answer.
    pub(super) fn read(details: connection_details::Reader<'_>) -> Result<Self, RpcError> {
        Ok(Self {
            uuid: Uuid::from_bytes(id("connection id", details.get_uuid()?)?),
            location: shown(details.get_location_name()?),
            is_remotely_managed: details.get_tunnel_is_remotely_managed(),
        })
    }

    /// Writes the good half of an answer.
    pub(super) fn write(&self, mut details: connection_details::Builder<'_>) {
        details.set_tunnel_is_remotely_managed(self.is_remotely_managed);
        details.set_uuid(self.uuid.as_bytes());
        details.set_location_name(&self.location);
    }
}

fn features(client: client_info::Reader<'_>) -> Result<Vec<String>, RpcError> {
    let features = client.get_features()?;
    if features.len() as usize > MAX_FEATURES {
        return Err(RpcError::Length("list of features"));
    }
    features.iter().map(|feature| text("feature", feature?)).collect()
}

fn text(name: &'static str, text: capnp::text::Reader<'_>) -> Result<String, RpcError> {
    if text.len() > MAX_TEXT_LEN {
        return Err(RpcError::Length(name));
    }
    Ok(text.to_str().map_err(capnp::Error::from)?.to_owned())
}

fn id(name: &'static str, bytes: &[u8]) -> Result<[u8; 16], RpcError> {
    bytes.try_into().map_err(|_other_length| RpcError::Length(name))
}

fn address(bytes: &[u8]) -> Result<Option<IpAddr>, RpcError> {
    match bytes.len() {
        0 => Ok(None),
        4 => Ok(<[u8; 4]>::try_from(bytes).ok().map(IpAddr::from)),
        _ => id("address", bytes).map(|octets| Some(IpAddr::from(octets).to_canonical())),
    }
}

/// Account tag, version, architecture and each feature.
const MAX_TEXT_LEN: usize = 128;
const MAX_FEATURES: usize = 64;
const MAX_SECRET_LEN: usize = 1024;
