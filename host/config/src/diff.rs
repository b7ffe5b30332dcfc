//! What changes between two configurations, and what of it needs a restart.

use crate::config::Config;
use crate::effective::REDACTED;
use crate::setting::{Effect, Setting, Shown, written_key};
use std::collections::BTreeMap;
use std::fmt;

/// One option whose value differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The option's path by names, such as `application.scxml.max-pending-events` or `dn."7001@sip-acme".default-dn`.
    pub path: String,
    /// The old value as TOML; `None` where there was none. A secret is redacted.
    pub old: Option<String>,
    /// The new value as TOML; `None` where there is none any more. A secret is redacted.
    pub new: Option<String>,
}

/// What differs, by when it takes effect (ORS documents the same two: "immediately" and "after restart").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Takes effect at once, for calls and sessions that begin from then on.
    pub immediate: Vec<Change>,
    /// Takes effect at the next start; until then the old value stays in force.
    pub restart: Vec<Change>,
}

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.immediate.is_empty() && self.restart.is_empty()
    }
}

/// What changes from `old` to `new`, ordered by path.
pub fn diff(old: &Config, new: &Config) -> Changes {
    let (old, new) = (flatten(old), flatten(new));
    let mut changes = Changes::default();
    let mut paths: Vec<&String> = old
        .keys()
        .chain(new.keys().filter(|path| !old.contains_key(*path)))
        .collect();
    paths.sort();
    for path in paths {
        let (before, after) = (old.get(path), new.get(path));
        if before.map(|option| &option.compared) == after.map(|option| &option.compared) {
            continue;
        }
        let Some(option) = after.or(before) else { continue };
        let change = Change {
            path: path.clone(),
            old: before.map(|option| option.shown.clone()),
            new: after.map(|option| option.shown.clone()),
        };
        match option.effect {
            Effect::Immediate => changes.immediate.push(change),
            Effect::Start => changes.restart.push(change),
        }
    }
    changes
}

struct Flat {
    /// What people see.
    shown: String,
    /// What is compared: the secret itself where `shown` hides it.
    compared: String,
    effect: Effect,
}

fn flatten(config: &Config) -> BTreeMap<String, Flat> {
    let mut flat = BTreeMap::new();
    walk("application", &config.application.show(), Effect::Start, &mut flat);
    walk("tenant", &config.tenants.show(), Effect::Immediate, &mut flat);
    walk("switch", &config.switches.show(), Effect::Immediate, &mut flat);
    walk("dn", &config.dns.show(), Effect::Immediate, &mut flat);
    walk("script", &config.scripts.show(), Effect::Immediate, &mut flat);
    walk("list", &config.lists.show(), Effect::Immediate, &mut flat);
    walk("api-key", &config.api_keys.show(), Effect::Immediate, &mut flat);
    for key in &config.api_keys {
        if let Some(option) = flat.get_mut(&format!("api-key.{}.sha256", written_key(key.id.as_str()))) {
            option.compared = format!("{:?}", key.sha256.as_bytes());
        }
    }
    // Options go by the name of their object, so the order of tenants, which makes one the default, is an entry of its own.
    let order: Vec<&str> = config.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    let order = toml::Value::from(order).to_string();
    flat.insert(
        "tenants".into(),
        Flat {
            shown: order.clone(),
            compared: order,
            effect: Effect::Immediate,
        },
    );
    flat
}

fn walk(path: &str, shown: &Shown, effect: Effect, flat: &mut BTreeMap<String, Flat>) {
    let text = match shown {
        Shown::Value(value) => value.to_string(),
        Shown::Secret => REDACTED.into(),
        Shown::Absent => return,
        Shown::Table(fields) => {
            for field in fields {
                walk(
                    &format!("{path}.{}", written_key(&field.key)),
                    &field.shown,
                    field.effect,
                    flat,
                );
            }
            return;
        }
        Shown::List(items) => {
            for (name, item) in items {
                walk(&format!("{path}.{}", written_key(name)), item, effect, flat);
            }
            return;
        }
    };
    flat.insert(
        path.into(),
        Flat {
            shown: text.clone(),
            compared: text,
            effect,
        },
    );
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".into());
        write!(f, "{}: {} -> {}", self.path, value(&self.old), value(&self.new))
    }
}
