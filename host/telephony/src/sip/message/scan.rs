//! Small readers that several fields share (RFC 3261 25.1).

/// Whether `byte` may be part of a token.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// Whether `text` is a token.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Splits at `separator` outside quoted strings and angle brackets; elements are trimmed.
pub(super) fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let at = find(text, separator);
        rest = at.map(|at| &text[at + separator.len_utf8()..]);
        Some(text[..at.unwrap_or(text.len())].trim())
    })
}

/// Position of the first `wanted` outside quoted strings and angle brackets.
pub(super) fn find(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped, mut angle) = (false, false, false);
    for (at, c) in text.char_indices() {
        if !quoted && !angle && c == wanted {
            return Some(at);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if !angle => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            _ => {}
        }
    }
    None
}

/// Length of the quoted string at the start of `text`, both quotes included; none when it has no end.
pub(super) fn quoted_len(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The text between the quotes, escapes resolved.
pub(super) fn unquote(quoted: &str) -> String {
    let inner = &quoted[1..quoted.len() - 1];
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_inside_quotes_and_angle_brackets_do_not_separate() {
        let list: Vec<_> = split(r#""a,\",b" <sip:x,y@h>;q=1 , <sip:z@h>"#, ',').collect();
        assert_eq!(list, [r#""a,\",b" <sip:x,y@h>;q=1"#, "<sip:z@h>"]);
        assert_eq!(split("", ',').collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn quoted_strings_lose_their_escapes() {
        let text = r#""a\"b\\" rest"#;
        assert_eq!(quoted_len(text), Some(8));
        assert_eq!(unquote(&text[..8]), r#"a"b\"#);
        assert_eq!(quoted_len(r#""open"#), None);
    }
}
