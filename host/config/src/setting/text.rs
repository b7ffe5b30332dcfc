//! Values written as TOML strings.

use super::{Read, Reader, Value};

/// A value written as a TOML string.
pub(crate) trait FromText: Sized {
    /// What the string holds, with its article.
    const EXPECTED: &'static str;
    /// The value, or the message and the help.
    fn from_text(text: &str) -> Result<Self, (String, String)>;
}

/// Reads a [`FromText`] value.
pub(crate) fn read_text<T: FromText>(value: Value<'_, '_>, reader: &mut Reader<'_>) -> Read<T> {
    let text = reader.string(value, T::EXPECTED)?;
    match T::from_text(text) {
        Ok(read) => Some(read),
        Err((message, help)) => {
            reader.report.error(Some(value.place()), message, help);
            None
        }
    }
}

/// [`Setting`] for types with [`FromText`] and `Display`.
macro_rules! text_setting {
    ($($name:ty),*) => {$(
        impl $crate::setting::Setting for $name {
            fn read(
                value: $crate::setting::Value<'_, '_>,
                reader: &mut $crate::setting::Reader<'_>,
            ) -> $crate::setting::Read<Self> {
                $crate::setting::read_text(value, reader)
            }

            fn show(&self) -> $crate::setting::Shown {
                $crate::setting::Shown::text(self.to_string())
            }
        }
    )*};
}
pub(crate) use text_setting;

/// An enum whose values are written as strings, with the valid ones listed when another is given.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident, $expected:literal { $($(#[$variant_doc:meta])* $text:literal => $variant:ident,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* #[doc = concat!("\n\nWritten `", $text, "`.")] $variant,)* }

        impl $name {
            /// The value as it is written.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::setting::FromText for $name {
            const EXPECTED: &'static str = $expected;

            fn from_text(text: &str) -> Result<Self, (String, String)> {
                match text {
                    $($text => Ok($name::$variant),)*
                    _ => {
                        let shown: String = text.chars().take(64).collect();
                        let help = $crate::setting::suggestion(text, &[$($text),*]);
                        Err((format!("`{shown}` is not {}", $expected), help))
                    }
                }
            }
        }

        $crate::setting::text_setting!($name);
    )*};
}
pub(crate) use choices;
