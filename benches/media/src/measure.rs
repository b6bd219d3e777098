//! Two cases by turns: medians and their ratio.

use std::{fmt, time::Duration};

use criterion::{BenchmarkGroup, Criterion, SamplingMode, measurement::WallTime};

use crate::{Case, Pace};

/// Turns of each case. Enough for a median that others on the same machine do not move.
const ROUNDS: usize = 101;
/// The same where a turn takes its time.
const REAL_TIME_ROUNDS: usize = 12;
/// A turn is repeated until it is as long as this, so that reading the clock does not count.
const TURN_MIN: Duration = Duration::from_micros(200);

/// Of each of those.
const REAL_TIME: Duration = Duration::from_millis(1_200);
/// Criterion takes no fewer.
const SAMPLES_MIN: usize = 10;

/// What came of running two cases by turns.
#[derive(Debug, Clone, Copy)]
pub struct Compared {
    /// Median nanoseconds a unit.
    pub floor_ns: f64,
    /// Likewise.
    pub subject_ns: f64,
    /// Median of the turns' own ratios.
    pub ratio: f64,
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { floor_ns, subject_ns, ratio } = self;
        write!(f, "floor {floor_ns:9.1} ns   engine {subject_ns:9.1} ns   ratio {ratio:5.2}")
    }
}

/// Runs both by turns.
pub fn compare(floor: &mut dyn Case, subject: &mut dyn Case) -> Compared {
    let rounds = match subject.pace() {
        Pace::Quick => ROUNDS,
        Pace::RealTime => REAL_TIME_ROUNDS,
    };
    let rounds: Vec<(f64, f64)> = (0..rounds).map(|_| (turn(floor), turn(subject))).collect();
    Compared {
        floor_ns: median(rounds.iter().map(|r| r.0)),
        subject_ns: median(rounds.iter().map(|r| r.1)),
        ratio: median(rounds.iter().map(|r| r.1 / r.0)),
    }
}

/// Nanoseconds a unit.
fn turn(case: &mut dyn Case) -> f64 {
    let (mut spent, mut runs) = (Duration::ZERO, 0);
    while spent < TURN_MIN {
        spent += case.spend();
        runs += 1;
    }
    spent.as_nanos() as f64 / (runs * case.units()) as f64
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A criterion that is quick enough for dozens of cases, on the command line's terms.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(20)
        .configure_from_args()
}

/// Whether the command line asks for cases of this name.
pub fn is_wanted(name: &str) -> bool {
    let mut wanted = std::env::args().skip(1).filter(|a| !a.starts_with('-')).peekable();
    wanted.peek().is_none() || wanted.any(|part| name.contains(&part))
}

/// Gives both to criterion, then tells the ratio. With `RATIOS_ONLY` in the environment, only the latter.
pub fn bench(criterion: &mut Criterion, name: &str, floor: &mut dyn Case, subject: &mut dyn Case) {
    if !is_wanted(name) {
        return;
    }
    if std::env::var_os("RATIOS_ONLY").is_none() {
        let mut group = criterion.benchmark_group(name);
        add(&mut group, "floor", floor);
        add(&mut group, "engine", subject);
        group.finish();
    }
    println!("{name:<28} {}", compare(floor, subject));
}

fn add(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, case: &mut dyn Case) {
    if case.pace() == Pace::RealTime {
        group.sampling_mode(SamplingMode::Flat).sample_size(SAMPLES_MIN).measurement_time(REAL_TIME);
    }
    group.throughput(criterion::Throughput::Elements(case.units()));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|runs| (0..runs).map(|_| case.spend()).sum());
    });
}
