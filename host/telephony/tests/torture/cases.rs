//! The torture test messages of RFC 4475, read; for the tests of the link and of the whole server.

/// One message, and what is to be answered: a status, or `drop`.
pub struct Case {
    pub name: String,
    pub expected: String,
    pub bytes: Vec<u8>,
}

/// Reads `messages.txt`; its head says how it is written.
pub fn cases() -> Vec<Case> {
    include_str!("messages.txt")
        .split("\n=== ")
        .skip(1)
        .map(|case| {
            let (title, text) = case.split_once('\n').unwrap();
            let words: Vec<_> = title.split(' ').collect();
            let text = expand(text)
                .replace("{07}", "\u{7}")
                .replace("{00}", "\0")
                .replace("{7F}", "\u{7f}");
            let (head, body) = text
                .split_once("\n\n")
                .unwrap_or_else(|| (text.trim_end_matches('\n'), ""));
            let body = body.replace('\n', "\r\n");
            let head = head.replace('\n', "\r\n").replace(": CL", &format!(": {}", body.len()));
            let bytes = format!("{head}\r\n\r\n{body}").into_bytes();
            Case {
                name: format!("{} ({})", words[0], words[1]),
                expected: words[2].into(),
                bytes,
            }
        })
        .collect()
}

/// `<textxN>`, with the last `x` of what stands between the brackets, becomes N times the text.
fn expand(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let repeat = rest[1..]
            .find(['<', '>'])
            .filter(|end| rest[1 + end..].starts_with('>'))
            .and_then(|end| {
                let (what, times) = rest[1..1 + end].rsplit_once(['x', 'X'])?;
                Some((what.repeat(times.parse().ok()?), end + 2))
            });
        match repeat {
            Some((repeated, length)) => {
                out.push_str(&repeated);
                rest = &rest[length..];
            }
            None => {
                out.push('<');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}
