//! Media kinds, where a track comes from, and the codecs that are passed through.

use serde::{Deserialize, Serialize};

/// Sound or picture: the `<media>` of an m= line (RFC 8866 §5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// `m=audio`
    Audio,
    /// `m=video`
    Video,
}

impl MediaKind {
    /// RTP clock rate in hertz of every codec of this kind that is passed through.
    pub const fn clock_rate_hz(self) -> u32 {
        match self {
            Self::Audio => 48_000,
            Self::Video => 90_000,
        }
    }
}

/// What a published track shows or carries. A participant publishes at most one track of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The person's voice.
    Microphone,
    /// The person's picture.
    Camera,
    /// A shared screen, window or tab.
    Screen,
    /// The sound of what is shared.
    ScreenAudio,
}

impl Source {
    /// Every source, in the order in which clients offer them.
    pub const ALL: [Self; 4] = [Self::Microphone, Self::Camera, Self::Screen, Self::ScreenAudio];

    /// The source's name in the protocol and in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Camera => "camera",
            Self::Screen => "screen",
            Self::ScreenAudio => "screen_audio",
        }
    }

    /// Sound or picture.
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Microphone | Self::ScreenAudio => MediaKind::Audio,
            Self::Camera | Self::Screen => MediaKind::Video,
        }
    }

    /// The pool whose slots receive this source.
    pub const fn pool(self) -> crate::SlotPool {
        match self {
            Self::Microphone | Self::Camera => crate::SlotPool::Camera,
            Self::Screen | Self::ScreenAudio => crate::SlotPool::Screen,
        }
    }
}

/// A codec together with what decides whether a decoder understands the stream.
///
/// Two equal values interoperate; `level`-like parameters that only bound the sender are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Opus (RFC 7587).
    Opus,
    /// VP8 (RFC 7741); every WebRTC endpoint decodes it (RFC 7742 §5).
    Vp8,
    /// VP9 (RFC 9628), by `profile-id`.
    Vp9 {
        /// `profile-id`, 0 when absent.
        profile: u8,
    },
    /// H.264 (RFC 6184).
    H264 {
        /// `packetization-mode`, 0 or 1.
        packetization_mode: u8,
        /// `profile_idc` and `profile-iop`: the first two bytes of `profile-level-id`.
        profile: u16,
    },
    /// AV1 (AOMedia RTP payload format), by `profile`.
    Av1 {
        /// `profile`, 0 when absent.
        profile: u8,
    },
}

impl Codec {
    /// Sound or picture.
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::Vp8 | Self::Vp9 { .. } | Self::H264 { .. } | Self::Av1 { .. } => MediaKind::Video,
        }
    }

    /// RTP clock rate in hertz.
    pub const fn clock_rate_hz(self) -> u32 {
        self.kind().clock_rate_hz()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_and_picture_of_one_publisher_share_a_pool() {
        assert_eq!(Source::Microphone.pool(), Source::Camera.pool());
        assert_eq!(Source::Screen.pool(), Source::ScreenAudio.pool());
        assert_ne!(Source::Camera.pool(), Source::Screen.pool());
    }
}
