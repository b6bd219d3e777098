//! STUN on the wire, as much of it as an ICE-lite agent needs: Binding requests in, their responses out (RFC 8489).
//!
//! Requests are read in place and responses are written in place, so that a flood of checks allocates nothing.
//! Attributes after MESSAGE-INTEGRITY are not covered by it and are never believed (RFC 8489 §14.5).

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use rtc_stun::{attributes as attr, message::MAGIC_COOKIE};

use crate::DropReason;

/// The longest response that is ever written, in bytes.
pub const RESPONSE_BYTES_MAX: usize = 128;

const HEADER_BYTES: usize = 20;
const ATTRIBUTE_HEADER_BYTES: usize = 4;
const INTEGRITY_BYTES: usize = 20;
const FINGERPRINT_BYTES: usize = 4;
/// Unknown attributes that a 420 lists; the rest is not worth a longer answer.
const UNKNOWN_LISTED_MAX: usize = 8;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

/// Comprehension-required attributes that are understood, if only to be ignored (RFC 8489 §18.3, RFC 8445 §16.1).
const UNDERSTOOD: [attr::AttrType; 13] = [
    attr::ATTR_MAPPED_ADDRESS,
    attr::ATTR_USERNAME,
    attr::ATTR_MESSAGE_INTEGRITY,
    attr::ATTR_ERROR_CODE,
    attr::ATTR_UNKNOWN_ATTRIBUTES,
    attr::ATTR_REALM,
    attr::ATTR_NONCE,
    attr::ATTR_MESSAGE_INTEGRITY_SHA256,
    attr::ATTR_PASSWORD_ALGORITHM,
    attr::ATTR_USER_HASH,
    attr::ATTR_XORMAPPED_ADDRESS,
    attr::ATTR_PRIORITY,
    attr::ATTR_USE_CANDIDATE,
];

/// The key of short-term credentials: the password as it is (RFC 8489 §9.1.1).
pub fn integrity_key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

/// RFC 8489 §14.7: the CRC-32 of what stands before, changed so that it is not taken for another protocol's.
fn fingerprint_of(message: &[u8]) -> u32 {
    crc32fast::hash(message) ^ 0x5354_554e
}

/// A well-formed Binding request of an ICE agent. Nothing in it is authenticated by parsing.
#[derive(Debug)]
pub struct BindingRequest<'a> {
    message: &'a [u8],
    transaction_id: [u8; 12],
    username: &'a [u8],
    integrity_at: usize,
    integrity: [u8; INTEGRITY_BYTES],
    fingerprint: u32,
    unknown: [u16; UNKNOWN_LISTED_MAX],
    unknown_count: usize,
    /// USE-CANDIDATE is there (RFC 8445 §7.1.2).
    pub use_candidate: bool,
    /// ICE-CONTROLLED is there: the sender believes that the other side controls (RFC 8445 §7.1.3).
    pub ice_controlled: bool,
}

impl<'a> BindingRequest<'a> {
    /// Reads a datagram; costs a walk over its attributes and no cryptography.
    pub fn parse(message: &'a [u8]) -> Result<Self, DropReason> {
        const MALFORMED: DropReason = DropReason::StunMalformed;
        let (&header, _) = message.split_first_chunk::<HEADER_BYTES>().ok_or(MALFORMED)?;
        let [t0, t1, l0, l1, c0, c1, c2, c3, transaction_id @ ..] = header;
        // RFC 8489 §5: the magic cookie, and a length that counts everything behind the header.
        if u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE
            || HEADER_BYTES + usize::from(u16::from_be_bytes([l0, l1])) != message.len()
        {
            return Err(MALFORMED);
        }
        if u16::from_be_bytes([t0, t1]) != BINDING_REQUEST {
            return Err(DropReason::StunUnexpected);
        }

        let mut username = None;
        let mut integrity = None;
        let mut fingerprint = None;
        let mut request = Self {
            message,
            transaction_id,
            username: &[],
            integrity_at: 0,
            integrity: [0; INTEGRITY_BYTES],
            fingerprint: 0,
            unknown: [0; UNKNOWN_LISTED_MAX],
            unknown_count: 0,
            use_candidate: false,
            ice_controlled: false,
        };
        let mut at = HEADER_BYTES;
        while at < message.len() {
            let (kind, value, next) = attribute_at(message, at).ok_or(MALFORMED)?;
            // RFC 8489 §14.7: FINGERPRINT is the last attribute.
            if fingerprint.is_some() {
                return Err(MALFORMED);
            }
            match kind {
                attr::ATTR_FINGERPRINT => fingerprint = Some(value.try_into().map_err(|_| MALFORMED)?),
                _ if integrity.is_some() => {}
                attr::ATTR_MESSAGE_INTEGRITY => {
                    integrity = Some((at, value.try_into().map_err(|_| MALFORMED)?));
                }
                attr::ATTR_USERNAME => username = username.or(Some(value)),
                _ => request.note(kind),
            }
            at = next;
        }
        request.username = username.ok_or(MALFORMED)?;
        (request.integrity_at, request.integrity) = integrity.ok_or(MALFORMED)?;
        request.fingerprint = u32::from_be_bytes(fingerprint.ok_or(MALFORMED)?);
        Ok(request)
    }

