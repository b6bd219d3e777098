//! How somebody gets in, and in again: a WebSocket and `hello`, and what a widget does where the node is full.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use signaling_protocol::{
    client::{ClientMessage, Hello},
    server::{ServerMessage, SlotCounts},
};
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;

use super::{
    participant::{expected, hear, say},
    wire::{Signaling, Wire},
};
use crate::target::{JOIN_STEPS, Tally, TargetError};

/// The widget's pauses between two tries: they double, and half of each is drawn by lot.
const PAUSE_FIRST: Duration = Duration::from_millis(300);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// After so many the widget gives up.
const TRIES_MAX: u32 = 16;

/// Opens a WebSocket and says who it is. From then on it is the `welcome`'s resume token that says so.
pub(super) async fn enter(
    signaling: &Signaling,
    hello: &mut Hello,
    steps: &mut Steps,
) -> Result<(WebSocketStream<Wire>, SlotCounts), TargetError> {
    let opened = signaling.open().await;
    let mut socket = opened.map_err(|source| TargetError::Io { what: "a WebSocket", source })?;
    steps.next();
    say(&mut socket, &ClientMessage::Hello(hello.clone())).await?;
    loop {
        match hear(&mut socket).await? {
            ServerMessage::Welcome(welcome) => {
                *hello = Hello { ticket: None, resume_token: Some(welcome.resume_token) };
                steps.next();
                return Ok((socket, welcome.slots));
            }
            other => expected("welcome", other)?,
        }
    }
}

/// Tries to get into a node that may be full.
pub(super) struct Tries {
    refused: u32,
    tally: Arc<Tally>,
    /// For the lot.
    random: u32,
}

impl Tries {
    pub(super) fn new(tally: &Arc<Tally>, random: u32) -> Self {
        Self { refused: 0, tally: Arc::clone(tally), random }
    }

    /// After a pause another try may be made.
    ///
    /// # Errors
    /// The same where it is of no use: only a node that is full may be so no longer.
    pub(super) async fn again(&mut self, error: TargetError) -> Result<(), TargetError> {
        if !matches!(error, TargetError::Full) {
            return Err(error);
        }
        self.tally.refused.fetch_add(1, Relaxed);
        if self.refused == 0 {
            self.tally.waiting.fetch_add(1, Relaxed);
        }
        if self.refused >= TRIES_MAX {
            return Err(error);
        }
        sleep(pause(self.refused, self.random)).await;
        self.refused += 1;
        self.tally.tried_again.fetch_add(1, Relaxed);
        Ok(())
    }
}

impl Drop for Tries {
    fn drop(&mut self) {
        if self.refused > 0 {
            self.tally.waiting.fetch_sub(1, Relaxed);
        }
    }
}

fn pause(tries: u32, random: u32) -> Duration {
    let longest = PAUSE_MAX.min(PAUSE_FIRST * 2_u32.pow(tries.min(20)));
    longest / 2 + (longest / 2).mul_f64(f64::from(random % 1_000) / 1_000.0)
}

/// Times of the steps of a join, in milliseconds.
pub(super) struct Steps {
    since: Instant,
    took_ms: Vec<f64>,
}

impl Steps {
    /// A try of somebody who wants in since `begin`: what was before it they were refused.
    pub(super) fn begin(begin: Instant) -> Self {
        let mut steps = Self { since: begin, took_ms: Vec::with_capacity(JOIN_STEPS.len()) };
        steps.next();
        steps
    }

    pub(super) fn next(&mut self) {
        let now = Instant::now();
        self.took_ms.push((now - self.since).as_secs_f64() * 1e3);
        self.since = now;
    }

    /// The last step was ICE, which took so long, and DTLS.
    pub(super) fn end(mut self, ice: Duration) -> [f64; JOIN_STEPS.len()] {
        let media = self.since.elapsed();
        self.took_ms.extend([ice.as_secs_f64() * 1e3, media.saturating_sub(ice).as_secs_f64() * 1e3]);
        let mut steps = [0.0; JOIN_STEPS.len()];
        steps.iter_mut().zip(self.took_ms).for_each(|(step, took_ms)| *step = took_ms);
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_node_is_tried_again_and_one_that_refuses_for_good_is_not() {
        let tally = Arc::new(Tally::default());
        let mut tries = Tries::new(&tally, 0);
        assert!(tries.again(TargetError::Full).await.is_ok());
        assert_eq!((tally.refused.load(Relaxed), tally.tried_again.load(Relaxed)), (1, 1));
        assert_eq!(tally.waiting.load(Relaxed), 1);
        let other = TargetError::Refused { what: "welcome", said: "ticket_expired".to_owned() };
        assert!(matches!(tries.again(other).await, Err(TargetError::Refused { .. })));
        tries.refused = TRIES_MAX;
        assert!(matches!(tries.again(TargetError::Full).await, Err(TargetError::Full)));
        drop(tries);
        assert_eq!((tally.refused.load(Relaxed), tally.waiting.load(Relaxed)), (2, 0));
    }

    #[test]
    fn pauses_grow_as_the_widgets_do() {
        let ms = |tries, random| pause(tries, random).as_millis();
        assert_eq!([ms(0, 0), ms(1, 0), ms(2, 500), ms(9, 0), ms(4_000, 999)], [150, 300, 900, 5_000, 9_995]);
    }

    #[test]
    fn steps_of_a_join_add_up() {
        let begin = Instant::now();
        let mut steps = Steps::begin(begin);
        (0..3).for_each(|_| steps.next());
        let steps = steps.end(Duration::ZERO);
        let sum: f64 = steps.iter().sum();
        assert!(
            sum <= begin.elapsed().as_secs_f64() * 1e3 && steps.iter().all(|step| *step >= 0.0),
            "{steps:?}"
        );
    }
}
