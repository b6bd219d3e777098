//! Transport-wide feedback to a publisher: when its packets arrived, so that it can estimate its own bandwidth
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
//!
//! A Chromium that gets none falls to 30 kbit/s within 12 s.

use std::time::{Duration, Instant};

use prefetch::prefetch;

use crate::rtp::{
    SequenceExtender,
    rtcp::{TransportCcWriter, Written},
};

/// Packets remembered, from the newest down: a second at 5 Mbit/s, ten feedback intervals.
const HISTORY: usize = TransportCcWriter::STATUSES_MAX;

/// How long the oldest news waits when there is [`MUCH_NEWS`], and at the very beginning. Senders' estimators are tuned to
/// feedback every 50 to 250 ms.
const INTERVAL: Duration = Duration::from_millis(100);

/// From 80 packets a second on, or with a probe of the sender's, the last [`INTERVAL`] saw so many arrive, and from 32 on the
/// last [`INTERVAL_MAX`]. Less tells an estimator little until it has gathered.
const MUCH_NEWS: usize = 8;

/// How long the oldest news waits where packets come less fast.
const INTERVAL_MAX: Duration = Duration::from_millis(250);

/// So much has gathered, however slowly it came.
const GATHERED_NEWS: usize = 20;

/// When a packet comes after so long, all news goes along with what is sent for it: with 15 packets a second, one message may
/// be lost before three seconds are over, after which a browser takes silence for congestion …
const RARE_INTERVAL: Duration = Duration::from_millis(1_350);

/// … and so long it waits for one.
const RARE_INTERVAL_MAX: Duration = Duration::from_millis(1_850);

/// So much news goes at once: from about 4 Mbit/s on, an interval would hold more than a probe of the sender's, whose
/// outcome it waits for.
const EARLY_PACKETS: usize = 40;

/// The shortest time between two messages: at most 20 a second, some 2 kB/s even at high rates.
const EARLY_INTERVAL: Duration = Duration::from_millis(50);

/// Room that [`TransportFeedback::poll`] needs to tell of a packet at least, however many were lost before it.
pub const MESSAGE_BYTES_MIN: usize = 20 + 2 * HISTORY.div_ceil(7) + 2 + 3;

/// Arrivals on one transport, and when to tell of them. All memory is allocated with the first packet: many only listen.
#[derive(Debug)]
pub struct TransportFeedback {
    sender_ssrc: u32,
    media_ssrc: u32,
    /// Ticks are counted from here.
    origin: Instant,
    extender: SequenceExtender,
    /// Ticks plus one by `sequence % HISTORY`, 0 where none arrived, for the [`HISTORY`] numbers before `end`. Empty
    /// before the first.
    arrivals: Vec<u64>,
    /// The first number that the next message tells of.
    next: u64,
    /// One past the highest number that arrived.
    end: u64,
    /// Arrivals not yet told of.
    news: usize,
    /// Since when there is some.
    news_since: Instant,
    due: Option<Instant>,
    last_sent: Option<Instant>,
    feedback_count: u8,
}

impl TransportFeedback {
    /// Nothing has arrived yet. `sender_ssrc` is the server's own on this transport.
    pub fn new(sender_ssrc: u32, now: Instant) -> Self {
        Self {
            sender_ssrc,
            media_ssrc: 0,
            origin: now,
            extender: SequenceExtender::default(),
            arrivals: Vec::new(),
            next: 0,
            end: 0,
            news: 0,
            news_since: now,
            due: None,
            last_sent: None,
            feedback_count: 0,
        }
    }

