//! Joins as fast as they go, while others talk.

use std::{
    collections::VecDeque,
    fmt, io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use super::{
    arrivals::Arrivals,
    consults::{Consults, PICTURES, SOUND, Shape, Spent},
    cores::stand_back,
};

/// Consults of those who join, apart from those who talk.
const CONSULTS_FROM: u32 = 1 << 16;
const SIZE: u32 = 3;
/// Transports of those who join.
const TRANSPORTS_FROM: u64 = 1 << 16;

/// How hard.
#[derive(Debug, Clone, Copy)]
pub struct StormPlan {
    /// Consults of three that talk.
    pub consults: u32,
    /// Joins under way at a time.
    pub underway: usize,
    /// How many stay before the first of them leaves again.
    pub stay: usize,
    /// How long those who talk are watched before the storm.
    pub calm: Duration,
    /// How long it lasts.
    pub storm: Duration,
}

/// A part of it, as those who talked noticed it.
#[derive(Debug)]
pub struct Weather {
    /// Forwarding delay of every packet, ns, sorted.
    pub delays: Vec<u32>,
    /// Of the shard's thread.
    pub spent: Spent,
}

/// What came of it.
#[derive(Debug)]
pub struct Storm {
    /// Nobody joins.
    pub calm: Weather,
    /// Everybody does.
    pub storm: Weather,
    /// From command to media of every join, sorted.
    pub joins: Vec<Duration>,
    /// Turned away.
    pub refused: u64,
    /// What the kernel dropped.
    pub kernel_drops: u64,
    /// Quarters of the video that are withheld at the end.
    pub video_withheld: u8,
}

impl Storm {
    /// Runs it on a node of its own.
    ///
    /// # Errors
    /// What the system said.
    pub fn run(plan: &StormPlan) -> io::Result<Self> {
        let shape = Shape { consults: plan.consults, size: 3, publishers: 3, flows: vec![SOUND, PICTURES] };
        let mut consults = Consults::on_node(&shape, true)?;
        let spent = consults.talk(plan.calm);
        let calm = Weather { delays: consults.take_delays(), spent };
        let node = consults.node();
        let (shard, events) = (node.shard().clone(), node.events.take().ok_or(io::ErrorKind::NotConnected)?);
        let is_over = AtomicBool::new(false);
        let (spent, crowd) = thread::scope(|scope| {
            let crowd = scope.spawn(|| {
                stand_back();
                rage(plan, Arrivals::new(shard, events, TRANSPORTS_FROM, false)?, &is_over)
            });
            let spent = consults.talk(plan.storm);
            is_over.store(true, Relaxed);
            (spent, crowd.join())
        });
        let (mut joins, refused) = crowd.map_err(|_| io::Error::other("the crowd failed"))??;
        joins.sort_unstable();
        let storm = Weather { delays: consults.take_delays(), spent };
        let (kernel_drops, video_withheld) = consults.node().shortfall();
        Ok(Self { calm, storm, joins, refused, kernel_drops, video_withheld })
    }

    /// CPU time of the shard for each join, the leaving of those before included; `None` where fewer packets were
    /// forwarded meanwhile, so that it cannot be told.
    pub fn cpu_of_a_join(&self) -> Option<Duration> {
        let extra = self.storm.spent.share() - self.calm.spent.share();
        let is_like_before = self.storm.packets_a_second() > self.calm.packets_a_second() * 0.98;
        (is_like_before && extra > 0.0 && !self.joins.is_empty())
            .then(|| self.storm.spent.time.mul_f64(extra / self.joins.len() as f64))
    }
}

impl Weather {
    fn packets_a_second(&self) -> f64 {
        self.delays.len() as f64 / self.spent.time.as_secs_f64()
    }
}

/// Joins until it is over; how long each took, and how many were turned away.
fn rage(plan: &StormPlan, mut arrivals: Arrivals, is_over: &AtomicBool) -> io::Result<(Vec<Duration>, u64)> {
    let (mut joins, mut staying, mut invited) = (Vec::new(), VecDeque::new(), 0);
    while !is_over.load(Relaxed) {
        while arrivals.underway() < plan.underway {
            arrivals.invite(CONSULTS_FROM + invited / SIZE, invited % SIZE + 1)?;
            invited += 1;
        }
        for arrived in arrivals.step() {
            joins.push(arrived.took);
            staying.push_back(arrived);
        }
        while staying.len() > plan.stay
            && let Some(first) = staying.pop_front()
        {
            arrivals.leave(first.transport)?;
        }
    }
    Ok((joins, arrivals.refused))
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |q| f64::from(quantile(&self.delays, q)) / 1e6;
        write!(
            f,
            "{:6.0} packets a second   delay p50 {:.2} ms, p99 {:.2}, p99.9 {:.2}, longest {:.2}   \
             shard on its core {:.0} %, waiting for it {:.1} %",
            self.packets_a_second(),
            ms(0.5),
            ms(0.99),
            ms(0.999),
            ms(1.0),
            self.spent.share() * 100.0,
            self.spent.waited.as_secs_f64() / self.spent.time.as_secs_f64() * 100.0,
        )
    }
}

impl fmt::Display for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "storm/before   {}", self.calm)?;
        writeln!(f, "storm/during   {}", self.storm)?;
        write!(
            f,
            "storm/joins    {:6.0} a second, {} turned away   from command to media p50 {:.0?}, p99 {:.0?}   \
             kernel drops {}, quarters of video withheld {}",
            self.joins.len() as f64 / self.storm.spent.time.as_secs_f64(),
            self.refused,
            quantile(&self.joins, 0.5),
            quantile(&self.joins, 0.99),
            self.kernel_drops,
            self.video_withheld,
        )
    }
}

/// 0 where there is nothing.
fn quantile<T: Copy + Default>(sorted: &[T], q: f64) -> T {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * q) as usize).copied().unwrap_or_default()
}
