//! What can be told of an expression without an engine.

/// The text of a string literal that has no escapes and is the whole expression.
pub(crate) fn string_literal(expression: &str) -> Option<&str> {
    let text = expression.trim();
    ['\'', '"'].into_iter().find_map(|quote| {
        let inside = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inside.contains([quote, '\\', '\n'])).then_some(inside)
    })
}

/// The words of a program that can be identifiers; some stand in strings or comments.
pub(crate) fn words(program: &str) -> impl Iterator<Item = &str> {
    let is_name = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$');
    program
        .split(move |character| !is_name(character))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_string_is_a_literal() {
        assert_eq!(string_literal(" 'a.b' "), Some("a.b"));
        assert_eq!(string_literal("\"a'b\""), Some("a'b"));
        for other in ["'a' + 'b'", "a", "'a", "'", "", "'a\\n'"] {
            assert_eq!(string_literal(other), None, "{other}");
        }
    }
}
