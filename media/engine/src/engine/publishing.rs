//! What a transport sends: its tracks, and which SSRC belongs to which.

use std::{mem::offset_of, time::Instant};

use media_model::{Codec, MediaKind, Mid, Source};
use prefetch::{prefetch, prefetch_front, prefetch_slice};

use super::routing::Target;
use crate::{
    DropReason,
    api::TrackParams,
    publisher::{PublishedTrack, PublisherClock},
    quality::Reported,
    rtp::{Extensions, RtpHeader},
};

/// A track and where it goes. What every packet needs stands first.
#[repr(C, align(64))]
pub struct Published {
    /// Where its packets go: what the route table says, and nothing else.
    pub targets: Vec<Target>,
    /// Whether its publisher says that there is nothing to be seen or heard.
    pub muted: bool,
    /// Reception, repair, cache.
    pub track: PublishedTrack,
    /// What was negotiated.
    pub params: TrackParams,
    /// Tells it from every other track that this transport ever had: its numbering is its own.
    pub generation: u32,
    /// The codec that the roster last heard of.
    codec_told: Option<Codec>,
    /// What the server has said of it.
    pub reported: Option<Reported>,
}

/// What a packet is to its track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// A packet of the track itself.
    Media = 0,
    /// A retransmission (RFC 4588).
    Retransmission = 1,
}

/// Everything that a transport sends. What every packet needs stands first.
#[derive(Default)]
#[repr(C)]
pub struct Publishing {
    /// One an m= line.
    pub tracks: Vec<Published>,
    /// The SSRC of each track's packets, and of their retransmissions: apart, so that who looks for a packet's track touches
    /// no other.
    bound: Vec<[Option<u32>; 2]>,
    /// Whether it was agreed for any track that the publisher is told when its packets arrive.
    pub wants_transport_cc: bool,
    /// The publisher's clock, one for all of its tracks.
    pub clock: PublisherClock,
    /// How many tracks there ever were.
    generations: u32,
}

impl Publishing {
    /// Takes the complete new list: a track with the same `mid` and source goes on, what is absent ends. A source that was
    /// here before keeps its mute state, also on another m= line, until [`Published::set_muted`].
    pub fn negotiate(&mut self, now: Instant, tracks: &[TrackParams]) {
        let before = std::mem::take(&mut self.tracks);
        let mut before: Vec<_> = before.into_iter().zip(std::mem::take(&mut self.bound)).collect();
        self.wants_transport_cc = tracks.iter().flat_map(|t| &t.codecs).any(|c| c.feedback.transport_cc);
        let announced = |ssrc: u32| tracks.iter().any(|t| [t.ssrc, t.rtx_ssrc].contains(&Some(ssrc)));
        self.tracks.reserve_exact(tracks.len());
        self.bound.reserve_exact(tracks.len());
        for params in tracks {
            let of_source = before.iter().position(|(t, _)| t.params.source == params.source);
            let earlier = of_source.map(|at| before.swap_remove(at));
            let muted = earlier.as_ref().map_or(params.muted, |(t, _)| t.muted);
            let kept = earlier.filter(|(t, _)| t.params.mid == params.mid);
            let (mut track, bound) = kept.unwrap_or_else(|| {
                self.generations = self.generations.wrapping_add(1);
                (Published::new(params, self.generations, now), [None, None])
            });
            track.set_muted(muted);
            track.track.update(params);
            track.codec_told = None;
            // What the offer announces needs no guessing, and is nobody else's.
            let learnt = bound.map(|ssrc| ssrc.filter(|ssrc| !announced(*ssrc)));
            self.bound.push([params.ssrc.or(learnt[0]), params.rtx_ssrc.or(learnt[1])]);
            track.params = params.clone();
            self.tracks.push(track);
        }
    }

    /// The track of a source.
    pub fn track_of(&mut self, source: Source) -> Option<&mut Published> {
        self.tracks.iter_mut().find(|t| t.params.source == source)
    }

    /// Whether anything is sent with another codec than when this was last asked, or negotiated.
    pub fn take_codec_news(&mut self) -> bool {
        let told =
            |t: &mut Published| std::mem::replace(&mut t.codec_told, t.track.codec()) != t.track.codec();
        self.tracks.iter_mut().any(told)
    }

    /// The codec that each source is sent with now, where packets have told.
    pub fn codecs(&self) -> impl Iterator<Item = (Source, Codec)> {
        self.tracks.iter().filter_map(|t| Some((t.params.source, t.track.codec()?)))
    }

