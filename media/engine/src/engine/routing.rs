//! From a consult's route table to tracks and slots. Runs when somebody comes, goes or changes, never per packet.

use std::time::Instant;

use media_model::{ConsultId, MediaKind, SlotIndex};

use super::Engine;
use crate::{
    consult::{Consult, Member, News, Route},
    subscriber::Shown,
};

/// Where a track's packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Place of the receiving transport.
    pub place: usize,
    /// Position among its slots.
    pub slot: usize,
}

impl Engine {
    /// Changes a consult, then everything that follows from it.
    pub(super) fn change_consult(
        &mut self,
        now: Instant,
        id: ConsultId,
        change: impl FnOnce(&mut Consult) -> Vec<News>,
    ) {
        let Some(consult) = self.consults.get_mut(&id) else { return };
        let news = change(consult);
        self.apply_routes(now, id);
        self.tell(news);
    }

    /// Queues what members have to be told.
    pub(super) fn tell(&mut self, news: Vec<News>) {
        for item in news {
            let (News::Layout(place) | News::Reoffer(place, _)) = item;
            let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) else { continue };
            match item {
                News::Layout(_) => self.events.layout(peer.id, &mut peer.layout_queued),
                News::Reoffer(_, reason) => self.events.reoffer(peer.id, reason),
            }
        }
    }

    /// Makes the tracks' targets and the slots' sources what the table says: no more and no less.
    pub(super) fn apply_routes(&mut self, now: Instant, id: ConsultId) {
        let Some(consult) = self.consults.get(&id) else { return };
        let members: Vec<usize> = consult.members().iter().map(|m: &Member| m.place).collect();
        let routes: Vec<Route> = consult.routes().to_vec();
        for place in &members {
            if let Some(peer) = self.peer_mut(*place) {
                peer.publishing.tracks.iter_mut().for_each(|t| t.targets.clear());
            }
        }
        for place in &members {
            let own: Vec<_> =
                routes.iter().filter(|r| r.to == *place).filter_map(|r| self.shown(r)).collect();
            self.point_slots(now, *place, &own);
        }
    }

    /// What a route shows, if its source has a track.
    fn shown(&self, route: &Route) -> Option<(SlotIndex, Shown)> {
        let publisher = self.peers.get(route.from)?.as_ref()?;
        let track = publisher.publishing.tracks.iter().find(|t| t.params.source == route.source)?;
        let Route { from, source, publisher, .. } = *route;
        Some((route.slot, Shown { from, source, generation: track.generation, publisher }))
    }

    fn point_slots(&mut self, now: Instant, place: usize, routes: &[(SlotIndex, Shown)]) {
        let Some(peer) = self.peer_mut(place) else { return };
        let mut pointed = Vec::with_capacity(routes.len());
        for (position, slot) in peer.slots.iter_mut().enumerate() {
            match routes.iter().find(|(at, shown)| (*at, shown.source.kind()) == slot.key()) {
                Some((_, shown)) => {
                    let wants_picture = slot.point(*shown) && shown.source.kind() == MediaKind::Video;
                    pointed.push((*shown, position, wants_picture));
                }
                None => slot.clear(),
            }
        }
        for (shown, position, wants_picture) in pointed {
            let Some(publisher) = self.peer_mut(shown.from) else { continue };
            let Some(track) = publisher.publishing.track_of(shown.source) else { continue };
            track.targets.push(Target { place, slot: position });
            if wants_picture {
                track.request_keyframe(now);
                self.arm(shown.from);
            }
        }
    }

    /// Asks for a key frame of everything that a transport waits for.
    pub(super) fn request_awaited_keyframes(&mut self, now: Instant, place: usize) {
        let Some(peer) = self.peer_mut(place) else { return };
        let awaited: Vec<Shown> =
            peer.slots.iter().filter(|s| s.awaits_keyframe()).filter_map(|s| s.shown()).collect();
        for shown in awaited {
            self.request_keyframe(now, shown);
        }
    }

    /// Asks the publisher for a key frame; the track merges and limits requests.
    pub(super) fn request_keyframe(&mut self, now: Instant, shown: Shown) {
        let Some(publisher) = self.peer_mut(shown.from) else { return };
        let Some(track) = publisher.publishing.track_of(shown.source) else { return };
        track.request_keyframe(now);
        self.arm(shown.from);
    }
}