    fn note(&mut self, kind: attr::AttrType) {
        match kind {
            attr::ATTR_USE_CANDIDATE => self.use_candidate = true,
            attr::ATTR_ICE_CONTROLLED => self.ice_controlled = true,
            _ if kind.required() && !UNDERSTOOD.contains(&kind) => {
                if let Some(space) = self.unknown.get_mut(self.unknown_count) {
                    *space = kind.value();
                    self.unknown_count += 1;
                }
            }
            _ => {}
        }
    }

    /// The fragment of the agent that is asked: what stands before the colon (RFC 8445 §7.2.2).
    pub fn local_ufrag(&self) -> Option<&'a str> {
        let colon = self.username.iter().position(|byte| *byte == b':')?;
        std::str::from_utf8(self.username.get(..colon)?).ok()
    }

    /// Whether USERNAME is `local:remote`.
    pub fn is_for(&self, local: &str, remote: &str) -> bool {
        let rest = self.username.strip_prefix(local.as_bytes()).and_then(|rest| rest.strip_prefix(b":"));
        rest == Some(remote.as_bytes())
    }

    /// Whether FINGERPRINT is right (RFC 8489 §14.7): cheap, and no proof of anything but STUN.
    pub fn has_valid_fingerprint(&self) -> bool {
        let covered = self.message.len() - ATTRIBUTE_HEADER_BYTES - FINGERPRINT_BYTES;
        self.message.get(..covered).map(fingerprint_of) == Some(self.fingerprint)
    }

    /// Whether MESSAGE-INTEGRITY was made with this key (RFC 8489 §14.5).
    pub fn is_authentic(&self, key: &hmac::Key) -> bool {
        let Some(covered) = self.message.get(..self.integrity_at) else { return false };
        verify_slices_are_equal(integrity_of(covered, key).as_ref(), &self.integrity).is_ok()
    }

    /// Comprehension-required attributes that are not understood (RFC 8489 §6.3.1).
    pub fn unknown_attributes(&self) -> &[u16] {
        self.unknown.get(..self.unknown_count).unwrap_or_default()
    }

    /// Writes the success response (RFC 8445 §7.3.1.2): where the request came from. `None` when `out` is too small.
    pub fn succeed(&self, from: SocketAddr, key: &hmac::Key, out: &mut [u8]) -> Option<usize> {
        let mut response = Response::begin(BINDING_SUCCESS, self.transaction_id, out)?;
        response.xor_mapped_address(from, self.transaction_id)?;
        response.finish(key)
    }

    /// Writes 487 Role Conflict (RFC 8445 §7.3.1.1). `None` when `out` is too small.
    pub fn refuse_role(&self, key: &hmac::Key, out: &mut [u8]) -> Option<usize> {
        let mut response = Response::begin(BINDING_ERROR, self.transaction_id, out)?;
        response.attribute(attr::ATTR_ERROR_CODE, &[&[0, 0, 4, 87], b"Role Conflict"])?;
        response.finish(key)
    }

    /// Writes 420 Unknown Attribute (RFC 8489 §6.3.1). `None` when `out` is too small.
    pub fn refuse_unknown_attributes(&self, key: &hmac::Key, out: &mut [u8]) -> Option<usize> {
        let mut list = [0; 2 * UNKNOWN_LISTED_MAX];
        for (space, kind) in list.chunks_exact_mut(2).zip(self.unknown_attributes()) {
            space.copy_from_slice(&kind.to_be_bytes());
        }
        let mut response = Response::begin(BINDING_ERROR, self.transaction_id, out)?;
        response.attribute(attr::ATTR_ERROR_CODE, &[&[0, 0, 4, 20], b"Unknown Attribute"])?;
        response.attribute(attr::ATTR_UNKNOWN_ATTRIBUTES, &[list.get(..2 * self.unknown_count)?])?;
        response.finish(key)
    }
}

