//! The `options` of a startup packet.

/// The settings in the `options` of a startup packet: `-c name=value` and `--name=value` (`process_postgres_switches`).
pub(super) fn options(text: &str) -> Option<Vec<(String, String)>> {
    let mut words = split_words(text).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(long), _) => long.to_owned(),
            (None, Some("")) => words.next()?,
            (None, Some(joined)) => joined.to_owned(),
            (None, None) => return None,
        };
        let (name, value) = setting.split_once('=')?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Some(settings)
}

/// Splits at white space that no backslash escapes (`pg_split_opts`).
fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            space if space.is_ascii_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_the_server_reads_them() {
        let read = |text| options(text).map(|list| format!("{list:?}"));
        assert_eq!(
            read("-c a=1  --b-c=x\\ y -cd=").as_deref(),
            Some(r#"[("a", "1"), ("b_c", "x y"), ("d", "")]"#)
        );
        assert_eq!(read("-s"), None);
        assert_eq!(read("-c"), None);
    }
}
