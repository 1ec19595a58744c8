//! Which of an origin's hosts is connected to, and when that becomes another.
//!
//! ```text
//!   a connection is wanted ──► the host in use ── it will do ──► lent
//!                                   │ away, or not what is wanted
//!                                   ▼
//!              one searches, the others wait: each host in its order, within the time of one connect
//!                                   │ one will do: it is in use from now on
//!                                   ▼
//!              what was opened to another host is of the past (`OnHost`), and nobody is lent it
//! ```
//!
//! How a server is logged in to, and how it is known what it is, is [`Reach`]'s business; nothing here knows a protocol.
//! Where an origin has one host there is no search: its errors are what they are.

#[cfg(test)]
mod tests;

use std::{error::Error, fmt, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use crate::{
    config::{Choice, LOOK, OnHost, OriginConfig, Searched, SessionAttrs},
    net::ConnectError,
};

/// From one round of a search to the next, where a host was in use before: its successor is being made.
const ROUND: Duration = Duration::from_millis(200);
/// What a server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// It follows another.
    pub is_standby: bool,
    /// Sessions may not write unless they say otherwise.
    pub is_read_only: bool,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.is_standby, self.is_read_only) {
            (true, _) => "a standby",
            (false, true) => "read-only",
            (false, false) => "a primary",
        })
    }
}

/// How a host is logged in to.
pub trait Reach: Sync {
    /// A connection that has logged in.
    type Connection: Send;

    /// Opens one, and says what is there.
    ///
    /// # Errors
    ///
    /// Why there is none. It need not keep to `within` itself.
    fn reach(
        &self,
        host: usize,
        within: Duration,
    ) -> impl Future<Output = Result<(Self::Connection, Server), ConnectError>> + Send;

    /// Another host than the one before is in use from now on, and nothing was lent of it yet.
    fn moved(&self, moved: &Moved);
}

/// That another host is in use.
#[derive(Debug)]
pub struct Moved {
    /// The one before; `None` where there was none.
    pub from: Option<String>,
    /// This one.
    pub to: String,
    /// Why not the ones before it.
    pub why: String,
}

/// What came of a look at a host: a connection that will do, or why not.
type Looked<C> = Result<C, Unfit<C>>;
/// Why a host will not do, and perhaps a connection all the same.
type Unfit<C> = (String, Option<C>);

/// Opens a connection to the host in use, or to the one that is from now on, and says which it is.
///
/// # Errors
///
/// That of the host where there is one alone, or where it knows us and says no; else [`ConnectError::NoneFits`].
///
/// # Cancel safety
///
/// Dropped before it ends, what was opened is closed, and perhaps another host is in use.
pub async fn open<R: Reach>(
    origin: &OriginConfig,
    reach: &R,
    within: Duration,
) -> Result<(R::Connection, OnHost), ConnectError> {
    let hosts = &origin.hosts;
    let search = Search { origin, reach, deadline: Instant::now() + within, within };
    if hosts.others.is_empty() {
        let (connection, server) = reach.reach(0, within).await?;
        if accepts(hosts.wanted, server) {
            return Ok((connection, OnHost::ONLY));
        }
        return Err(search.none(&Arc::from([format!("{} is {server}", origin.host_name(0))])));
    }
    let began = Instant::now();
    loop {
        let choice = hosts.choice();
        let mut known = None;
        if let Some(host) = choice.host() {
            match search.look(host, hosts.count(), accepts).await? {
                Ok(connection) => return Ok((connection, hosts.on(choice))),
                Err(unfit) => known = Some((host, unfit)),
            }
        }
        let mut searched = hosts.searching().await;
        if hosts.choice() != choice {
            continue;
        }
        if let Some((at, found)) = &searched.failed
            && *at > began
        {
            return Err(search.none(found));
        }
        return search.run(&mut searched, choice, known).await;
    }
}

/// A session was surprised by what the host that it is `on` did not do: looks whether that host will do, and searches
/// another where not. Whether another is in use now.
///
/// # Cancel safety
///
/// As that of [`open`].
pub async fn look_again<R: Reach>(
    origin: &OriginConfig,
    reach: &R,
    on: &OnHost,
    within: Duration,
) -> bool {
    let hosts = &origin.hosts;
    let mut searched = hosts.searching().await;
    let choice = hosts.choice();
    let was_looked_at = searched.looked_at.is_some_and(|at| at.elapsed() < LOOK);
    if !on.is_in_use() || was_looked_at {
        return !on.is_in_use();
    }
    searched.looked_at = Some(Instant::now());
    let search = Search { origin, reach, deadline: Instant::now() + within, within };
    match search.look(on.host(), hosts.count(), accepts).await {
        Ok(Err(unfit)) => search.run(&mut searched, choice, Some((on.host(), unfit))).await.is_ok(),
        Ok(Ok(_)) | Err(_) => false,
    }
}

