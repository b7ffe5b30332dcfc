//! User data in header fields, both ways.

use crate::model::{UserData, UserDataError, Value};
use crate::sip::message::{HeaderName, Headers};
use crate::sip::options::Placement;
use std::fmt::Write as _;

/// The key of a header field.
fn key(header: &str) -> &str {
    match header.get(..2) {
        Some(x) if x.eq_ignore_ascii_case("X-") => &header[2..],
        _ => header,
    }
}

/// User data out of the chosen header fields of an INVITE.
pub(super) fn read(chosen: &[String], headers: &Headers) -> Result<UserData, UserDataError> {
    let mut data = UserData::new();
    for option in chosen {
        let name = HeaderName::of(option);
        let key = if name == HeaderName::UserToUser {
            HeaderName::UserToUser.as_str()
        } else {
            key(option)
        };
        for line in headers.lines(&name) {
            let value = if name == HeaderName::UserToUser {
                decode_user_to_user(line)
            } else {
                line.into()
            };
            data.add(key, value)?;
        }
    }
    Ok(data)
}

/// RFC 7433 4: `data;purpose=..;encoding=hex`. What is not hexadecimal, or is no UTF-8 when decoded, stays as it is.
fn decode_user_to_user(value: &str) -> String {
    let mut parts = value.split(';').map(str::trim);
    let data = parts.next().unwrap_or_default();
    let hex = parts.any(|param| {
        param.split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("encoding") && value.trim().eq_ignore_ascii_case("hex")
        })
    });
    let unquoted = data.strip_prefix('"').and_then(|d| d.strip_suffix('"')).unwrap_or(data);
    let decoded = if hex {
        decode_hex(unquoted).and_then(|bytes| String::from_utf8(bytes).ok())
    } else {
        None
    };
    decoded.unwrap_or_else(|| unquoted.into())
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| {
        digits
            .chunks_exact(2)
            .map(|pair| (pair[0] << 4 | pair[1]) as u8)
            .collect()
    })
}

/// User data as it leaves.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Header fields of the 302.
    pub(super) headers: Headers,
    /// The header part of the Contacts, without `?`.
    pub(super) embedded: Option<String>,
}

/// Writes user data into the chosen header fields. The error names what cannot be carried.
pub(super) fn write(chosen: &[String], placement: Placement, data: &UserData) -> Result<Written, String> {
    let mut written = Written::default();
    for option in chosen {
        let name = HeaderName::of(option);
        let Some(value) = data.get(key(option)) else { continue };
        let text = match value {
            Value::Text(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            Value::List(_) => {
                return Err(format!(
                    "user data `{}` is a list: a header field carries texts and numbers",
                    key(option)
                ));
            }
        };
        let text = if name == HeaderName::UserToUser {
            let mut hex = String::with_capacity(2 * text.len() + 13);
            text.bytes()
                .for_each(|b| write!(hex, "{b:02x}").expect("a String takes everything"));
            hex + ";encoding=hex"
        } else if text.contains(char::is_control) {
            return Err(format!(
                "user data `{}` has control characters: a header field cannot carry them",
                key(option)
            ));
        } else {
            text
        };
        match placement {
            Placement::Header => written.headers.push(name, text),
            Placement::Contact => {
                let embedded = written.embedded.get_or_insert_default();
                if !embedded.is_empty() {
                    embedded.push('&');
                }
                embedded.push_str(name.as_str());
                embedded.push('=');
                escape_header(embedded, &text);
            }
        }
    }
    Ok(written)
}

/// Percent escapes for a URI's header part (RFC 3261 25.1 `hvalue`).
fn escape_header(out: &mut String, text: &str) {
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.!~*'()[]/?:+$".contains(&b) {
            out.push(char::from(b));
        } else {
            write!(out, "%{b:02X}").expect("a String takes everything");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        lines
            .iter()
            .for_each(|(name, value)| headers.push(HeaderName::of(name), *value));
        headers
    }

    #[test]
    fn chosen_header_fields_become_user_data() {
        let chosen = ["user-to-user".into(), "X-Customer".into()];
        let sent = headers(&[
            ("x-customer", "42"),
            ("X-Other", "no"),
            ("User-to-User", "48c3a9;purpose=x;encoding=hex"),
        ]);
        let data = read(&chosen, &sent).unwrap();
        assert_eq!(
            serde_json::to_string(&data).unwrap(),
            r#"[["User-to-User","Hé"],["Customer","42"]]"#
        );
    }

    #[test]
    fn user_to_user_that_is_not_hexadecimal_stays_as_it_is() {
        for (sent, read) in [
            ("hello;encoding=hex", "hello"),
            ("6869", "6869"),
            ("\"6869\";encoding=hex", "hi"),
            ("ff;encoding=hex", "ff"),
        ] {
            assert_eq!(decode_user_to_user(sent), read, "{sent}");
        }
    }

    #[test]
    fn user_data_leaves_as_header_fields_or_inside_the_contacts() {
        let chosen = ["User-to-User".into(), "X-Customer".into()];
        let mut data = UserData::new();
        data.add("Customer", "4 2").unwrap();
        data.add("User-to-User", "hi").unwrap();
        data.add("Secret", "stays").unwrap();
        let written = write(&chosen, Placement::Header, &data).unwrap();
        assert_eq!(
            written.headers,
            headers(&[("User-to-User", "6869;encoding=hex"), ("X-Customer", "4 2")])
        );
        let embedded = write(&chosen, Placement::Contact, &data).unwrap().embedded.unwrap();
        assert_eq!(embedded, "User-to-User=6869%3Bencoding%3Dhex&X-Customer=4%202");
    }

    #[test]
    fn a_value_cannot_smuggle_a_line_in() {
        let mut data = UserData::new();
        data.add("A", "x\r\nContact: <sip:evil@h>").unwrap();
        let refused = write(&["X-A".into()], Placement::Header, &data).unwrap_err();
        assert!(refused.contains("control characters"));
    }
}
