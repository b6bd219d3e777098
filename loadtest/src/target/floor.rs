//! The bare floor: registration by one datagram, keys from the participant's number, no signaling, no RTCP.
//!
//! The client sends `F 0 0 0`, its number and the group's size, both in network order, until the same comes back. The
//! group is number / size. What it sends is sealed by its number four times over as the key, what it gets by the inverted
//! number; SSRC is number × 2, plus 1 for a picture.

use std::{net::SocketAddrV4, time::Instant};

use futures_util::future::try_join_all;

use super::{RunningConsult, TargetError, WantedConsult, WantedParticipant};
use crate::{
    media::MediaPlane,
    plan::{Keying, Kind, ReceivePlan, SendPlan, Shown, TransportPlan},
};

/// A floor to put load on.
#[derive(Debug, Clone)]
pub struct Floor {
    /// Where it listens.
    pub remote: SocketAddrV4,
}

impl Floor {
    /// Registers everybody of a consult. Their numbers have to follow one another, beginning at a multiple of how many.
    pub async fn join(
        &self,
        wanted: &WantedConsult,
        media: &MediaPlane,
    ) -> Result<RunningConsult, TargetError> {
        let begin = Instant::now();
        wanted.participants.iter().for_each(|person| media.joining(person.number));
        let started = wanted.participants.iter().map(|person| media.start(self.plan(wanted, person)));
        let mut transports: Vec<_> = started.collect();
        let connected = transports.iter_mut().map(|transport| async {
            transport.connected().await?;
            Ok::<f64, TargetError>(begin.elapsed().as_secs_f64() * 1e3)
        });
        let join_ms = try_join_all(connected).await?;
        Ok(RunningConsult { transports, join_ms, ..RunningConsult::default() })
    }

    fn plan(&self, wanted: &WantedConsult, person: &WantedParticipant) -> TransportPlan {
        let size = wanted.participants.len() as u32;
        let mut registration = vec![b'F', 0, 0, 0];
        registration.extend(person.number.to_be_bytes());
        registration.extend(size.to_be_bytes());
        let others =
            wanted.participants.iter().filter(|other| other.number != person.number && person.receives);
        let receives = others.flat_map(|other| {
            kinds(other).map(|kind| ReceivePlan {
                kind,
                ssrc: ssrc(other.number, kind),
                rtx: None,
                nack: false,
                transport_cc_id: None,
                shown: Some(Shown { sender: other.number, csrc: None }),
            })
        });
        let sends = kinds(person).map(|kind| SendPlan {
            kind,
            ssrc: ssrc(person.number, kind),
            payload_type: if kind == Kind::Audio { 111 } else { 96 },
            rtx: None,
            mid: None,
            transport_cc_id: None,
            audio_level_id: None,
        });
        TransportPlan {
            participant: person.number,
            remote: self.remote,
            local: None,
            keying: Keying::Raw {
                registration,
                send_key: key(person.number),
                receive_key: key(!person.number),
            },
            sends: sends.collect(),
            receives: receives.collect(),
            rtcp: false,
        }
    }
}

fn kinds(person: &WantedParticipant) -> impl Iterator<Item = Kind> + use<> {
    let audio = person.audio.then_some(Kind::Audio);
    audio.into_iter().chain(person.video.then_some(Kind::Video))
}

fn ssrc(participant: u32, kind: Kind) -> u32 {
    participant * 2 + kind as u32
}

fn key(number: u32) -> [u8; 16] {
    let mut key = [0; 16];
    key.chunks_exact_mut(4).for_each(|part| part.copy_from_slice(&number.to_be_bytes()));
    key
}
