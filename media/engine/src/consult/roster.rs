//! Who is in a consult, and what follows from it: seats, routes, layouts, and what a client has to be asked for.

use media_model::{Codec, ParticipantNumber, Source, TransportId};

use super::routes::{Route, routes};
use crate::{
    api::{Layout, Presence, ReofferReason, SlotAssignment, SlotParams, TrackParams},
    subscriber::Assignment,
};

/// A source that a transport publishes.
#[derive(Debug, Clone)]
pub struct Published {
    /// Which.
    pub source: Source,
    /// Whether it is silent or dark now.
    pub muted: bool,
    /// The format that the client sends: the first of the answer (RFC 3264 §6.1) until packets tell of another.
    pub preferred: Option<Codec>,
}

/// One transport in the consult.
#[derive(Debug, Clone)]
pub struct Member {
    /// Where the engine keeps the transport.
    pub place: usize,
    /// Whose it is.
    pub participant: ParticipantNumber,
    /// Whether anything may be routed from or to it.
    pub admitted: bool,
    /// Whether its handshake is done.
    pub connected: bool,
    /// Counts up with every arrival in the consult.
    pub arrival: u64,
    /// What it publishes.
    pub published: Vec<Published>,
    /// What it decodes.
    pub decodes: Vec<Codec>,
    /// Who stands in its slots.
    pub assignment: Assignment,
    /// What its client was told last.
    pub layout: Layout,
    /// What its client sent when it was asked for another codec, since somebody last became able to decode any of it.
    pub objected: Vec<Codec>,
}

impl Member {
    /// A transport that has just come. Nothing is known of its media yet: see [`Member::negotiate`].
    pub fn new(place: usize, transport: TransportId, participant: ParticipantNumber, admitted: bool) -> Self {
        Self {
            place,
            participant,
            admitted,
            connected: false,
            arrival: 0,
            published: Vec::new(),
            decodes: Vec::new(),
            assignment: Assignment::default(),
            layout: Layout { transport, revision: 0, slots: Vec::new(), participants: Vec::new() },
            objected: Vec::new(),
        }
    }

    /// Takes what the offer and answer agreed upon.
    pub fn negotiate(&mut self, tracks: &[TrackParams], slots: &[SlotParams]) {
        self.published = tracks
            .iter()
            .map(|t| Published {
                source: t.source,
                muted: t.muted,
                preferred: t.codecs.first().map(|c| c.codec),
            })
            .collect();
        self.decodes = slots.iter().flat_map(|s| s.codecs.iter().map(|c| c.codec)).collect();
        self.assignment.negotiate(&slots.iter().map(|s| s.slot).collect::<Vec<_>>());
    }

    /// Whether this source is sent with another codec than was known.
    pub fn prefers_other(&self, source: Source, codec: Codec) -> bool {
        self.published.iter().any(|p| p.source == source && p.preferred != Some(codec))
    }

    /// Takes what sources are sent with.
    pub fn sends(&mut self, codecs: &[(Source, Codec)]) {
        for published in &mut self.published {
            let sent = codecs.iter().find(|(source, _)| *source == published.source);
            published.preferred = sent.map(|(_, codec)| *codec).or(published.preferred);
        }
    }

    /// Whether it publishes this source, muted or not.
    pub fn publishes(&self, source: Source) -> bool {
        self.published.iter().any(|p| p.source == source)
    }

    fn is_live(&self, source: Source) -> bool {
        self.published.iter().any(|p| p.source == source && !p.muted)
    }

    /// Whether a member who receives that kind of media cannot decode it.
    fn is_undecodable(&self, codec: Codec, members: &[Member]) -> bool {
        members
            .iter()
            .filter(|m| m.admitted && m.participant != self.participant)
            .any(|m| m.decodes.iter().any(|c| c.kind() == codec.kind()) && !m.decodes.contains(&codec))
    }

    /// The codecs that it has been or is now to be asked to give up, and whether it is to be asked now. Where no codec suits
    /// everybody, it is asked for each once; and again when that may be different, because somebody left or learnt.
    fn object(&self, members: &[Member]) -> (Vec<Codec>, bool) {
        let undecodable = |codec: &Codec| self.is_undecodable(*codec, members);
        let mut objected = self.objected.clone();
        if !objected.iter().all(undecodable) {
            objected.clear();
        }
        let before = objected.len();
        for codec in self.published.iter().filter_map(|p| p.preferred).filter(undecodable) {
            if self.admitted && !objected.contains(&codec) {
                objected.push(codec);
            }
        }
        let asks = objected.len() > before;
        (objected, asks)
    }
}

