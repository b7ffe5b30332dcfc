//! Tenants. Their order counts: the first one is the default tenant, as in ORS.

use crate::names::{Bytes, TenantName};
use crate::setting::options;

options! {
    /// A tenant, with what its sessions may take of the server.
    object Tenant at "[[tenant]]" {
        /// The tenant's name.
        "name" name: TenantName, required, Immediate, Ors("Tenant name");
        /// Memory that one of its sessions may use; `[application.sandbox] memory-per-session-bytes` when left out, and
        /// at most that.
        "memory-per-session-bytes" memory_per_session: Option<Bytes>, optional from 2_097_152 to 1_073_741_824
            unit "bytes", Immediate, Pointsman;
        /// Its sessions that may live at the same time; `[application.sandbox] max-live-sessions` when left out.
        "max-live-sessions" max_live_sessions: Option<u32>, optional from 1 to 1_000_000 unit "sessions", Immediate,
            Pointsman;
        /// Sessions that it may start in a second; not limited when left out.
        "max-session-starts-per-second" max_session_starts_per_second: Option<u32>, optional from 1 to 1_000_000
            unit "sessions per second", Immediate, Pointsman;
    }
    known as |tenant| tenant.name.to_string()
}
