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

/// WHEP: the k-th audio and the k-th video line that receive are camera slot pair k. Where some lines carry sound, a
/// video line that has none to pair with is for a shared screen. Lines beyond the limits rest.
pub fn whep_offer(sdp: String) -> Result<Offer, SdpError> {
    let session = offer::parse(&sdp)?;
    let receiving = |kind| {
        let live = session.lines.iter().filter_map(|line| line.live());
        live.filter(move |live| live.receives && live.kind == kind)
    };
    let sounds = receiving(MediaKind::Audio).count();
    let pairs = if sounds == 0 { usize::MAX } else { sounds };
    let camera = |kind| (0..SLOTS_MAX.camera).zip(receiving(kind).take(pairs)).map(slot(SlotPool::Camera));
    let screens =
        (0..SLOTS_MAX.screen).zip(receiving(MediaKind::Video).skip(pairs)).map(slot(SlotPool::Screen));
    let slots = camera(MediaKind::Audio).chain(camera(MediaKind::Video)).chain(screens).collect();
    Ok(Offer { tracks: Vec::new(), slots, sdp })
}

fn slot(pool: SlotPool) -> impl Fn((u8, offer::Live)) -> OfferedSlot {
    move |(index, live)| OfferedSlot { mid: live.mid.to_string(), pool, index }
}
