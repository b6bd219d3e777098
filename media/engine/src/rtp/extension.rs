//! Header extensions (RFC 8285): one table, a row each, says what is read and what becomes of it.

use media_model::Mid;

use super::packet::RtpHeader;
use crate::api::ExtensionIds;

/// One-byte elements (RFC 8285 §4.2).
const ONE_BYTE_PROFILE: u16 = 0xbede;
/// Two-byte elements (RFC 8285 §4.3), whose low four bits are the application's.
const TWO_BYTE_PROFILE: u16 = 0x1000;
/// The largest id that a one-byte element carries; 15 ends the list (RFC 8285 §4.2).
const ONE_BYTE_ID_MAX: u8 = 14;

/// How loud a packet's sound is (RFC 6464 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevel {
    /// The encoder takes it for speech.
    pub voice: bool,
    /// Below the overload point, from 0 (loudest) to 127 (silence), in -dBov.
    pub level_dbov: u8,
}

/// What the header extensions of a packet say; absent or malformed ones are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions {
    /// Which m= line the packet belongs to (RFC 8843 §15).
    pub mid: Option<Mid>,
    /// How loud it is (RFC 6464).
    pub audio_level: Option<AudioLevel>,
    /// Its number among all packets of the transport (draft-holmer-rmcat-transport-wide-cc-extensions-01 §2).
    pub transport_cc: Option<u16>,
    /// How the camera was held: the byte of 3GPP TS 26.114 §7.4.5.
    pub orientation: Option<u8>,
}

/// What becomes of an extension on its way from the publisher to a subscriber.
#[derive(Debug, Clone, Copy)]
pub enum Handling {
    /// The subscriber gets the publisher's value, under the subscriber's id.
    Pass(Field),
    /// The subscriber gets a value of the server's own.
    Rewrite(Field),
    /// It is not accepted in an answer, and not sent on should it come all the same.
    Strip,
}

/// An extension that is read or written: a variant each, and an arm in each of its methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// [`Extensions::mid`]
    Mid,
    /// [`Extensions::audio_level`]
    AudioLevel,
    /// [`Extensions::transport_cc`]
    TransportCc,
    /// [`Extensions::orientation`]
    Orientation,
}

impl Field {
    /// The extension that an element of this id is.
    #[inline]
    fn of(id: u8, ids: &ExtensionIds) -> Option<Self> {
        let is = |known: Option<u8>| known == Some(id);
        if is(ids.audio_level) {
            Some(Self::AudioLevel)
        } else if is(ids.transport_cc) {
            Some(Self::TransportCc)
        } else if is(ids.mid) {
            Some(Self::Mid)
        } else if is(ids.orientation) {
            Some(Self::Orientation)
        } else {
            None
        }
    }

    fn read(self, into: &mut Extensions, value: &[u8]) {
        match self {
            Self::Mid => into.mid = Mid::from_bytes(value).ok(),
            Self::AudioLevel => {
                let level = |b: &u8| AudioLevel { voice: b & 0x80 != 0, level_dbov: b & 0x7f };
                into.audio_level = value.first().map(level);
            }
            Self::TransportCc => into.transport_cc = value.first_chunk().map(|b| u16::from_be_bytes(*b)),
            Self::Orientation => into.orientation = value.first().copied(),
        }
    }

    fn copy(self, from: &Extensions, to: &mut Extensions) {
        match self {
            Self::Mid => to.mid = from.mid,
            Self::AudioLevel => to.audio_level = from.audio_level,
            Self::TransportCc => to.transport_cc = from.transport_cc,
            Self::Orientation => to.orientation = from.orientation,
        }
    }
}

/// A row of [`EXTENSIONS`].
#[derive(Debug, Clone, Copy)]
pub struct ExtensionRow {
    /// What `a=extmap` calls it.
    pub uri: &'static str,
    /// What becomes of it.
    pub handling: Handling,
}

