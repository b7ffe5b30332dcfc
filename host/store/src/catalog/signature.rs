//! What makes a version this catalog's own.

use super::Version;
use crate::{Name, Tenant};
use hmac::{Hmac, Mac as _};
use pointsman_contract::Digest;
use sha2::Sha256;

/// The catalog's secret.
pub(super) type Key = [u8; 32];

/// Begins what is signed, so that a signature made for another purpose is never one for this.
const PURPOSE: &[u8] = b"pointsman catalog version 1";

fn mac(key: &Key, tenant: &Tenant, name: &Name, version: &Version) -> Hmac<Sha256> {
    let Version {
        number,
        component,
        source,
        created_ms,
        by,
        note,
        // Known from the component, whose digest is signed; filled in later in old records.
        size: _,
        signature: _,
    } = version;
    let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(key).expect("HMAC takes a key of any length");
    let mut part = |bytes: &[u8]| {
        // With its length: what belongs to one part must not pass for part of the next.
        mac.update(&(bytes.len() as u64).to_le_bytes());
        mac.update(bytes);
    };
    part(PURPOSE);
    part(tenant.as_str().as_bytes());
    part(name.as_str().as_bytes());
    part(&number.0.get().to_le_bytes());
    part(&component.0);
    part(source.as_ref().map_or(&[], |s| &s.0));
    part(&created_ms.to_le_bytes());
    part(by.as_bytes());
    part(note.as_bytes());
    mac
}

/// The signature of a version.
pub(super) fn of(key: &Key, tenant: &Tenant, name: &Name, version: &Version) -> Digest {
    Digest(mac(key, tenant, name, version).finalize().into_bytes().into())
}

/// Whether a version carries its signature. Takes the same time wherever the two differ.
pub(super) fn fits(key: &Key, tenant: &Tenant, name: &Name, version: &Version) -> bool {
    let signature = version.signature.as_ref();
    signature.is_some_and(|s| mac(key, tenant, name, version).verify_slice(&s.0).is_ok())
}
