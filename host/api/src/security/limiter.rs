//! Bounds how often one address may present wrong keys.
//!
//! Only failures count, and a right key always gets in: 256-bit secrets cannot be guessed, so what has to be protected is
//! the audit log and the processor, and a stranger behind the same gateway must not lock out everybody else there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What to do with a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Answer that the key is wrong.
    Tell,
    /// Answer to come back later; `first` of this window, which deserves a line in the audit log.
    Slow { first: bool, retry_after: Duration },
}

struct Window {
    since: Instant,
    failures: u32,
}

/// Failures by source address. IPv6 addresses count by /64, as one host has all of them.
pub(crate) struct FailureLimiter {
    windows: Mutex<HashMap<IpAddr, Window>>,
    per_window: u32,
    window: Duration,
    max_addresses: usize,
}

/// Who is counted together once the table is full.
const OVERFLOW: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

impl FailureLimiter {
    pub(crate) fn new(per_window: u32, window: Duration, max_addresses: usize) -> Self {
        FailureLimiter {
            windows: Mutex::default(),
            per_window,
            window,
            max_addresses,
        }
    }

    pub(crate) fn failed(&self, address: IpAddr) -> Verdict {
        let now = Instant::now();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut address = network(address);
        if !windows.contains_key(&address) && windows.len() >= self.max_addresses {
            windows.retain(|_, w| now - w.since < self.window);
            if windows.len() >= self.max_addresses {
                address = OVERFLOW;
            }
        }
        let window = windows.entry(address).or_insert(Window {
            since: now,
            failures: 0,
        });
        if now - window.since >= self.window {
            *window = Window {
                since: now,
                failures: 0,
            };
        }
        window.failures = window.failures.saturating_add(1);
        if window.failures <= self.per_window {
            return Verdict::Tell;
        }
        Verdict::Slow {
            first: window.failures == self.per_window + 1,
            retry_after: self.window - (now - window.since),
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let bits = u128::from(v6) & (u128::MAX << 64);
            IpAddr::V6(bits.into())
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn slow(limiter: &FailureLimiter, address: &str) -> bool {
        limiter.failed(address.parse().unwrap()) != Verdict::Tell
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_is_slowed_down_after_its_share_and_forgiven_after_the_window() {
        let limiter = FailureLimiter::new(2, MINUTE, 8);
        assert!(!slow(&limiter, "192.0.2.1") && !slow(&limiter, "192.0.2.1"));
        let third = limiter.failed("192.0.2.1".parse().unwrap());
        assert_eq!(
            third,
            Verdict::Slow {
                first: true,
                retry_after: MINUTE
            }
        );
        assert!(matches!(
            limiter.failed("192.0.2.1".parse().unwrap()),
            Verdict::Slow { first: false, .. }
        ));
        assert!(!slow(&limiter, "192.0.2.2"), "another address has its own share");
        tokio::time::advance(MINUTE).await;
        assert!(!slow(&limiter, "192.0.2.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn one_host_cannot_dodge_by_its_ipv6_suffix_or_by_mapping() {
        let limiter = FailureLimiter::new(1, MINUTE, 8);
        assert!(!slow(&limiter, "2001:db8::1"));
        assert!(slow(&limiter, "2001:db8::2"));
        assert!(!slow(&limiter, "192.0.2.1"));
        assert!(slow(&limiter, "::ffff:192.0.2.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_never_grows_past_its_bound_and_newcomers_then_share_a_window() {
        let limiter = FailureLimiter::new(1, MINUTE, 4);
        for i in 0..100 {
            limiter.failed(IpAddr::from([198, 51, 100, i]));
        }
        assert_eq!(
            limiter.windows.lock().unwrap().len(),
            5,
            "four addresses and the shared window"
        );
        assert!(slow(&limiter, "203.0.113.1"));
    }
}