struct Search<'a, R> {
    origin: &'a OriginConfig,
    reach: &'a R,
    deadline: Instant,
    within: Duration,
}

impl<R: Reach> Search<'_, R> {
    /// Looks at a host, which has its share of the time that is left.
    async fn look(
        &self,
        host: usize,
        shares: usize,
        fits: impl Fn(SessionAttrs, Server) -> bool,
    ) -> Result<Looked<R::Connection>, ConnectError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(shares).unwrap_or(u32::MAX).max(1);
        let reached = timeout(share, self.reach.reach(host, share)).await;
        let name = || self.origin.host_name(host);
        // Where the host in use is up and takes nobody more, another is no remedy.
        let is_in_use = self.origin.hosts.choice().host() == Some(host);
        let leads_on =
            |error: &ConnectError| error.is_of_the_host() || !is_in_use && !error.is_refusal();
        match reached.unwrap_or(Err(ConnectError::TimedOut)) {
            Ok((connection, server)) if fits(self.origin.hosts.wanted, server) => {
                Ok(Ok(connection))
            }
            Ok((connection, server)) => {
                Ok(Err((format!("{} is {server}", name()), Some(connection))))
            }
            Err(error) if leads_on(&error) => {
                Ok(Err((format!("{}: {}", name(), chain(&error)), None)))
            }
            Err(error) => Err(error),
        }
    }

    /// Looks at all hosts but the one of which is `known` why it will not do, and makes the first that will the one in use.
    /// Where one was in use before, that is tried again for a while: it has a successor soon.
    async fn run(
        &self,
        searched: &mut Searched,
        choice: Choice,
        mut known: Option<(usize, Unfit<R::Connection>)>,
    ) -> Result<(R::Connection, OnHost), ConnectError> {
        let hosts = &self.origin.hosts;
        loop {
            let mut second = None;
            let mut found = Vec::new();
            for host in 0..hosts.count() {
                let looked = match known.take_if(|(known, _)| *known == host) {
                    Some((_, unfit)) => Err(unfit),
                    None => self.look(host, hosts.count() - host, is_best).await?,
                };
                match looked {
                    Ok(connection) => return Ok(self.choose(choice, (host, connection), &found)),
                    Err((why, connection)) => {
                        found.push(why);
                        second = second.or(connection.map(|connection| (host, connection)));
                    }
                }
            }
            if let Some(second) = second
                && hosts.wanted == SessionAttrs::PreferStandby
            {
                return Ok(self.choose(choice, second, &found));
            }
            let is_late = Instant::now() + self.within / 2 >= self.deadline;
            if is_late || choice.host().is_none() {
                let found = Arc::from(found);
                searched.failed = Some((Instant::now(), Arc::clone(&found)));
                return Err(self.none(&found));
            }
            sleep(ROUND).await;
        }
    }

    fn choose(
        &self,
        choice: Choice,
        (host, connection): (usize, R::Connection),
        found: &[String],
    ) -> (R::Connection, OnHost) {
        let on = match choice.host() {
            // It is back.
            Some(before) if before == host => self.origin.hosts.on(choice),
            before => {
                let on = self.origin.hosts.choose(choice, host);
                // Before anybody has chosen, the first is asked for what need not be chosen.
                if before.unwrap_or_default() != host {
                    let from = before.map(|before| self.origin.host_name(before));
                    let to = self.origin.host_name(host);
                    self.reach.moved(&Moved { from, to, why: found.join("; ") });
                }
                on
            }
        };
        (connection, on)
    }

    fn none(&self, found: &Arc<[String]>) -> ConnectError {
        let wanted = self.origin.hosts.wanted.word();
        ConnectError::NoneFits { wanted, found: Arc::clone(found) }
    }
}

/// Which of these is used, in their order; `None` stands for one that could not be reached.
pub fn choose(wanted: SessionAttrs, servers: &[Option<Server>]) -> Option<usize> {
    let first = |fits: fn(SessionAttrs, Server) -> bool| {
        servers.iter().position(|server| server.is_some_and(|server| fits(wanted, server)))
    };
    first(is_best).or_else(|| first(accepts))
}

/// Whether a server will do.
fn accepts(wanted: SessionAttrs, server: Server) -> bool {
    let is_read_only = server.is_standby || server.is_read_only;
    match wanted {
        SessionAttrs::Any | SessionAttrs::PreferStandby => true,
        SessionAttrs::ReadWrite => !is_read_only,
        SessionAttrs::ReadOnly => is_read_only,
        SessionAttrs::Primary => !server.is_standby,
        SessionAttrs::Standby => server.is_standby,
    }
}

/// The same where there may be a better one.
fn is_best(wanted: SessionAttrs, server: Server) -> bool {
    accepts(wanted, server) && (wanted != SessionAttrs::PreferStandby || server.is_standby)
}

/// An error with what is behind it.
fn chain(error: &ConnectError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
