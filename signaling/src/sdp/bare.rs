//! WHIP and WHEP: what the lines are for when nobody says so.

use media_model::{MediaKind, SlotPool, Source};
use signaling_protocol::{
    client::{Offer, OfferedSlot, OfferedTrack},
    limits::SLOTS_MAX,
};

use super::{SdpError, offer};

/// WHIP (RFC 9725): the first audio line that sends is the microphone, the first such video line the camera.
///
/// A line offered as `sendrecv` by a client that only means to publish is one that sends. Further lines rest.
pub fn whip_offer(sdp: String) -> Result<Offer, SdpError> {
    let session = offer::parse(&sdp)?;
    let first = |kind, source| {
        let live =
            session.lines.iter().filter_map(|line| line.live()).find(|live| live.sends && live.kind == kind);
        live.map(|live| OfferedTrack { mid: live.mid.to_string(), source, muted: false })
    };
    let tracks = [first(MediaKind::Audio, Source::Microphone), first(MediaKind::Video, Source::Camera)];
    Ok(Offer { tracks: tracks.into_iter().flatten().collect(), slots: Vec::new(), sdp })
}

/// WHEP: the k-th audio and the k-th video line that receive are camera slot pair k. Lines beyond the limit rest.
pub fn whep_offer(sdp: String) -> Result<Offer, SdpError> {
    let session = offer::parse(&sdp)?;
    let mut slots = Vec::new();
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let live = session.lines.iter().filter_map(|line| line.live());
        let receiving = live.filter(|live| live.receives && live.kind == kind);
        let slot = |(index, live): (u8, offer::Live)| OfferedSlot {
            mid: live.mid.to_string(),
            pool: SlotPool::Camera,
            index,
        };
        slots.extend((0..SLOTS_MAX.camera).zip(receiving).map(slot));
    }
    Ok(Offer { tracks: Vec::new(), slots, sdp })
}
