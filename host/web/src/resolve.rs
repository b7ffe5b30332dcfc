//! Names to addresses, without those that a name must not lead to.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Names that are looked up at a time: each takes a thread for as long as the system's resolver does, which nobody can stop.
const MAX_LOOKUPS: usize = 32;

/// Metadata servers of clouds that are neither this machine nor its link: AWS's, Azure's and Alibaba's.
const METADATA: [IpAddr; 3] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

/// The system's resolver, and a look at its answers.
pub(crate) struct Guarded(Arc<Semaphore>);

impl Default for Guarded {
    fn default() -> Self {
        Guarded(Arc::new(Semaphore::new(MAX_LOOKUPS)))
    }
}

/// Does this with a place, which it keeps until it really ends, also where nobody waits any more.
async fn with_place<T: Send + 'static>(
    places: Arc<Semaphore>,
    work: impl Future<Output = std::io::Result<T>> + Send + 'static,
) -> std::io::Result<T> {
    let place = places.acquire_owned().await.map_err(std::io::Error::other)?;
    let task = tokio::spawn(async move {
        let _place = place;
        work.await
    });
    task.await.map_err(std::io::Error::other)?
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let places = self.0.clone();
        Box::pin(async move {
            let name = name.as_str().to_owned();
            // Port 0: the client puts in the URL's own.
            let wanted = name.clone();
            let lookup = async move { Ok(tokio::net::lookup_host((wanted, 0)).await?.collect()) };
            let found: Vec<SocketAddr> = with_place(places, lookup).await?;
            let may: Vec<SocketAddr> = found.iter().copied().filter(|at| may(&name, at.ip())).collect();
            if may.is_empty() {
                let why = format!(
                    "the name {name} leads to this machine, its link or a cloud's metadata; where that is meant, allow the address instead of the name"
                );
                return Err(if found.is_empty() {
                    format!("the name {name} leads nowhere").into()
                } else {
                    why.into()
                });
            }
            Ok(Box::new(may.into_iter()) as Addrs)
        })
    }
}

/// May this name lead there?
fn may(name: &str, address: IpAddr) -> bool {
    let address = address.to_canonical();
    if METADATA.contains(&address) {
        return false;
    }
    let local = name.eq_ignore_ascii_case("localhost") || name.eq_ignore_ascii_case("localhost.");
    if local {
        // And nowhere else (RFC 6761, 6.3).
        return address.is_loopback();
    }
    match address {
        IpAddr::V4(v4) => {
            let this_network = v4.octets()[0] == 0;
            !(v4.is_loopback() || v4.is_link_local() || this_network || v4.is_multicast() || v4 == Ipv4Addr::BROADCAST)
        }
        IpAddr::V6(v6) => {
            let translated = translated(v6);
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local())
                && translated.is_none_or(|v4| may(name, v4.into()))
        }
    }
}

/// The IPv4 address that a translator would send this one's packets to (RFC 6052, RFC 3056).
fn translated(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = v6.octets();
    let at = |from: usize| Ipv4Addr::new(octets[from], octets[from + 1], octets[from + 2], octets[from + 3]);
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(at(12)),
        [0x2002, ..] => Some(at(2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's panic is its answer")]

    use super::*;

    #[tokio::test]
    async fn a_lookup_keeps_its_place_until_it_ends_though_nobody_waits() {
        let places = Arc::new(Semaphore::new(1));
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let slow = async move { ended.await.map_err(std::io::Error::other) };
        let waits = with_place(places.clone(), slow);
        assert!(
            tokio::time::timeout(std::time::Duration::from_millis(20), waits)
                .await
                .is_err()
        );
        assert_eq!(places.available_permits(), 0);
        end.send(()).unwrap();
        with_place(places.clone(), async { Ok(()) }).await.unwrap();
    }

    #[test]
    fn a_name_leads_to_neither_this_machine_nor_its_link() {
        let of = |name: &str, address: &str| may(name, address.parse().unwrap());
        for address in ["10.1.2.3", "192.168.1.1", "203.0.113.9", "fd00::1", "2001:db8::1"] {
            assert!(of("crm.example", address), "{address}");
            assert!(!of("localhost", address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.1.2.3",
            "0.0.0.0",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "fd00:ec2::254",
            "168.63.129.16",
            "100.100.100.200",
            "64:ff9b::6464:64c8",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
        ] {
            assert!(!of("crm.example", address), "{address}");
        }
        for address in ["127.0.0.1", "::1"] {
            assert!(of("localhost", address) && of("LOCALHOST.", address));
        }
    }
}
