//! From a publisher's clocks to the server's.
//!
//! A sender report ties a track's RTP timestamps to the publisher's wall clock (RFC 3550 §6.4.1); one offset, shared by
//! all tracks of a publisher, ties that to the server's clock. Sharing it is what keeps lips in sync: an error in it
//! moves sound and picture alike. The offset is the smallest of `arrival - sent` over the last reports: the one that
//! waited least in queues.

use std::time::{Duration, Instant};

use crate::rtp::NtpTime;

/// Reports that the minimum is taken of, and for how long one counts: a clock that drifts by 100 ppm is followed
/// within 3 ms.
const REPORTS: usize = 32;
const REPORT_AGE_MAX: Duration = Duration::from_secs(30);

/// No queue explains more: the publisher's wall clock was set.
const STEP_NANOS_MIN: i64 = 500_000_000;

/// A capture time is believed within these bounds before and after the packet's arrival.
const BEFORE_ARRIVAL_MAX: Duration = Duration::from_secs(5);
const AFTER_ARRIVAL_MAX: Duration = Duration::from_millis(500);

/// One publisher's wall clock against the server's.
#[derive(Debug, Default)]
pub struct PublisherClock {
    /// One moment on both clocks, from which both are counted.
    reference: Option<(NtpTime, Instant)>,
    /// `arrival - sent` of the last reports, by time of arrival.
    delays: [Option<(Instant, i64)>; REPORTS],
    next: usize,
    delay_min_nanos: i64,
    /// A report that looks as if the clock was set back, until a second one says the same.
    suspect_nanos: Option<i64>,
    /// Counts the times that the publisher's clock was set.
    generation: u32,
}

impl PublisherClock {
    /// A clock of which nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns from a sender report of any of the publisher's tracks.
    pub fn sender_report(&mut self, now: Instant, ntp: NtpTime) {
        let Some((reference_ntp, reference)) = self.reference else {
            return self.anchor(now, ntp);
        };
        let arrived = now.saturating_duration_since(reference).as_nanos() as i64;
        let delay = arrived.saturating_sub(ntp.nanos_since(reference_ntp));
        if delay < self.delay_min_nanos - STEP_NANOS_MIN {
            self.generation = self.generation.wrapping_add(1);
            return self.anchor(now, ntp);
        }
        if delay > self.delay_min_nanos + STEP_NANOS_MIN {
            // One late report may have waited in a queue.
            let again = self.suspect_nanos.is_some_and(|s| (delay - s).abs() < STEP_NANOS_MIN);
            self.suspect_nanos = Some(delay);
            if again {
                self.generation = self.generation.wrapping_add(1);
                self.anchor(now, ntp);
            }
            return;
        }
        self.suspect_nanos = None;
        self.remember(now, delay);
    }

    /// The publisher's wall-clock time on the server's clock.
    fn to_server(&self, ntp: NtpTime) -> Option<Instant> {
        let (reference_ntp, reference) = self.reference?;
        shift(reference, ntp.nanos_since(reference_ntp).checked_add(self.delay_min_nanos)?)
    }

    fn anchor(&mut self, now: Instant, ntp: NtpTime) {
        self.reference = Some((ntp, now));
        self.delays = [None; REPORTS];
        self.suspect_nanos = None;
        self.remember(now, 0);
    }

    fn remember(&mut self, now: Instant, delay: i64) {
        self.delays[self.next] = Some((now, delay));
        self.next = (self.next + 1) % REPORTS;
        let recent = self.delays.iter().flatten().filter(|(at, _)| now.duration_since(*at) <= REPORT_AGE_MAX);
        self.delay_min_nanos = recent.map(|(_, delay)| *delay).min().unwrap_or(delay);
    }
}

/// One track's RTP timestamps against its publisher's clock.
#[derive(Debug)]
pub struct Timeline {
    clock_rate_hz: u32,
    report: Option<ReportedMoment>,
    /// Before the first report: a timestamp and when it arrived, of the packet that waited least.
    arrived: Option<(u32, Instant)>,
}

/// What the newest sender report said.
#[derive(Debug, Clone, Copy)]
struct ReportedMoment {
    timestamp: u32,
    ntp: NtpTime,
    generation: u32,
    /// The moment on the server's clock, as it looked then: good until the next report if the clock is set meanwhile.
    server: Instant,
}

