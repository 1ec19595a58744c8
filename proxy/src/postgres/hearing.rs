//! What must be heard before a message can be sent on: what it means hangs on how an earlier group of messages ended, or on
//! what a backend says of a statement that it lacked.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::{Analysis, Asked, Discarded, Effect, Kind, NamedBy, Writes};
use protocol::postgres::{
    encode,
    frame::FrontendTag,
    message::{self, Bind, Execute, Parse, Target},
    pipeline::{Asker, Request as Sent},
};

use super::{
    batch::Frame,
    held::Prepared,
    prepared::Statement,
    session::{Hearing, Session},
};
use crate::error::SessionError;

impl Session {
    /// The group of messages whose end must be heard before this one is dealt with. Most often there is none.
    pub(super) fn must_hear(&self, frame: &Frame) -> Option<u64> {
        self.must_hear_of_names(frame).or_else(|| self.must_hear_of_all(frame))
    }

    /// The same, for what hangs on all that was sent before: the list of the client's statements has none that an error
    /// skipped, and who asks what it drew is told that only if it did.
    fn must_hear_of_all(&self, frame: &Frame) -> Option<u64> {
        let names = &self.facts.statements;
        let last = names.last_under_way()?;
        let lists = |analysis: &Analysis| {
            analysis.asked().any(|one| matches!(one.what, Asked::PreparedStatements { .. }))
        };
        match frame.tag {
            FrontendTag::Bind => {
                let statement = names.get(Bind::decode(&frame.body).ok()?.statement)?;
                lists(&statement.analysis).then_some(last)
            }
            FrontendTag::Execute => {
                let statement =
                    self.facts.portals.get(Execute::decode(&frame.body).ok()?.portal)?;
                self.unsure_draw(statement.source.query(), &statement.analysis)
            }
            FrontendTag::Query => {
                let text = message::query_text(&frame.body).ok()?;
                let analysis = self.analysis(frame.analysis.as_ref(), text);
                if lists(&analysis) { Some(last) } else { self.unsure_draw(text, &analysis) }
            }
            _ => None,
        }
    }

