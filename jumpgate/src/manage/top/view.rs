//! What is shown of a look, and what keys do to that. It draws nothing and asks nobody.

use std::cmp::Ordering;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    figures::{Look, Session, Shape, float},
    words::{aligned, amount, cut, percent, time, widths},
};

const FILTER_MAX: usize = 64;
/// Of a reason.
const WHY_WIDTH: usize = 32;
/// Of a statement.
const STATEMENT_WIDTH: usize = 160;
/// Lines around the rows.
const AROUND: usize = 5;
const PAGE: usize = 10;

/// What each list can be sorted by; it begins with the first.
const SHAPE_KEYS: [&str; 6] = ["TIME", "CALLS", "HIT", "MEAN", "SAVED", "ERRORS"];
const SESSION_KEYS: [&str; 4] = ["FOR", "STATE", "USER", "DATABASE"];
const HELP: &str =
    "q quit  Tab statements/sessions  < > sort  r reverse  a rate/total  / filter  space pause";

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bold,
    Reversed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pane {
    #[default]
    Statements,
    Sessions,
}

/// What statements are counted over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Counted {
    /// Between the last two answers.
    #[default]
    Rate,
    /// All of it.
    Total,
}

/// What is shown of a look.
#[derive(Debug, Default)]
pub(super) struct View {
    pane: Pane,
    counted: Counted,
    /// Which key the statements and the clients are sorted by.
    sorted: (usize, usize),
    is_reversed: bool,
    is_paused: bool,
    filter: String,
    /// What is being typed.
    typed: Option<String>,
    skipped: usize,
    trouble: Option<String>,
}

impl View {
    /// What is shown stays as it is.
    pub(super) const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// All that was counted is shown, and not what was since the last answer.
    pub(super) fn is_total(&self) -> bool {
        self.counted == Counted::Total
    }

    /// Why nobody answers, or that somebody does again.
    pub(super) fn trouble(&mut self, trouble: Option<String>) {
        self.trouble = trouble;
    }

    /// Takes a key; says whether it ends all.
    pub(super) fn hears(&mut self, event: &Event) -> bool {
        let Event::Key(KeyEvent { code, modifiers, kind, .. }) = event else { return false };
        if *kind == KeyEventKind::Release {
            return false;
        }
        if modifiers.contains(KeyModifiers::CONTROL) {
            return *code == KeyCode::Char('c');
        }
        if let Some(typed) = &mut self.typed {
            match code {
                KeyCode::Char(letter) if typed.len() < FILTER_MAX => typed.push(*letter),
                KeyCode::Backspace => {
                    typed.pop();
                }
                KeyCode::Enter => self.filter = self.typed.take().unwrap_or_default(),
                KeyCode::Esc => self.typed = None,
                _ => {}
            }
            self.skipped = 0;
            return false;
        }
        match code {
            KeyCode::Char('q') => return true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Tab | KeyCode::BackTab | KeyCode::Char('s') => {
                self.pane = match self.pane {
                    Pane::Statements => Pane::Sessions,
                    Pane::Sessions => Pane::Statements,
                };
                self.skipped = 0;
            }
            KeyCode::Right | KeyCode::Char('>') => self.sort_by(1),
            KeyCode::Left | KeyCode::Char('<') => self.sort_by(-1),
            KeyCode::Char('r') => self.is_reversed = !self.is_reversed,
            KeyCode::Char('a') => {
                self.counted = match self.counted {
                    Counted::Rate => Counted::Total,
                    Counted::Total => Counted::Rate,
                };
            }
            KeyCode::Char('/') => self.typed = Some(self.filter.clone()),
            KeyCode::Char(' ') => self.is_paused = !self.is_paused,
            KeyCode::Down | KeyCode::Char('j') => self.skipped = self.skipped.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.skipped = self.skipped.saturating_sub(1),
            KeyCode::PageDown => self.skipped = self.skipped.saturating_add(PAGE),
            KeyCode::PageUp => self.skipped = self.skipped.saturating_sub(PAGE),
            KeyCode::Home => self.skipped = 0,
            _ => {}
        }
        false
    }

