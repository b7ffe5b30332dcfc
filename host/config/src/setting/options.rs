//! The macro that declares a table of options.

/// Declares a table of options: the struct, how it is read and shown, and its documentation.
///
/// `section` structs have a default for everything and implement `Default`; `object` structs have required options.
/// An option is `default(value)`, `optional` (an `Option`) or `required`.
macro_rules! options {
    (
        $(#[$meta:meta])*
        $kind:ident $name:ident at $section:literal {
            $(
                $(#[doc = $doc:expr])*
                $key:literal $field:ident: $type:ty, $presence:ident $(($default:expr))?
                $(from $least:literal to $greatest:literal)? $(unit $unit:literal)?
                , $effect:ident, $origin:expr;
            )*
        }
        $(not yet [$($not_yet:literal),* $(,)?])?
        $(known as |$this:ident| $identity:expr)?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $(
                $(#[doc = $doc])*
                ///
                #[doc = concat!(
                    "Option `", $key, "` of `", $section, "`; ", stringify!($presence), " `", $(stringify!($default),)?
                    "`", $("; from ", $least, " to ", $greatest,)? $("; unit: ", $unit,)?
                    "; takes effect: ", stringify!($effect), "."
                )]
                pub $field: $type,
            )*
        }

        impl $name {
            /// The documentation of every option of this table.
            pub(crate) fn docs() -> Vec<$crate::setting::OptionDoc> {
                #[allow(unused_imports, reason = "a table may have options of one origin only")]
                use $crate::setting::OptionOrigin::{Ors, Pointsman};
                vec![$($crate::setting::OptionDoc {
                    section: $section,
                    key: $key,
                    summary: concat!($($doc, "\n"),*).trim().into(),
                    unit: concat!($($unit)?),
                    default: options!(@shown $presence $(($default))? as $type),
                    range: options!(@range $($least to $greatest)?),
                    effect: $crate::setting::Effect::$effect,
                    origin: $origin,
                }),*]
            }
        }

        impl $crate::setting::Setting for $name {
            fn read(
                value: $crate::setting::Value<'_, '_>,
                reader: &mut $crate::setting::Reader<'_>,
            ) -> $crate::setting::Read<Self> {
                let table = reader.table(value, concat!("the options of ", $section))?;
                reader.refuse_unknown(&table, $section, &[$($key),*], &[$($($not_yet),*)?]);
                $(
                    let range = options!(@range $($least to $greatest)?);
                    let $field: Option<$type> = match reader.option(&table, $key, range, concat!($($unit)?)) {
                        $crate::setting::Found::Is(read) => Some(read),
                        found => {
                            let missing = matches!(found, $crate::setting::Found::Missing);
                            options!(@otherwise missing reader table $section $key ($($doc)*) $presence $(($default))?)
                        }
                    };
                )*
                Some($name { $($field: $field?),* })
            }

            fn show(&self) -> $crate::setting::Shown {
                $crate::setting::Shown::Table(vec![$($crate::setting::Field {
                    key: $key.into(),
                    shown: $crate::setting::Setting::show(&self.$field),
                    effect: $crate::setting::Effect::$effect,
                }),*])
            }

            $(fn identity(&self) -> Option<String> {
                let $this = self;
                Some($identity)
            })?
        }

        options!(@kind $kind $name $($field: $presence $(($default))?,)*);
    };

    (@kind section $name:ident $($field:ident: $presence:ident $(($default:expr))?,)*) => {
        impl Default for $name {
            fn default() -> Self {
                $name { $($field: options!(@value $presence $(($default))?)),* }
            }
        }
    };
    (@kind object $name:ident $($rest:tt)*) => {};

    (@value default ($default:expr)) => { $default };
    (@value optional) => { None };

    // An option that is there but unusable has been reported; its default stands in, so that the rest is checked too.
    (@otherwise $missing:ident $reader:ident $table:ident $section:literal $key:literal ($($doc:expr)*) default ($default:expr)) => {{
        let _ = $missing;
        Some($default)
    }};
    (@otherwise $missing:ident $reader:ident $table:ident $section:literal $key:literal ($($doc:expr)*) optional) => {{
        let _ = $missing;
        Some(None)
    }};
    (@otherwise $missing:ident $reader:ident $table:ident $section:literal $key:literal ($($doc:expr)*) required) => {{
        if $missing {
            $reader.missing(&$table, $section, $key, concat!($($doc),*));
        }
        None
    }};

    (@range) => { None };
    (@range $least:literal to $greatest:literal) => { Some($least..=$greatest) };

    (@shown default ($default:expr) as $type:ty) => {{
        let default: $type = $default;
        Some(match $crate::setting::Setting::show(&default) {
            $crate::setting::Shown::Value(value) => value.to_string(),
            _ => String::new(),
        })
    }};
    (@shown optional as $type:ty) => { Some(String::new()) };
    (@shown required as $type:ty) => { None };
}
pub(crate) use options;
