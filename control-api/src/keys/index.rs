//! Finds a person by an identifier of the EHR's without keeping the identifier.

use aws_lc_rs::hmac;
use media_model::TenantId;

use super::{
    KeyMaterial, KeyVersion,
    envelope::{self, Kind},
};

/// Makes the hashes of one tenant's external ids: HMAC-SHA256, so that nobody without the key can try identifiers
/// (medical record numbers have few digits) against a stolen table.
///
/// Identifiers are hashed byte by byte as they came: whoever wants `A1` and `a1` to be one makes them so before.
/// Erasing a person means deleting their hashes too.
#[derive(Debug)]
pub struct IndexKey {
    tenant: TenantId,
    version: KeyVersion,
    key: KeyMaterial,
}

impl IndexKey {
    pub(super) fn new(tenant: TenantId, version: KeyVersion, key: KeyMaterial) -> Self {
        Self { tenant, version, key }
    }

    /// The hash of an external id. The same id of another kind or tenant has another.
    pub fn of(&self, kind: &'static str, external_id: &str) -> [u8; 32] {
        self.of_parts(kind, &[external_id])
    }

    /// The hash of an identifier of several parts, such as issuer and subject. No two lists of parts share one.
    pub fn of_parts(&self, kind: &'static str, parts: &[&str]) -> [u8; 32] {
        let mut fields = vec![self.tenant.as_str(), kind];
        fields.extend_from_slice(parts);
        let context = envelope::context(envelope::header(Kind::ExternalId, self.version), &fields);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.reveal());
        let mut hash = [0; 32];
        hash.copy_from_slice(hmac::sign(&key, &context).as_ref());
        hash
    }

    /// Which of the tenant's index keys this is.
    pub const fn version(&self) -> KeyVersion {
        self.version
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn key(tenant: &str, version: u32) -> IndexKey {
        let material = KeyMaterial::take(&mut [9; 32]).expect("32 bytes");
        IndexKey::new(
            tenant.parse().expect("a tenant"),
            KeyVersion::new(version).expect("not zero"),
            material,
        )
    }

    #[test]
    fn an_id_is_found_again_under_its_own_kind_tenant_and_key_only() {
        let one = key("north", 1);
        assert_eq!(one.of("person", "4711"), key("north", 1).of("person", "4711"));
        let hashes = [
            one.of("person", "4711"),
            one.of("appointment", "4711"),
            one.of("person", "4712"),
            key("south", 1).of("person", "4711"),
            key("north", 2).of("person", "4711"),
            IndexKey::new(one.tenant, KeyVersion::FIRST, KeyMaterial::draw()).of("person", "4711"),
        ];
        assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), hashes.len());
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let key = key("north", 1);
        let lists: [&[&str]; 5] = [&["a", "bc"], &["ab", "c"], &["abc"], &["abc", ""], &["", "abc"]];
        let hashes: BTreeSet<_> = lists.iter().map(|parts| key.of_parts("subject", parts)).collect();
        assert_eq!(hashes.len(), lists.len());
    }
}
