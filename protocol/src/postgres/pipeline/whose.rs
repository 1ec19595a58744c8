//! Whose the request is that is being answered.

use super::{Asker, Owed, Pipeline, Request};

impl<N> Pipeline<N> {
    /// Who asked for what is being answered.
    pub fn current_asker(&self) -> Asker {
        match self.owed.front() {
            Some(Owed::Reply { asker, .. }) => *asker,
            Some(Owed::Probe { .. }) => Asker::Proxy,
            Some(Owed::Local { .. } | Owed::CopyEnd) | None => Asker::Client,
        }
    }

    /// Whether what is being answered is a message of the proxy's own, in a group that the proxy ends itself: what its client
    /// said comes behind that.
    pub fn is_ahead(&self) -> bool {
        let is_end =
            |request| matches!(request, Request::Sync | Request::Query | Request::FunctionCall);
        let end = self.owed.iter().find_map(|owed| match owed {
            Owed::Reply { request, asker, .. } if is_end(*request) => Some((*request, *asker)),
            _ => None,
        });
        let is_message = matches!(
            self.owed.front(),
            Some(Owed::Reply { request, asker: Asker::Proxy, .. }) if !is_end(*request)
        );
        is_message && end == Some((Request::Sync, Asker::Proxy))
    }
}