impl Timeline {
    pub fn new(clock_rate_hz: u32) -> Self {
        Self { clock_rate_hz, report: None, arrived: None }
    }

    /// Notes a packet's arrival; not for retransmissions, which say nothing about delay.
    pub fn packet(&mut self, now: Instant, timestamp: u32) {
        // Counted in ticks, because a packet must not cost a division.
        let waited_less = self.arrived.is_none_or(|(first, at)| {
            let elapsed = ticks(now.saturating_duration_since(at), self.clock_rate_hz) as i64;
            let late = elapsed - i64::from(timestamp.wrapping_sub(first) as i32);
            late < 0 || late > (BEFORE_ARRIVAL_MAX.as_secs() * u64::from(self.clock_rate_hz)) as i64
        });
        if waited_less {
            self.arrived = Some((timestamp, now));
        }
    }

    /// Notes a sender report, of which `clock` has learnt already.
    pub fn sender_report(&mut self, clock: &PublisherClock, ntp: NtpTime, timestamp: u32) {
        self.report = clock.to_server(ntp).map(|server| ReportedMoment {
            timestamp,
            ntp,
            generation: clock.generation,
            server,
        });
    }

    /// When the media of `timestamp`, which arrived at `arrival`, was captured, on the server's clock and later by the
    /// shortest way from the publisher. Never after `arrival`.
    pub fn capture_time(&self, clock: &PublisherClock, timestamp: u32, arrival: Instant) -> Instant {
        let reported = self.by_report(clock, timestamp).filter(|at| is_plausible(*at, arrival));
        let arrived = || self.by_arrival(timestamp).filter(|at| is_plausible(*at, arrival));
        reported.or_else(arrived).map_or(arrival, |at| at.min(arrival))
    }

    fn by_report(&self, clock: &PublisherClock, timestamp: u32) -> Option<Instant> {
        let report = self.report?;
        let moment =
            if report.generation == clock.generation { clock.to_server(report.ntp)? } else { report.server };
        shift(moment, self.nanos(report.timestamp, timestamp))
    }

    fn by_arrival(&self, timestamp: u32) -> Option<Instant> {
        let (first, at) = self.arrived?;
        shift(at, self.nanos(first, timestamp))
    }

    fn nanos(&self, from: u32, to: u32) -> i64 {
        i64::from(to.wrapping_sub(from) as i32) * 1_000_000_000 / i64::from(self.clock_rate_hz)
    }
}

/// A stretch of time in whole ticks of a media clock.
pub fn ticks(time: Duration, clock_rate_hz: u32) -> u64 {
    let rate = u64::from(clock_rate_hz);
    time.as_secs().wrapping_mul(rate) + u64::from(time.subsec_nanos()) * rate / 1_000_000_000
}

fn shift(instant: Instant, nanos: i64) -> Option<Instant> {
    let distance = Duration::from_nanos(nanos.unsigned_abs());
    if nanos < 0 { instant.checked_sub(distance) } else { instant.checked_add(distance) }
}

