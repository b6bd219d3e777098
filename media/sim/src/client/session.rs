//! A connected client's media: SRTP both ways, reports, requests and answers to requests.

use std::time::{Duration, Instant};

use media_engine::{
    api::Layout,
    rtp::rtcp::{Compound, CompoundWriter, Packet},
    transport::{
        dtls::Connected,
        srtp::{SrtpInbound, SrtpOutbound},
    },
};
use media_model::{MediaKind, SlotIndex};

use super::{Client, ClientClock, publish::Publication, receive::Slot};

const FEEDBACK_INTERVAL: Duration = Duration::from_millis(20);
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const PLI_INTERVAL: Duration = Duration::from_millis(500);
const RTCP_SSRC: u32 = 1;

/// Everything after the handshake.
pub struct Session {
    inbound: SrtpInbound,
    outbound: SrtpOutbound,
    pub publications: Vec<Publication>,
    pub slots: Vec<Slot>,
    publisher: u32,
    begin: Instant,
    feedback_at: Instant,
    report_at: Instant,
    pli_at: Instant,
    answers: Vec<(u64, Vec<u8>)>,
}

impl Session {
    pub fn new(client: &Client, connected: &Connected, now: Instant) -> Self {
        let (profile, keys) = (connected.profile, &connected.keys);
        let publication = |kind, mid| Publication::new(kind, client.mid(mid), client.track_ssrc(kind), now);
        let slots = client.media_params().slots;
        Self {
            inbound: SrtpInbound::new(profile, keys.server_key(), keys.server_salt())
                .expect("of the profile"),
            outbound: SrtpOutbound::new(profile, keys.client_key(), keys.client_salt())
                .expect("of the profile"),
            publications: vec![publication(MediaKind::Audio, "mic"), publication(MediaKind::Video, "cam")],
            slots: slots.iter().map(|s| Slot::new(s.slot, s.kind, s.ssrc)).collect(),
            publisher: client.participant.csrc(),
            begin: client.begin,
            feedback_at: now,
            report_at: now + Duration::from_millis(300),
            pli_at: now,
            answers: Vec::new(),
        }
    }

    pub fn set_layout(&mut self, layout: &Layout) {
        for slot in &mut self.slots {
            let shown = layout.slots.iter().find(|s| s.slot == slot.slot).map(|s| s.publisher.csrc());
            slot.show(shown);
        }
    }

    pub fn poll_timeout(&self) -> Instant {
        let frames = self.publications.iter().map(|p| p.next_frame);
        let next = frames.chain([self.feedback_at, self.report_at]).min();
        next.unwrap_or(self.feedback_at)
    }

    pub fn handle_datagram(&mut self, now: Instant, data: &mut [u8]) {
        // RFC 5761 §4
        if data.get(1).is_some_and(|kind| (192..=223).contains(kind)) {
            let Ok(length) = self.inbound.open_rtcp(data) else { return };
            self.rtcp(&data[..length]);
            return;
        }
        let Ok(opened) = self.inbound.open_rtp(data) else { return };
        let header = opened.header;
        let plain = &data[..opened.payload.end];
        let Ok(payload) = header.payload_range(plain) else { return };
        let csrc = header.csrcs(plain).next();
        let slot = self.slots.iter_mut().find(|s| s.ssrc == header.ssrc || s.rtx_ssrc == header.ssrc);
        if let Some(slot) = slot {
            slot.packet(now, &header, csrc, &plain[payload]);
        }
    }

    fn rtcp(&mut self, compound: &[u8]) {
        for packet in Compound::new(compound).map_while(Result::ok) {
            match packet {
                Packet::SenderReport(report) => {
                    let slot = self.slots.iter_mut().find(|s| s.ssrc == report.info.ssrc);
                    slot.into_iter().for_each(|s| s.sender_report(report.info));
                }
                Packet::Nack(nack) => {
                    let of = self.publications.iter_mut().find(|p| p.ssrc == nack.media_ssrc);
                    if let Some(publication) = of {
                        self.answers.extend(nack.sequences().filter_map(|s| publication.retransmission(s)));
                    }
                }
                Packet::Pli(pli) => self.keyframe(pli.media_ssrc),
                Packet::Fir(fir) => fir.entries().for_each(|e| self.keyframe(e.ssrc)),
                _ => {}
            }
        }
    }

    fn keyframe(&mut self, ssrc: u32) {
        for publication in self.publications.iter_mut().filter(|p| p.ssrc == ssrc) {
            publication.keyframe_wanted = true;
        }
    }

    pub fn handle_timeout(&mut self, now: Instant, clock: &ClientClock, out: &mut Vec<Vec<u8>>) {
        let since = now - self.begin;
        let mut packets = std::mem::take(&mut self.answers);
        for publication in &mut self.publications {
            while publication.next_frame <= now {
                packets.extend(publication.frame(now, since, clock, self.publisher));
            }
        }
        for (index, mut packet) in packets {
            let plain_len = packet.len();
            packet.resize(plain_len + self.outbound.profile().rtp_overhead(), 0);
            if let Some(length) = self.outbound.seal_rtp(index, &mut packet, plain_len) {
                packet.truncate(length);
                out.push(packet);
            }
        }
        if self.report_at <= now {
            self.report_at = now + REPORT_INTERVAL;
            self.compound(out, |session, writer| {
                for publication in &session.publications {
                    writer.sender_report(&publication.sender_info(since, clock), []);
                }
                writer.sdes(RTCP_SSRC, "client")
            });
        }
        if self.feedback_at <= now {
            self.feedback_at = now + FEEDBACK_INTERVAL;
            self.compound(out, |session, writer| session.feedback(now, writer));
        }
    }

    fn feedback(&mut self, now: Instant, writer: &mut CompoundWriter<'_>) -> bool {
        let may_ask = self.pli_at <= now;
        let mut anything = false;
        writer.receiver_report(RTCP_SSRC, []);
        for slot in &mut self.slots {
            anything |= writer.nack(RTCP_SSRC, slot.ssrc, slot.nack(now));
            if slot.keyframe_wanted && may_ask {
                slot.keyframe_wanted = false;
                self.pli_at = now + PLI_INTERVAL;
                anything |= writer.pli(RTCP_SSRC, slot.ssrc);
            }
        }
        anything
    }

    /// Seals what `write` writes, if it says that there is something.
    fn compound(
        &mut self,
        out: &mut Vec<Vec<u8>>,
        write: impl FnOnce(&mut Self, &mut CompoundWriter<'_>) -> bool,
    ) {
        let mut buffer = vec![0; 1_400];
        let mut writer = CompoundWriter::new(&mut buffer[..1_200]);
        let anything = write(self, &mut writer);
        let plain_len = writer.len();
        if anything && let Some(length) = self.outbound.seal_rtcp(&mut buffer, plain_len) {
            buffer.truncate(length);
            out.push(buffer);
        }
    }

    pub fn lip_skews_ns(&self) -> Vec<(u32, i64)> {
        let begin = super::publish::ClientClock { ahead: Duration::ZERO, drift_ppm: 0.0 }.ntp(Duration::ZERO);
        let error = |slot: SlotIndex, kind| {
            self.slots.iter().find(|s| s.slot == slot && s.kind == kind)?.capture_error_ns(begin)
        };
        let pairs = self.slots.iter().filter(|s| s.kind == MediaKind::Video).filter_map(|video| {
            let (sound_of, sound) = error(video.slot, MediaKind::Audio)?;
            let (picture_of, picture) = error(video.slot, MediaKind::Video)?;
            (sound_of == picture_of).then_some((sound_of, sound - picture))
        });
        pairs.collect()
    }
}
