//! Tenants. Their order counts: the first one is the default tenant, as in ORS.

use crate::names::{Bytes, Destination, TenantName};
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
        /// What its strategies may reach over HTTP.
        "http" http: TenantHttp, default(TenantHttp::default()), Immediate, Pointsman;
    }
    known as |tenant| tenant.name.to_string()
}

options! {
    /// What a tenant's strategies may reach over HTTP.
    section TenantHttp at "[tenant.http]" {
        /// Destinations of `session:fetch`, of `send` through the Basic HTTP processor and of documents that strategies name,
        /// and where those may redirect to: scheme, host, port, and the path below which everything is meant, such as
        /// `https://crm.example.com/api/`. What is not here is not reached. A host's name must not lead to this machine or its
        /// link (127.0.0.0/8, 169.254.0.0/16, ::1, fe80::/10): where that is meant, write the address, or `localhost`.
        "allow" allow: Vec<Destination>, default(Vec::new()), Immediate, Pointsman;
    }
}
