//! A seeded generator (xorshift64*), so that a failure can be had again.

/// Random numbers from a seed.
pub struct Random(u64);

#[allow(dead_code, reason = "each test file uses its part")]
impl Random {
    /// The seed must not be 0.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 24) as u8).collect()
    }

    /// A well-formed RTP packet with random CSRCs, extension and payload.
    pub fn rtp(&mut self, ssrc: u32, sequence: u16) -> Vec<u8> {
        let csrcs = self.below(4) as usize;
        let extension = self.below(2) == 1;
        let mut packet = vec![0x80 | u8::from(extension) << 4 | csrcs as u8, self.below(256) as u8];
        packet.extend(sequence.to_be_bytes());
        packet.extend((self.next() as u32).to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet.extend(self.bytes(csrcs * 4));
        if extension {
            packet.extend([0xbe, 0xde, 0, 2, 0x10, 0x81, 0x31, 0x12, 0x34, 0, 0, 0]);
        }
        let payload = self.below(1_200) as usize;
        packet.extend(self.bytes(payload));
        packet
    }

    /// A receiver report followed by random application data.
    pub fn rtcp(&mut self, ssrc: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 201, 0, 1];
        packet.extend(ssrc.to_be_bytes());
        let words = self.below(100) as usize;
        packet.extend([0x80, 204, 0, words as u8 + 1]);
        packet.extend(self.bytes(words * 4 + 4));
        packet
    }
}
