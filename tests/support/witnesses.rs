//! Two who talk while something goes wrong elsewhere, and must not notice.

use std::collections::{HashMap, HashSet};

use super::{
    control::{BackEnd, PATIENT, PROVIDER},
    for_ms,
    node::Node,
    participant::Participant,
    peer::Plan,
    signal::Heard,
};

/// The marks in what they send.
const MARKS: [u32; 2] = [11, 12];

pub struct Witnesses([Participant; 2]);

impl Witnesses {
    /// Patient and provider of this consult, who see each other.
    pub async fn meet(node: &Node, back_end: &BackEnd, consult: &str) -> Self {
        let join = async |person, mark| {
            let ticket = back_end.ticket(consult, person).await;
            Participant::join(node.address(), &ticket.token, Plan::publisher(mark, 4)).await
        };
        let mut both = [join(PATIENT, MARKS[0]).await, join(PROVIDER, MARKS[1]).await];
        let numbers = both.each_ref().map(|one| one.number);
        for (one, other) in both.iter_mut().zip([numbers[1], numbers[0]]) {
            one.expect_publishers(&[other]).await;
            one.expect_media().await;
        }
        both.iter().for_each(|one| drop(one.peer.take_arrivals()));
        Self(both)
    }

    pub fn numbers(&self) -> [u32; 2] {
        self.0.each_ref().map(|one| one.number)
    }

    /// The address of the first candidate that they were told.
    pub fn media_addresses(&self) -> Vec<std::net::SocketAddr> {
        super::sdp::candidates(&self.0[0].answer)
    }

    /// Each received all that the other sent since they met, and still does; their connections stand.
    pub async fn noticed_nothing(&mut self) {
        for_ms(300).await;
        for (i, one) in self.0.iter_mut().enumerate() {
            let arrivals = one.peer.take_arrivals();
            let mut counts: HashMap<bool, HashSet<u32>> = HashMap::new();
            let marks = arrivals.iter().filter_map(|arrival| Some((arrival.is_video, arrival.mark?)));
            for (is_video, mark) in marks.filter(|(_, mark)| mark.publisher == MARKS[1 - i]) {
                counts.entry(is_video).or_default().insert(mark.count);
            }
            assert_eq!(counts.len(), 2, "voice and picture went on");
            for (is_video, counts) in counts {
                let (first, last) = (counts.iter().min().copied(), counts.iter().max().copied());
                let span = last.zip(first).map_or(0, |(last, first)| last - first + 1) as usize;
                assert_eq!(counts.len(), span, "something was lost, video: {is_video}");
            }
            one.peer.take_arrivals();
            one.expect_media().await;
            let closed = one.signal.drain().into_iter().find(|heard| matches!(heard, Heard::Closed(_)));
            assert!(closed.is_none(), "{closed:?}");
        }
    }
}
