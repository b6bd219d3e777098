//! The least that forwarding can cost: open once, copy and seal for everyone, straight on the AEAD.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::Case;

/// RTP header with one contributing source and the extensions that a browser sends.
const CLEAR_BYTES: usize = 12 + 4 + 12;
const TAG_BYTES: usize = 16;
/// As large as a shard's own (media/io/src/limits.rs), and emptied like it.
const OUT_BYTES: usize = 1024 * 1024;

/// One datagram that comes in.
#[derive(Debug, Clone, Copy)]
pub struct Incoming {
    /// Whose: picks the key.
    pub publisher: usize,
    /// Of its payload.
    pub payload_bytes: usize,
}

/// Batches of datagrams, each to so many receivers with a key of their own.
pub struct Floor {
    inbound: Vec<LessSafeKey>,
    outbound: Vec<LessSafeKey>,
    batches: Vec<Vec<Incoming>>,
    fan_out: usize,
    /// Sealed packets as they come in, one after another, and the copies that a run opens.
    sealed: Vec<u8>,
    input: Vec<u8>,
    out: Vec<u8>,
    used: usize,
    sent: u64,
}

impl Floor {
    /// Everything that a run will consume, in the batches in which it comes.
    pub fn new(publishers: usize, fan_out: usize, batches: Vec<Vec<Incoming>>) -> Self {
        let key = |n: usize| LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[n as u8; 16]).expect("a key"));
        let inbound: Vec<_> = (0..publishers).map(key).collect();
        let mut sealed = Vec::new();
        for incoming in batches.iter().flatten() {
            let mut packet = vec![0; CLEAR_BYTES + incoming.payload_bytes];
            let (clear, text) = packet.split_at_mut(CLEAR_BYTES);
            let tag = inbound[incoming.publisher]
                .seal_in_place_separate_tag(nonce(0), Aad::from(&*clear), text)
                .expect("sealed");
            sealed.extend_from_slice(&packet);
            sealed.extend_from_slice(tag.as_ref());
        }
        Self {
            inbound,
            outbound: (0..publishers + fan_out).map(|n| key(n + 100)).collect(),
            batches,
            fan_out,
            input: sealed.clone(),
            sealed,
            out: vec![0; OUT_BYTES],
            used: 0,
            sent: 0,
        }
    }
}

impl Case for Floor {
    fn prepare(&mut self) {
        self.input.copy_from_slice(&self.sealed);
    }

    fn run(&mut self) {
        let mut rest = &mut self.input[..];
        for batch in &self.batches {
            for incoming in batch {
                let sealed_len = CLEAR_BYTES + incoming.payload_bytes + TAG_BYTES;
                let (packet, after) = rest.split_at_mut(sealed_len);
                rest = after;
                let (clear, text) = packet.split_at_mut(CLEAR_BYTES);
                let opened =
                    self.inbound[incoming.publisher].open_in_place(nonce(0), Aad::from(&*clear), text);
                assert!(opened.is_ok(), "the floor opens its own packets");
                let plain_len = sealed_len - TAG_BYTES;
                for subscriber in 0..self.fan_out {
                    // A real one leaves itself out: nobody's key is used for his own packets.
                    let key = &self.outbound[subscriber + usize::from(subscriber >= incoming.publisher)];
                    let space = &mut self.out[self.used..self.used + sealed_len];
                    space[..plain_len].copy_from_slice(&packet[..plain_len]);
                    let (plain, tag_space) = space.split_at_mut(plain_len);
                    let (clear, text) = plain.split_at_mut(CLEAR_BYTES);
                    self.sent += 1;
                    let tag = key.seal_in_place_separate_tag(nonce(self.sent), Aad::from(&*clear), text);
                    tag_space.copy_from_slice(tag.expect("sealed").as_ref());
                    self.used += sealed_len;
                }
                if self.used > OUT_BYTES / 2 {
                    self.used = 0;
                }
            }
            std::hint::black_box(&mut self.out);
            self.used = 0;
        }
    }

    fn units(&self) -> u64 {
        let incoming: usize = self.batches.iter().map(Vec::len).sum();
        (incoming * self.fan_out) as u64
    }
}

fn nonce(count: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&count.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}
