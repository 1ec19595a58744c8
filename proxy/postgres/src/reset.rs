//! What a RESET goes back to: the values of the client's startup packet, which its backend knows nothing of.
//!
//! A backend logs in for nobody in particular, so that a RESET leads it to the server's own values. Behind each
//! statement of a client's that takes a setting back go statements of our own that set the startup's value, in the same
//! transaction, so that they are in force for what follows, and are rolled back with it.

use std::{ops::Range, sync::Arc};

use cache::sql::postgres::{Analysis, Asked, Effect};
use protocol::postgres::{
    encode,
    pipeline::{Asker, Request as Sent},
};
use serving::activity::Counted;

use super::{
    backend::{Backend, Note},
    client::Client,
    lacking::run_in_group,
    ledger::Footprint,
    places::Places,
    settings::Settings,
};

/// Statements of our own within a text of the client's, in order.
#[derive(Debug)]
pub(crate) struct Added {
    all: Vec<Addition>,
    places: Places,
}

#[derive(Debug)]
struct Addition {
    /// The statement of the client's that they follow.
    behind: usize,
    /// How many they are.
    statements: usize,
    /// How many bytes of the client's come before them.
    at_byte: usize,
    /// How many characters they are, which are ASCII.
    length: usize,
}

impl Added {
    /// Which of the client's statements is the one that completes after `completed` others; `None` for one of ours.
    pub(crate) fn whose(&self, completed: usize) -> Option<usize> {
        let mut index = completed;
        for addition in &self.all {
            let first = addition.behind.saturating_add(1);
            match index.checked_sub(first) {
                None => break,
                Some(past) if past < addition.statements => return None,
                Some(_) => index = index.saturating_sub(addition.statements),
            }
        }
        Some(index)
    }

    /// What is known of the client's text, with places in the longer one.
    pub(crate) fn shifted(&self, analysis: &Analysis) -> Analysis {
        let mut analysis = analysis.clone();
        let shift = |span: &mut Range<usize>| {
            let before = self.all.iter().filter(|addition| addition.at_byte <= span.start);
            let more = before.map(|addition| addition.length).sum::<usize>();
            *span = span.start + more..span.end + more;
        };
        analysis.names.iter_mut().for_each(|name| shift(&mut name.span));
        for asked in analysis.statements.iter_mut().flat_map(|one| &mut one.asked) {
            if let Asked::Signal { span, .. } = &mut asked.what {
                shift(span);
            }
            shift(&mut asked.span);
        }
        analysis
    }

    /// Where they are.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }
}

/// The client's text with what must follow each of its resets. `None` where nothing must.
pub(crate) fn added(
    query: &[u8],
    analysis: &Analysis,
    base: &Settings,
    in_block: bool,
) -> Option<(Vec<u8>, Box<Added>)> {
    if analysis.statements.iter().all(|one| one.resets_until.is_none()) {
        return None;
    }
    // Alone and outside a block SET LOCAL does nothing but warn.
    let is_void = |effect: &Effect| match effect {
        Effect::ResetLocal { .. } => !in_block && analysis.statements.len() == 1,
        // It is refused among others.
        Effect::DiscardAll => true,
        _ => false,
    };
    let (mut text, mut all, mut copied) = (Vec::new(), Vec::new(), 0);
    let mut places = Places::default();
    for (behind, statement) in analysis.statements.iter().enumerate() {
        let Some(end) = statement.resets_until else { continue };
        let effects = statement.effects.iter().filter(|effect| !is_void(effect));
        let own: Vec<String> = effects.flat_map(|effect| base.behind(effect)).collect();
        if own.is_empty() {
            continue;
        }
        let (bytes, characters) = offsets(query, end);
        text.extend_from_slice(query.get(copied..bytes)?);
        copied = bytes;
        // The line ends a comment that the statement may end in.
        let own_text = format!("\n;{}", own.join(";"));
        text.extend_from_slice(own_text.as_bytes());
        let length = own_text.chars().count();
        places.put(characters, 0, length);
        all.push(Addition { behind, statements: own.len(), at_byte: bytes, length });
    }
    text.extend_from_slice(query.get(copied..)?);
    (!all.is_empty()).then(|| (text, Box::new(Added { all, places })))
}

/// How many bytes, and how many characters, of a text lie before a place in it that was found in its UTF-8 form, where
/// what is not UTF-8 is U+FFFD.
fn offsets(query: &[u8], place: usize) -> (usize, usize) {
    let (mut seen, mut bytes, mut characters) = (0_usize, 0_usize, 0_usize);
    for chunk in query.utf8_chunks() {
        let valid = chunk.valid();
        if seen + valid.len() >= place {
            let part = valid.get(..place.saturating_sub(seen)).unwrap_or(valid);
            return (bytes + part.len(), characters + part.chars().count());
        }
        seen += valid.len() + char::REPLACEMENT_CHARACTER.len_utf8();
        bytes += valid.len() + chunk.invalid().len();
        characters += valid.chars().count() + 1;
    }
    (bytes, characters)
}

impl Client {
    /// Behind a statement of the extended protocol: what its resets go back to.
    pub(crate) fn put_back(&self, backend: &mut Backend, analysis: &Analysis) {
        for effect in analysis.effects().filter(|effect| effect.is_reset()) {
            for sql in self.facts.base.behind(effect) {
                run_in_group(backend, &sql);
            }
        }
    }

