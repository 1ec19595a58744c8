//! A peer's free text.

/// A peer's free text for a log: what is not UTF-8 or a control character replaced, cut to [`MAX_SHOWN_LEN`].
pub(super) fn shown(text: capnp::text::Reader<'_>) -> String {
    let bytes = text.as_bytes();
    let bytes = bytes.get(..MAX_SHOWN_LEN).unwrap_or(bytes);
    let visible = |c: char| if c.is_control() { '.' } else { c };
    String::from_utf8_lossy(bytes).chars().map(visible).collect()
}

const MAX_SHOWN_LEN: usize = 1024;
