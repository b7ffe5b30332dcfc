//! Values that are not names: truth, numbers, addresses, lists.

use super::{FromText, Read, Reader, Setting, Shown, Value, text_setting};

impl Setting for bool {
    fn read(value: Value<'_, '_>, reader: &mut Reader<'_>) -> Read<Self> {
        let read = value.node.get_ref().as_bool();
        if read.is_none() {
            reader.mistyped(value, "true or false");
        }
        read
    }

    fn show(&self) -> Shown {
        Shown::Value(toml::Value::Boolean(*self))
    }
}

impl Setting for u32 {
    fn read(value: Value<'_, '_>, reader: &mut Reader<'_>) -> Read<Self> {
        let number = reader.integer(value, "a whole number")?;
        if number > u64::from(u32::MAX) {
            reader.report.error(
                Some(value.place()),
                format!("{number} is too great: at most {}", u32::MAX),
                "",
            );
        }
        u32::try_from(number).ok()
    }

    fn show(&self) -> Shown {
        Shown::integer(u64::from(*self))
    }

    fn number(&self) -> Option<u64> {
        Some(u64::from(*self))
    }
}

impl FromText for std::net::SocketAddr {
    const EXPECTED: &'static str = "an address and port, such as \"127.0.0.1:5060\"";

    fn from_text(text: &str) -> Result<Self, (String, String)> {
        text.parse().map_err(|_| {
            let shown: String = text.chars().take(64).collect();
            let help = "write an IP address and a port, such as \"127.0.0.1:5060\" or \"[::1]:5060\"; names are not \
                        looked up, because the answer could change between two starts";
            (format!("`{shown}` is not an address to listen at"), help.into())
        })
    }
}
text_setting!(std::net::SocketAddr);

impl FromText for String {
    const EXPECTED: &'static str = "a text";

    fn from_text(text: &str) -> Result<Self, (String, String)> {
        match text {
            "" => Err(("an empty text says nothing here".into(), "remove it".into())),
            text => Ok(text.into()),
        }
    }
}
text_setting!(String);

impl<T: Setting> Setting for Option<T> {
    fn read(value: Value<'_, '_>, reader: &mut Reader<'_>) -> Read<Self> {
        T::read(value, reader).map(Some)
    }

    fn show(&self) -> Shown {
        self.as_ref().map_or(Shown::Absent, T::show)
    }

    fn number(&self) -> Option<u64> {
        self.as_ref().and_then(T::number)
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn read(value: Value<'_, '_>, reader: &mut Reader<'_>) -> Read<Self> {
        let Some(array) = value.node.get_ref().as_array() else {
            reader.mistyped(value, "an array");
            return None;
        };
        let read = array.iter().enumerate().map(|(index, node)| {
            let path = format!("{}[{index}]", reader.path);
            let value = Value {
                node,
                source: value.source,
            };
            reader.origins.insert(path.clone(), value.place());
            reader.within(path, |reader| T::read(value, reader))
        });
        // Collected first: the mistakes of all elements are to be seen, not only those of the first bad one.
        let read: Vec<Read<T>> = read.collect();
        read.into_iter().collect()
    }

    fn show(&self) -> Shown {
        if self.iter().any(|element| element.identity().is_some()) {
            return Shown::List(
                self.iter()
                    .map(|element| (element.identity().unwrap_or_default(), element.show()))
                    .collect(),
            );
        }
        let values = self.iter().filter_map(|element| match element.show() {
            Shown::Value(value) => Some(value),
            _ => None,
        });
        Shown::Value(toml::Value::Array(values.collect()))
    }
}