    /// A simple query that is DISCARD ALL, which nothing may follow in one text: as the messages of the extended
    /// protocol, which something may.
    pub(crate) fn discard_all(
        &mut self,
        backend: &mut Backend,
        query: &[u8],
        (analysis, footprint, asked): (Arc<Analysis>, Footprint, Option<Counted>),
    ) {
        self.drops_unnamed(backend);
        let parts: [&[u8]; 3] = [b"\0", query, b"\0\0\0"];
        encode::frame(b'P', &parts, backend.framed.queue());
        backend.pipeline.sent(Sent::Parse, Asker::Proxy, None);
        encode::frame(b'B', &[&[0; 8]], backend.framed.queue());
        backend.pipeline.sent(Sent::Bind, Asker::Proxy, None);
        encode::frame(b'E', &[&[0; 5]], backend.framed.queue());
        let ahead = self.goes_ahead(backend, &analysis);
        let note = Note::Execute(Arc::clone(&analysis), footprint, ahead, asked);
        backend.pipeline.sent(Sent::Execute, Asker::Client, Some(note));
        self.put_back(backend, &analysis);
        backend.framed.queue().extend_from_slice(encode::SYNC);
        let note = Note::Sync(self.facts.statements.end_group());
        backend.pipeline.sent(Sent::Sync, Asker::Client, Some(note));
    }
}

/// Whether a text is DISCARD ALL and nothing else.
pub(crate) fn is_discard_all(analysis: &Analysis) -> bool {
    matches!(analysis.statements.as_slice(), [one] if one.effects.contains(&Effect::DiscardAll))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cache::sql::postgres::analyse;

    use super::*;

    fn base() -> Settings {
        let parameters =
            [("timezone", "x"), ("search_path", "a")].map(|(n, v)| (n.into(), v.into()));
        Settings::from_startup(&BTreeMap::from(parameters)).expect("settings")
    }

    fn text(query: &[u8], in_block: bool) -> Option<(String, Box<Added>)> {
        let analysis = analyse(&String::from_utf8_lossy(query));
        let (text, added) = added(query, &analysis, &base(), in_block)?;
        Some((String::from_utf8_lossy(&text).into_owned(), added))
    }

    /// FAULTS row 7: what a reset goes back to stands behind it, wherever that is.
    #[test]
    fn the_startup_value_stands_behind_its_reset() {
        let is = |query: &str| text(query.as_bytes(), true).map(|(text, _)| text);
        let path = "SET search_path TO 'a'";
        for (query, expected) in [
            ("RESET search_path -- so", format!("RESET search_path -- so\n;{path}")),
            ("set search_path to default;", format!("set search_path to default\n;{path};")),
            (
                "select 1; RESET search_path ; select 2",
                format!("select 1; RESET search_path \n;{path}; select 2"),
            ),
            (
                "RESET ALL",
                format!("RESET ALL\n;SET application_name TO '';{path};SET timezone TO 'x'"),
            ),
            (
                "SET LOCAL search_path TO DEFAULT",
                "SET LOCAL search_path TO DEFAULT\n;SET LOCAL search_path TO 'a'".into(),
            ),
        ] {
            assert_eq!(is(query), Some(expected), "{query}");
        }
        for query in ["RESET work_mem", "select 'RESET search_path'", "DISCARD ALL; select 1"] {
            assert_eq!(is(query), None, "{query}");
        }
        assert!(text(b"SET LOCAL search_path TO DEFAULT", false).is_none(), "a warning only");
        let (latin, _) =
            text(b"select '\xe9'; RESET search_path; select '\xe9'", true).expect("more");
        assert!(latin.contains("RESET search_path\n;SET"), "{latin}");
    }

    #[test]
    fn the_client_s_statements_are_told_from_ours() {
        let query = "select 1; reset all; select 2; reset timezone; select 3";
        let (_, added) = text(query.as_bytes(), false).expect("more");
        let whose: Vec<Option<usize>> = (0..9).map(|completed| added.whose(completed)).collect();
        let client = |index| Some(index);
        assert_eq!(
            whose,
            [client(0), client(1), None, None, None, client(2), client(3), None, client(4)]
        );
    }

    #[test]
    fn names_of_statements_are_found_in_the_longer_text() {
        let query = "execute é; reset timezone; deallocate b; reset all; execute \"c d\"";
        let (new, added) = text(query.as_bytes(), false).expect("more");
        let analysis = added.shifted(&analyse(query));
        let names: Vec<_> =
            analysis.names.iter().filter_map(|it| new.get(it.span.clone())).collect();
        assert_eq!(names, ["é", "b", "\"c d\""]);
    }

    #[test]
    fn an_error_points_into_the_client_s_text() {
        let query = "reset timezone; select nosuch, 'é'; reset timezone; select other";
        let (new, added) = text(query.as_bytes(), false).expect("more");
        for word in ["nosuch", "other"] {
            let place = |text: &str| {
                let (before, _) = text.split_once(word).expect("there");
                before.chars().count() + 1
            };
            assert_eq!(added.places().back(place(&new)), place(query), "{word}");
        }
    }
}
