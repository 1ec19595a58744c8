//! A connection that wants to log in: its password is checked, its database found.

use std::sync::Arc;

use bytes::BytesMut;
use origin::net::Framed;
use protocol::mysql::{
    auth::Nonce,
    capabilities::{CapabilityFlags, MariaDbFlags, StatusFlags},
    packet,
    reply::OkPacket,
};
use serving::{
    activity::Seen,
    context::{Attempt, Place, note_client},
    error::{ClientError, LoginFailure, SessionError},
};

use super::{
    super::{Context, cancel::ThreadId, database::Database},
    account::{Account, Choice},
    client::Client,
    dance::{Dance, First, Verdict},
    refusal::{Refusal, explain, hang_up, refusal},
    schema,
};

/// What becomes of a connection whose login is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusing {
    /// It ends.
    HangsUp,
    /// It goes on as what it was (MariaDB: COM_CHANGE_USER).
    GoesOn,
}

/// What a client claims.
pub(super) struct Claim<'a> {
    pub(super) user: &'a [u8],
    pub(super) schema: Option<&'a [u8]>,
    pub(super) plugin: Option<&'a [u8]>,
    pub(super) response: &'a [u8],
    pub(super) is_guess: bool,
}

/// A connection that wants to log in.
pub(super) struct Login<'a> {
    pub(super) claim: Claim<'a>,
    pub(super) capabilities: CapabilityFlags,
    pub(super) nonce: Nonce,
    pub(super) sequence: u8,
    /// Where the client is, for the words of a refusal.
    pub(super) host: String,
    pub(super) refusing: Refusing,
}

/// A connection that has proved to know a password.
pub(super) struct Authenticated {
    pub(super) user: String,
    pub(super) database: Arc<Database>,
    pub(super) schema: Option<String>,
    pub(super) nonce: Nonce,
    pub(super) sequence: u8,
}

impl Login<'_> {
    /// Checks user and password, and finds the database. An unknown name is not told apart from a wrong
    /// password, and that a database must be named only once a password was right.
    pub(super) async fn authenticate(
        self,
        framed: &mut Framed,
        context: &Context,
    ) -> Result<Result<Authenticated, Refusal>, SessionError> {
        let user = String::from_utf8_lossy(self.claim.user).into_owned();
        let schema = self.claim.schema.map(String::from_utf8_lossy);
        let address = framed.stream().client_address();
        let attempt =
            Attempt { address, user: &user, database: schema.as_deref().unwrap_or_default() };
        if let Err(error) = context.common.turn(&attempt).await {
            let error = error.into();
            explain(framed, &error, (self.capabilities, self.sequence)).await;
            return Err(error);
        }
        let choice = Choice::of(&context.directory, &user, schema.as_deref());
        let account = Account::of(&choice, &user, &context.directory);
        let (plugin, response) = (self.claim.plugin, self.claim.response);
        let mut dance = Dance {
            framed,
            sequence: self.sequence,
            capabilities: self.capabilities,
            nonce: self.nonce,
            account: &account,
            vault: &context.vault,
        };
        let first = First { plugin, response, is_guess: self.claim.is_guess };
        let verdict = match dance.run(first).await {
            Ok(verdict) => verdict,
            Err(error) => {
                let sequence = dance.sequence;
                explain(framed, &error, (self.capabilities, sequence)).await;
                return Err(error);
            }
        };
        let (sequence, nonce) = (dance.sequence, dance.nonce);
        let (error, packet) = match (verdict, choice) {
            (Verdict::Proven, Choice::Database(database, schema)) => {
                let database = database.open();
                let refusal = match &schema {
                    Some(schema) => schema::refusal(&database, schema).await,
                    None => None,
                };
                let Some(packet) = refusal else {
                    note_client(&user, &database.config.name);
                    return Ok(Ok(Authenticated { user, database, schema, nonce, sequence }));
                };
                tracing::info!(?schema, "the origin refuses the schema of a login");
                (ClientError::UnknownDatabase, packet)
            }
            (verdict, choice) => {
                let why = match verdict {
                    Verdict::Proven => LoginFailure::UnknownDatabase,
                    Verdict::NoMethod => LoginFailure::NoMethod,
                    Verdict::Refused { .. } if account.is_known() => LoginFailure::WrongPassword,
                    Verdict::Refused { .. } => LoginFailure::UnknownUser,
                };
                context.common.login_failed(why, &attempt);
                refusal(verdict, &choice, (&user, &self.host), self.capabilities)
            }
        };
        packet::put(framed.queue(), &mut { sequence }, &packet);
        match self.refusing {
            Refusing::HangsUp => hang_up(framed).await,
            Refusing::GoesOn => framed.flush().await.map_err(SessionError::ClientLost)?,
        }
        Ok(Err(Refusal { error, packet, nonce }))
    }
}

impl Authenticated {
    /// Tells the client that it may begin.
    pub(super) async fn welcome(
        self,
        mut framed: Framed,
        (capabilities, collation): (CapabilityFlags, u16),
        (id, place): (ThreadId, Place),
    ) -> Result<Client, SessionError> {
        self.put_ok(&mut framed, capabilities);
        framed.flush().await.map_err(SessionError::ClientLost)?;
        let thread = id.serve(&self.database);
        let Self { user, database, schema, nonce: scramble, .. } = self;
        Ok(Client {
            framed,
            capabilities,
            extended: MariaDbFlags::empty(),
            collation,
            user,
            place,
            database,
            schema,
            scramble,
            thread,
            seen: Seen::default(),
        })
    }

    pub(super) fn put_ok(&self, framed: &mut Framed, capabilities: CapabilityFlags) {
        let status = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
        let ok = OkPacket { status, ..OkPacket::default() };
        let mut payload = BytesMut::new();
        ok.encode(0x00, capabilities, &mut payload);
        let mut sequence = self.sequence;
        packet::put(framed.queue(), &mut sequence, &payload);
    }
}
