use jiff::Timestamp;
use std::time::Duration;

/// How the API behaves. Every bound it keeps is here.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of this node, for the ORS cookie (`<sid>.node<number>`): the DBID of the primary's Application object.
    pub node: u32,
    /// The whole `Set-Cookie` value of ORS answers (ORS option `cookie`); empty: made of session and node.
    pub cookie: String,
    /// The listener speaks TLS: send HSTS, and mark cookies `Secure`.
    pub tls: bool,
    /// Largest body of an ordinary request, in bytes. Form encoding can triple an event of
    /// [`pointsman_contract::MAX_EVENT_DATA`].
    pub body_bytes: usize,
    /// Largest upload, in bytes.
    pub upload_bytes: usize,
    /// Longest time for an ordinary request, the reading of its body included.
    pub request_timeout: Duration,
    /// Longest time for an upload, compilation included.
    pub upload_timeout: Duration,
    /// How long an ORS `request` waits for the strategy's response.
    pub reply_timeout: Duration,
    /// Most ordinary requests in work at once; one more is refused.
    pub max_requests: usize,
    /// Most uploads in work at once: each may hold its body and a compiler, also after its time is over or its client gone.
    pub max_uploads: usize,
    /// Most ORS `request`s waiting at once; they have their own bound, so that slow strategies cannot shut out operators.
    pub max_waiting: usize,
    /// One key may hold one place in this many of each of the three bounds above (at least one); beyond that: 429.
    pub key_share: usize,
    /// The same for all keys of one tenant together.
    pub tenant_share: usize,
    /// Wrong or missing keys per address (IPv6: per /64) and minute until the answer is 429.
    pub wrong_keys_per_minute: u32,
    /// Addresses remembered for that; later ones share one count.
    pub max_addresses: usize,
    /// The time of audit entries.
    pub clock: fn() -> Timestamp,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            node: 1,
            cookie: String::new(),
            tls: true,
            body_bytes: 256 << 10,
            upload_bytes: 16 << 20,
            request_timeout: Duration::from_secs(10),
            upload_timeout: Duration::from_secs(60),
            reply_timeout: Duration::from_secs(30),
            max_requests: 512,
            max_uploads: 8,
            max_waiting: 4096,
            key_share: 4,
            tenant_share: 2,
            wrong_keys_per_minute: 20,
            max_addresses: 4096,
            clock: Timestamp::now,
        }
    }
}
