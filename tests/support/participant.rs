//! Somebody in a consult: a signaling WebSocket and a peer connection.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use super::{
    peer::{Arrival, Peer, Plan},
    sdp::mids,
    signal::{Heard, Signal},
    within_patience,
};

/// The newest `layout`, as far as pictures and voices of people go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    pub revision: u64,
    /// Publisher's number by slot index of the camera pool.
    pub slots: HashMap<u64, u32>,
    /// Numbers of everyone who is admitted.
    pub participants: Vec<u32>,
}

/// A participant.
pub struct Participant {
    pub number: u32,
    pub resume_token: String,
    pub signal: Signal,
    pub peer: Peer,
    pub layout: Layout,
    /// The answer in force.
    pub answer: String,
    plan: Plan,
}

impl Participant {
    /// Comes in with a ticket, sends and receives.
    pub async fn join(address: SocketAddr, ticket: &str, plan: Plan) -> Self {
        Self::enter(address, &json!({ "type": "hello", "ticket": ticket }), plan).await
    }

    /// Comes in with whatever `hello` says.
    pub async fn enter(address: SocketAddr, hello: &Value, plan: Plan) -> Self {
        let mut signal = Signal::open(address).await;
        signal.say(hello).await;
        let welcome = signal.expect("welcome").await;
        let peer = Peer::new(&plan).await;
        let number = welcome["participant"].as_u64().and_then(|n| u32::try_from(n).ok());
        let mut participant = Self {
            number: number.expect("a number"),
            resume_token: welcome["resume_token"].as_str().expect("a token").to_owned(),
            signal,
            peer,
            layout: Layout::default(),
            answer: String::new(),
            plan,
        };
        participant.negotiate().await;
        participant.peer.connected().await;
        participant
    }

    /// Offers, and takes the answer.
    pub async fn negotiate(&mut self) {
        let sdp = self.peer.offer().await;
        self.signal.say(&offer(&sdp, &self.plan)).await;
        let answer = self.expect("answer").await;
        self.answer = answer["sdp"].as_str().expect("an answer").to_owned();
        let answer = self.answer.clone();
        self.peer.accept(&answer).await;
    }

    fn note(&mut self, message: &Value) {
        if let Some(layout) = layout(message).filter(|layout| layout.revision >= self.layout.revision) {
            self.layout = layout;
        }
    }

    /// The next message of this type, with note taken of layouts before it.
    pub async fn expect(&mut self, wanted: &str) -> Value {
        loop {
            match self.signal.hear().await {
                Heard::Message(message) if message["type"] == wanted => return message,
                Heard::Message(message) => self.note(&message),
                Heard::Closed(code) => panic!("closed with {code} instead of {wanted}"),
            }
        }
    }

    /// Waits until slots show exactly these publishers, in any order.
    pub async fn expect_publishers(&mut self, publishers: &[u32]) {
        let mut wanted = publishers.to_vec();
        wanted.sort_unstable();
        loop {
            let mut shown: Vec<u32> = self.layout.slots.values().copied().collect();
            shown.sort_unstable();
            if shown == wanted {
                return;
            }
            match self.signal.hear().await {
                Heard::Message(message) => self.note(&message),
                Heard::Closed(code) => panic!("closed with {code}; {:?}", self.layout),
            }
        }
    }

    /// The publisher whom the layout names for the line on which this packet came.
    pub fn named_publisher(&self, arrival: &Arrival) -> Option<u32> {
        let mid = self.peer.mid_of(arrival.ssrc)?;
        let mids = mids(&self.answer);
        let line = mids.iter().position(|candidate| candidate == mid)?;
        let slot = line.checked_sub(own_lines(&self.plan))? / 2;
        self.layout.slots.get(&(slot as u64)).copied()
    }

    /// Waits until both halves of every slot in use have brought something since now.
    pub async fn expect_media(&mut self) {
        self.peer.take_arrivals();
        let publishers: Vec<u32> = self.layout.slots.values().copied().collect();
        let what = format!("media of {publishers:?} at {}", self.number);
        let complete = |arrivals: &[Arrival]| {
            let has = |publisher: &u32, is_video: bool| {
                arrivals.iter().any(|a| a.is_video == is_video && a.csrcs.first() == Some(publisher))
            };
            publishers.iter().all(|publisher| has(publisher, true) && has(publisher, false))
        };
        within_patience(&what, async {
            while !complete(&self.peer.arrivals()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Says goodbye.
    pub async fn leave(mut self) {
        self.signal.say(&json!({ "type": "leave" })).await;
        assert_eq!(self.signal.expect_close().await, 1000);
        self.peer.close().await;
    }
}

/// Lines that come before those of the slots.
fn own_lines(plan: &Plan) -> usize {
    if plan.publishes.is_some() { 2 } else { 0 }
}

/// The `offer` message for an SDP that follows the plan.
pub fn offer(sdp: &str, plan: &Plan) -> Value {
    let mids = mids(sdp);
    let (own, slots) = mids.split_at(own_lines(plan));
    let sources = ["microphone", "camera"];
    let tracks =
        own.iter().zip(sources).map(|(mid, source)| json!({ "mid": mid, "source": source, "muted": false }));
    let slots =
        slots.iter().enumerate().map(|(i, mid)| json!({ "mid": mid, "pool": "camera", "index": i / 2 }));
    json!({
        "type": "offer",
        "sdp": sdp,
        "tracks": tracks.collect::<Vec<_>>(),
        "slots": slots.collect::<Vec<_>>(),
    })
}

fn layout(message: &Value) -> Option<Layout> {
    if message["type"] != "layout" {
        return None;
    }
    let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let of_camera = message["slots"].as_array()?.iter().filter(|slot| slot["pool"] == "camera");
    Some(Layout {
        revision: message["revision"].as_u64()?,
        slots: of_camera.filter_map(|s| Some((s["index"].as_u64()?, number(&s["publisher"])?))).collect(),
        participants: message["participants"]
            .as_array()?
            .iter()
            .filter_map(|p| number(&p["participant"]))
            .collect(),
    })
}
