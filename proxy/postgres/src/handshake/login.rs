//! User, database and password: who may begin, and what the others are told.
//!
//! A stranger learns nothing of who exists: the dialogue is the same for all names (see [`serving::mock`]), and so is
//! the refusal of a wrong password, whatever database was asked for. What else is wrong is told behind a right one,
//! as in PostgreSQL, where roles belong to all databases.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use origin::net::Framed;
use protocol::{
    postgres::{
        encode::{self, Severity},
        frame::FrontendTag,
        pipeline::TransactionStatus,
        scram::{self, Binding, ScramError, ServerFirst, Verifier},
        startup::{PROTOCOL_3_2, Startup},
    },
    reader::{DecodeError, Reader},
};
use serving::{
    activity::Who,
    config::ListenConfig,
    context::{Attempt, Place, note_client},
    directory::Entry,
    error::{ClientError, LoginFailure, SessionError},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    super::{
        Context,
        adopt::{self, Refusal},
        database::Database,
        origin::take_frame,
        settings::Settings,
    },
    LoggedIn, hang_up, refuse_startup, shut_down,
};

/// A password that is salted more often than PostgreSQL does it, as the verifier beside it asks, is salted where nobody
/// else waits.
const ITERATIONS_MAX: u32 = 4096;

/// A connection that wants to log in.
pub(super) struct Login {
    pub(super) framed: Framed,
    pub(super) startup: Startup,
    pub(super) encrypted: bool,
}

/// A connection that has proved to know a password.
pub(super) struct Authenticated {
    framed: Framed,
    startup: Startup,
    database: Arc<Database>,
}

/// Whose password a client has to know.
enum Whose {
    /// That of a user of the database it asked for.
    Ours(Arc<Entry<Database>>),
    /// That of a user of another database; whether the one it asked for exists.
    Elsewhere { is_there: bool },
    /// Nobody has this name.
    Nobody,
}

impl Login {
    /// Checks user, database and password.
    pub(super) async fn authenticate(
        mut self,
        listen: &ListenConfig,
        context: &Context,
    ) -> Result<Authenticated, SessionError> {
        let (version, must_tell) = self.startup.negotiated();
        if must_tell {
            encode::negotiate_protocol_version(version, &self.startup.options, self.framed.queue());
        }
        self.startup.version = version;
        let user = self.startup.parameters.get("user").cloned().unwrap_or_default();
        if user.is_empty() {
            let text = "no PostgreSQL user name specified in startup packet";
            return Err(refuse_startup(&mut self.framed, "28000", text).await);
        }
        let name = self.startup.parameters.get("database").cloned().unwrap_or_else(|| user.clone());
        let address = self.framed.stream().client_address();
        let attempt = Attempt { address, user: &user, database: &name };
        if let Err(error) = context.common.turn(&attempt).await {
            hang_up(&mut self.framed, error).await;
            return Err(error.into());
        }
        let (whose, verifier) = whose(context, &user, &name);
        let binding = match &listen.channel_binding {
            Some(hash) if self.encrypted => Binding::EndPoint(hash),
            _ => Binding::Unavailable,
        };
        let proven = self.scram(verifier, binding, &context.salting).await?;
        let is_replication = self.startup.parameters.contains_key("replication");
        let why = match (proven, whose) {
            (Ok(()), Whose::Ours(database)) => {
                note_client(&user, &name);
                let database = database.open();
                return Ok(Authenticated { framed: self.framed, startup: self.startup, database });
            }
            // It names no database, and a driver sends the word in its place.
            (Ok(()), Whose::Elsewhere { .. }) if is_replication => {
                note_client(&user, &name);
                return Err(refuse_replication(&mut self.framed).await);
            }
            (Ok(()), Whose::Elsewhere { is_there: true }) => LoginFailure::NotAllowed,
            (Ok(()), Whose::Elsewhere { is_there: false }) => LoginFailure::UnknownDatabase,
            (Err(ScramError::Malformed), _) => LoginFailure::Malformed,
            (Err(ScramError::Stripped | ScramError::Binding), _) => LoginFailure::ChannelBinding,
            (Ok(()) | Err(ScramError::Proof | ScramError::Verifier), Whose::Nobody) => {
                LoginFailure::UnknownUser
            }
            (Err(ScramError::Proof | ScramError::Verifier), _) => LoginFailure::WrongPassword,
        };
        context.common.login_failed(why, &attempt);
        Err(refuse_login(&mut self.framed, why, (&user, &name)).await)
    }

