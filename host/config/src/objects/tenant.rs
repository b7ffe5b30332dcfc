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
        "memory-per-session-bytes" memory_per_session: Option<Bytes>, optional from 2_097_152 to 16_777_216
            unit "bytes", Immediate, Pointsman;
    }
    known as |tenant| tenant.name.to_string()
}
