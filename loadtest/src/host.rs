//! What the host of a virtual machine took from the cores that a measurement ran on: time in which a core had something to
//! do and was not there. No process sees it, so it looks as if the server, or the harness, had been slow.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, process,
};

use serde::{Deserialize, Serialize};

/// From this share of the window on, the slowest hundredth of all packets may be the host's doing.
const NOTED_PERCENT: f64 = 1.0;
/// From this share of one second on, it may be the longest delays.
const NOTED_SECOND_PERCENT: f64 = 10.0;
/// Cores that Linux knows at most, on x86-64.
const CORES_MAX: usize = 8_192;

/// A core that the server or the harness may run on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Core {
    /// Its number.
    pub core: usize,
    /// Whether the harness may run on it.
    pub harness: bool,
    /// Whether the server may, as far as its process is known.
    pub server: bool,
    /// What the host took of it in the window, in percent.
    pub stolen_percent: f64,
    /// What the host took of it in the worst second, in percent.
    pub stolen_second_percent: f64,
}

impl Core {
    /// What has to be said about a measurement on it. None where the host left it alone.
    pub fn note(&self) -> Option<String> {
        let is_noted =
            self.stolen_percent >= NOTED_PERCENT || self.stolen_second_percent >= NOTED_SECOND_PERCENT;
        is_noted.then(|| {
            format!(
                "the host took {:.1} % of core {} ({}) during the window, {:.0} % of it in the worst second: delays are \
                 its, not the server's",
                self.stolen_percent,
                self.core,
                self.whose(),
                self.stolen_second_percent
            )
        })
    }

    /// Who may run on it.
    pub fn whose(&self) -> &'static str {
        match (self.server, self.harness) {
            (true, true) => "server and harness",
            (true, false) => "server",
            _ => "harness",
        }
    }
}

/// Time of a core since the machine began, in ticks.
#[derive(Debug, Clone, Copy, Default)]
struct Ticks {
    stolen: u64,
    all: u64,
}

impl Ticks {
    fn stolen_percent_since(self, earlier: Self) -> f64 {
        let all = self.all.saturating_sub(earlier.all).max(1);
        self.stolen.saturating_sub(earlier.stolen) as f64 / all as f64 * 100.0
    }
}

/// Looks at the cores once a second.
#[derive(Debug)]
pub struct Watch {
    cores: Vec<Core>,
    first: BTreeMap<usize, Ticks>,
    before: BTreeMap<usize, Ticks>,
}

impl Watch {
    /// Begins with the cores that this process and the server may run on. Where `/proc` says nothing there are none.
    pub fn begin(server_pid: Option<u32>) -> Self {
        let server = server_pid.map(cores_of).unwrap_or_default();
        Self::new(&cores_of(process::id()), &server, &read_stat())
    }

    fn new(harness: &BTreeSet<usize>, server: &BTreeSet<usize>, stat: &str) -> Self {
        let first = ticks(stat);
        let core = |core: &usize| Core {
            core: *core,
            harness: harness.contains(core),
            server: server.contains(core),
            stolen_percent: 0.0,
            stolen_second_percent: 0.0,
        };
        let cores = harness.union(server).filter(|core| first.contains_key(core)).map(core).collect();
        Self { cores, before: first.clone(), first }
    }

    /// The cores that are looked at.
    pub fn cores(&self) -> impl Iterator<Item = usize> {
        self.cores.iter().map(|core| core.core)
    }

    /// A second has passed. Gives what the host took since the last call from the core that lost most, in percent.
    pub fn second(&mut self) -> f64 {
        self.look(&read_stat())
    }

    fn look(&mut self, stat: &str) -> f64 {
        let now = ticks(stat);
        let mut most = 0.0_f64;
        for core in &mut self.cores {
            let at = |ticks: &BTreeMap<usize, Ticks>| ticks.get(&core.core).copied().unwrap_or_default();
            let stolen = at(&now).stolen_percent_since(at(&self.before));
            core.stolen_percent = at(&now).stolen_percent_since(at(&self.first));
            core.stolen_second_percent = core.stolen_second_percent.max(stolen);
            most = most.max(stolen);
        }
        self.before = now;
        most
    }

