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

/// Datagrams that come in together, as they come and as a run opens them.
struct Batch {
    incoming: Vec<Incoming>,
    sealed: Vec<u8>,
    input: Vec<u8>,
}

/// Batches of datagrams, each to so many receivers with a key of their own.
pub struct Floor {
    inbound: Vec<LessSafeKey>,
    outbound: Vec<LessSafeKey>,
    batches: Vec<Batch>,
    fan_out: usize,
    /// How many batches a run takes, and the first of the next run.
    batches_a_run: usize,
    next: usize,
    out: Vec<u8>,
    used: usize,
    sent: u64,
}

impl Floor {
    /// Everything that a run will consume, in the batches in which it comes. Publishers stand in consults of
    /// `fan_out + 1`, one after another.
    pub fn new(publishers: usize, fan_out: usize, batches: Vec<Vec<Incoming>>) -> Self {
        let key = |n: usize| {
            let key = (n as u128).to_be_bytes();
            LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("a key"))
        };
        let inbound: Vec<_> = (0..publishers).map(key).collect();
        let sealed = |incoming: &Incoming| {
            let mut packet = vec![0; CLEAR_BYTES + incoming.payload_bytes];
            let (clear, text) = packet.split_at_mut(CLEAR_BYTES);
            let tag = inbound[incoming.publisher]
                .seal_in_place_separate_tag(nonce(0), Aad::from(&*clear), text)
                .expect("sealed");
            packet.extend_from_slice(tag.as_ref());
            packet
        };
        let batches: Vec<_> = batches
            .into_iter()
            .map(|incoming| {
                let sealed: Vec<u8> = incoming.iter().flat_map(&sealed).collect();
                Batch { incoming, input: sealed.clone(), sealed }
            })
            .collect();
        Self {
            inbound,
            outbound: (0..publishers.next_multiple_of(fan_out + 1)).map(|n| key(n + 1_000_000)).collect(),
            batches_a_run: batches.len(),
            next: 0,
            batches,
            fan_out,
            out: vec![0; OUT_BYTES],
            used: 0,
            sent: 0,
        }
    }

    /// One batch a run, in a circle.
    #[must_use]
    pub fn batch_by_batch(self) -> Self {
        Self { batches_a_run: 1, ..self }
    }

    fn ahead(&self) -> std::ops::Range<usize> {
        self.next..self.next + self.batches_a_run
    }
}

impl Case for Floor {
    fn prepare(&mut self) {
        self.next = (self.next + self.batches_a_run) % self.batches.len();
        for batch in &mut self.batches[self.next..self.next + self.batches_a_run] {
            batch.input.copy_from_slice(&batch.sealed);
        }
    }

    fn run(&mut self) {
        let ahead = self.ahead();
        for Batch { incoming, input, .. } in &mut self.batches[ahead] {
            let mut rest = &mut input[..];
            for incoming in incoming.iter() {
                let sealed_len = CLEAR_BYTES + incoming.payload_bytes + TAG_BYTES;
                let (packet, after) = rest.split_at_mut(sealed_len);
                rest = after;
                let (clear, text) = packet.split_at_mut(CLEAR_BYTES);
                let opened =
                    self.inbound[incoming.publisher].open_in_place(nonce(0), Aad::from(&*clear), text);
                assert!(opened.is_ok(), "the floor opens its own packets");
                let plain_len = sealed_len - TAG_BYTES;
                let first = incoming.publisher / (self.fan_out + 1) * (self.fan_out + 1);
                // Nobody gets his own packets.
                for subscriber in (first..=first + self.fan_out).filter(|n| *n != incoming.publisher) {
                    let space = &mut self.out[self.used..self.used + sealed_len];
                    space[..plain_len].copy_from_slice(&packet[..plain_len]);
                    let (plain, tag_space) = space.split_at_mut(plain_len);
                    let (clear, text) = plain.split_at_mut(CLEAR_BYTES);
                    self.sent += 1;
                    let key = &self.outbound[subscriber];
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
        let incoming: usize = self.batches[self.ahead()].iter().map(|batch| batch.incoming.len()).sum();
        (incoming * self.fan_out) as u64
    }
}

fn nonce(count: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&count.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}