/// Every header extension that is known here. One that is not listed is stripped.
pub const EXTENSIONS: [ExtensionRow; 9] = [
    ExtensionRow { uri: "urn:ietf:params:rtp-hdrext:sdes:mid", handling: Handling::Rewrite(Field::Mid) },
    ExtensionRow {
        uri: "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        handling: Handling::Pass(Field::AudioLevel),
    },
    ExtensionRow {
        uri: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        handling: Handling::Rewrite(Field::TransportCc),
    },
    ExtensionRow { uri: "urn:3gpp:video-orientation", handling: Handling::Pass(Field::Orientation) },
    // A second clock beside transport-wide feedback would only disagree with it.
    ExtensionRow {
        uri: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        handling: Handling::Strip,
    },
    // The publisher's send time says nothing about when the server sends.
    ExtensionRow { uri: "urn:ietf:params:rtp-hdrext:toffset", handling: Handling::Strip },
    // A receiver's playout delay is its own affair: lips stay in sync by the server's sender reports.
    ExtensionRow {
        uri: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        handling: Handling::Strip,
    },
    // No simulcast yet: one encoding a track.
    ExtensionRow { uri: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", handling: Handling::Strip },
    ExtensionRow { uri: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id", handling: Handling::Strip },
];

impl Extensions {
    /// Most that [`Self::write`] takes: four values of 16, 1, 2 and 1 bytes, two-byte form, padded.
    pub const BYTES_MAX: usize = 4 + 28;

    /// Reads the extensions of a packet whose header is `header`, in the one-byte or the two-byte form.
    ///
    /// What cannot be read is left out: RFC 8285 §4.1.2 has receivers ignore what they do not know. A list that is cut
    /// short ends there.
    pub fn parse(header: &RtpHeader, packet: &[u8], ids: &ExtensionIds) -> Self {
        let elements = header.extension(packet);
        let mut extensions = Self::default();
        match header.extension_profile {
            ONE_BYTE_PROFILE => extensions.read_elements(one_byte_elements(elements), ids),
            profile if profile & 0xfff0 == TWO_BYTE_PROFILE => {
                extensions.read_elements(two_byte_elements(elements), ids);
            }
            _ => {}
        }
        extensions
    }

    fn read_elements<'a>(&mut self, elements: impl Iterator<Item = (u8, &'a [u8])>, ids: &ExtensionIds) {
        for (id, value) in elements {
            if let Some(field) = Field::of(id, ids) {
                field.read(self, value);
            }
        }
    }

    /// What a subscriber gets of it unchanged; the server's own values are still to be filled in.
    #[must_use]
    pub fn passed(&self) -> Self {
        let mut passed = Self::default();
        for row in &EXTENSIONS {
            if let Handling::Pass(field) = &row.handling {
                field.copy(self, &mut passed);
            }
        }
        passed
    }

    /// Writes the whole extension block, its four first bytes included; 0 when there is nothing to say.
    ///
    /// One-byte elements, unless the receiver gave an id that needs two. `None` when `out` is too short.
    pub fn write(&self, ids: &ExtensionIds, out: &mut [u8]) -> Option<usize> {
        let ExtensionIds { mid, audio_level, transport_cc, orientation } = *ids;
        let is_wide = |id: Option<u8>| id.is_some_and(|id| id > ONE_BYTE_ID_MAX);
        let two_byte = [mid, audio_level, transport_cc, orientation].into_iter().any(is_wide);
        let mut elements = Elements { out, length: ELEMENTS_AT, two_byte };
        if let Some(value) = &self.mid {
            elements.push(mid, value.as_bytes())?;
        }
        if let Some(AudioLevel { voice, level_dbov }) = self.audio_level {
            elements.push(audio_level, &[u8::from(voice) << 7 | level_dbov.min(127)])?;
        }
        if let Some(number) = self.transport_cc {
            elements.push(transport_cc, &number.to_be_bytes())?;
        }
        if let Some(value) = self.orientation {
            elements.push(orientation, &[value])?;
        }
        elements.finish()
    }
}

/// The block's profile and length stand before its elements (RFC 3550 §5.3.1).
const ELEMENTS_AT: usize = 4;

/// A block that is being written.
struct Elements<'a> {
    out: &'a mut [u8],
    length: usize,
    two_byte: bool,
}

