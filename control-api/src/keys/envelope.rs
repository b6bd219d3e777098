//! The form of everything that is sealed. `keys/tests/known_answers.rs` holds it fast.
//!
//! ```text
//! byte  0       1      2..6                   6..18   18..
//!       format  kind   version of the key     nonce   ciphertext, tag (16 bytes)
//!       = 1            that sealed; of a tenant's key its own
//! ```
//!
//! The associated data, and the info that the key is derived with, is the word `consilium`, the first six bytes, and
//! each field of the place with its length before it (8 bytes, big-endian). Numbers are big-endian.

use zeroize::Zeroizing;

use super::{
    KeyFault, KeyMaterial, KeyVersion,
    cipher::{self, NONCE_BYTES, TAG_BYTES},
    padding,
};

const FORMAT: u8 = 1;
pub(super) const HEADER_BYTES: usize = 6;
/// Longer than anything we seal.
const BYTES_MAX: usize = HEADER_BYTES + NONCE_BYTES + padding::padded_bytes_max() + TAG_BYTES;

/// What a key is used for. No two uses share a derived key, whatever their fields are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A column under the tenant's sealing key.
    TenantValue = 1,
    /// A column under a person's key.
    PersonValue = 2,
    /// A person's key under the tenant's sealing key.
    PersonKey = 3,
    /// A tenant's key under a local master key.
    TenantKey = 4,
    /// Not sealed: the HMAC of an external id.
    ExternalId = 5,
    /// Not sealed: the name of a local master key.
    MasterName = 6,
    /// A tenant's key under a master key in a token.
    TokenKey = 7,
}

impl Kind {
    const fn what(self) -> &'static str {
        match self {
            Self::TenantValue => "a tenant's sealed value",
            Self::PersonValue => "a person's sealed value",
            Self::PersonKey => "a person's wrapped key",
            Self::TenantKey | Self::TokenKey => "a tenant's wrapped key",
            Self::ExternalId => "the hash of an external id",
            Self::MasterName => "the name of a master key",
        }
    }
}

/// Seals `plaintext` for a place that `fields` names.
pub(super) fn seal(
    kind: Kind,
    version: KeyVersion,
    key: &KeyMaterial,
    fields: &[&str],
    plaintext: &[u8],
) -> Vec<u8> {
    let header = header(kind, version);
    let mut out = Vec::with_capacity(HEADER_BYTES + NONCE_BYTES + plaintext.len() + TAG_BYTES);
    out.extend_from_slice(&header);
    cipher::seal_onto(&mut out, key, &context(header, fields), plaintext);
    out
}

/// Something sealed, its header read.
pub(super) struct Envelope<'a> {
    kind: Kind,
    version: KeyVersion,
    body: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Reads the header; what has another kind is malformed.
    pub(super) fn parse(kind: Kind, bytes: &'a [u8]) -> Result<Self, KeyFault> {
        let malformed = KeyFault::Malformed { what: kind.what() };
        let Some((header, body)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Err(malformed) };
        let [format, found, version @ ..] = *header;
        if format != FORMAT {
            return Err(KeyFault::UnknownFormat { format });
        }
        let too_short = body.len() < NONCE_BYTES + TAG_BYTES;
        if found != kind as u8 || too_short || bytes.len() > BYTES_MAX {
            return Err(malformed);
        }
        let version = KeyVersion::new(u32::from_be_bytes(version)).ok_or(malformed)?;
        Ok(Self { kind, version, body })
    }

    /// The version in the header.
    pub(super) const fn version(&self) -> KeyVersion {
        self.version
    }

    /// Nonce, ciphertext and tag, for who holds the key elsewhere.
    pub(super) const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The plaintext; `name` says in an error what it was to be.
    pub(super) fn open(
        &self,
        key: &KeyMaterial,
        fields: &[&str],
        name: impl FnOnce() -> String,
    ) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
        let context = context(header(self.kind, self.version), fields);
        cipher::open(key, &context, self.body).map_err(|_| KeyFault::NotAuthentic { what: name() })
    }
}

/// The first bytes of an envelope.
pub(super) const fn header(kind: Kind, version: KeyVersion) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = version.number().to_be_bytes();
    [FORMAT, kind as u8, a, b, c, d]
}

/// Bytes that no other header and fields have.
pub(super) fn context(header: [u8; HEADER_BYTES], fields: &[&str]) -> Vec<u8> {
    const WORD: &[u8] = b"consilium";
    let length = WORD.len() + HEADER_BYTES + fields.iter().map(|field| 8 + field.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(WORD);
    out.extend_from_slice(&header);
    for field in fields {
        out.extend_from_slice(&(field.len() as u64).to_be_bytes());
        out.extend_from_slice(field.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lists_of_fields_have_the_same_context() {
        let header = header(Kind::TenantValue, KeyVersion::FIRST);
        let lists: [&[&str]; 7] = [&[], &[""], &["", ""], &["ab", "c"], &["a", "bc"], &["abc"], &["abc", ""]];
        for (i, one) in lists.iter().enumerate() {
            for (j, other) in lists.iter().enumerate() {
                assert_eq!(context(header, one) == context(header, other), i == j, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_is_no_envelope_is_told_from_what_a_newer_binary_wrote() {
        let key = KeyMaterial::draw();
        let good = seal(Kind::PersonValue, KeyVersion::FIRST, &key, &["x"], b"");
        let fault = |bytes: &[u8]| Envelope::parse(Kind::PersonValue, bytes).err();
        assert_eq!(fault(&good), None);
        let malformed = Some(KeyFault::Malformed { what: "a person's sealed value" });
        for length in 0..good.len() {
            assert_eq!(fault(&good[..length]), malformed, "{length}");
        }
        let mut long = good.clone();
        long.resize(BYTES_MAX + 1, 0);
        assert_eq!(fault(&long[..BYTES_MAX]), None);
        assert_eq!(fault(&long), malformed);
        let changed = |at: usize, to: u8| {
            let mut bytes = good.clone();
            bytes[at] = to;
            fault(&bytes)
        };
        assert_eq!(changed(0, 2), Some(KeyFault::UnknownFormat { format: 2 }));
        assert_eq!(changed(1, Kind::TenantValue as u8), malformed);
        assert_eq!(changed(5, 0), malformed, "version 0");
    }
}