    fn must_hear_of_names(&self, frame: &Frame) -> Option<u64> {
        let names = &self.facts.statements;
        let set = self.last_set.filter(|group| names.is_under_way(*group));
        let prepared = self.loan.as_ref().map(|loan| &loan.prepared);
        let sent = prepared.and_then(Prepared::last_sent).filter(|at| names.is_under_way(*at));
        if names.are_sure() && set.is_none() && sent.is_none() {
            return None;
        }
        // What the backend was given in an earlier group may have been skipped there.
        let given = |statement: &Statement| {
            prepared?.sent_in(statement).filter(|group| names.is_under_way(*group))
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
            let lacks = || prepared.is_some_and(|prepared| !prepared.has(statement));
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
                    return None;
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
                let analysis = &self.facts.portals.get(portal)?.analysis;
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

    /// Relays until a group of the client's messages was heard to its end.
    pub(super) async fn hear(&mut self, group: u64) -> Result<(), SessionError> {
        self.hear_while(Hearing::Group(group), |session| {
            session.facts.statements.is_under_way(group)
        })
        .await
    }

    /// Relays until all was heard that was sent, which must be ended.
    pub(super) async fn hear_all(&mut self) -> Result<(), SessionError> {
        let hearing = Hearing::Group(self.facts.statements.group());
        self.hear_while(hearing, |session| {
            session.loan.as_ref().is_some_and(|loan| !loan.pipeline.is_quiet())
        })
        .await
    }

    /// Gives the backend those statements of a batch that write and return rows and that it lacks, and hears what they are
    /// there: once they have run it is too late to find that their rows are other ones. All others are judged when they
    /// have been sent, together with what uses them.
    pub(super) async fn verify_ahead(&mut self, frames: &[Frame]) -> Result<(), SessionError> {
        self.stale = None;
        for frame in frames.iter().filter(|frame| frame.tag == FrontendTag::Bind) {
            let Ok(bind) = Bind::decode(&frame.body) else { continue };
            let Some(statement) = self.facts.statements.get(bind.statement).cloned() else {
                continue;
            };
            if !statement.settled().is_some_and(|settled| settled.has_rows()) {
                continue;
            }
            let lacks = self.loan.as_ref().is_some_and(|loan| !loan.prepared.has(&statement));
            if !lacks || self.judge_statement(&statement).deeds().writes == Writes::None {
                continue;
            }
            let Some(mut loan) = self.loan.take() else { continue };
            self.ensure(&mut loan, &statement, &Bytes::copy_from_slice(bind.statement));
            loan.framed.queue().extend_from_slice(encode::SYNC);
            loan.pipeline.sent(Sent::Sync, Asker::Proxy, None);
            self.loan = Some(loan);
            // Boxed: it happens once for each statement and backend.
            let quiet = |session: &Self| {
                session.loan.as_ref().is_some_and(|loan| !loan.pipeline.is_quiet())
            };
            Box::pin(self.hear_while(Hearing::Statement, quiet)).await?;
        }
        Ok(())
    }

    /// Gives the backend those statements of a group that it lacks and that are used behind a change of settings: there they
    /// could not be read with their own.
    pub(super) fn give_ahead(&mut self, frames: &[Frame]) {
        let binds = || frames.iter().filter(|frame| frame.tag == FrontendTag::Bind);
        if binds().nth(1).is_none() || !frames.iter().any(|frame| self.is_change(frame)) {
            return;
        }
        let Some(mut loan) = self.loan.take() else { return };
        for bind in binds().filter_map(|frame| Bind::decode(&frame.body).ok()) {
            if let Some(statement) = self.facts.statements.get(bind.statement).cloned() {
                self.ensure(&mut loan, &statement, &Bytes::copy_from_slice(bind.statement));
            }
        }
        self.loan = Some(loan);
    }

    /// Whether a message prepares or uses a statement that changes settings.
    fn is_change(&self, frame: &Frame) -> bool {
        match frame.tag {
            FrontendTag::Parse => Parse::decode(&frame.body).is_ok_and(|parse| {
                self.may_set(&self.analysis(frame.analysis.as_ref(), parse.query))
            }),
            FrontendTag::Bind => Bind::decode(&frame.body).is_ok_and(|bind| {
                let known = self.facts.statements.get(bind.statement);
                known.is_some_and(|statement| self.may_set(&statement.analysis))
            }),
            _ => false,
        }
    }

    async fn hear_while(
        &mut self,
        hearing: Hearing,
        goes_on: impl Fn(&Self) -> bool,
    ) -> Result<(), SessionError> {
        self.hearing = Some(hearing);
        while self.loan.is_some() && goes_on(self) {
            if self.step().await?.is_some() {
                return Err(SessionError::ClientLost(std::io::ErrorKind::UnexpectedEof.into()));
            }
        }
        self.hearing = None;
        Ok(())
    }

    /// Records that a text changes settings, so that what is read behind it is read with others.
    pub(super) fn sets_ahead(&mut self, analysis: &Analysis) {
        if self.may_set(analysis) {
            self.last_set = Some(self.facts.statements.group());
        }
    }

    fn may_set(&self, analysis: &Analysis) -> bool {
        let sets = |effect: &Effect| {
            matches!(
                effect,
                Effect::Set { .. } | Effect::Reset { .. } | Effect::ResetAll | Effect::DiscardAll
            )
        };
        analysis.effects().any(sets)
            || analysis.statements.iter().any(|statement| match statement.kind {
                Kind::Set => true,
                // It ends what was set for the transaction.
                Kind::Commit | Kind::Rollback | Kind::RollbackTo(_) | Kind::PrepareTransaction => {
                    self.ledger.has_set()
                }
                _ => false,
            })
    }

    /// Whether a setting was changed in the group of messages that is being sent.
    pub(super) fn sets_in_group(&self) -> bool {
        self.last_set == Some(self.facts.statements.group())
    }
}
