//! Values as SQL that gives them again, and what a SET assigns.

/// A reported value as SQL that gives it again.
pub(super) fn literal(value: &[u8]) -> String {
    let text = std::str::from_utf8(value).ok();
    let is_number = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && digits.bytes().filter(|byte| *byte == b'.').count() <= 1
    };
    match text {
        Some(text) if is_number(text) => text.to_owned(),
        // Read the same in every sql_mode and character set.
        Some(text)
            if text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'\'' && b != b'\\') =>
        {
            format!("'{text}'")
        }
        _ => format!("CONVERT(0x{} USING utf8mb4)", hex::encode(value)),
    }
}

/// The variables that a SET assigns as `@@name` without a scope: MariaDB does not report those.
pub(crate) fn assigned_unscoped(sql: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in sql.match_indices("@@") {
        let rest = sql.get(at + 2..).unwrap_or_default();
        let length =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (name, rest) = rest.split_at_checked(length).unwrap_or_default();
        let rest = rest.trim_start();
        let is_assigned = rest.starts_with('=') || rest.starts_with(":=");
        if is_assigned && !name.is_empty() && names.len() < MAX_ASSIGNED {
            names.push(name.to_ascii_lowercase());
        }
    }
    names
}

/// The most variables of one SET that are asked for.
const MAX_ASSIGNED: usize = 20;
