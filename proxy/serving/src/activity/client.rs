//! A client as its session counts for it.

use std::{net::SocketAddr, sync::Arc};

use tokio::time::Instant;

use super::{
    database::{Activity, Shared},
    live::{Live, State, Who},
    shape::Shape,
    shapes::Known,
};

/// A client as its session counts for it, seen by others until it is dropped. A session that nobody listens to has none of
/// this, and is not counted.
#[derive(Debug, Default)]
pub struct Seen(Option<Inner>);

#[derive(Debug)]
struct Inner {
    activity: Arc<Activity>,
    live: Arc<Live>,
    /// Of its last statement.
    last: Option<Arc<Known>>,
}

impl Seen {
    /// A client that has just logged in.
    pub(crate) fn new(
        activity: &Arc<Activity>,
        shared: &Shared,
        who: Who,
        address: Option<SocketAddr>,
    ) -> Self {
        let live = Arc::new(Live::new(shared.id(), activity.lives.who(who), address));
        activity.lives.enter(&live);
        Self(Some(Inner { activity: Arc::clone(activity), live, last: None }))
    }

    /// Whether there is a client, whose statements count.
    pub const fn is_client(&self) -> bool {
        self.0.is_some()
    }

    /// The shape of a statement whose text means this, which is the client's last from now on. `text` makes what is shown.
    pub fn runs<M: Send + Sync + 'static>(
        &mut self,
        meaning: &Arc<M>,
        text: impl FnOnce() -> String,
    ) -> Option<&Arc<Shape>> {
        let Inner { activity, live, last } = self.0.as_mut()?;
        if !last.as_ref().is_some_and(|last| last.is_of(meaning)) {
            let known = activity.shapes.of(meaning, text);
            live.runs(known.shape());
            *last = Some(known);
        }
        last.as_ref().map(|last| last.shape())
    }

    /// The same of a statement of which nobody knows what it means.
    pub fn runs_unread(&mut self, text: String) -> Option<&Arc<Shape>> {
        let Inner { activity, live, last } = self.0.as_mut()?;
        let shape = activity.shapes.of_text(text);
        live.runs(&shape);
        Some(last.insert(Arc::new(Known::unread(shape))).shape())
    }

    /// The shape of its last statement.
    pub fn shape(&self) -> Option<&Arc<Shape>> {
        self.0.as_ref()?.last.as_ref().map(|last| last.shape())
    }

    /// It is at something else since then.
    pub fn is(&self, state: State, since: Instant) {
        if let Some(Inner { live, .. }) = &self.0 {
            live.is(state, since);
        }
    }

    /// The same program, where it has become another user, as that is called; `None` where nobody listens.
    pub fn as_user(&self, user: &str) -> Option<Who> {
        self.0.as_ref().map(|Inner { live, .. }| live.who().as_user(user))
    }

    /// These keep it on its connection from now on, and nothing else.
    pub fn is_pinned_by(&self, pins: impl IntoIterator<Item = &'static str>) {
        if let Some(Inner { live, .. }) = &self.0 {
            live.is_pinned_by(pins.into_iter().collect());
        }
    }

    /// It calls itself so from now on.
    pub fn calls_itself(&self, application: &str) {
        if let Some(Inner { activity, live, .. }) = &self.0 {
            live.is_who(activity.lives.who(live.who().called(application)));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.activity.lives.leave(&self.live);
    }
}