/// What a change in the consult brought about, besides routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// This member's layout has another revision.
    Layout(usize),
    /// This member's client has to offer again.
    Reoffer(usize, ReofferReason),
}

/// A consult's members, in order of arrival, and its routes.
#[derive(Debug, Default)]
pub struct Consult {
    members: Vec<Member>,
    arrivals: u64,
    routes: Vec<Route>,
}

impl Consult {
    /// Everyone, in order of arrival.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Every route that may be used now.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The member whose transport the engine keeps there.
    pub fn member(&self, place: usize) -> Option<&Member> {
        self.members.iter().find(|m| m.place == place)
    }

    /// Adds a transport.
    pub fn add(&mut self, mut member: Member) -> Vec<News> {
        self.arrivals += 1;
        member.arrival = self.arrivals;
        self.members.push(member);
        self.refresh()
    }

    /// Changes one member, and everything that follows from it.
    pub fn with_member(&mut self, place: usize, change: impl FnOnce(&mut Member)) -> Vec<News> {
        match self.members.iter_mut().find(|m| m.place == place) {
            Some(member) => change(member),
            None => return Vec::new(),
        }
        self.refresh()
    }

    /// Notes that a source falls silent or dark, or is back. Says whether routes may have changed too.
    pub fn mute(&mut self, place: usize, source: Source, muted: bool) -> (Vec<News>, bool) {
        let set = |m: &mut Member| {
            m.published.iter_mut().filter(|p| p.source == source).for_each(|p| p.muted = muted);
        };
        if source == Source::Screen {
            return (self.with_member(place, set), true);
        }
        // Only a screen's seat depends on whether it is shown.
        let mut news = Vec::new();
        self.members.iter_mut().filter(|m| m.place == place).for_each(set);
        self.lay_out(&mut news);
        (news, false)
    }

    /// Removes a transport.
    pub fn remove(&mut self, place: usize) -> Vec<News> {
        self.members.retain(|m| m.place != place);
        self.refresh()
    }

    fn refresh(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        self.assign(&mut news);
        self.routes = routes(&self.members);
        self.lay_out(&mut news);
        let objections: Vec<_> = self.members.iter().map(|m| m.object(&self.members)).collect();
        for (member, (objected, asks)) in self.members.iter_mut().zip(objections) {
            if asks {
                news.push(News::Reoffer(member.place, ReofferReason::Codec));
            }
            member.objected = objected;
        }
        news
    }

    fn assign(&mut self, news: &mut Vec<News>) {
        let people = self.participants(|m| m.publishes(Source::Microphone) || m.publishes(Source::Camera));
        let screens = self.participants(|m| m.is_live(Source::Screen));
        for member in &mut self.members {
            let others = |all: &[ParticipantNumber]| -> Vec<_> {
                all.iter().copied().filter(|p| member.admitted && *p != member.participant).collect()
            };
            let (people, screens) = (others(&people), others(&screens));
            if let Some(need) = member.assignment.assign(&people, &screens) {
                let reason = ReofferReason::Slots { camera: need.camera, screen: need.screen };
                news.push(News::Reoffer(member.place, reason));
            }
        }
    }

    /// Admitted participants with a transport of this kind, each once, in order of arrival.
    fn participants(&self, of_kind: impl Fn(&Member) -> bool) -> Vec<ParticipantNumber> {
        let mut numbers = Vec::new();
        for member in self.members.iter().filter(|m| m.admitted && of_kind(m)) {
            if !numbers.contains(&member.participant) {
                numbers.push(member.participant);
            }
        }
        numbers
    }

    fn lay_out(&mut self, news: &mut Vec<News>) {
        let participants: Vec<Presence> = self
            .participants(|_| true)
            .into_iter()
            .map(|participant| {
                let live = |source| {
                    let mut own = self.members.iter().filter(|m| m.admitted && m.participant == participant);
                    own.any(|m| m.is_live(source))
                };
                Presence { participant, live: Source::ALL.into_iter().filter(|s| live(*s)).collect() }
            })
            .collect();
        for member in self.members.iter_mut().filter(|m| m.admitted) {
            let slots: Vec<_> = member
                .assignment
                .occupied()
                .map(|(slot, publisher)| SlotAssignment { slot, publisher })
                .collect();
            let layout = &mut member.layout;
            if layout.slots != slots || layout.participants != participants {
                layout.revision = layout.revision.wrapping_add(1);
                layout.slots = slots;
                layout.participants.clone_from(&participants);
                news.push(News::Layout(member.place));
            }
        }
    }
}

#[cfg(test)]
pub mod tests {
    use media_model::{SlotIndex, SlotPool};

    use super::*;