    fn sort_by(&mut self, step: isize) {
        let moved = |at: usize, keys: usize| {
            at.checked_add_signed(step).map_or(keys - 1, |at| if at < keys { at } else { 0 })
        };
        match self.pane {
            Pane::Statements => self.sorted.0 = moved(self.sorted.0, SHAPE_KEYS.len()),
            Pane::Sessions => self.sorted.1 = moved(self.sorted.1, SESSION_KEYS.len()),
        }
        self.skipped = 0;
    }

    fn key(&self) -> &'static str {
        let key = match self.pane {
            Pane::Statements => SHAPE_KEYS.get(self.sorted.0),
            Pane::Sessions => SESSION_KEYS.get(self.sorted.1),
        };
        key.copied().unwrap_or_default()
    }

    /// All lines of a screen of so many columns and lines. Rows that there are no more of are not scrolled to.
    pub(super) fn lines(
        &mut self,
        look: &Look,
        (width, height): (usize, usize),
    ) -> Vec<(Style, String)> {
        let room = height.saturating_sub(AROUND);
        let rows = self.table(look);
        self.skipped = self.skipped.min(rows.len().saturating_sub(1 + room));
        let skipped = self.skipped;
        let mut lines: Vec<_> =
            self.head(look).into_iter().map(|line| (Style::Bold, line)).collect();
        lines.push((Style::Plain, String::new()));
        let shown = rows.into_iter().enumerate();
        let shown = shown.filter(|(at, _)| *at == 0 || *at > skipped).map(|(_, row)| row);
        let shown: Vec<_> = shown.take(room + 1).collect();
        let widths = widths(&shown);
        for (at, row) in shown.iter().enumerate() {
            let style = if at == 0 { Style::Reversed } else { Style::Plain };
            lines.push((style, aligned(row, &widths)));
        }
        lines.resize(height.saturating_sub(1), (Style::Plain, String::new()));
        lines.push((Style::Reversed, self.foot(look)));
        lines.truncate(height);
        let fitted = |(style, line): (Style, String)| {
            let line = cut(&line, width);
            // Its colours reach to the edge.
            (style, if style == Style::Reversed { format!("{line:width$}") } else { line })
        };
        lines.into_iter().map(fitted).collect()
    }

    /// Two lines about all together.
    pub(super) fn head(&self, look: &Look) -> Vec<String> {
        let (asked, answered) = look.nodes;
        let (in_use, max, waiting) = look.pool;
        let per = if look.seconds.is_some() { "/s" } else { " statements" };
        let unasked = match look.transaction_reads {
            0 => String::new(),
            reads => format!("  {} reads for in_transactions", amount(float(reads))),
        };
        vec![
            format!(
                "{}{per}  hit ratio {}  origin p50 {} ms  p95 {} ms",
                amount(look.calls()),
                percent(look.hit_ratio()),
                look.quantile(0.5).map_or_else(|| String::from("-"), amount),
                look.quantile(0.95).map_or_else(|| String::from("-"), amount),
            ),
            format!(
                "{answered} of {asked} proxies  {in_use} of {max} connections in use  {waiting} waiting  {} clients  {} pinned{unasked}",
                look.clients, look.pinned
            ),
        ]
    }

    fn foot(&self, look: &Look) -> String {
        if let Some(typed) = &self.typed {
            return format!("only with: {typed}_  (Enter; Esc leaves it as it was)");
        }
        if let Some(trouble) = &self.trouble {
            return format!("trying on: {trouble}");
        }
        let mut words = Vec::new();
        if self.is_paused {
            words.push(String::from("PAUSED"));
        }
        if !self.filter.is_empty() {
            words.push(format!("only with {:?}, Esc shows all", self.filter));
        }
        let left_out = match self.pane {
            Pane::Statements => look.left_out.0,
            Pane::Sessions => look.left_out.1,
        };
        if left_out > 0 {
            words.push(format!("{left_out} more"));
        }
        words.push(HELP.to_owned());
        words.join("  ")
    }

    /// The rows of what is shown, with their heads; what is longest stands last.
    pub(super) fn table(&self, look: &Look) -> Vec<Vec<String>> {
        match self.pane {
            Pane::Statements => self.statements(look),
            Pane::Sessions => self.sessions(look),
        }
    }

    fn statements(&self, look: &Look) -> Vec<Vec<String>> {
        let is_seen = |shape: &&Shape| {
            shape.calls + shape.errors > 0
                && self.passes(&[&shape.text, &shape.database, &shape.why])
        };
        let mut shapes: Vec<_> = look.shapes.iter().filter(is_seen).collect();
        shapes.sort_by(|a, b| self.ordered(by_key(self.key(), b, a)));
        let all: u64 = look.shapes.iter().map(|shape| shape.micros).sum();
        let (calls, has_many) =
            (if look.seconds.is_some() { "CALLS/S" } else { "CALLS" }, has_many(look));
        let seconds = look.seconds.unwrap_or(1.0);
        let rows = shapes.into_iter().map(|shape| {
            let cells = [
                amount(float(shape.calls) / seconds),
                percent(shape.hit_ratio()),
                amount(shape.mean()),
                percent(Some(float(shape.micros) / float(all.max(1)))),
                amount(float(shape.saved) / seconds),
                shape.errors.to_string(),
                cut(if shape.why.is_empty() { "-" } else { &shape.why }, WHY_WIDTH),
            ];
            with_database(has_many, &shape.database, cells, cut(&shape.text, STATEMENT_WIDTH))
        });
        let head = [calls, "HIT", "MEAN MS", "TIME", "SAVED", "ERRORS", "WHY NOT CACHED"];
        let head = head.map(|word| self.marked(word));
        std::iter::once(with_database(has_many, "DATABASE", head, String::from("STATEMENT")))
            .chain(rows)
            .collect()
    }

    fn sessions(&self, look: &Look) -> Vec<Vec<String>> {
        let is_seen = |it: &&Session| {
            self.passes(&[
                &it.user,
                &it.from,
                &it.statement,
                &it.database,
                &it.node,
                &it.state,
                &it.pins,
            ])
        };
        let mut sessions: Vec<_> = look.sessions.iter().filter(is_seen).collect();
        let key = self.key();
        sessions.sort_by(|a, b| {
            self.ordered(match key {
                "STATE" => a.state.cmp(&b.state),
                "USER" => a.user.cmp(&b.user),
                "DATABASE" => a.database.cmp(&b.database),
                _ => (a.state == "idle", b.millis).cmp(&(b.state == "idle", a.millis)),
            })
        });
        let has_many = has_many(look);
        let rows = sessions.into_iter().map(|it| {
            let pins = if it.pins.is_empty() { "-" } else { &it.pins };
            let cells = [
                it.user.clone(),
                cut(&it.from, WHY_WIDTH),
                it.state.clone(),
                time(it.millis),
                cut(pins, WHY_WIDTH),
                it.node.clone(),
            ];
            with_database(has_many, &it.database, cells, cut(&it.statement, STATEMENT_WIDTH))
        });
        let head =
            ["USER", "FROM", "STATE", "FOR", "PINNED BY", "PROXY"].map(|word| self.marked(word));
        std::iter::once(with_database(has_many, "DATABASE", head, String::from("STATEMENT")))
            .chain(rows)
            .collect()
    }

    /// What the list is sorted by has a mark.
    fn marked(&self, head: &str) -> String {
        let mark = if head.starts_with(self.key()) { "*" } else { "" };
        format!("{head}{mark}")
    }

    fn ordered(&self, order: Ordering) -> Ordering {
        if self.is_reversed { order.reverse() } else { order }
    }

    fn passes(&self, texts: &[&str]) -> bool {
        let wanted = self.filter.to_lowercase();
        texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    }
}

