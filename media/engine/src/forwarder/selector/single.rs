//! The selector for tracks of one layer: everything, from a picture that can be decoded on.
//!
//! ```text
//!           point()                    audio: any packet
//!  Empty ───────────▶ AwaitingStart ─────────────────────▶ Flowing
//!    ▲                   │    ▲        video: key frame       │
//!    └────── clear() ────┘    └──────── withhold() ───────────┘
//!                              (the same source, its clock goes on)
//! ```

use media_model::MediaKind;

use crate::DropReason;

/// What a selector waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody stands here.
    Empty,
    /// For the first packet that can be played; whether a known source only goes on.
    AwaitingStart { resuming: bool },
    /// For nothing.
    Flowing,
}

/// How a packet passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// It is the first of a source.
    Begins,
    /// It is the first after a pause of a source that was here before.
    Resumes,
    /// It follows.
    Follows,
}

/// One slot's choice among the packets of the track that it shows.
#[derive(Debug)]
pub struct Single {
    kind: MediaKind,
    state: State,
}

impl Single {
    /// A slot with nobody in it.
    pub fn new(kind: MediaKind) -> Self {
        Self { kind, state: State::Empty }
    }

    /// Another source stands here from now on.
    pub fn point(&mut self) {
        self.state = State::AwaitingStart { resuming: false };
    }

    /// Part of the source was kept back: what follows cannot be decoded before it starts afresh.
    pub fn withhold(&mut self) {
        if self.state == State::Flowing {
            self.state = State::AwaitingStart { resuming: true };
        }
    }

    /// Nobody stands here any more.
    pub fn clear(&mut self) {
        self.state = State::Empty;
    }

    /// Whether a key frame would bring the picture on.
    pub fn awaits_keyframe(&self) -> bool {
        self.kind == MediaKind::Video && matches!(self.state, State::AwaitingStart { .. })
    }

    /// Decides on the next packet.
    pub fn select(&mut self, keyframe_start: bool) -> Result<Pass, DropReason> {
        match self.state {
            State::Empty => Err(DropReason::PreviousSource),
            State::Flowing => Ok(Pass::Follows),
            State::AwaitingStart { .. } if self.kind == MediaKind::Video && !keyframe_start => {
                Err(DropReason::AwaitingKeyframe)
            }
            State::AwaitingStart { resuming } => {
                self.state = State::Flowing;
                Ok(if resuming { Pass::Resumes } else { Pass::Begins })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_starts_at_the_beginning_of_a_key_frame() {
        let mut video = Single::new(MediaKind::Video);
        assert_eq!(video.select(true), Err(DropReason::PreviousSource));
        video.point();
        assert!(video.awaits_keyframe());
        assert_eq!(video.select(false), Err(DropReason::AwaitingKeyframe));
        assert_eq!(video.select(true), Ok(Pass::Begins));
        assert_eq!(video.select(false), Ok(Pass::Follows));
        assert!(!video.awaits_keyframe());
    }

    #[test]
    fn sound_starts_at_once() {
        let mut audio = Single::new(MediaKind::Audio);
        audio.point();
        assert_eq!(audio.select(false), Ok(Pass::Begins));
    }

    #[test]
    fn after_a_pause_the_same_source_resumes_at_a_key_frame() {
        let mut video = Single::new(MediaKind::Video);
        video.point();
        video.withhold();
        assert_eq!(video.select(true), Ok(Pass::Begins));
        video.withhold();
        assert_eq!(video.select(false), Err(DropReason::AwaitingKeyframe));
        assert_eq!(video.select(true), Ok(Pass::Resumes));
        video.clear();
        assert_eq!(video.select(true), Err(DropReason::PreviousSource));
    }
}