fn is_plausible(captured: Instant, arrival: Instant) -> bool {
    arrival.saturating_duration_since(captured) <= BEFORE_ARRIVAL_MAX
        && captured.saturating_duration_since(arrival) <= AFTER_ARRIVAL_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const PATH: Duration = Duration::from_millis(30);

    /// A publisher whose wall clock shows `ntp` at `start`, with delays that jump about.
    struct Publisher {
        start: Instant,
        ntp: NtpTime,
        seed: u64,
    }

    impl Publisher {
        fn jitter(&mut self) -> Duration {
            self.seed =
                self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Duration::from_micros((self.seed >> 33) % 50_000)
        }

        /// A report for a 90 kHz track that was at timestamp 0 at `start`.
        fn report(&mut self, after: Duration, clock: &mut PublisherClock, track: &mut Timeline) {
            let now = self.start + after + PATH + self.jitter();
            let ntp = self.ntp.wrapping_add(after);
            clock.sender_report(now, ntp);
            track.sender_report(clock, ntp, (after.as_millis() * 90) as u32);
        }

        /// How far the capture time is from the truth, which is later by the path's shortest delay.
        fn error(&self, after: Duration, clock: &PublisherClock, track: &Timeline) -> Duration {
            let arrival = self.start + after + PATH + MS(50);
            let captured = track.capture_time(clock, (after.as_millis() * 90) as u32, arrival);
            let truth = self.start + after + PATH;
            captured.max(truth) - captured.min(truth)
        }
    }

    fn publisher(ahead: Duration, seed: u64) -> Publisher {
        let start = Instant::now() + Duration::from_secs(1_000);
        Publisher { start, ntp: NtpTime::from_unix(Duration::from_secs(1_800_000_000) + ahead), seed }
    }

    #[test]
    fn publishers_three_seconds_or_days_apart_come_within_milliseconds_of_each_other() {
        for (ahead, seed) in [(MS(0), 1), (MS(3_000), 2), (Duration::from_secs(3 * 86_400), 3)] {
            let mut publisher = publisher(ahead, seed);
            let (mut clock, mut track) = (PublisherClock::new(), Timeline::new(90_000));
            (0..30).for_each(|n| publisher.report(MS(1_000) * n, &mut clock, &mut track));
            let error = publisher.error(MS(30_500), &clock, &track);
            assert!(error <= MS(8), "{ahead:?} ahead: {error:?}");
        }
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let mut publisher = publisher(MS(0), 4);
        let (mut clock, mut track) = (PublisherClock::new(), Timeline::new(90_000));
        // The publisher's clock is slow by 100 ppm: after ten minutes by 60 ms.
        for second in 0..600_u32 {
            publisher.report(MS(1_000) * second, &mut clock, &mut track);
            publisher.ntp = NtpTime(publisher.ntp.0.wrapping_sub((100 << 32) / 1_000_000));
        }
        let error = publisher.error(MS(600_000), &clock, &track);
        assert!(error <= MS(10), "{error:?}");
    }

    #[test]
    fn a_clock_that_is_set_moves_nothing_for_long() {
        for step in [3_000_i64, -3_000] {
            let mut publisher = publisher(MS(10_000), 5);
            let (mut clock, mut track) = (PublisherClock::new(), Timeline::new(90_000));
            (0..10).for_each(|n| publisher.report(MS(1_000) * n, &mut clock, &mut track));
            let ticks = (step.unsigned_abs() << 32) / 1_000;
            publisher.ntp = NtpTime(match step > 0 {
                true => publisher.ntp.0.wrapping_add(ticks),
                false => publisher.ntp.0.wrapping_sub(ticks),
            });
            let other_track_reported_before = track.sender_report_copy();
            (10..14).for_each(|n| publisher.report(MS(1_000) * n, &mut clock, &mut track));
            let error = publisher.error(MS(14_000), &clock, &track);
            assert!(error <= MS(50), "{step} ms: {error:?}");
            let error = publisher.error(MS(14_000), &clock, &other_track_reported_before);
            assert!(error <= MS(50), "{step} ms, the other track: {error:?}");
        }
    }

    #[test]
    fn before_the_first_report_the_packet_that_waited_least_tells() {
        let start = Instant::now();
        let (clock, mut track) = (PublisherClock::new(), Timeline::new(48_000));
        track.packet(start + MS(40), 0);
        track.packet(start + MS(25), 960);
        track.packet(start + MS(90), 1_920);
        assert_eq!(track.capture_time(&clock, 1_920, start + MS(90)), start + MS(45));
    }

    #[test]
    fn a_report_that_cannot_be_true_is_not_believed() {
        let start = Instant::now();
        let (mut clock, mut track) = (PublisherClock::new(), Timeline::new(48_000));
        track.packet(start, 0);
        clock.sender_report(start, NtpTime(0));
        track.sender_report(&clock, NtpTime(0), 48_000 * 60);
        assert_eq!(track.capture_time(&clock, 480, start + MS(30)), start + MS(10));
        assert_eq!(track.capture_time(&clock, 1 << 31, start + MS(30)), start + MS(30));
    }

    impl Timeline {
        fn sender_report_copy(&self) -> Self {
            Self { clock_rate_hz: self.clock_rate_hz, report: self.report, arrived: self.arrived }
        }
    }
}
