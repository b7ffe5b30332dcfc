//! User data: what a call carries from desk to desk (T-Lib attached data).

use serde::{Deserialize, Serialize};

/// Largest user data of one call, in bytes of keys and values plus [`PAIR_OVERHEAD`] a pair; the limit of the original.
pub const MAX_USER_DATA: usize = 64 << 10;

/// Deepest nesting of lists.
pub const MAX_USER_DATA_DEPTH: usize = 16;

/// What a pair costs beside its key and its value, in bytes. Without it, pairs of empty texts would be free.
const PAIR_OVERHEAD: usize = 8;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
    /// A list of pairs.
    List(UserData),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl Value {
    fn size(&self) -> usize {
        match self {
            Value::Int(_) => size_of::<i64>(),
            Value::Text(text) => text.len(),
            Value::List(list) => list.size,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Value::Int(_) | Value::Text(_) => 0,
            Value::List(list) => 1 + list.pairs.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
        }
    }
}

/// User data would break a limit; it stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserDataError {
    /// See [`MAX_USER_DATA`].
    #[error(
        "user data with key `{key}` would have {size} bytes, more than {MAX_USER_DATA}: attach less, or a reference to the data"
    )]
    TooLarge {
        /// The key that was added, cut to 64 characters.
        key: String,
        /// Size that the user data would have had, in bytes.
        size: usize,
    },
    /// See [`MAX_USER_DATA_DEPTH`].
    #[error("user data under key `{key}` nests lists deeper than {MAX_USER_DATA_DEPTH} levels: flatten it")]
    TooDeep {
        /// The key that was added, cut to 64 characters.
        key: String,
    },
}

/// An ordered multimap: a key may occur several times, order is kept. As JSON a list of `[key, value]` pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(String, Value)>", into = "Vec<(String, Value)>")]
pub struct UserData {
    pairs: Vec<(String, Value)>,
    size: usize,
}

impl TryFrom<Vec<(String, Value)>> for UserData {
    type Error = UserDataError;

    fn try_from(pairs: Vec<(String, Value)>) -> Result<Self, UserDataError> {
        let mut data = UserData::default();
        for (key, value) in pairs {
            data.add(key, value)?;
        }
        Ok(data)
    }
}

impl From<UserData> for Vec<(String, Value)> {
    fn from(data: UserData) -> Self {
        data.pairs
    }
}

impl UserData {
    /// Nothing attached.
    pub fn new() -> Self {
        UserData::default()
    }

    /// Adds a pair at the end, beside others of the same key.
    ///
    /// # Errors
    /// [`UserDataError`] when a limit would be broken.
    pub fn add(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Result<(), UserDataError> {
        let (key, value) = (key.into(), value.into());
        let short = |key: &str| key.chars().take(64).collect();
        // The list that holds the pair is itself one level.
        if value.depth() >= MAX_USER_DATA_DEPTH {
            return Err(UserDataError::TooDeep { key: short(&key) });
        }
        let size = self.size + PAIR_OVERHEAD + key.len() + value.size();
        if size > MAX_USER_DATA {
            return Err(UserDataError::TooLarge { key: short(&key), size });
        }
        self.size = size;
        self.pairs.push((key, value));
        Ok(())
    }

    /// Replaces all pairs of `key` with one (T-Lib TUpdateUserData).
    ///
    /// # Errors
    /// [`UserDataError`] when a limit would be broken; then nothing is changed.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Result<(), UserDataError> {
        let key = key.into();
        let mut next = self.clone();
        next.remove(&key);
        next.add(key, value)?;
        *self = next;
        Ok(())
    }

    /// Removes all pairs of `key` and says how many there were (T-Lib TDeletePair).
    pub fn remove(&mut self, key: &str) -> usize {
        let before = self.pairs.len();
        self.pairs.retain(|(k, _)| k != key);
        self.size = self.pairs.iter().map(|(k, v)| PAIR_OVERHEAD + k.len() + v.size()).sum();
        before - self.pairs.len()
    }

    /// The first value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// The first value of `key`, when it is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// All pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.pairs.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Number of pairs at the top level.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Bytes that count towards [`MAX_USER_DATA`].
    pub fn size(&self) -> usize {
        self.size
    }

    /// The shape in which a strategy sees it: an object; of a repeated key the last value counts, as in ORS `udata`.
    pub fn to_object(&self) -> serde_json::Map<String, serde_json::Value> {
        let value = |v: &Value| match v {
            Value::Int(number) => (*number).into(),
            Value::Text(text) => text.clone().into(),
            Value::List(list) => serde_json::Value::Object(list.to_object()),
        };
        self.pairs.iter().map(|(k, v)| (k.clone(), value(v))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_keep_their_order_and_keys_may_repeat() {
        let mut data = UserData::new();
        data.add("skill", "sales").unwrap();
        data.add("age", 41).unwrap();
        data.add("skill", "english").unwrap();
        let json = serde_json::to_string(&data).unwrap();
        assert_eq!(json, r#"[["skill","sales"],["age",41],["skill","english"]]"#);
        assert_eq!(serde_json::from_str::<UserData>(&json).unwrap(), data);
        assert_eq!(data.text("skill"), Some("sales"));
        assert_eq!(data.remove("skill"), 2);
        assert_eq!(data.len(), 1);
    }

    #[test]
    fn a_list_nests_in_json_and_in_the_strategy_s_view() {
        let mut inner = UserData::new();
        inner.add("x", 1).unwrap();
        let mut data = UserData::new();
        data.add("inner", Value::List(inner)).unwrap();
        let json = serde_json::to_string(&data).unwrap();
        assert_eq!(serde_json::from_str::<UserData>(&json).unwrap(), data);
        assert_eq!(
            serde_json::Value::Object(data.to_object()),
            serde_json::json!({"inner": {"x": 1}})
        );
    }

    #[test]
    fn more_than_64_kib_is_refused_and_changes_nothing() {
        let mut data = UserData::new();
        data.add("a", "x".repeat(MAX_USER_DATA - 2 * PAIR_OVERHEAD - 2))
            .unwrap();
        data.add("b", "").unwrap();
        assert_eq!(data.size(), MAX_USER_DATA);
        let before = data.clone();
        assert_eq!(
            data.add("", ""),
            Err(UserDataError::TooLarge {
                key: "".into(),
                size: MAX_USER_DATA + 8
            })
        );
        assert!(data.set("b", "1").is_err());
        assert_eq!(data, before);
    }

    #[test]
    fn the_limits_hold_for_what_arrives_as_json() {
        let large = serde_json::to_string(&[("k", "x".repeat(MAX_USER_DATA))]).unwrap();
        assert!(
            serde_json::from_str::<UserData>(&large)
                .unwrap_err()
                .to_string()
                .contains("more than 65536")
        );
        let deep = format!("{}{}", "[[\"k\",".repeat(20), "1".to_owned() + &"]]".repeat(20));
        assert!(serde_json::from_str::<UserData>(&deep).is_err());
    }
}
