//! How much of a core a shard takes: measured by its own thread, published for placement and metrics.

use std::time::{Duration, Instant};

use crate::limits::{LOAD_SAMPLE_INTERVAL, SATURATED_SHARE};

/// The newest sample counts for this part of the smoothed share: 90 % of a step shows after seven seconds.
const NEWEST_WEIGHT: f64 = 0.3;

/// What a shard's thread costs and how it keeps up, at most a second ago.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    /// CPU time of the shard's thread since it started.
    pub cpu: Duration,
    /// Share of one core, smoothed over some seconds: 0 to 1.
    pub share: f64,
    /// How many samples were taken; a new number is news.
    pub samples: u64,
    /// Transports now.
    pub transports: u64,
    /// Quarters of the video that are withheld because the shard falls behind: 0 to 4.
    pub video_withheld: u8,
    /// Datagrams that the kernel dropped because the shard did not fetch them in time.
    pub kernel_drops: u64,
}

impl Load {
    /// Whether another consult would be a bad one here.
    pub fn is_saturated(&self) -> bool {
        self.share >= SATURATED_SHARE || self.video_withheld > 0
    }
}

/// Samples the CPU time of the thread that asks.
#[derive(Debug, Default)]
pub(crate) struct LoadMeter {
    last: Option<(Instant, Duration)>,
    share: f64,
    samples: u64,
}

impl LoadMeter {
    /// Takes a sample if one is due.
    pub fn poll(&mut self, now: Instant) {
        let is_due =
            self.last.is_none_or(|(at, _)| now.saturating_duration_since(at) >= LOAD_SAMPLE_INTERVAL);
        if is_due {
            self.sample(now, thread_cpu_time());
        }
    }

    /// CPU time at the newest sample, the smoothed share, and how many samples there were.
    pub fn read(&self) -> (Duration, f64, u64) {
        (self.last.map_or(Duration::ZERO, |(_, cpu)| cpu), self.share, self.samples)
    }

    fn sample(&mut self, now: Instant, cpu: Duration) {
        let before = self.last.replace((now, cpu));
        let Some((at, cpu_before)) = before else { return };
        let elapsed = now.saturating_duration_since(at).as_secs_f64();
        if elapsed <= 0.0 {
            return;
        }
        let share = (cpu.saturating_sub(cpu_before).as_secs_f64() / elapsed).min(1.0);
        self.share += (share - self.share) * if self.samples == 0 { 1.0 } else { NEWEST_WEIGHT };
        self.samples += 1;
    }
}

/// User and system time of this thread; zero where the system does not tell, and then placement goes by transports.
fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure lives across the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    if result != 0 {
        return Duration::ZERO;
    }
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_cpu_time_over_time_and_follows_in_some_seconds() {
        let (mut meter, start) = (LoadMeter::default(), Instant::now());
        let second = |n: u64| start + Duration::from_secs(n);
        let ms = Duration::from_millis;
        meter.sample(second(0), ms(10));
        assert_eq!(meter.read(), (ms(10), 0.0, 0), "one sample is no rate");
        meter.sample(second(1), ms(510));
        assert!((meter.read().1 - 0.5).abs() < 1e-9);
        for n in 2..9 {
            meter.sample(second(n), ms(510));
        }
        let (cpu, share, samples) = meter.read();
        assert!(share < 0.05 && samples == 8 && cpu == ms(510), "{share}");
    }

    #[test]
    fn samples_are_a_second_apart_and_measure_work() {
        let (mut meter, start) = (LoadMeter::default(), Instant::now());
        meter.poll(start);
        meter.poll(start + LOAD_SAMPLE_INTERVAL / 2);
        assert_eq!(meter.read().2, 0);
        let busy_until = Instant::now() + Duration::from_millis(20);
        while Instant::now() < busy_until {}
        meter.poll(start + LOAD_SAMPLE_INTERVAL);
        let (cpu, share, samples) = meter.read();
        assert!(samples == 1 && share > 0.0 && cpu > Duration::ZERO, "{share}");
    }

    #[test]
    fn a_shard_that_withholds_video_or_has_no_time_left_is_saturated() {
        assert!(!Load { share: SATURATED_SHARE - 0.01, ..Load::default() }.is_saturated());
        assert!(Load { share: SATURATED_SHARE, ..Load::default() }.is_saturated());
        assert!(Load { video_withheld: 1, ..Load::default() }.is_saturated());
    }
}
