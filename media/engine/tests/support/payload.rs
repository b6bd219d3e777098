//! Payloads that are no pictures but have the headers of some.

/// A whole VP8 frame in one packet: descriptor with a 15-bit picture id and TL0PICIDX (RFC 7741 §4.2), then data.
pub fn vp8(keyframe: bool, picture: u16, tl0: u8, data: u8) -> Vec<u8> {
    let [high, low] = picture.to_be_bytes();
    vec![0x90, 0xc0, high | 0x80, low, tl0, u8::from(!keyframe), data, data, data]
}

/// Picture id, TL0PICIDX and the data byte of such a frame.
pub fn read_vp8(payload: &[u8]) -> (u16, u8, u8) {
    (u16::from_be_bytes([payload[2] & 0x7f, payload[3]]), payload[4], payload[6])
}

/// Some Opus.
pub fn opus(data: u8) -> Vec<u8> {
    vec![0x78, data, data, data, data]
}
