//! Connectivity checks of a full, controlling ICE agent (RFC 8445 §7.2, RFC 8489), written by hand: the engine's own
//! reading of them is what is tested.

use aws_lc_rs::hmac;

const MAGIC_COOKIE: u32 = 0x2112_a442;
const HEADER_BYTES: usize = 20;

/// Name and password of both sides, as the checks of this side use them.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `remote:local`, from this side's view.
    pub username: String,
    /// The other side's password.
    pub password: String,
}

/// A Binding request with USE-CANDIDATE.
pub fn check(credentials: &Credentials, transaction_id: [u8; 12], tie_breaker: u64) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 0];
    message.extend(MAGIC_COOKIE.to_be_bytes());
    message.extend(transaction_id);
    attribute(&mut message, 0x0006, credentials.username.as_bytes());
    attribute(&mut message, 0x0024, &0x7eff_ffff_u32.to_be_bytes());
    attribute(&mut message, 0x802a, &tie_breaker.to_be_bytes());
    attribute(&mut message, 0x0025, &[]);
    set_length(&mut message, 24);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, credentials.password.as_bytes());
    let tag = hmac::sign(&key, &message);
    attribute(&mut message, 0x0008, tag.as_ref());
    set_length(&mut message, 8);
    let fingerprint = crc32(&message) ^ 0x5354_554e;
    attribute(&mut message, 0x8028, &fingerprint.to_be_bytes());
    message
}

/// The transaction of a success response.
pub fn success(datagram: &[u8]) -> Option<[u8; 12]> {
    if datagram.get(..2)? != [0x01, 0x01] {
        return None;
    }
    datagram.get(8..HEADER_BYTES)?.try_into().ok()
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
    let length = (message.len() - HEADER_BYTES + more) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

/// ITU-T V.42 (RFC 8489 §14.7).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
