//! A connectivity check as a browser sends it (RFC 8445 §7.2), byte by byte.

use aws_lc_rs::hmac;
use media_engine::api::IceCredentials;

/// The attributes of a client that keeps its role, and of one that has mistaken it.
pub const CONTROLLING: u16 = 0x802a;
pub const CONTROLLED: u16 = 0x8029;

/// A nominating check from `client` to `server`.
pub fn check(server: &IceCredentials, client: &IceCredentials, transaction: [u8; 12]) -> Vec<u8> {
    build(server, client, transaction, CONTROLLING, true)
}

/// A check with this role attribute that nominates nothing.
pub fn probe(server: &IceCredentials, client: &IceCredentials, transaction: [u8; 12], role: u16) -> Vec<u8> {
    build(server, client, transaction, role, false)
}

fn build(
    server: &IceCredentials,
    client: &IceCredentials,
    transaction: [u8; 12],
    role: u16,
    nominates: bool,
) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    message.extend(transaction);
    attribute(&mut message, 0x0006, format!("{}:{}", server.ufrag, client.ufrag).as_bytes());
    attribute(&mut message, 0x0024, &[0x6e, 0, 1, 0xff]);
    attribute(&mut message, role, &[1; 8]);
    if nominates {
        attribute(&mut message, 0x0025, &[]);
    }
    set_length(&mut message, 24);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, server.password.as_bytes());
    let tag = hmac::sign(&key, &message);
    attribute(&mut message, 0x0008, tag.as_ref());
    set_length(&mut message, 8);
    let fingerprint = crc32(&message) ^ 0x5354_554e;
    attribute(&mut message, 0x8028, &fingerprint.to_be_bytes());
    message
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
    set_length(message, 0);
}

/// The length counts what is there and what is to come.
fn set_length(message: &mut [u8], to_come: usize) {
    let length = (message.len() - 20 + to_come) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
