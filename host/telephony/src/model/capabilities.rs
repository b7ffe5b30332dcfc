//! What a link can do, so that a request that it cannot carry out fails at once and not by timeout.

use serde::{Deserialize, Serialize};

/// One ability of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Capability {
    /// `RouteCall`.
    Route,
    /// `RouteCall` with several targets, tried in order by the switch.
    RouteList,
    /// `Reject`.
    Reject,
    /// `Queued`: the caller's side can be told that the call waits.
    Queue,
    /// `Ringing`: the caller's side can be told that the call rings.
    Ring,
    /// User data arrives with a route request.
    UserDataIn,
    /// User data given with `RouteCall` travels to the target.
    UserDataOut,
    /// `AttachUserData` and `DeleteUserData` at any time.
    UserDataUpdate,
    /// `ApplyTreatment` and `CancelTreatment`.
    Treatments,
    /// `SingleStepTransfer`.
    Transfer,
    /// `Clear` on an established call.
    Clear,
    /// The link tells whether the target answered.
    Progress,
    /// `QueryCall`.
    Query,
}

/// Every capability, in the order of the bits.
const ALL: [Capability; 13] = [
    Capability::Route,
    Capability::RouteList,
    Capability::Reject,
    Capability::Queue,
    Capability::Ring,
    Capability::UserDataIn,
    Capability::UserDataOut,
    Capability::UserDataUpdate,
    Capability::Treatments,
    Capability::Transfer,
    Capability::Clear,
    Capability::Progress,
    Capability::Query,
];

/// A set of capabilities; as JSON a list of names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Capability>", into = "Vec<Capability>")]
pub struct Capabilities(u32);

impl Capabilities {
    /// The set of these members.
    pub const fn of(members: &[Capability]) -> Self {
        let (mut set, mut n) = (Capabilities(0), 0);
        while n < members.len() {
            set = set.with(members[n]);
            n += 1;
        }
        set
    }

    /// Whether `capability` is in the set.
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & 1 << capability as u8 != 0
    }

    /// The set with `capability` in it.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Capabilities(self.0 | 1 << capability as u8)
    }

    /// The members.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        ALL.into_iter().filter(move |c| self.has(*c))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(members: I) -> Self {
        members.into_iter().fold(Capabilities::default(), Capabilities::with)
    }
}

impl From<Vec<Capability>> for Capabilities {
    fn from(members: Vec<Capability>) -> Self {
        members.into_iter().collect()
    }
}

impl From<Capabilities> for Vec<Capability> {
    fn from(set: Capabilities) -> Self {
        set.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_a_list_of_names_in_json() {
        let set: Capabilities = [Capability::Treatments, Capability::Route].into_iter().collect();
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["route","treatments"]"#);
        assert_eq!(
            serde_json::from_str::<Capabilities>(r#"["treatments","route"]"#).unwrap(),
            set
        );
        assert!(!set.has(Capability::Query));
    }

    #[test]
    fn the_list_of_all_names_every_bit_once() {
        for (bit, capability) in ALL.into_iter().enumerate() {
            assert_eq!(capability as usize, bit);
        }
    }
}
