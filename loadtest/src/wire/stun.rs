//! ICE checks of a full, controlling agent (RFC 8445 §7.2, RFC 8489) and answers to those of the other side.

use std::net::SocketAddrV4;

use aws_lc_rs::hmac;

use super::u16_at;
use crate::plan::IceCredentials;

const MAGIC_COOKIE: u32 = 0x2112_a442;
const HEADER_BYTES: usize = 20;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLING: u16 = 0x802a;

/// A Binding request with USE-CANDIDATE.
pub fn check(
    local: &IceCredentials,
    remote: &IceCredentials,
    transaction: [u8; 12],
    tie_breaker: u64,
) -> Vec<u8> {
    let mut message = begin([0, 1], transaction);
    attribute(&mut message, USERNAME, format!("{}:{}", remote.ufrag, local.ufrag).as_bytes());
    attribute(&mut message, PRIORITY, &0x7eff_ffff_u32.to_be_bytes());
    attribute(&mut message, ICE_CONTROLLING, &tie_breaker.to_be_bytes());
    attribute(&mut message, USE_CANDIDATE, &[]);
    finish(message, &remote.password)
}

/// The success response to a request from `from`.
pub fn success(transaction: [u8; 12], from: SocketAddrV4, password: &str) -> Vec<u8> {
    let mut message = begin([1, 1], transaction);
    let cookie = MAGIC_COOKIE.to_be_bytes();
    let [p0, p1] = from.port().to_be_bytes();
    let mut value = [0, 1, p0 ^ cookie[0], p1 ^ cookie[1], 0, 0, 0, 0];
    let address = from.ip().octets().into_iter().zip(cookie).map(|(byte, cookie)| byte ^ cookie);
    value[4..].iter_mut().zip(address).for_each(|(to, byte)| *to = byte);
    attribute(&mut message, XOR_MAPPED_ADDRESS, &value);
    finish(message, password)
}

/// What a STUN message is to this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// A Binding request with this transaction.
    Request([u8; 12]),
    /// A success response.
    Success([u8; 12]),
}

/// Reads a message whose MESSAGE-INTEGRITY was made with the password of the one who answers: `local` for a request,
/// `remote` for a response. None for everything else.
pub fn read(message: &[u8], local: &IceCredentials, remote: &IceCredentials) -> Option<Read> {
    let transaction: [u8; 12] = message.get(8..HEADER_BYTES)?.try_into().ok()?;
    let (read, password) = match message.first_chunk()? {
        [0, 1] => (Read::Request(transaction), &local.password),
        [1, 1] => (Read::Success(transaction), &remote.password),
        _ => return None,
    };
    is_authentic(message, password).then_some(read)
}

/// RFC 8489 §14.5: the HMAC covers everything before it, with a length as if it came last.
fn is_authentic(message: &[u8], password: &str) -> bool {
    let mut at = HEADER_BYTES;
    while let (Some(kind), Some(length)) = (u16_at(message, at), u16_at(message, at + 2)) {
        let value = at + 4;
        if kind == MESSAGE_INTEGRITY && length == 20 {
            let (Some(before), Some(tag)) = (message.get(..at), message.get(value..value + 20)) else {
                return false;
            };
            let mut before = before.to_vec();
            set_length(&mut before, 24);
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
            return hmac::verify(&key, &before, tag).is_ok();
        }
        at = value + usize::from(length).next_multiple_of(4);
    }
    false
}

fn begin(kind: [u8; 2], transaction: [u8; 12]) -> Vec<u8> {
    let mut message = Vec::with_capacity(160);
    message.extend(kind);
    message.extend([0, 0]);
    message.extend(MAGIC_COOKIE.to_be_bytes());
    message.extend(transaction);
    message
}

fn finish(mut message: Vec<u8>, password: &str) -> Vec<u8> {
    set_length(&mut message, 24);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let tag = hmac::sign(&key, &message);
    attribute(&mut message, MESSAGE_INTEGRITY, tag.as_ref());
    set_length(&mut message, 8);
    let fingerprint = crc32(&message) ^ 0x5354_554e;
    attribute(&mut message, FINGERPRINT, &fingerprint.to_be_bytes());
    message
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
    set_length(message, 0);
}

/// The header's length, `more` bytes to come included.
fn set_length(message: &mut [u8], more: usize) {
    let length = message.len().saturating_sub(HEADER_BYTES) + more;
    if let Some(place) = message.get_mut(2..4) {
        place.copy_from_slice(&(length as u16).to_be_bytes());
    }
}

/// ITU-T V.42 (RFC 8489 §14.7).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(name: &str) -> IceCredentials {
        IceCredentials { ufrag: name.into(), password: format!("{name}-password-of-22-chars") }
    }

    #[test]
    fn a_check_and_its_answer_are_authentic_to_the_right_sides_only() {
        let (ours, theirs) = (credentials("ours"), credentials("theirs"));
        let request = check(&ours, &theirs, [7; 12], 1);
        assert_eq!(read(&request, &theirs, &ours), Some(Read::Request([7; 12])));
        assert_eq!(read(&request, &ours, &theirs), None);
        let from = SocketAddrV4::new([127, 0, 0, 9].into(), 4_000);
        let answer = success([7; 12], from, &theirs.password);
        assert_eq!(read(&answer, &ours, &theirs), Some(Read::Success([7; 12])));
        for at in 0..answer.len() - 8 {
            let mut forged = answer.clone();
            forged[at] ^= 1;
            // The length field and the tag's own header are not covered as they stand.
            let accepted = read(&forged, &ours, &theirs);
            assert!(accepted.is_none() || (2..4).contains(&at), "byte {at}");
        }
    }
}
