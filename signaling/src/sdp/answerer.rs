//! What becomes of each line.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use media_engine::api::{MediaParams, SlotParams, TrackParams};
use media_model::{MediaKind, Mid, SlotIndex, SlotPool, Source};
use signaling_protocol::{client::Offer, limits::SLOTS_MAX};

use super::{
    Kept, Negotiated, Ours, SdpError, extensions,
    formats::{self, Accepted},
    offer::{self, Line, Live, values},
    writer::{self, AnsweredLine, Role},
};

/// What a client says that a line is for.
#[derive(Clone, Copy)]
enum Purpose {
    Track { source: Source, muted: bool },
    Slot(SlotIndex),
}

pub(super) fn answer(
    offer: &Offer,
    ours: &Ours<'_>,
    random: &mut dyn FnMut() -> u32,
) -> Result<Negotiated, SdpError> {
    let session = offer::parse(&offer.sdp)?;
    if ours.previous.is_some_and(|previous| previous.fingerprint != session.fingerprint) {
        return Err(SdpError::FingerprintChanged);
    }
    if ours.previous.is_some_and(|previous| previous.offer_session_id != session.id) {
        return Err(SdpError::SessionChanged);
    }
    let purposes = purposes(offer, &session.lines)?;
    let mut kept = keep(ours, random);
    let mut ssrcs = Ssrcs::new(&mut kept, &session.lines, random);
    let mut media = MediaParams::default();
    let mut answered = Vec::with_capacity(session.lines.len());
    for line in &session.lines {
        let line = match line.live() {
            Some(live) => {
                let purpose = purposes.get(&live.mid).copied();
                answer_line(line, live, purpose, ours, &mut media, &mut ssrcs)?
            }
            None => AnsweredLine::Rejected(line),
        };
        answered.push(line);
    }
    if !answered.iter().any(|line| matches!(line, AnsweredLine::Accepted { .. })) {
        return Err(SdpError::NothingAccepted);
    }
    media.cname = kept.cname.clone();

    // RFC 8839 §4.4.1.1.1: new credentials from the client are an ICE restart, and want new ones from us.
    let ice_restarted = ours.previous.is_some_and(|previous| previous.ice_remote != session.ice);
    let ice_local = match ours.previous {
        Some(previous) if !ice_restarted => previous.ice_local.clone(),
        _ => ours.fresh_ice.clone(),
    };
    let answer = writer::write(&answered, ours, &ice_local, &kept);
    Ok(Negotiated {
        answer,
        ice_local,
        ice_remote: session.ice,
        ice_restarted,
        fingerprint: session.fingerprint,
        offer_session_id: session.id,
        media,
        kept,
    })
}

/// The lists of the offer by mid, checked against its lines.
fn purposes(offer: &Offer, lines: &[Line]) -> Result<HashMap<Mid, Purpose>, SdpError> {
    let live: HashMap<Mid, Option<Live>> = lines.iter().filter_map(named).collect();
    let find = |mid: &str| live.get(&mid.parse::<Mid>().ok()?).copied();
    let mut purposes = HashMap::new();
    let mut sources = HashSet::new();
    for track in &offer.tracks {
        // A line that was stopped stays named by clients that keep its transceiver.
        let Some(line) = find(&track.mid).ok_or(SdpError::TracksMismatch)? else { continue };
        let purpose = Purpose::Track { source: track.source, muted: track.muted };
        let fits = line.kind == track.source.kind() && (line.sends || !line.receives);
        if !fits || !sources.insert(track.source) || purposes.insert(line.mid, purpose).is_some() {
            return Err(SdpError::TracksMismatch);
        }
    }
    let mut places = HashSet::new();
    for slot in &offer.slots {
        let Some(line) = find(&slot.mid).ok_or(SdpError::SlotsMismatch)? else { continue };
        let index = SlotIndex { pool: slot.pool, index: slot.index };
        let fits = slot.index < slots_max(slot.pool) && (line.receives || !line.sends);
        if !fits
            || !places.insert((index, line.kind))
            || purposes.insert(line.mid, Purpose::Slot(index)).is_some()
        {
            return Err(SdpError::SlotsMismatch);
        }
    }
    Ok(purposes)
}

/// A line by its mid, with `None` for one that is dead.
fn named(line: &Line) -> Option<(Mid, Option<Live>)> {
    let mid = values(&line.media.attributes, "mid").next()?;
    Some((mid.parse().ok()?, line.live()))
}

const fn slots_max(pool: SlotPool) -> u8 {
    match pool {
        SlotPool::Camera => SLOTS_MAX.camera,
        SlotPool::Screen => SLOTS_MAX.screen,
    }
}

