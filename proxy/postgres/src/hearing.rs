//! What must be heard before a message can be sent on: what it means hangs on how an earlier group of messages ended, or on
//! what a backend says of a statement that it lacked.

use std::{io::ErrorKind, sync::Arc};

use bytes::Bytes;
use cache::sql::{
    Writes,
    postgres::{Analysis, Asked, Discarded, Kind, NamedBy, UNREPORTED},
};
use protocol::postgres::{
    encode,
    frame::FrontendTag,
    message::{self, Bind, Execute, Parse, Target},
    pipeline::{Asker, Request as Sent},
};
use serving::{error::SessionError, hold::Hold};

use super::{
    batch::Frame,
    client::Client,
    lacking::miscounts,
    meaning,
    names::Names,
    plan,
    prepared::Statement,
    session::Session,
    work::{Hearing, Work},
};

impl Session {
    /// The group of messages whose end must be heard before this one is dealt with. Most often there is none, and never
    /// without a backend: what was sent to the last one was heard.
    pub(crate) fn must_hear(&self, frame: &Frame) -> Option<u64> {
        self.hold.work().and_then(|work| self.client.must_hear(work, frame))
    }

    /// Relays until a group of the client's messages was heard to its end.
    pub(crate) async fn hear(&mut self, group: u64) -> Result<(), SessionError> {
        self.hear_while(Hearing::Group(group), |client, _work| {
            client.facts.statements.is_under_way(group)
        })
        .await
    }

    /// Relays until all was heard that was sent, which must be ended.
    pub(crate) async fn hear_all(&mut self) -> Result<(), SessionError> {
        let hearing = Hearing::Group(self.client.facts.statements.group());
        self.hear_while(hearing, |_client, work| !work.loan.pipeline.is_quiet()).await
    }

    /// Gives the backend those statements of a batch that write and return rows and that it lacks, and hears what they are
    /// there: once they have run it is too late to find that their rows are other ones. All others are judged when they
    /// have been sent, together with what uses them.
    pub(crate) async fn verify_ahead(&mut self, frames: &[Frame]) -> Result<(), SessionError> {
        let Self { client, hold } = self;
        hold.held("verify statements of")?.stale = None;
        if client.facts.statements.followed_in().is_some()
            && frames.iter().any(|frame| client.is_of_texts(frame))
        {
            Box::pin(self.give_own_names()).await?;
        }
        for frame in frames.iter().filter(|frame| frame.tag == FrontendTag::Bind) {
            let Self { client, hold } = self;
            let Ok(bind) = Bind::decode(&frame.body) else { continue };
            let Some(statement) = client.facts.statements.get(bind.statement).cloned() else {
                continue;
            };
            if !statement.settled().is_some_and(|settled| settled.has_rows()) {
                continue;
            }
            let work = hold.held("verify a statement of")?;
            if work.loan.prepared.has(&statement)
                || client.judge_statement(&statement).deeds().writes == Writes::None
            {
                continue;
            }
            client.ensure(work, &statement, &Bytes::copy_from_slice(bind.statement));
            // Boxed: it happens once for each statement and backend.
            Box::pin(self.hear_group()).await?;
        }
        Ok(())
    }

    /// Ends a group of messages of our own, and relays until it was heard to its end. Its errors are not the client's.
    ///
    /// # Errors
    ///
    /// Also if the backend has left: what is to follow is for this one.
    pub(crate) async fn hear_group(&mut self) -> Result<(), SessionError> {
        let work = self.hold.held("end a group of")?;
        work.loan.framed.queue().extend_from_slice(encode::SYNC);
        work.loan.pipeline.sent(Sent::Sync, Asker::Proxy, None);
        self.hear_while(Hearing::Statement, |_client, work| !work.loan.pipeline.is_quiet()).await?;
        self.still_held()
    }