    /// What was taken until the last look.
    pub fn end(self) -> Vec<Core> {
        self.cores
    }
}

fn read_stat() -> String {
    fs::read_to_string("/proc/stat").unwrap_or_default()
}

/// Reads `/proc/stat` (proc_stat(5)): of each core's line the eighth number is what was stolen, and the first eight are all
/// of its time; what follows them, guests' time, is in the first two.
fn ticks(stat: &str) -> BTreeMap<usize, Ticks> {
    let line = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let core = words.next()?.strip_prefix("cpu")?.parse().ok()?;
        let times: Vec<u64> = words.take(8).map_while(|word| word.parse().ok()).collect();
        let stolen = *times.get(7)?;
        Some((core, Ticks { stolen, all: times.iter().sum() }))
    };
    stat.lines().filter_map(line).collect()
}

/// Cores that any thread of a process may run on; none where there is no such process.
fn cores_of(pid: u32) -> BTreeSet<usize> {
    let mut cores = BTreeSet::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        // A thread may end between the two.
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        cores.extend(list.into_iter().flat_map(listed));
    }
    cores
}

/// Reads `0-2,5`.
fn listed(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse::<usize>().ok()?);
        Some(first..=last.min(CORES_MAX))
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two cores with so many ticks of work and stolen ones, the rest of `all` idle.
    fn stat(all: u64, stolen: [u64; 2]) -> String {
        let line = |core: usize| {
            let stolen = stolen[core];
            format!("cpu{core} 5 0 3 {} 1 0 2 {stolen} 0 0\n", all - stolen - 11)
        };
        format!(
            "cpu  10 0 6 0 2 0 4 {} 0 0\n{}{}intr 77 0\nctxt 5\n",
            stolen[0] + stolen[1],
            line(0),
            line(1)
        )
    }

    #[test]
    fn what_the_host_took_is_said_of_each_core_and_noted_where_it_matters() {
        let (harness, server) = (BTreeSet::from([1]), BTreeSet::from([0]));
        let mut watch = Watch::new(&harness, &server, &stat(1_000, [50, 50]));
        assert!((watch.look(&stat(1_100, [50, 50])) - 0.0).abs() < 1e-9);
        assert!((watch.look(&stat(1_200, [64, 51])) - 14.0).abs() < 1e-9);
        let cores = watch.end();
        let (first, second) = (cores.first().expect("core 0"), cores.get(1).expect("core 1"));
        assert_eq!((first.whose(), second.whose()), ("server", "harness"));
        assert!((first.stolen_percent - 7.0).abs() < 1e-9, "{first:?}");
        let note = "the host took 7.0 % of core 0 (server) during the window, 14 % of it in the worst second: delays are \
                    its, not the server's";
        assert_eq!(first.note().as_deref(), Some(note));
        assert_eq!((second.stolen_percent, second.note()), (0.5, None));
    }

    #[test]
    fn a_single_bad_second_of_a_long_window_is_noted() {
        let both = BTreeSet::from([0]);
        let mut watch = Watch::new(&both, &both, &stat(1_000, [0, 0]));
        for second in 1..=100 {
            watch.look(&stat(1_000 + 100 * second, [if second > 50 { 20 } else { 0 }, 0]));
        }
        let core = watch.end().pop().expect("a core");
        assert!(core.stolen_percent < 0.3 && core.stolen_second_percent > 19.0, "{core:?}");
        assert!(core.note().is_some_and(|note| note.contains("core 0 (server and harness)")), "{core:?}");
    }

    #[test]
    fn lists_of_cores_and_what_is_no_such_list_are_read() {
        assert_eq!(listed("\t0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(listed("7"), [7]);
        assert!(
            listed("").is_empty() && listed("x,-3").is_empty() && listed("0-99999999").len() <= CORES_MAX + 1
        );
        assert!(ticks("cpu0 1 2 3\ncpux 1 2 3 4 5 6 7 8\n\ncpu").is_empty());
        assert!(Watch::begin(None).end().iter().all(|core| core.harness && !core.server));
    }
}