    /// Notes an authenticated packet by its transport-wide number.
    ///
    /// Duplicates, and packets more than 512 numbers late, are no news. A leap ahead of as much starts afresh: what
    /// lies between is not told of as lost.
    pub fn record(&mut self, now: Instant, sequence: u16, media_ssrc: u32) {
        let sequence = self.extender.extend(sequence);
        self.arrivals.resize(HISTORY, 0);
        if sequence >= self.end {
            self.advance(sequence);
        } else if self.end - sequence > HISTORY as u64 || *self.arrival(sequence) != 0 {
            return;
        }
        // A late packet that was told of as lost: the next message goes back to it, over what it overtook. Senders
        // take the first word on each packet that arrived, and the last on one that was lost.
        self.next = self.next.min(sequence);
        let ticks = self.ticks(now);
        *self.arrival(sequence) = ticks + 1;
        self.media_ssrc = media_ssrc;
        self.news += 1;
        if self.due.is_none() {
            self.news_since = now;
        }
        let due = if self.news >= EARLY_PACKETS {
            self.last_sent.map_or(now, |last| now.max(last + EARLY_INTERVAL))
        } else if self.last_sent.is_none() || self.is_much(now, sequence, INTERVAL) {
            self.news_since + INTERVAL
        } else if self.is_much(now, sequence, INTERVAL_MAX) {
            self.news_since + INTERVAL_MAX
        } else if self.news >= GATHERED_NEWS || now >= self.news_since + RARE_INTERVAL {
            now
        } else {
            self.news_since + RARE_INTERVAL_MAX
        };
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
    }

    /// A datagram leaves now: whatever news there is goes along, or what would be due until `soon` if there was a message
    /// just now.
    pub fn go_along(&mut self, now: Instant, soon: Instant) {
        let rests = self.last_sent.is_some_and(|last| now < last + EARLY_INTERVAL);
        self.due = self.due.map(|due| if rests && due > soon { due } else { due.min(now) });
    }

    /// Has the processor fetch where the next arrival is noted, and the one that it is compared with.
    pub fn prefetch_next(&self) {
        for sequence in [self.end, (self.end + 1).saturating_sub(MUCH_NEWS as u64)] {
            self.arrivals.get(place(sequence)).into_iter().for_each(prefetch);
        }
    }

    /// When [`Self::poll`] has something to say next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Writes the message that is due, a whole RTCP packet, into `out`; its length. To be called until it says `None`.
    ///
    /// What does not fit `out` or one message goes into the next.
    pub fn poll(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        let writer = TransportCcWriter {
            sender_ssrc: self.sender_ssrc,
            media_ssrc: self.media_ssrc,
            base_sequence: self.next as u16,
            feedback_count: self.feedback_count,
        };
        let arrivals = (self.next..self.end).map(|sequence| self.arrivals[place(sequence)].checked_sub(1));
        let Some(Written { length, statuses }) = writer.write(arrivals, out) else {
            self.news_since = now;
            self.due = (self.news > 0).then_some(now + INTERVAL);
            return None;
        };
        self.next += statuses as u64;
        self.news = (self.next..self.end).filter(|s| self.arrivals[place(*s)] != 0).count();
        self.news_since = now;
        self.due = (self.news > 0).then_some(now);
        self.last_sent = Some(now);
        self.feedback_count = self.feedback_count.wrapping_add(1);
        Some(length)
    }

    /// Whether [`MUCH_NEWS`] came within the last `interval`: this one and those that were sent before it.
    fn is_much(&self, now: Instant, sequence: u64, interval: Duration) -> bool {
        let since = || self.ticks(now).saturating_sub(TransportCcWriter::ticks(interval));
        let earliest = (sequence + 1).checked_sub(MUCH_NEWS as u64).filter(|_| self.news >= MUCH_NEWS);
        earliest.is_some_and(|earliest| self.arrivals[place(earliest)] > since())
    }

    fn ticks(&self, now: Instant) -> u64 {
        TransportCcWriter::ticks(now.saturating_duration_since(self.origin))
    }

    /// Moves the end past `sequence`, which is the highest so far.
    fn advance(&mut self, sequence: u64) {
        if sequence - self.end >= HISTORY as u64 {
            self.arrivals.fill(0);
            (self.next, self.news) = (sequence, 0);
        } else {
            (self.end..=sequence).for_each(|passed| *self.arrival(passed) = 0);
        }
        self.end = sequence + 1;
        self.next = self.next.max(self.end.saturating_sub(HISTORY as u64));
    }

    fn arrival(&mut self, sequence: u64) -> &mut u64 {
        &mut self.arrivals[place(sequence)]
    }
}

/// Always in bounds: a remainder.
fn place(sequence: u64) -> usize {
    (sequence % HISTORY as u64) as usize
}
