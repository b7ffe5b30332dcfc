//! TOML values as JSON.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

/// A TOML value read as JSON. Dates and times become texts; `nan` and `inf` have no JSON.
#[derive(Clone, Debug)]
pub(super) struct Json(pub Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        of_toml(toml::Value::deserialize(deserializer)?)
            .map(Json)
            .map_err(D::Error::custom)
    }
}

/// A TOML table read as a JSON object.
#[derive(Clone, Debug, Default)]
pub(super) struct Object(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = toml::Table::deserialize(deserializer)?;
        object(table).map(Object).map_err(D::Error::custom)
    }
}

fn object(table: toml::Table) -> Result<Map<String, Value>, String> {
    table
        .into_iter()
        .map(|(key, value)| Ok((key, of_toml(value)?)))
        .collect()
}

fn of_toml(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => {
            Value::Number(Number::from_f64(number).ok_or_else(|| format!("JSON has no number {number}"))?)
        }
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(of_toml).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => Value::Object(object(table)?),
    })
}
