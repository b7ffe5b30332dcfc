//! What strategies read of the host during a step (`host.read`): options, lists, the time in a zone, and whether a session is there.
//! The session runtime journals every answer, so a step that is replayed reads the same.

use super::Modules;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pointsman_config as config;
use pointsman_contract::{SessionId, SessionIdError};
use pointsman_session::runtime::{self, Info};
use serde_json::{Value, json};

impl runtime::HostData for Modules {
    fn read(&self, session: &Info, source: &str, key: &str) -> Result<String, String> {
        match source {
            "session" => self.is_there(session, key),
            "config" => self.option(session, key).map(|value| value.to_string()),
            "list" => self.list(session, key).map(|value| value.to_string()),
            "zone" => zone_at(key).map(|value| value.to_string()),
            "statistic" | "queue" => Err(format!("no link of this host has {source} data")),
            other => Err(format!(
                "`{other}` is no source of host data: config, list, zone, statistic, queue and session are"
            )),
        }
    }
}

impl Modules {
    fn is_there(&self, session: &Info, key: &str) -> Result<String, String> {
        let other: SessionId = key.parse().map_err(|e: SessionIdError| e.to_string())?;
        match self.runtime()?.get(other) {
            Ok(s) if s.info.tenant == session.tenant && s.end.is_none() => Ok("true".into()),
            _ => Err(format!("there is no session {other}")),
        }
    }

    /// `tenant`, `tenantid` (its place in the order of tenants, from 1), `server/name`, `server/cluster`, `option/SECTION/OPTION`
    /// (`null`: there is none).
    fn option(&self, session: &Info, key: &str) -> Result<Value, String> {
        let config = self.config();
        let parts: Vec<String> = key.split('/').map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(match parts[..] {
            ["tenant"] => json!(session.tenant.as_str()),
            ["tenantid"] => {
                let same = |t: &config::Tenant| t.name.as_str() == session.tenant.as_str();
                json!(config.tenants.iter().position(same).map(|i| i + 1))
            }
            // One server is a cluster of its own.
            ["server", "name" | "cluster"] => json!(config.application.name.as_str()),
            ["option", section, option] => json!(config.option(section, option)),
            ["objective", ..] => Value::Null,
            _ => return Err(format!("`{key}` is not among this host's config data")),
        })
    }

    /// `LIST`, `LIST/ITEM` or `LIST/ITEM/KEY`, each part percent-encoded; `null` where the list has no such item or key.
    fn list(&self, session: &Info, key: &str) -> Result<Value, String> {
        let config = self.config();
        let mut parts = key.split('/').map(decoded);
        let name = parts.next().unwrap_or_default();
        let tenant = config
            .tenants
            .iter()
            .find(|t| t.name.as_str() == session.tenant.as_str());
        let list = tenant.and_then(|tenant| config.list(&tenant.name, &name));
        let list = list.ok_or_else(|| format!("tenant {} has no list `{name}`", session.tenant))?;
        let items = &list.items.0;
        let found = match (parts.next(), parts.next()) {
            (None, _) => json!(items),
            (Some(item), None) => json!(items.get(&item)),
            (Some(item), Some(key)) => json!(items.get(&item).and_then(|item| item.get(&key))),
        };
        Ok(found)
    }
}

/// `ZONE/MS`, the zone percent-encoded: the moment is the asking session's, for an event may have waited.
fn zone_at(key: &str) -> Result<Value, String> {
    let wrong = || format!("`{key}` is no zone and moment: write them as `Europe%2FRome/1700000000000`");
    let (name, ms) = key.split_once('/').ok_or_else(wrong)?;
    let moment = ms.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    zone(&decoded(name), moment.ok_or_else(wrong)?)
}

/// Time, date and day at a moment in a zone of the IANA database; an empty name is the host's own zone.
fn zone(name: &str, now: Timestamp) -> Result<Value, String> {
    let zone = match name {
        "" => TimeZone::try_system().unwrap_or(TimeZone::UTC),
        name => {
            TimeZone::get(name).map_err(|_| format!("`{name}` is no time zone: write one such as `Europe/Rome`"))?
        }
    };
    let there = now.to_zoned(zone);
    Ok(json!({
        "time": there.strftime("%H:%M").to_string(),
        "date": there.strftime("%Y-%m-%d").to_string(),
        "day": there.strftime("%A").to_string(),
    }))
}

/// A part of a key, as `encodeURIComponent` writes it.
fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_its_own_time_date_and_day() {
        let now: Timestamp = "2026-03-28T23:30:00Z".parse().unwrap();
        for (name, expected) in [
            ("UTC", json!({"time": "23:30", "date": "2026-03-28", "day": "Saturday"})),
            (
                "Europe/Rome",
                json!({"time": "00:30", "date": "2026-03-29", "day": "Sunday"}),
            ),
            (
                "America/New_York",
                json!({"time": "19:30", "date": "2026-03-28", "day": "Saturday"}),
            ),
        ] {
            assert_eq!(zone(name, now), Ok(expected), "{name}");
        }
        // Summer time begins an hour and a half later.
        let later = zone("Europe/Rome", "2026-03-29T01:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(later["time"], "03:00");
        assert_eq!(zone_at("Europe%2FRome/1774740600000"), zone("Europe/Rome", now));
        for wrong in ["Europe/Rome", "Europe%2FRome", "", "UTC/99999999999999999999"] {
            assert!(zone_at(wrong).is_err(), "{wrong}");
        }
        assert!(zone("Europe/Nowhere", now).unwrap_err().contains("no time zone"));
    }
}
