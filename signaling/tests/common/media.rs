//! A media plane that only remembers.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use media_engine::api::{Command, Event, Join, LeaveReason, MediaParams, Quality, Renegotiate};
use media_model::ConsultId;
use signaling::{MediaPlane, Overloaded, Shard};
use tokio::sync::mpsc;

/// Remembers commands in short, and answers them as a shard would.
pub struct FakeMedia {
    commands: Mutex<Vec<String>>,
    events: mpsc::Sender<Event>,
    /// What it says of every transport that it is told to let go of.
    pub measured: Mutex<Option<Quality>>,
}

impl FakeMedia {
    pub fn new(events: mpsc::Sender<Event>) -> Self {
        Self { commands: Mutex::default(), events, measured: Mutex::default() }
    }

    pub fn commands(&self) -> Vec<String> {
        self.commands.lock().expect("not poisoned").clone()
    }

    pub async fn says(&self, event: Event) {
        self.events.send(event).await.expect("signaling listens");
    }
}

struct FakeShard(Arc<FakeMedia>);

pub struct FakePlane(pub Arc<FakeMedia>);

impl MediaPlane for FakePlane {
    fn place(&self, _: ConsultId) -> Result<Arc<dyn Shard>, Overloaded> {
        Ok(Arc::new(FakeShard(Arc::clone(&self.0))))
    }

    fn release(&self, _: ConsultId) {}

    fn fingerprint(&self) -> [u8; 32] {
        [0xab; 32]
    }
}

/// What is muted of what was agreed.
fn muted(media: &MediaParams) -> String {
    let muted: Vec<_> = media.tracks.iter().filter(|track| track.muted).map(|track| track.source).collect();
    if muted.is_empty() { String::new() } else { format!(" muted {muted:?}") }
}

impl Shard for FakeShard {
    fn candidates(&self) -> Vec<SocketAddr> {
        vec![([192, 0, 2, 1], 5000).into()]
    }

    fn send(&self, command: Command) -> Result<(), Overloaded> {
        let (line, event) = match command {
            Command::Join(join) => {
                let Join { transport, participant, admitted, media, .. } = &*join;
                let line =
                    format!("join {} as {participant} admitted {admitted}{}", transport.0, muted(media));
                (line, Some(Event::Joined(*transport)))
            }
            Command::Renegotiate(next) => {
                let Renegotiate { transport, ice, media } = &*next;
                (format!("renegotiate {} ice {}{}", transport.0, ice.is_some(), muted(media)), None)
            }
            Command::Admit(id) => (format!("admit {}", id.0), None),
            Command::Mute { transport, source, muted } => {
                (format!("mute {} {source:?} {muted}", transport.0), None)
            }
            Command::Leave(id) => {
                let measured = *self.0.measured.lock().expect("not poisoned");
                if let Some(quality) = measured {
                    self.0.events.try_send(Event::Measured(id, quality)).expect("signaling listens");
                }
                (format!("leave {}", id.0), Some(Event::Left(id, LeaveReason::Requested)))
            }
            Command::EndConsult(_) => ("end".into(), None),
        };
        self.0.commands.lock().expect("not poisoned").push(line);
        if let Some(event) = event {
            self.0.events.try_send(event).expect("signaling listens");
        }
        Ok(())
    }
}
