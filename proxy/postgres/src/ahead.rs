//! Long texts are read ahead: on another thread, before the session looks at the message that holds one.
//!
//! What is known of the text then goes with its message, so that the session finds it wherever it asks. The client's
//! later messages wait, as they do for anything that stands before them; other clients do not.

use std::sync::Arc;

use bytes::Bytes;
use cache::sql::{
    self,
    postgres::{Analysis, AnalysisMemo},
};
use protocol::postgres::{
    frame::FrontendTag,
    message::{self, Parse},
};
use serving::heavy::LONG_TEXT;

use super::{batch::Frame, client::Client, client_end::Unanswered, plan};

impl Frame {
    /// Whether its text is too long to be read where others wait for it.
    pub(crate) fn is_long(&self) -> bool {
        matches!(self.tag, FrontendTag::Query | FrontendTag::Parse) && self.body.len() > LONG_TEXT
    }
}

impl Client {
    /// Reads the text of a long message. What takes too long counts as not understood.
    pub(crate) async fn read_ahead(&self, frame: &mut Frame) {
        let Some(text) = text_of(frame).filter(|_| self.end.unanswered != Unanswered::UpToSync)
        else {
            return;
        };
        let utf8 = std::str::from_utf8(&text).ok();
        let known = utf8.and_then(|text| self.context.analyses.known(text));
        frame.analysis = known.or_else(|| self.analysed_before(frame));
        if frame.analysis.is_none() {
            self.database.metrics.heavy_texts.inc();
            let memo = self.context.analyses.clone();
            let read = self.context.common.heavy.run(move || read(&memo, &text)).await;
            let unknown = || Arc::new(Analysis::not_understood(sql::Parse::Oversized));
            frame.analysis = Some(read.unwrap_or_else(unknown));
        }
    }

    /// The same of the client's unnamed statement, if this is it once more.
    fn analysed_before(&self, frame: &Frame) -> Option<Arc<Analysis>> {
        let parse = Parse::decode(&frame.body).ok().filter(|_| frame.tag == FrontendTag::Parse)?;
        self.prepared_before(&parse).map(|last| Arc::clone(&last.analysis))
    }

    /// What a text says: read ahead, or now.
    pub(crate) fn analysis(&self, ahead: Option<&Arc<Analysis>>, text: &[u8]) -> Arc<Analysis> {
        if !self.facts.is_readable && !plan::is_readable(text, &self.facts.parameters) {
            return Arc::new(Analysis::not_understood(sql::Parse::Error));
        }
        ahead.map_or_else(|| read(&self.context.analyses, text), Arc::clone)
    }
}

/// The text of a Query or a Parse.
fn text_of(frame: &Frame) -> Option<Bytes> {
    let text = match frame.tag {
        FrontendTag::Parse => Parse::decode(&frame.body).ok()?.query,
        _ => message::query_text(&frame.body).ok()?,
    };
    Some(frame.body.slice_ref(text))
}

/// What a text says, which may be in any encoding.
fn read(memo: &AnalysisMemo, text: &[u8]) -> Arc<Analysis> {
    match std::str::from_utf8(text) {
        Ok(text) => memo.analyse(text),
        Err(_) => memo.analyse(&String::from_utf8_lossy(text)),
    }
}