    /// The SCRAM dialogue. The outer error is the connection's, the inner one the dialogue's.
    async fn scram(
        &mut self,
        verifier: Verifier,
        binding: Binding<'_>,
        salting: &Arc<Semaphore>,
    ) -> Result<Result<(), ScramError>, SessionError> {
        let is_long = takes_long(&verifier);
        let mechanisms: &[&str] = match binding {
            Binding::EndPoint(_) => &[scram::SCRAM_SHA_256_PLUS, scram::SCRAM_SHA_256],
            Binding::Unavailable => &[scram::SCRAM_SHA_256],
        };
        encode::authentication_sasl(mechanisms, self.framed.queue());
        let initial = self.password_message().await?;
        let Some((mechanism, first)) = initial_response(&initial) else {
            return Ok(Err(ScramError::Malformed));
        };
        let nonce = STANDARD.encode(rand::random::<[u8; 18]>());
        let dialogue = match ServerFirst::new(verifier, mechanism, binding, first, &nonce) {
            Ok(dialogue) => dialogue,
            Err(error) => return Ok(Err(error)),
        };
        encode::authentication_sasl_continue(dialogue.message(), self.framed.queue());
        let last = self.password_message().await?;
        let proven = if is_long {
            let place = Arc::clone(salting).acquire_owned().await;
            let work = move || {
                let _place = place;
                dialogue.finish(&last)
            };
            spawn_blocking(work).await.unwrap_or(Err(ScramError::Proof))
        } else {
            dialogue.finish(&last)
        };
        match proven {
            Ok(signature) => {
                encode::authentication_sasl_final(&signature, self.framed.queue());
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// The client's next answer in the dialogue.
    async fn password_message(&mut self) -> Result<Bytes, SessionError> {
        self.framed.flush().await.map_err(SessionError::ClientLost)?;
        loop {
            let taken = take_frame(self.framed.buffer(), scram::MAX_MESSAGE_BYTES);
            match taken {
                Ok(Some((tag, body))) if FrontendTag::from(tag) == FrontendTag::Password => {
                    return Ok(body);
                }
                Ok(None) => {}
                Ok(Some(_)) => {
                    hang_up(&mut self.framed, ClientError::Malformed).await;
                    let what = DecodeError::Value("message during login");
                    return Err(SessionError::ClientProtocol(what));
                }
                Err(error) => {
                    hang_up(&mut self.framed, ClientError::Malformed).await;
                    return Err(SessionError::ClientProtocol(error));
                }
            }
            if self.framed.fill().await.map_err(SessionError::ClientLost)? == 0 {
                // A client that wants to ask its user for a password hangs up here and comes back.
                return Err(SessionError::ClientLost(std::io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

impl Authenticated {
    /// Tells the client its settings and its cancel key, and that it may begin.
    pub(super) async fn welcome(
        mut self,
        context: &Context,
    ) -> Result<(LoggedIn, Place), SessionError> {
        let base = match Settings::from_startup(&self.startup.parameters) {
            Ok(settings) => settings,
            Err(name) if name == "replication" => {
                return Err(refuse_replication(&mut self.framed).await);
            }
            Err(_name) => {
                let error = ClientError::Unsupported("this startup option");
                hang_up(&mut self.framed, error).await;
                return Err(error.into());
            }
        };
        let user = self.startup.parameters.get("user").map(String::as_str).unwrap_or_default();
        let place = match context.common.place(&self.database.config, user) {
            Ok(place) => place,
            Err(error) => {
                refuse_place(&mut self.framed, error, (user, &self.database.config.name)).await;
                return Err(error.into());
            }
        };
        let mut parameters = match adopt::welcome(&self.database, &base).await {
            Ok(parameters) => parameters,
            Err(refusal) => {
                refusal.put_fatal(self.framed.queue());
                self.framed.shutdown().await.map_err(SessionError::ClientLost)?;
                return Err(match refusal {
                    Refusal::Proxy(error) => error,
                    Refusal::Origin(_) => {
                        ClientError::Unsupported("a setting of the startup packet")
                    }
                    Refusal::Login { .. } => ClientError::Connect("origin_unreachable"),
                }
                .into());
            }
        };
        let key = context.cancel.issue(&self.database, self.startup.version == PROTOCOL_3_2);
        let out = self.framed.queue();
        encode::authentication_ok(out);
        for (name, value) in parameters.iter() {
            encode::parameter_status(name, value, out);
        }
        encode::backend_key_data(key.process, &key.secret, out);
        encode::ready_for_query(TransactionStatus::Idle, out);
        self.framed.flush().await.map_err(SessionError::ClientLost)?;
        let Self { framed, database, startup } = self;
        let user = startup.parameters.get("user").map(String::as_str).unwrap_or_default();
        let statement_timeout = database.config.statement_timeout(user);
        let caching = database.config.caching.of_user(user);
        let base = database.settings.intern(Arc::new(base));
        parameters.intern(&database.parameters);
        let application = startup.parameters.get("application_name").map(String::as_str);
        let who = Who::new(user, application);
        let seen = database.metrics.enter(who, framed.stream().client_peer());
        let client =
            LoggedIn { framed, database, key, base, parameters, statement_timeout, caching, seen };
        Ok((client, place))
    }
}

/// Whether a proof of it is checked on a thread that no relay needs.
fn takes_long(verifier: &Verifier) -> bool {
    let (is_late, before) = verifier.late();
    (is_late || before == Some(true)) && verifier.shown().0 > ITERATIONS_MAX
}

/// Whose password is checked, and against what. Each name takes the same way, so that no time tells one from another.
fn whose(context: &Context, user: &str, name: &str) -> (Whose, Verifier) {
    let verifier = |database: &Entry<Database>| {
        database.config().user(user).map(|known| known.checks().0.clone())
    };
    let mock = context.directory.mock(user).verifier;
    let named = context.directory.find(name);
    let own = named.as_ref().and_then(|database| verifier(database));
    let home = context.directory.home_of(user);
    let elsewhere = home.and_then(|home| verifier(&home.first));
    let is_there = named.is_some();
    match (own, named, elsewhere) {
        (Some(own), Some(database), _) => (Whose::Ours(database), own),
        (_, _, Some(elsewhere)) => (Whose::Elsewhere { is_there }, elsewhere),
        _ => (Whose::Nobody, mock),
    }
}

/// Mechanism and data of a SASLInitialResponse.
fn initial_response(body: &[u8]) -> Option<(&str, &[u8])> {
    let mut reader = Reader::new(body);
    let mechanism = std::str::from_utf8(reader.cstr().ok()?).ok()?;
    let length = usize::try_from(reader.i32().ok()?).ok()?;
    let data = reader.bytes(length).ok()?;
    reader.end().ok()?;
    Some((mechanism, data))
}

async fn refuse_replication(framed: &mut Framed) -> SessionError {
    let error = ClientError::Unsupported("a replication connection");
    hang_up(framed, error).await;
    error.into()
}

/// Refuses a client too many: of its user or its database in PostgreSQL's own words (`InitializeSessionUserId` in
/// miscinit.c, `CheckMyDatabase` in postinit.c).
async fn refuse_place(framed: &mut Framed, error: ClientError, (user, database): (&str, &str)) {
    let text = match error {
        ClientError::TooManyOfUser => format!("too many connections for role \"{user}\""),
        ClientError::TooManyOfDatabase => {
            format!("too many connections for database \"{database}\"")
        }
        error => return hang_up(framed, error).await,
    };
    encode::error(Severity::Fatal, "53300", &text, framed.queue());
    shut_down(framed).await;
}

/// Refuses a login in PostgreSQL's own words, which drivers and people look for (`auth_failed`, `auth-scram.c`,
/// `InitPostgres`). The names are the client's.
async fn refuse_login(
    framed: &mut Framed,
    why: LoginFailure,
    (user, database): (&str, &str),
) -> SessionError {
    let (error, sqlstate, text) = match why {
        LoginFailure::ChannelBinding => {
            let text = String::from("SCRAM channel binding negotiation error");
            (ClientError::AccessDenied, "28000", text)
        }
        LoginFailure::Malformed => {
            let text = String::from("malformed SCRAM message");
            (ClientError::Malformed, "08P01", text)
        }
        LoginFailure::UnknownDatabase => {
            let text = format!("database \"{database}\" does not exist");
            (ClientError::UnknownDatabase, "3D000", text)
        }
        LoginFailure::NotAllowed => {
            let text = format!("permission denied for database \"{database}\"");
            (ClientError::AccessDenied, "42501", text)
        }
        LoginFailure::UnknownUser | LoginFailure::WrongPassword | LoginFailure::NoMethod => {
            let text = format!("password authentication failed for user \"{user}\"");
            (ClientError::AccessDenied, "28P01", text)
        }
    };
    encode::error(Severity::Fatal, sqlstate, &text, framed.queue());
    shut_down(framed).await;
    error.into()
}
