//! Sealing and opening one packet, beside the cipher alone on the same bytes.

use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey},
    constant_time::verify_slices_are_equal,
    hmac,
    iv::FixedLength,
};
use media_engine::transport::srtp::{OVERHEAD_BYTES_MAX, Profile, SrtpInbound, SrtpOutbound};

use crate::Case;

/// Fixed header and the extensions that a browser sends.
const CLEAR_BYTES: usize = 12 + 16;
const RUN_PACKETS: usize = 64;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the network.
    Open,
    /// To the network.
    Seal,
}

/// The engine's SRTP.
pub struct Srtp {
    direction: Direction,
    outbound: SrtpOutbound,
    inbound: SrtpInbound,
    index: u64,
    plain_len: usize,
    packets: Vec<Vec<u8>>,
}

impl Srtp {
    /// Keys of one transport.
    pub fn new(direction: Direction, profile: Profile, payload_bytes: usize) -> Self {
        let (key, salt) = (vec![1; profile.key_len()], vec![2; profile.salt_len()]);
        let plain_len = CLEAR_BYTES + payload_bytes;
        Self {
            direction,
            outbound: SrtpOutbound::new(profile, &key, &salt).expect("keys of the profile's length"),
            inbound: SrtpInbound::new(profile, &key, &salt).expect("keys of the profile's length"),
            index: 0,
            plain_len,
            packets: vec![vec![0; plain_len + OVERHEAD_BYTES_MAX]; RUN_PACKETS],
        }
    }

    fn seal(&mut self) {
        for packet in &mut self.packets {
            let sealed = self.outbound.seal_rtp(self.index, packet, self.plain_len);
            assert!(sealed.is_some(), "a packet of the engine's own");
            self.index += 1;
        }
    }
}

impl Case for Srtp {
    fn prepare(&mut self) {
        for (n, packet) in (0..).zip(&mut self.packets) {
            packet.resize(self.plain_len + OVERHEAD_BYTES_MAX, 0);
            packet[..16].copy_from_slice(&[0x90, 96, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0xbe, 0xde, 0, 3]);
            packet[2..4].copy_from_slice(&((self.index + n) as u16).to_be_bytes());
        }
        if self.direction == Direction::Open {
            self.seal();
            let sealed_len = self.plain_len + self.outbound.profile().rtp_overhead();
            self.packets.iter_mut().for_each(|p| p.truncate(sealed_len));
        }
    }

    fn run(&mut self) {
        if self.direction == Direction::Seal {
            return self.seal();
        }
        for packet in &mut self.packets {
            assert!(self.inbound.open_rtp(packet).is_ok(), "a packet of the engine's own");
        }
    }

    fn units(&self) -> u64 {
        RUN_PACKETS as u64
    }
}

enum Cipher {
    Gcm(LessSafeKey),
    CmSha1(Box<EncryptingKey>, Box<hmac::Key>),
}

/// The cipher alone.
pub struct Bare {
    direction: Direction,
    cipher: Cipher,
    plain_len: usize,
    packets: Vec<Vec<u8>>,
    sealed: Vec<u8>,
}

impl Bare {
    /// On the same bytes.
    pub fn new(direction: Direction, profile: Profile, payload_bytes: usize) -> Self {
        let cipher = match profile {
            Profile::Aes128CmSha1_80 => {
                let key = UnboundCipherKey::new(&AES_128, &[1; 16]).and_then(EncryptingKey::ctr);
                let mac = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[1; 20]);
                Cipher::CmSha1(Box::new(key.expect("a key")), Box::new(mac))
            }
            _ => Cipher::Gcm(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[1; 16]).expect("a key"))),
        };
        let plain_len = CLEAR_BYTES + payload_bytes;
        let mut sealed = vec![0; plain_len + profile.rtp_overhead()];
        seal(&cipher, &mut sealed, plain_len);
        Self { direction, cipher, plain_len, packets: vec![sealed.clone(); RUN_PACKETS], sealed }
    }
}

impl Case for Bare {
    fn prepare(&mut self) {
        self.packets.iter_mut().for_each(|packet| packet.copy_from_slice(&self.sealed));
    }

    fn run(&mut self) {
        for packet in &mut self.packets {
            match self.direction {
                Direction::Seal => seal(&self.cipher, packet, self.plain_len),
                Direction::Open => assert!(open(&self.cipher, packet), "sealed with the same key"),
            }
        }
    }

    fn units(&self) -> u64 {
        RUN_PACKETS as u64
    }
}

fn seal(cipher: &Cipher, packet: &mut [u8], plain_len: usize) {
    let (plain, tag_space) = packet.split_at_mut(plain_len);
    let (clear, text) = plain.split_at_mut(CLEAR_BYTES);
    match cipher {
        Cipher::Gcm(key) => {
            let tag = key.seal_in_place_separate_tag(nonce(), Aad::from(&*clear), text).expect("sealed");
            tag_space.copy_from_slice(tag.as_ref());
        }
        Cipher::CmSha1(key, mac) => {
            key.less_safe_encrypt(text, counter()).expect("encrypted");
            tag_space.copy_from_slice(&tag(mac, plain));
        }
    }
}

fn open(cipher: &Cipher, packet: &mut [u8]) -> bool {
    match cipher {
        Cipher::Gcm(key) => {
            let (clear, sealed) = packet.split_at_mut(CLEAR_BYTES);
            key.open_in_place(nonce(), Aad::from(&*clear), sealed).is_ok()
        }
        Cipher::CmSha1(key, mac) => {
            let Some((protected, expected)) = packet.split_last_chunk_mut::<10>() else { return false };
            let fits = verify_slices_are_equal(&tag(mac, protected), expected).is_ok();
            fits && key.less_safe_encrypt(&mut protected[CLEAR_BYTES..], counter()).is_ok()
        }
    }
}

fn tag(mac: &hmac::Key, protected: &[u8]) -> [u8; 10] {
    let mut context = hmac::Context::with_key(mac);
    context.update(protected);
    // The roll-over counter (RFC 3711 §4.2).
    context.update(&[0; 4]);
    let mut tag = [0; 10];
    tag.copy_from_slice(&context.sign().as_ref()[..10]);
    tag
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([3; 12])
}

fn counter() -> EncryptionContext {
    EncryptionContext::Iv128(FixedLength::from([3; 16]))
}
