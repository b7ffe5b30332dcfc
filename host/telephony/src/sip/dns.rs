//! Which DNs are routing points of the link.

use crate::model::{Dn, SwitchName, Target};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Header fields that carry user data: `User-to-User`, or names that begin with `X-`. See [`super::Options::user_data_in`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserDataHeaders {
    /// Of an INVITE.
    pub incoming: Vec<String>,
    /// Of a 302.
    pub outgoing: Vec<String>,
}

/// A routing point: a DN where calls wait for a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingPoint {
    /// The DN.
    pub dn: Dn,
    /// Where calls go when no decision comes in time, in turn; with none they are answered with 480.
    pub default_targets: Vec<Target>,
    /// How long a call waits for the first word of a strategy.
    pub decision_timeout: Duration,
    /// How long a call waits in all once the strategy has said `Queued` or `Ringing`.
    pub queue_timeout: Duration,
    /// Header fields that carry user data of its calls; without, those of the link's options.
    pub user_data: Option<Arc<UserDataHeaders>>,
}

impl RoutingPoint {
    /// [`RoutingPoint::decision_timeout`] of [`RoutingPoint::new`].
    pub const DECISION_TIMEOUT: Duration = Duration::from_secs(10);
    /// [`RoutingPoint::queue_timeout`] of [`RoutingPoint::new`].
    pub const QUEUE_TIMEOUT: Duration = Duration::from_secs(3600);

    /// A routing point without default DNs.
    pub fn new(dn: Dn) -> Self {
        RoutingPoint {
            dn,
            default_targets: Vec::new(),
            decision_timeout: Self::DECISION_TIMEOUT,
            queue_timeout: Self::QUEUE_TIMEOUT,
            user_data: None,
        }
    }
}

/// The routing points and switches of a link. Replaced as a whole when the configuration changes; calls that wait keep
/// the routing point that they came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnTable {
    /// By number: the same number may exist at several switches.
    points: HashMap<String, Vec<Arc<RoutingPoint>>>,
    domains: HashMap<SwitchName, Option<String>>,
}

impl DnTable {
    /// An empty table: every call is answered with 404.
    pub fn new() -> Self {
        DnTable::default()
    }

    /// Adds a switch. `domain` (`host` or `host:port`) is what its DNs are addressed at in a Contact; without one, the host that
    /// the caller's side used is.
    pub fn add_switch(&mut self, switch: impl Into<SwitchName>, domain: Option<String>) {
        self.domains
            .insert(switch.into(), domain.map(|domain| domain.to_ascii_lowercase()));
    }

    /// Adds a routing point, or replaces the one with its DN. Its switch becomes known, too.
    pub fn add(&mut self, point: RoutingPoint) {
        self.domains.entry(point.dn.switch.clone()).or_insert(None);
        let points = self.points.entry(point.dn.number.clone()).or_default();
        points.retain(|old| old.dn != point.dn);
        points.push(Arc::new(point));
    }

    /// The routing point for a Request-URI. Where several switches have the number, the host decides; where it fits none of
    /// them, the number counts as unknown: a guess could hand a call to another tenant.
    pub fn find(&self, number: &str, authority: &str) -> Option<&Arc<RoutingPoint>> {
        match self.points.get(number)?.as_slice() {
            [point] => Some(point),
            points => points
                .iter()
                .find(|point| self.domains.get(&point.dn.switch).and_then(Option::as_deref) == Some(authority)),
        }
    }

    /// The domain of a switch: none when the switch is unknown, `Some(None)` when it has no domain of its own.
    pub fn domain(&self, switch: &SwitchName) -> Option<Option<&str>> {
        self.domains.get(switch).map(Option::as_deref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_decides_between_switches_with_the_same_number() {
        let mut table = DnTable::new();
        table.add(RoutingPoint::new(Dn::new("7000", "a")));
        assert_eq!(table.find("7000", "anything").unwrap().dn, Dn::new("7000", "a"));
        table.add_switch("b", Some("B.example.com".into()));
        table.add(RoutingPoint::new(Dn::new("7000", "b")));
        assert_eq!(table.find("7000", "b.example.com").unwrap().dn, Dn::new("7000", "b"));
        assert!(table.find("7000", "anything").is_none());
        assert!(table.find("7001", "b.example.com").is_none());
    }
}