    /// The position of the track that an authenticated packet belongs to (RFC 8843 §9.2): by a known SSRC, else by its MID, else by a payload type
    /// that one track alone accepts. An SSRC that is learnt takes the place of the one before, so that a track has two
    /// at most.
    pub fn bind(&mut self, header: &RtpHeader, extensions: &Extensions) -> Result<(usize, Flow), DropReason> {
        Ok(match (self.known(header.ssrc), extensions.mid) {
            (Some((track, flow)), mid) if mid.is_none_or(|mid| self.has_mid(track, mid)) => (track, flow),
            (_, Some(mid)) => self.learn(header, self.tracks.iter().position(|t| t.params.mid == mid))?,
            (_, None) => self.learn(header, self.only_track_of(header.payload_type))?,
        })
    }

    /// Sound or picture, of an SSRC that is bound to a track.
    pub fn kind_of(&self, ssrc: u32) -> Option<MediaKind> {
        self.sent_with(ssrc).map(Published::kind)
    }

    /// The track that is sent with this SSRC.
    pub fn sent_with(&self, ssrc: u32) -> Option<&Published> {
        self.tracks.get(self.known(ssrc)?.0)
    }

    /// Has the processor fetch what every packet needs …
    pub fn prefetch(&self) {
        prefetch_front(self, offset_of!(Self, clock));
    }

    /// … then what tells the tracks apart …
    pub fn prefetch_bindings(&self) {
        prefetch_slice(&self.bound);
    }

    /// … or, for a report of the publisher's, its clock.
    pub fn prefetch_clock(&self) {
        prefetch(&self.clock);
    }

    /// Which of [`Self::tracks`] is sent with this SSRC.
    pub fn place_of(&self, ssrc: u32) -> Option<usize> {
        self.known(ssrc).map(|(at, _)| at)
    }

    fn known(&self, ssrc: u32) -> Option<(usize, Flow)> {
        self.bound.iter().enumerate().find_map(|(at, bound)| match *bound {
            [Some(media), _] if media == ssrc => Some((at, Flow::Media)),
            [_, Some(rtx)] if rtx == ssrc => Some((at, Flow::Retransmission)),
            _ => None,
        })
    }

    fn has_mid(&self, track: usize, mid: Mid) -> bool {
        self.tracks.get(track).is_some_and(|t| t.params.mid == mid)
    }

    fn only_track_of(&self, payload_type: u8) -> Option<usize> {
        let mut accepting =
            self.tracks.iter().enumerate().filter(|(_, t)| flow_of(&t.params, payload_type).is_some());
        let (at, _) = accepting.next()?;
        accepting.next().is_none().then_some(at)
    }

    fn learn(&mut self, header: &RtpHeader, track: Option<usize>) -> Result<(usize, Flow), DropReason> {
        let at = track.ok_or(DropReason::SsrcUnknown)?;
        let params = &self.tracks.get(at).ok_or(DropReason::SsrcUnknown)?.params;
        let flow = flow_of(params, header.payload_type).ok_or(DropReason::PayloadTypeUnknown)?;
        // It may have belonged to another track until now.
        for known in self.bound.as_flattened_mut() {
            *known = known.filter(|ssrc| *ssrc != header.ssrc);
        }
        if let Some(bound) = self.bound.get_mut(at).and_then(|bound| bound.get_mut(flow as usize)) {
            *bound = Some(header.ssrc);
        }
        Ok((at, flow))
    }
}

impl Published {
    /// Has the processor fetch what every packet needs.
    pub fn prefetch(&self) {
        prefetch_front(self, offset_of!(Self, track) + PublishedTrack::FRONT_BYTES);
    }

    fn new(params: &TrackParams, generation: u32, now: Instant) -> Self {
        Self {
            track: PublishedTrack::new(params, now),
            muted: false,
            generation,
            targets: Vec::new(),
            codec_told: None,
            reported: None,
            params: params.clone(),
        }
    }

    /// Takes the publisher's word. Says whether that is a change.
    pub fn set_muted(&mut self, muted: bool) -> bool {
        self.track.pause_keyframes(muted);
        std::mem::replace(&mut self.muted, muted) != muted
    }

    /// Sound or picture.
    pub fn kind(&self) -> MediaKind {
        self.track.source().kind()
    }

    /// Notes that somebody waits for a key frame. One that is muted has none to give; whoever unmutes it asks.
    pub fn request_keyframe(&mut self, now: Instant) {
        self.track.request_keyframe(now);
    }

    /// When the publisher has to be asked for something: never before its first packet, which tells whom to ask for.
    pub fn due_at(&self) -> Option<Instant> {
        self.track.ssrc().and_then(|_| self.track.poll_timeout())
    }
}

fn flow_of(params: &TrackParams, payload_type: u8) -> Option<Flow> {
    params.codecs.iter().find_map(|c| match payload_type {
        pt if pt == c.payload_type => Some(Flow::Media),
        pt if Some(pt) == c.rtx_payload_type => Some(Flow::Retransmission),
        _ => None,
    })
}
