//! Key frame requests to a publisher: everyone who waits is served by one key frame, and one request brings it.

use std::time::{Duration, Instant};

use crate::api::Feedback;

/// Between two requests. A key frame is many times the size of others: asked for more often, it costs everybody's picture.
const INTERVAL_MIN: Duration = Duration::from_millis(500);

/// How to ask, as agreed with the publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyframeRequest {
    /// Picture loss indication (RFC 4585 §6.3.1).
    Pli,
    /// Full intra request (RFC 5104 §4.3.1), which counts up.
    Fir {
        /// `Seq nr.`
        number: u8,
    },
}

/// Whether someone waits for a key frame of this track, and when the publisher was asked last.
#[derive(Debug, Default)]
pub struct KeyframeRequests {
    wanted: bool,
    /// There is no picture, so there is none to ask for.
    paused: bool,
    asked: Option<Instant>,
    fir_number: u8,
}

impl KeyframeRequests {
    /// Someone needs a key frame.
    pub fn request(&mut self) {
        self.wanted = !self.paused;
    }

    /// Asks for nothing, not even for what was asked for before, until told otherwise.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
        self.wanted &= !paused;
    }

    /// One came.
    pub fn arrived(&mut self) {
        self.wanted = false;
    }

    /// The request to send now, if it is time for one and a way to ask was agreed.
    pub fn poll(&mut self, now: Instant, agreed: Feedback) -> Option<KeyframeRequest> {
        self.poll_timeout(now).filter(|due| *due <= now)?;
        self.asked = Some(now);
        match agreed {
            Feedback { pli: true, .. } => Some(KeyframeRequest::Pli),
            Feedback { fir: true, .. } => {
                self.fir_number = self.fir_number.wrapping_add(1);
                Some(KeyframeRequest::Fir { number: self.fir_number })
            }
            _ => None,
        }
    }

    /// When to ask next; `at_once` when nothing stands against asking immediately.
    pub fn poll_timeout(&self, at_once: Instant) -> Option<Instant> {
        self.wanted.then(|| self.asked.map_or(at_once, |asked| asked + INTERVAL_MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const PLI: Feedback = Feedback { nack: true, pli: true, fir: true, transport_cc: false };
    const FIR: Feedback = Feedback { pli: false, ..PLI };

    #[test]
    fn many_who_wait_cause_one_request_at_once() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        (0..10).for_each(|_| requests.request());
        assert_eq!(requests.poll(start, PLI), Some(KeyframeRequest::Pli));
        assert_eq!(requests.poll(start, PLI), None);
    }

    #[test]
    fn it_is_repeated_every_half_second_until_the_key_frame_comes() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        requests.request();
        let asked: Vec<u64> = (0..1_600).filter(|ms| requests.poll(start + MS(*ms), PLI).is_some()).collect();
        assert_eq!(asked, [0, 500, 1_000, 1_500]);
        requests.arrived();
        assert_eq!(requests.poll_timeout(start), None);
    }

    #[test]
    fn the_next_one_who_waits_is_not_served_before_half_a_second() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        requests.request();
        assert!(requests.poll(start, PLI).is_some());
        requests.arrived();
        requests.request();
        assert_eq!(requests.poll(start + MS(499), PLI), None);
        assert!(requests.poll(start + MS(500), PLI).is_some());
    }

    #[test]
    fn nothing_is_asked_of_a_picture_that_is_dark() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        requests.request();
        assert!(requests.poll(start, PLI).is_some());
        requests.pause(true);
        requests.request();
        assert_eq!((requests.poll_timeout(start), requests.poll(start + MS(900), PLI)), (None, None));
        requests.pause(false);
        assert_eq!(requests.poll_timeout(start), None, "whoever wants one asks again");
        requests.request();
        assert!(requests.poll(start + MS(900), PLI).is_some());
    }

    #[test]
    fn a_full_intra_request_counts_up_and_is_only_sent_without_pli() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        requests.request();
        assert_eq!(requests.poll(start, FIR), Some(KeyframeRequest::Fir { number: 1 }));
        assert_eq!(requests.poll(start + MS(500), FIR), Some(KeyframeRequest::Fir { number: 2 }));
    }
}