    /// An admitted, connected participant with microphone, camera and a dark screen, three camera slots and one screen.
    pub fn person(place: usize, number: u32) -> Member {
        let participant = ParticipantNumber::new(number).expect("not zero");
        let mut member = Member::new(place, TransportId(place as u64), participant, true);
        member.connected = true;
        member.decodes = vec![Codec::Opus, Codec::Vp8];
        let publishes = |source, muted| Published { source, muted, preferred: None };
        member.published = vec![
            publishes(Source::Microphone, false),
            publishes(Source::Camera, false),
            publishes(Source::Screen, true),
        ];
        let pairs =
            [(SlotPool::Camera, 0), (SlotPool::Camera, 1), (SlotPool::Camera, 2), (SlotPool::Screen, 0)];
        member.assignment.negotiate(&pairs.map(|(pool, index)| SlotIndex { pool, index }));
        member
    }

    pub fn consult_of(members: Vec<Member>) -> Consult {
        let mut consult = Consult::default();
        for member in members {
            consult.add(member);
        }
        consult
    }

    #[test]
    fn a_screen_takes_a_slot_only_while_it_is_shown() {
        let mut consult = consult_of(vec![person(0, 1), person(1, 2)]);
        assert!(consult.routes().iter().all(|r| r.slot.pool == SlotPool::Camera));
        let news = consult.mute(0, Source::Screen, false);
        assert_eq!(news, (vec![News::Layout(0), News::Layout(1)], true));
        assert!(consult.routes().iter().any(|r| r.to == 1 && r.source == Source::Screen));
        consult.mute(0, Source::Screen, true);
        assert!(consult.routes().iter().all(|r| r.slot.pool == SlotPool::Camera));
    }

    #[test]
    fn every_change_has_a_revision_and_no_change_has_none() {
        let mut consult = consult_of(vec![person(0, 1), person(1, 2)]);
        let revision = |c: &Consult| c.member(0).map(|m| m.layout.revision);
        assert_eq!(revision(&consult), Some(2));
        assert_eq!(consult.with_member(1, |_| ()), []);
        assert_eq!(consult.mute(1, Source::Camera, true), (vec![News::Layout(0), News::Layout(1)], false));
        assert_eq!(revision(&consult), Some(3));
        let live = consult.member(0).map(|m| m.layout.participants[1].live.clone());
        assert_eq!(live, Some(vec![Source::Microphone]));
    }

    #[test]
    fn who_waits_outside_is_told_nothing_and_named_to_nobody() {
        let waiting = Member { admitted: false, ..person(1, 2) };
        let mut consult = consult_of(vec![person(0, 1)]);
        assert_eq!(consult.add(waiting), []);
        assert_eq!(consult.member(1).map(|m| m.layout.revision), Some(0));
        assert_eq!(consult.member(0).map(|m| m.layout.participants.len()), Some(1));
    }

    #[test]
    fn a_codec_that_somebody_cannot_decode_is_objected_to_once_a_need() {
        let vp9 = Codec::Vp9 { profile: 0 };
        let mut sender = person(0, 1);
        sender.published[1].preferred = Some(vp9);
        let mut consult = consult_of(vec![sender]);
        let reoffer = News::Reoffer(0, ReofferReason::Codec);
        assert!(consult.add(person(1, 2)).contains(&reoffer));
        assert!(!consult.add(person(2, 3)).contains(&reoffer));
        consult.remove(1);
        consult.remove(2);
        assert!(consult.add(person(3, 4)).contains(&reoffer));
        let decodes = consult.with_member(3, |m| m.decodes.push(vp9));
        assert!(!decodes.contains(&reoffer));
    }

    #[test]
    fn where_no_codec_suits_everybody_nobody_is_asked_for_ever() {
        let [vp8, h264] = [Codec::Vp8, Codec::H264 { packetization_mode: 1, profile: 0x42e0 }];
        let decoding = |mut member: Member, codec| {
            member.published.clear();
            member.decodes = vec![codec];
            member
        };
        let mut consult = consult_of(vec![person(0, 1), decoding(person(1, 2), vp8)]);
        consult.add(decoding(person(2, 3), h264));
        let offers = |consult: &mut Consult, codec| {
            let news = consult.with_member(0, |m| m.published[1].preferred = Some(codec));
            news.contains(&News::Reoffer(0, ReofferReason::Codec))
        };
        let asked: Vec<bool> =
            [vp8, h264, vp8, h264, vp8, h264].map(|codec| offers(&mut consult, codec)).to_vec();
        assert_eq!(asked, [true, true, false, false, false, false]);
        assert!(consult.remove(2).contains(&News::Reoffer(0, ReofferReason::Codec)), "VP8 suits who is left");
        assert!(!offers(&mut consult, vp8));
    }
}