/// The columns, with the database where there are several, and what is longest at the end.
fn with_database<const N: usize>(
    has_many: bool,
    database: &str,
    cells: [String; N],
    last: String,
) -> Vec<String> {
    has_many.then(|| database.to_owned()).into_iter().chain(cells).chain([last]).collect()
}

fn has_many(look: &Look) -> bool {
    let names = look.shapes.iter().map(|it| &it.database);
    let mut names = names.chain(look.sessions.iter().map(|it| &it.database));
    names.next().is_some_and(|first| names.any(|other| other != first))
}

fn by_key(key: &str, a: &Shape, b: &Shape) -> Ordering {
    match key {
        "CALLS" => a.calls.cmp(&b.calls),
        "HIT" => a.hit_ratio().unwrap_or(-1.0).total_cmp(&b.hit_ratio().unwrap_or(-1.0)),
        "MEAN" => a.mean().total_cmp(&b.mean()),
        "SAVED" => a.saved.cmp(&b.saved),
        "ERRORS" => a.errors.cmp(&b.errors),
        _ => a.micros.cmp(&b.micros),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn typed(view: &mut View, keys: &str) {
        for letter in keys.chars() {
            let code = if letter == '\n' { KeyCode::Enter } else { KeyCode::Char(letter) };
            assert!(!view.hears(&key(code)));
        }
    }

    fn look() -> Look {
        let shape = |text: &str, calls, micros, hits| Shape {
            database: String::from("app"),
            text: text.to_owned(),
            calls,
            micros,
            hits,
            ..Shape::default()
        };
        let session = |user: &str, state: &str, millis| Session {
            database: String::from("app"),
            user: user.to_owned(),
            state: state.to_owned(),
            millis,
            ..Session::default()
        };
        Look {
            seconds: Some(2.0),
            nodes: (3, 2),
            shapes: vec![
                shape("SELECT a", 10, 5_000, (9, 10)),
                shape("UPDATE b", 4, 50_000, (0, 0)),
                shape("SELECT nobody", 0, 0, (0, 0)),
            ],
            sessions: vec![session("one", "idle", 90_000), session("two", "active", 1_500)],
            ..Look::default()
        }
    }

    fn last_cells(view: &View) -> Vec<String> {
        view.table(&look()).iter().skip(1).map(|row| row.last().unwrap().clone()).collect()
    }

    #[test]
    fn statements_are_sorted_and_filtered_by_keys() {
        let mut view = View::default();
        assert_eq!(last_cells(&view), ["UPDATE b", "SELECT a"]);
        typed(&mut view, ">");
        assert_eq!(last_cells(&view), ["SELECT a", "UPDATE b"]);
        assert_eq!(view.table(&look())[1][..4], ["5", "90.0%", "0.50", "9.1%"]);
        typed(&mut view, "r");
        assert_eq!(last_cells(&view), ["UPDATE b", "SELECT a"]);
        typed(&mut view, "/upd\n");
        assert_eq!(last_cells(&view), ["UPDATE b"]);
        view.hears(&key(KeyCode::Esc));
        assert_eq!(last_cells(&view).len(), 2);
        // A key of the view is a letter while something is typed.
        typed(&mut view, "/q");
        view.hears(&key(KeyCode::Esc));
        assert!(view.filter.is_empty());
        assert!(view.hears(&key(KeyCode::Char('q'))));
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        typed(&mut view, "/");
        assert!(view.hears(&Event::Key(control_c)));
    }

    #[test]
    fn who_is_busy_stands_before_who_is_idle() {
        let mut view = View::default();
        view.hears(&key(KeyCode::Tab));
        let rows = view.table(&look());
        assert_eq!((&*rows[1][0], &*rows[1][3]), ("two", "1.5s"));
        assert_eq!((&*rows[2][0], &*rows[2][3]), ("one", "1m"));
    }

    #[test]
    fn a_screen_is_filled_and_never_exceeded() {
        let mut view = View::default();
        for (width, height) in [(80, 24), (20, 5), (10, 3), (1, 1), (0, 0)] {
            view.hears(&key(KeyCode::PageDown));
            let lines = view.lines(&look(), (width, height));
            assert!(lines.len() == height, "{height}: {lines:?}");
            assert!(lines.iter().all(|(_, line)| line.chars().count() <= width));
        }
        let lines = view.lines(&look(), (80, 24));
        assert_eq!(lines[0].1, "7/s  hit ratio 90.0%  origin p50 - ms  p95 - ms");
        assert!(lines[1].1.starts_with("2 of 3 proxies"), "{lines:?}");
        view.trouble(Some(String::from("away")));
        assert_eq!(view.lines(&look(), (80, 24))[23].1.trim_end(), "trying on: away");
    }
}
