//! From no backend to one that looks to the client like its own.

use std::sync::Arc;

use cache::sql::postgres::{Analysis, Pin};
use protocol::postgres::{
    encode,
    frame::FrontendTag,
    message::{Bind, Parse},
    pipeline::TransactionStatus,
};
use serving::{
    error::{ClientError, SessionError},
    hold::Hold,
};

use super::{
    adopt::{self, Refusal},
    batch::Frame,
    client::Client,
    client_end::Unanswered,
    fill::Collect,
    plan::{self, Text},
    session::Session,
    work::{Trouble, Work},
};

impl Session {
    /// Sees to it that there is a backend, and that it has the session's settings, for a request whose reply is gathered by
    /// `collect`. What belongs to what a backend is at goes there, and is kept only if that is a block which has only read.
    pub(crate) async fn begin(
        &mut self,
        collect: Option<Box<Collect>>,
    ) -> Result<Result<(), Refusal>, SessionError> {
        if let Hold::Held(work) = &mut self.hold
            && work.is_busy()
        {
            work.collect = collect.filter(|_fill| work.loan.on.is_in_use());
            return Ok(Ok(()));
        }
        // Out of the session while it is given settings: one that ends meanwhile closes it.
        let mut work = loop {
            if let Hold::Held(work) = &mut self.hold
                && self.client.gives_home_up(work)
            {
                self.checkin().await?;
            }
            let mut work = match self.hold.take() {
                Some(mut work) => {
                    if !work.changed_unseen().is_empty() {
                        self.client.pin(&mut work, Pin::UnknownSetting);
                    }
                    work
                }
                None => match self.client.check_out().await {
                    Ok(loan) => {
                        self.client.end.key.slot.point_at(Some(Arc::clone(&loan.key))).await;
                        Box::new(Work::new(loan, self.client.statement_timeout))
                    }
                    Err(refusal) => return Ok(Err(refusal)),
                },
            };
            if self.client.give_settings(&mut work.loan).await {
                break work;
            }
            if work.loan.applied.is_empty() || work.is_pinned() {
                return Err(ClientError::SettingLost.into());
            }
            // What another client had set cannot be undone, as where its role is gone: that ends the backend.
            self.client.end.key.slot.point_at(None).await;
        };
        work.trouble = Trouble::None;
        // What a host says that is not in use any more is not kept.
        work.collect = collect.filter(|_fill| work.loan.on.is_in_use());
        if !work.is_busy() {
            self.client.lent(&mut work);
        }
        self.hold = Hold::Held(work);
        Ok(Ok(()))
    }

    /// Gets a backend on which nobody has made a temporary object. Who gets none is told so when it is tried once more.
    pub(crate) async fn take_without_temp(&mut self) {
        let Client { database, end, statement_timeout, .. } = &self.client;
        if let Ok(loan) = adopt::checkout_without_temp(database).await {
            end.key.slot.point_at(Some(Arc::clone(&loan.key))).await;
            self.hold = Hold::Held(Box::new(Work::new(loan, *statement_timeout)));
        }
    }
}

impl Client {
    /// Whether one of these messages prepares a text that puts the temporary schema in front.
    pub(crate) fn head_for_temp(&self, frames: &[Frame]) -> bool {
        frames.iter().filter(|frame| frame.tag == FrontendTag::Parse).any(|frame| {
            plan::names_temp(&frame.body)
                && Parse::decode(&frame.body).is_ok_and(|parse| {
                    let analysis = self.analysis(frame.analysis.as_ref(), parse.query);
                    plan::heads_for_temp(&analysis, parse.query)
                })
        })
    }

    /// There is no backend for a simple query.
    pub(crate) fn refuse_query(
        &mut self,
        text: &Text,
        refusal: &Refusal,
    ) -> Result<(), SessionError> {
        if text.opens_block() || self.begun.is_some() {
            return Err(self.refuse_block(refusal));
        }
        refusal.put(self.end.queue());
        encode::ready_for_query(TransactionStatus::Idle, self.end.queue());
        Ok(())
    }

    /// There is no backend for messages of the extended protocol.
    pub(crate) fn refuse_frames(
        &mut self,
        frames: &[Frame],
        refusal: &Refusal,
    ) -> Result<(), SessionError> {
        if self.begun.is_some() || self.opens_block(frames) {
            return Err(self.refuse_block(refusal));
        }
        refusal.put(self.end.queue());
        let ends = |tag| matches!(tag, FrontendTag::Sync | FrontendTag::FunctionCall);
        if frames.last().is_some_and(|frame| ends(frame.tag)) {
            encode::ready_for_query(TransactionStatus::Idle, self.end.queue());
        } else {
            self.end.unanswered = Unanswered::UpToSync;
        }
        Ok(())
    }

    /// Whether one of these messages opens a transaction block.
    fn opens_block(&self, frames: &[Frame]) -> bool {
        let opens = |analysis: &Analysis| plan::opens_block(analysis);
        frames.iter().any(|frame| match frame.tag {
            FrontendTag::Parse => Parse::decode(&frame.body)
                .is_ok_and(|parse| opens(&self.analysis(frame.analysis.as_ref(), parse.query))),
            FrontendTag::Bind => Bind::decode(&frame.body).is_ok_and(|bind| {
                let statement = self.facts.statements.get(bind.statement);
                statement.is_some_and(|statement| opens(&statement.analysis))
            }),
            _ => false,
        })
    }

    /// A client whose BEGIN is refused may believe in a block all the same, as some drivers do, and would send what
    /// belongs there. So its session ends, as it would with a lost connection.
    fn refuse_block(&mut self, refusal: &Refusal) -> SessionError {
        refusal.put_fatal(self.end.queue());
        // It has heard why.
        self.end.unanswered = Unanswered::Everything;
        ClientError::Connect("origin_unreachable").into()
    }
}