impl Elements<'_> {
    /// Appends an element, if the receiver has an id for it.
    #[inline]
    fn push(&mut self, id: Option<u8>, value: &[u8]) -> Option<()> {
        let Some(id) = id.filter(|id| *id != 0 && !value.is_empty()) else { return Some(()) };
        let length = value.len() as u8;
        let at = self.length;
        let start = if self.two_byte {
            *self.out.get_mut(at..)?.first_chunk_mut()? = [id, length];
            at + 2
        } else {
            *self.out.get_mut(at)? = id << 4 | (length - 1);
            at + 1
        };
        self.out.get_mut(start..start + value.len())?.copy_from_slice(value);
        self.length = start + value.len();
        Some(())
    }

    /// Pads the block and says how long it is; 0 when there is nothing in it.
    fn finish(self) -> Option<usize> {
        if self.length == ELEMENTS_AT {
            return Some(0);
        }
        let padded = self.length.next_multiple_of(4);
        self.out.get_mut(self.length..padded)?.fill(0);
        let profile = if self.two_byte { TWO_BYTE_PROFILE } else { ONE_BYTE_PROFILE };
        let [p0, p1] = profile.to_be_bytes();
        let [w0, w1] = ((padded / 4 - 1) as u16).to_be_bytes();
        *self.out.first_chunk_mut()? = [p0, p1, w0, w1];
        Some(padded)
    }
}

/// The extension block of a packet, written for one mapping of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtensionBlock {
    ids: ExtensionIds,
    bytes: [u8; Extensions::BYTES_MAX],
    length: usize,
}

impl ExtensionBlock {
    fn new(extensions: &Extensions, ids: &ExtensionIds) -> Self {
        let mut bytes = [0; Extensions::BYTES_MAX];
        let length = extensions.write(ids, &mut bytes).unwrap_or(0);
        Self { ids: *ids, bytes, length }
    }

    /// The block and what fills it up: a copy of constant length is the quickest.
    pub fn padded(&self) -> &[u8; Extensions::BYTES_MAX] {
        &self.bytes
    }

    /// Of the block, in bytes.
    pub fn length(&self) -> usize {
        self.length
    }
}

/// One packet's extensions on their way to many: most receivers are of two or three makes, each with a mapping of its
/// own, so each block is written once.
#[derive(Debug)]
pub struct ExtensionBlocks {
    extensions: Extensions,
    blocks: [Option<ExtensionBlock>; 2],
    oldest: usize,
}

impl ExtensionBlocks {
    /// For a packet that says this to everybody.
    pub fn new(extensions: Extensions) -> Self {
        Self { extensions, blocks: [None, None], oldest: 0 }
    }

    /// The block for receivers with these ids.
    #[inline]
    pub fn of(&mut self, ids: &ExtensionIds) -> &ExtensionBlock {
        let known = self.blocks.iter().position(|block| block.as_ref().is_some_and(|b| b.ids == *ids));
        let at = known.unwrap_or_else(|| {
            self.oldest = (self.oldest + 1) % self.blocks.len();
            self.blocks[self.oldest] = None;
            self.oldest
        });
        self.blocks[at].get_or_insert_with(|| ExtensionBlock::new(&self.extensions, ids))
    }
}

/// Id and value of each element (RFC 8285 §4.2).
fn one_byte_elements(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        while let Some((0, after)) = rest.split_first() {
            rest = after;
        }
        let (&first, after) = rest.split_first()?;
        let (id, length) = (first >> 4, usize::from(first & 0x0f) + 1);
        // RFC 8285 §4.2: id 15, and id 0 with a length, end the list.
        if id == 0 || id > ONE_BYTE_ID_MAX {
            return None;
        }
        let (value, after) = after.split_at_checked(length)?;
        rest = after;
        Some((id, value))
    })
}

/// Id and value of each element (RFC 8285 §4.3).
fn two_byte_elements(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        while let Some((0, after)) = rest.split_first() {
            rest = after;
        }
        let ([id, length], after) = rest.split_first_chunk()?;
        let (value, after) = after.split_at_checked(usize::from(*length))?;
        rest = after;
        Some((*id, value))
    })
}
