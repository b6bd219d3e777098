//! What a join costs the server beside the public-key operations that no handshake can do without.

use std::time::Duration;

use media_benches::{
    handshakes::{Joins, PublicKeyWork},
    measure,
};

const ROUNDS: usize = 101;

fn main() {
    let mut criterion = measure::criterion();
    let (floor, mut joins) = (PublicKeyWork::new(), Joins::new());
    if std::env::var_os("RATIOS_ONLY").is_none() {
        let mut group = criterion.benchmark_group("handshakes");
        group.bench_function("floor", |b| b.iter_custom(|runs| (0..runs).map(|_| floor.run()).sum()));
        group.bench_function("engine", |b| b.iter_custom(|runs| (0..runs).map(|_| joins.join()).sum()));
        group.finish();
    }
    let rounds: Vec<_> = (0..ROUNDS).map(|_| (floor.run(), joins.join())).collect();
    let (least, join) = (median(rounds.iter().map(|r| r.0)), median(rounds.iter().map(|r| r.1)));
    let ratio = join.as_secs_f64() / least.as_secs_f64();
    let a_second = 1.0 / join.as_secs_f64();
    println!(
        "handshakes  floor {least:?}   join {join:?}   ratio {ratio:.2}   {a_second:.0} joins a second and core"
    );
    criterion.final_summary();
}

fn median(values: impl Iterator<Item = Duration>) -> Duration {
    let mut values: Vec<_> = values.collect();
    values.sort();
    values[values.len() / 2]
}
