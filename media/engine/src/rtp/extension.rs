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
/// The longest value of any extension that is written: a mid.
const VALUE_BYTES_MAX: usize = Mid::BYTES_MAX;

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

/// How one extension is found, read and written.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    id: fn(&ExtensionIds) -> Option<u8>,
    read: fn(&mut Extensions, &[u8]),
    /// Writes the value and tells its length; zero where there is none.
    write: fn(&Extensions, &mut [u8; VALUE_BYTES_MAX]) -> usize,
    copy: fn(from: &Extensions, to: &mut Extensions),
}

/// A row of [`EXTENSIONS`].
#[derive(Debug, Clone, Copy)]
pub struct ExtensionRow {
    /// What `a=extmap` calls it.
    pub uri: &'static str,
    /// What becomes of it.
    pub handling: Handling,
}

impl ExtensionRow {
    fn field(&self) -> Option<&Field> {
        match &self.handling {
            Handling::Pass(field) | Handling::Rewrite(field) => Some(field),
            Handling::Strip => None,
        }
    }
}

/// Every header extension that is known here. One that is not listed is stripped.
pub const EXTENSIONS: [ExtensionRow; 9] = [
    ExtensionRow { uri: "urn:ietf:params:rtp-hdrext:sdes:mid", handling: Handling::Rewrite(MID) },
    ExtensionRow {
        uri: "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        handling: Handling::Pass(AUDIO_LEVEL),
    },
    ExtensionRow {
        uri: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        handling: Handling::Rewrite(TRANSPORT_CC),
    },
    ExtensionRow { uri: "urn:3gpp:video-orientation", handling: Handling::Pass(ORIENTATION) },
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

const MID: Field = Field {
    id: |ids| ids.mid,
    read: |into, value| into.mid = Mid::from_bytes(value).ok(),
    write: |from, out| {
        let Some(mid) = from.mid else { return 0 };
        let value = mid.as_bytes();
        out[..value.len()].copy_from_slice(value);
        value.len()
    },
    copy: |from, to| to.mid = from.mid,
};

const AUDIO_LEVEL: Field = Field {
    id: |ids| ids.audio_level,
    read: |into, value| {
        into.audio_level = value.first().map(|b| AudioLevel { voice: b & 0x80 != 0, level_dbov: b & 0x7f });
    },
    write: |from, out| {
        let Some(level) = from.audio_level else { return 0 };
        out[0] = u8::from(level.voice) << 7 | level.level_dbov.min(127);
        1
    },
    copy: |from, to| to.audio_level = from.audio_level,
};

const TRANSPORT_CC: Field = Field {
    id: |ids| ids.transport_cc,
    read: |into, value| into.transport_cc = value.first_chunk().map(|b| u16::from_be_bytes(*b)),
    write: |from, out| {
        let Some(number) = from.transport_cc else { return 0 };
        out[..2].copy_from_slice(&number.to_be_bytes());
        2
    },
    copy: |from, to| to.transport_cc = from.transport_cc,
};

const ORIENTATION: Field = Field {
    id: |ids| ids.orientation,
    read: |into, value| into.orientation = value.first().copied(),
    write: |from, out| {
        let Some(orientation) = from.orientation else { return 0 };
        out[0] = orientation;
        1
    },
    copy: |from, to| to.orientation = from.orientation,
};

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
            let field = EXTENSIONS.iter().filter_map(ExtensionRow::field).find(|f| (f.id)(ids) == Some(id));
            if let Some(field) = field {
                (field.read)(self, value);
            }
        }
    }

    /// What a subscriber gets of it unchanged; the server's own values are still to be filled in.
    #[must_use]
    pub fn passed(&self) -> Self {
        let mut passed = Self::default();
        for row in &EXTENSIONS {
            if let Handling::Pass(field) = &row.handling {
                (field.copy)(self, &mut passed);
            }
        }
        passed
    }

    /// Writes the whole extension block, its four first bytes included; 0 when there is nothing to say.
    ///
    /// One-byte elements, unless the receiver gave an id that needs two. `None` when `out` is too short.
    pub fn write(&self, ids: &ExtensionIds, out: &mut [u8]) -> Option<usize> {
        let fields =
            || EXTENSIONS.iter().filter_map(ExtensionRow::field).filter_map(|f| Some((f, (f.id)(ids)?)));
        let two_byte = fields().any(|(_, id)| id > ONE_BYTE_ID_MAX);
        let mut value = [0; VALUE_BYTES_MAX];
        let mut length = 4;
        for (field, id) in fields() {
            let value_length = (field.write)(self, &mut value);
            if value_length == 0 || id == 0 {
                continue;
            }
            let prefix: &[u8] =
                if two_byte { &[id, value_length as u8] } else { &[id << 4 | (value_length - 1) as u8] };
            for part in [prefix, value.get(..value_length)?] {
                out.get_mut(length..length + part.len())?.copy_from_slice(part);
                length += part.len();
            }
        }
        if length == 4 {
            return Some(0);
        }
        let padded = length.next_multiple_of(4);
        out.get_mut(length..padded)?.fill(0);
        let profile = if two_byte { TWO_BYTE_PROFILE } else { ONE_BYTE_PROFILE };
        let words = (padded / 4 - 1) as u16;
        let [p0, p1] = profile.to_be_bytes();
        let [w0, w1] = words.to_be_bytes();
        *out.first_chunk_mut()? = [p0, p1, w0, w1];
        Some(padded)
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