/// The attribute at an offset, and the offset of the next; values are padded to four bytes (RFC 8489 §14).
fn attribute_at(message: &[u8], at: usize) -> Option<(attr::AttrType, &[u8], usize)> {
    let (&[k0, k1, l0, l1], rest) = message.get(at..)?.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let next = at + ATTRIBUTE_HEADER_BYTES + length.next_multiple_of(4);
    if next > message.len() {
        return None;
    }
    Some((attr::AttrType(u16::from_be_bytes([k0, k1])), rest.get(..length)?, next))
}

/// HMAC-SHA1 over what precedes MESSAGE-INTEGRITY, with the header's length as if that were the last attribute
/// (RFC 8489 §14.5).
fn integrity_of(covered: &[u8], key: &hmac::Key) -> hmac::Tag {
    let length =
        (covered.len() + ATTRIBUTE_HEADER_BYTES + INTEGRITY_BYTES).saturating_sub(HEADER_BYTES) as u16;
    let mut context = hmac::Context::with_key(key);
    context.update(covered.get(..2).unwrap_or_default());
    context.update(&length.to_be_bytes());
    context.update(covered.get(4..).unwrap_or_default());
    context.sign()
}

/// A response that grows in the caller's buffer.
struct Response<'a> {
    out: &'a mut [u8],
    used: usize,
}

impl<'a> Response<'a> {
    fn begin(kind: u16, transaction_id: [u8; 12], out: &'a mut [u8]) -> Option<Self> {
        let mut response = Self { out, used: 0 };
        for part in [&kind.to_be_bytes()[..], &[0; 2], &MAGIC_COOKIE.to_be_bytes(), &transaction_id] {
            response.append(part)?;
        }
        Some(response)
    }

    fn append(&mut self, bytes: &[u8]) -> Option<()> {
        self.out.get_mut(self.used..self.used + bytes.len())?.copy_from_slice(bytes);
        self.used += bytes.len();
        Some(())
    }

    /// Adds one attribute, its value given in parts, and keeps the header's length right.
    fn attribute(&mut self, kind: attr::AttrType, parts: &[&[u8]]) -> Option<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.append(&kind.value().to_be_bytes())?;
        self.append(&u16::try_from(length).ok()?.to_be_bytes())?;
        for part in parts {
            self.append(part)?;
        }
        self.append([0; 3].get(..length.next_multiple_of(4) - length)?)?;
        self.set_length(self.used)
    }

    fn set_length(&mut self, end: usize) -> Option<()> {
        let length = u16::try_from(end.checked_sub(HEADER_BYTES)?).ok()?;
        self.out.get_mut(2..4)?.copy_from_slice(&length.to_be_bytes());
        Some(())
    }

    /// RFC 8489 §14.2
    fn xor_mapped_address(&mut self, address: SocketAddr, transaction_id: [u8; 12]) -> Option<()> {
        let port = (address.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes();
        match address.ip() {
            IpAddr::V4(ip) => {
                let masked = (u32::from(ip) ^ MAGIC_COOKIE).to_be_bytes();
                self.attribute(attr::ATTR_XORMAPPED_ADDRESS, &[&[0, 1], &port, &masked])
            }
            IpAddr::V6(ip) => {
                let mut mask = [0; 16];
                mask[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
                mask[4..].copy_from_slice(&transaction_id);
                let masked = (u128::from(ip) ^ u128::from_be_bytes(mask)).to_be_bytes();
                self.attribute(attr::ATTR_XORMAPPED_ADDRESS, &[&[0, 2], &port, &masked])
            }
        }
    }

    /// Adds MESSAGE-INTEGRITY and FINGERPRINT; the length of the whole.
    fn finish(mut self, key: &hmac::Key) -> Option<usize> {
        let integrity = integrity_of(self.out.get(..self.used)?, key);
        self.attribute(attr::ATTR_MESSAGE_INTEGRITY, &[integrity.as_ref()])?;
        self.set_length(self.used + ATTRIBUTE_HEADER_BYTES + FINGERPRINT_BYTES)?;
        let fingerprint = fingerprint_of(self.out.get(..self.used)?);
        self.attribute(attr::ATTR_FINGERPRINT, &[&fingerprint.to_be_bytes()])?;
        Some(self.used)
    }
}

#[cfg(test)]
mod tests;