fn answer_line<'a>(
    line: &'a Line,
    live: Live,
    purpose: Option<Purpose>,
    ours: &Ours<'_>,
    media: &mut MediaParams,
    ssrcs: &mut Ssrcs<'_>,
) -> Result<AnsweredLine<'a>, SdpError> {
    // A line that nobody says anything about, or that is `inactive` for now, rests and can be used later.
    let purpose = purpose.filter(|_| live.sends || live.receives);
    let client_sends = !matches!(purpose, Some(Purpose::Slot(_)));
    let mut formats = formats::served(&line.media, live.kind, client_sends)?;
    if matches!(purpose, Some(Purpose::Track { .. })) && live.kind == MediaKind::Video {
        formats = formats::narrow(formats, ours.decodable);
    }
    if formats.is_empty() {
        return Ok(AnsweredLine::Rejected(line));
    }
    let extensions = extensions::agree(&line.media, live.kind, client_sends, &mut media.extensions);
    let codecs = formats.iter().map(|format: &Accepted| format.params).collect();
    let role = match purpose {
        Some(Purpose::Track { source, muted }) => {
            let (ssrc, rtx_ssrc) = announced_ssrcs(line);
            media.tracks.push(TrackParams { mid: live.mid, source, codecs, ssrc, rtx_ssrc, muted });
            Role::Receives
        }
        Some(Purpose::Slot(slot)) => {
            let (ssrc, rtx_ssrc) = ssrcs.of(live.mid);
            media.slots.push(SlotParams { mid: live.mid, slot, kind: live.kind, codecs, ssrc, rtx_ssrc });
            Role::Sends { slot, ssrc, rtx_ssrc }
        }
        None => Role::Rests,
    };
    Ok(AnsweredLine::Accepted { live, media: &line.media, role, formats, extensions })
}

/// The SSRC of a line's only layer and that of its retransmissions, where they are announced (RFC 5576 §4).
///
/// With several sources and no `FID` there is nothing to tell them apart by; then the MID extension does.
fn announced_ssrcs(line: &Line) -> (Option<u32>, Option<u32>) {
    let fid = values(&line.media.attributes, "ssrc-group").find_map(|value| value.strip_prefix("FID "));
    if let Some(fid) = fid {
        let mut pair = fid.split_ascii_whitespace().map(|ssrc| ssrc.parse().ok());
        return (pair.next().flatten(), pair.next().flatten());
    }
    let mut announced = line_ssrcs(line);
    let first = announced.next();
    (first.filter(|first| announced.all(|ssrc| ssrc == *first)), None)
}

fn line_ssrcs(line: &Line) -> impl Iterator<Item = u32> {
    values(&line.media.attributes, "ssrc")
        .filter_map(|value| value.split_ascii_whitespace().next()?.parse().ok())
}

/// What stays from the last answer, or is drawn for the first.
fn keep(ours: &Ours<'_>, random: &mut dyn FnMut() -> u32) -> Kept {
    if let Some(previous) = ours.previous {
        let kept = previous.kept.clone();
        return Kept { session_version: kept.session_version + 1, ..kept };
    }
    // RFC 8829 §5.2.1: 62 random bits. RFC 7022 §4.2: 96 of them.
    let session_id = (u64::from(random()) << 32 | u64::from(random())) >> 2;
    let cname: Arc<str> = format!("{:08x}{:08x}{:08x}", random(), random(), random()).into();
    Kept { session_id, session_version: 1, cname, ssrcs: Vec::new() }
}

/// The slots' SSRCs: kept for life, drawn so that they are nobody else's on this transport.
struct Ssrcs<'a> {
    kept: &'a mut Vec<(Mid, u32, u32)>,
    taken: HashSet<u32>,
    random: &'a mut dyn FnMut() -> u32,
}

impl<'a> Ssrcs<'a> {
    fn new(kept: &'a mut Kept, lines: &[Line], random: &'a mut dyn FnMut() -> u32) -> Self {
        let mut taken: HashSet<u32> = lines.iter().flat_map(line_ssrcs).collect();
        taken.extend(kept.ssrcs.iter().flat_map(|(_, ssrc, rtx_ssrc)| [*ssrc, *rtx_ssrc]));
        taken.insert(0);
        Self { kept: &mut kept.ssrcs, taken, random }
    }

    fn of(&mut self, mid: Mid) -> (u32, u32) {
        if let Some((_, ssrc, rtx_ssrc)) = self.kept.iter().find(|(of, ..)| *of == mid) {
            return (*ssrc, *rtx_ssrc);
        }
        let (ssrc, rtx_ssrc) = (self.draw(), self.draw());
        self.kept.push((mid, ssrc, rtx_ssrc));
        (ssrc, rtx_ssrc)
    }

    fn draw(&mut self) -> u32 {
        let mut ssrc = (self.random)();
        while !self.taken.insert(ssrc) {
            ssrc = ssrc.wrapping_add(1);
        }
        ssrc
    }
}
