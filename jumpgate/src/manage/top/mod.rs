//! `jumpgate top`: what clients do now, as `top` shows processes.
//!
//! * `source`: who is asked. `figures`: what is made of two answers. `view`: what is shown of it, and what keys do.
//! * `screen`: the terminal. `words`: numbers in few letters.

mod figures;
mod screen;
mod source;
mod view;
mod words;

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use control::live::Live;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, interval, sleep},
};

pub(super) use self::source::Source;
use self::{figures::Look, screen::Screen, view::View};
use super::{error::ManageError, show};
use crate::{args::top::Top, report};

/// Keys are looked for so often.
const KEYS_INTERVAL: Duration = Duration::from_millis(40);
/// Shortest pause between two questions: each is answered by all proxies.
const INTERVAL_MIN: Duration = Duration::from_millis(250);

/// Shows what goes on, until somebody has seen enough; returns what to print then.
///
/// # Errors
///
/// [`ManageError`] says what to do.
///
/// # Cancel safety
///
/// The terminal is given back when it is dropped.
pub(super) async fn run(source: &Source<'_>, args: &Top) -> Result<String, ManageError> {
    if args.once || args.target.json {
        let live = source.look().await?;
        return Ok(once(&live, args.target.json));
    }
    if !io::stdout().is_terminal() {
        let message = "standard output is no terminal; --once prints one table";
        return Err(ManageError::Given(message.to_owned()));
    }
    // A mistake in a name is said before the screen is taken.
    let first = source.look().await?;
    watch(source, first, args.interval.max(INTERVAL_MIN)).await
}

fn once(live: &Live, is_json: bool) -> String {
    if is_json {
        return serde_json::to_value(live)
            .map_or_else(|error| error.to_string(), |it| show::json(&it));
    }
    let look = Look::at(live);
    let view = View::default();
    let mut text = view.head(&look).join("\n");
    let rows = view.table(&look);
    if rows.len() > 1 {
        text.push_str("\n\n");
        text.push_str(&report::table(&rows));
    }
    text
}

async fn watch(source: &Source<'_>, first: Live, pause: Duration) -> Result<String, ManageError> {
    let failed = |source| ManageError::File { path: "the terminal".into(), source };
    let mut ends = ends().map_err(failed)?;
    let mut screen = Screen::open().map_err(failed)?;
    let (mut view, mut keys) = (View::default(), interval(KEYS_INTERVAL));
    let (mut rate, mut total) = (Look::at(&first), Look::at(&first));
    let (mut last, mut asked) = (first, Instant::now());
    let mut draw = |view: &mut View, rate: &Look, total: &Look| {
        let look = if view.is_total() { total } else { rate };
        screen.draw(&view.lines(look, screen::size())).map_err(failed)
    };
    draw(&mut view, &rate, &total)?;
    loop {
        let asking = async {
            sleep(pause).await;
            source.look().await
        };
        tokio::pin!(asking);
        loop {
            tokio::select! {
                told = &mut asking => {
                    match told {
                        Ok(_) if view.is_paused() => {}
                        Ok(live) => {
                            rate = Look::between(&last, &live, asked.elapsed());
                            total = Look::at(&live);
                            (last, asked) = (live, Instant::now());
                            view.trouble(None);
                        }
                        Err(error) => view.trouble(Some(report::chain(&error))),
                    }
                    draw(&mut view, &rate, &total)?;
                    break;
                }
                _ = keys.tick() => {
                    let events = screen::events().map_err(failed)?;
                    if events.is_empty() {
                        continue;
                    }
                    for event in &events {
                        if view.hears(event) {
                            return Ok(view.head(&rate).join("\n"));
                        }
                    }
                    draw(&mut view, &rate, &total)?;
                }
                () = any(&mut ends) => return Ok(view.head(&rate).join("\n")),
            }
        }
    }
}

/// Signals that end it, so that the terminal is given back first.
fn ends() -> io::Result<[Signal; 3]> {
    let [hangup, interrupt, terminate] =
        [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    Ok([hangup?, interrupt?, terminate?])
}

async fn any([hangup, interrupt, terminate]: &mut [Signal; 3]) {
    tokio::select! {
        _ = hangup.recv() => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