    /// That a backend has not left while it was heard.
    pub(crate) fn still_held(&self) -> Result<(), SessionError> {
        match &self.hold {
            Hold::Held(_) => Ok(()),
            Hold::Free => Err(SessionError::BackendLost(ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Relays, but takes nothing of the client, until the end of what is waited for. That is at once where there is no
    /// backend, and when the backend has left.
    pub(crate) async fn hear_while(
        &mut self,
        hearing: Hearing,
        goes_on: impl Fn(&Client, &Work) -> bool,
    ) -> Result<(), SessionError> {
        while let Hold::Held(work) = &mut self.hold
            && goes_on(&self.client, work)
        {
            work.hearing = Some(hearing);
            if self.step().await?.is_some() {
                return Err(SessionError::ClientLost(ErrorKind::UnexpectedEof.into()));
            }
        }
        if let Hold::Held(work) = &mut self.hold {
            work.hearing = None;
        }
        Ok(())
    }
}

impl Client {
    /// The group of messages whose end must be heard before this one is dealt with. Most often there is none.
    pub(crate) fn must_hear(&self, work: &Work, frame: &Frame) -> Option<u64> {
        self.must_hear_of_portal(work, frame)
            .or_else(|| self.must_hear_of_names(work, frame))
            .or_else(|| self.must_hear_of_all(work, frame))
    }

    /// The same for a portal: an error may have skipped what bound it.
    fn must_hear_of_portal(&self, work: &Work, frame: &Frame) -> Option<u64> {
        if frame.tag != FrontendTag::Execute {
            return None;
        }
        let portal = Execute::decode(&frame.body).ok()?.portal;
        let bound_in = work.portals.bound_in(portal)?;
        self.facts.statements.is_under_way(bound_in).then_some(bound_in)
    }

    /// The same, for what hangs on all that was sent before: the list of the client's statements has none that an error
    /// skipped, and who asks what it drew is told that only if it did.
    fn must_hear_of_all(&self, work: &Work, frame: &Frame) -> Option<u64> {
        let names = &self.facts.statements;
        let last = names.last_under_way()?;
        let lists = |analysis: &Analysis| {
            analysis.asked().any(|one| matches!(one.what, Asked::PreparedStatements { .. }))
        };
        let lacks = |statement: &Arc<Statement>| !work.loan.prepared.has(statement);
        let prepares = || names.followed_in().is_some_and(|group| names.is_under_way(group));
        match frame.tag {
            FrontendTag::Bind => {
                let bind = Bind::decode(&frame.body).ok()?;
                let statement = names.get(bind.statement)?;
                // A failed block would not parse it, and has an error of its own for that.
                let is_miscounted = || lacks(statement) && miscounts(&bind, statement).is_some();
                (lists(&statement.analysis) || is_miscounted()).then_some(last)
            }
            FrontendTag::Describe => match Target::decode(&frame.body).ok()? {
                // A failed block would not parse it; nor what is described in the place of an EXECUTE.
                Target::Statement(name) => {
                    let is_parsed =
                        |one: &Arc<Statement>| !one.analysis.names.is_empty() || lacks(one);
                    names.get(name).is_some_and(is_parsed).then_some(last)
                }
                Target::Portal(_) => None,
            },
            FrontendTag::Parse => {
                let Parse { name, query, .. } = Parse::decode(&frame.body).ok()?;
                let is_lacking = || !name.is_empty() && names.get(name).is_some_and(lacks);
                // It means what it names now.
                let executes_unsure = || {
                    let analysis = self.analysis(frame.analysis.as_ref(), query);
                    plan::executes(&analysis).is_some_and(|target| {
                        prepares() || names.unsure(target.as_bytes()).is_some()
                    })
                };
                let is_unsure = !names.are_sure() || prepares();
                (is_lacking() || is_unsure && executes_unsure()).then_some(last)
            }
            // What it runs may name what is being prepared.
            FrontendTag::Execute | FrontendTag::Query if prepares() => Some(last),
            FrontendTag::Execute => {
                let statement =
                    work.portals.statement(Execute::decode(&frame.body).ok()?.portal)?;
                self.unsure_draw(work, statement.source.query(), &statement.analysis)
                    .or_else(|| self.forgets_before(work, &statement.analysis).then_some(last))
            }
            FrontendTag::Query => {
                let text = message::query_text(&frame.body).ok()?;
                let analysis = self.analysis(frame.analysis.as_ref(), text);
                if lists(&analysis) { Some(last) } else { self.unsure_draw(work, text, &analysis) }
            }
            _ => None,
        }
    }

    fn must_hear_of_names(&self, work: &Work, frame: &Frame) -> Option<u64> {
        let names = &self.facts.statements;
        let set = work.last_set.filter(|group| names.is_under_way(*group));
        let prepared = &work.loan.prepared;
        let has_sent = prepared.sent().any(|at| names.is_under_way(at));
        if names.are_sure() && set.is_none() && !has_sent {
            return None;
        }
        // What the backend was given in an earlier group may have been skipped there.
        let given = |statement: &Statement| {
            prepared.sent_in(statement).filter(|group| names.is_under_way(*group))
        };
        let unsure_in = |analysis: &Analysis| {
            let targets = analysis.names.iter();
            names.unsure_in(analysis).or_else(|| {
                let of_target =
                    |target: &Arc<Statement>| given(target).max(names.unsure_in(&target.analysis));
                targets.filter_map(|name| of_target(names.get(name.name.as_bytes())?)).max()
            })
        };
        let of_statement = |name: &[u8]| {
            let Some(statement) = names.get(name) else { return names.unsure(name) };
            let lacks = || !prepared.has(statement);
            names
                .unsure(name)
                .or_else(|| unsure_in(&statement.analysis))
                .or_else(|| given(statement))
                // It would be read with settings that are not known.
                .or_else(|| set.filter(|_| lacks()))
        };
        match frame.tag {
            FrontendTag::Parse => {
                let name = Parse::decode(&frame.body).ok()?.name;
                if name.is_empty() {
                    // What it goes back to where it is skipped is not known behind a Close.
                    let is_closed = || names.may_have_closed_unnamed() || names.get(name).is_none();
                    return names.unsure(name).filter(|_| is_closed()).or(set);
                }
                // A name that is taken is refused by what the backend has under it.
                let taken = || given(names.get(name)?);
                names.unsure(name).or(set).or_else(taken)
            }
            FrontendTag::Bind => of_statement(Bind::decode(&frame.body).ok()?.statement),
            FrontendTag::Describe => match Target::decode(&frame.body).ok()? {
                Target::Statement(name) => of_statement(name),
                Target::Portal(_) => None,
            },
            FrontendTag::Close => match Target::decode(&frame.body).ok()? {
                Target::Statement(name) => names.unsure(name),
                Target::Portal(_) => None,
            },
            FrontendTag::Execute => {
                let portal = Execute::decode(&frame.body).ok()?.portal;
                let analysis = &work.portals.statement(portal)?.analysis;
                let clears = |kind: &Kind| {
                    matches!(kind, Kind::Deallocate(None) | Kind::Discard(Discarded::All))
                };
                // What an error took back must not come back behind it.
                let clears = analysis.statements.iter().any(|one| clears(&one.kind));
                clears.then(|| names.unsure_of_any()).flatten().or_else(|| unsure_in(analysis))
            }
            FrontendTag::Query => {
                let text = message::query_text(&frame.body).ok()?;
                let analysis = self.analysis(frame.analysis.as_ref(), text);
                let prepares = analysis.names.iter().any(|name| name.by == NamedBy::Prepare);
                unsure_in(&analysis).or(set.filter(|_| prepares))
            }
            _ => None,
        }
    }

    /// Records that a text changes settings, so that what is read behind it is read with others.
    pub(crate) fn sets_ahead(&self, work: &mut Work, analysis: &Analysis) {
        let is_set = analysis.effects().any(meaning::is_changed_by)
            || analysis.statements.iter().any(|statement| match statement.kind {
                // It ends what was set for the transaction.
                Kind::Commit | Kind::Rollback | Kind::RollbackTo(_) | Kind::PrepareTransaction => {
                    work.ledger.has_set()
                }
                _ => false,
            });
        if is_set {
            work.last_set = Some(self.facts.statements.group());
        }
    }
}

impl Work {
    /// Whether it is not known with which settings a text is read now: one was changed in the group of messages that is
    /// being sent, or in this transaction and is not reported.
    pub(crate) fn reads_unsure(&self, names: &Names) -> bool {
        self.last_set == Some(names.group()) || self.ledger.has_changed_any(&UNREPORTED)
    }
}
