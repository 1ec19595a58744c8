//! The terminal: taken, drawn on, and given back however it ends.

use std::{
    io::{self, Stdout, Write as _},
    time::Duration,
};

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    event::{self, Event},
    execute, queue,
    style::{Attribute, Print, SetAttribute},
    terminal::{
        BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap,
        EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
        enable_raw_mode,
    },
};

use super::view::Style;

/// Where a terminal does not say how large it is.
const USUAL: (u16, u16) = (80, 24);
/// Events that are taken at once, such as of a text that is pasted.
const EVENTS_MAX: usize = 256;

/// The terminal, for as long as this lives.
pub(super) struct Screen(Stdout);

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        // Given back also where the rest fails.
        let mut screen = Self(io::stdout());
        enable_raw_mode()?;
        execute!(screen.0, EnterAlternateScreen, Hide, DisableLineWrap)?;
        Ok(screen)
    }

    /// Draws all lines, from the first on.
    pub(super) fn draw(&mut self, lines: &[(Style, String)]) -> io::Result<()> {
        let out = &mut self.0;
        queue!(out, BeginSynchronizedUpdate)?;
        for (row, (style, line)) in (0..).zip(lines) {
            let attribute = match style {
                Style::Plain => Attribute::Reset,
                Style::Bold => Attribute::Bold,
                Style::Reversed => Attribute::Reverse,
            };
            queue!(out, MoveTo(0, row), SetAttribute(attribute), Print(line))?;
            queue!(out, Clear(ClearType::UntilNewLine), SetAttribute(Attribute::Reset))?;
        }
        queue!(out, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let shown = execute!(self.0, EnableLineWrap, Show, LeaveAlternateScreen);
        if let Err(error) = shown.and(disable_raw_mode()) {
            tracing::debug!(%error, "the terminal is gone");
        }
    }
}

/// Columns and lines.
pub(super) fn size() -> (usize, usize) {
    let (width, height) = crossterm::terminal::size().unwrap_or(USUAL);
    (width.into(), height.into())
}

/// What was typed meanwhile; nobody waits for it.
pub(super) fn events() -> io::Result<Vec<Event>> {
    let mut events = Vec::new();
    while events.len() < EVENTS_MAX && event::poll(Duration::ZERO)? {
        events.push(event::read()?);
    }
    Ok(events)
}
