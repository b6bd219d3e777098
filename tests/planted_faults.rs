//! The harness finds what a build does wrong on purpose: one forwarded packet in 10,000 lost, repeated, held back or given to
//! somebody else. Needs that build: `cargo test --features planted-faults --test planted_faults`.

mod support;

use std::{ffi::OsStr, path::Path};

use consilium_loadtest::{
    findings::Fault,
    report::Report,
    run::{self, RunOptions},
    scenario::Scenario,
    target::Target,
};
use support::node::Node;
use tokio::{sync::Mutex, task::LocalSet};

/// A run from which the host took more than this of a core in some second, in percent, is made again.
const TAKEN_PERCENT_MAX: f64 = 20.0;
const RUNS_MAX: usize = 4;

/// One run at a time: each needs both cores of a small machine for itself.
static MACHINE: Mutex<()> = Mutex::const_new(());

/// What the harness found.
struct Found {
    report: Report,
    /// Whether the host left node and harness their cores. Where it did not in any run, packets may have come late or have
    /// been lost for that, which is no fault of the harness; repeated or misrouted they cannot have been.
    undisturbed: bool,
}

impl Found {
    /// Whether nothing else was found than this.
    fn only(&self, fault: Option<Fault>) -> bool {
        let excused = |fault: &Fault| !self.undisturbed && matches!(fault, Fault::Lost | Fault::Delayed);
        let mut named = self.report.findings.iter().map(|finding| finding.fault);
        named.all(|named| Some(named) == fault || excused(&named))
    }

    /// Whether the report names this.
    fn names(&self, fault: Fault) -> bool {
        !self.report.is_good() && self.report.findings.iter().any(|finding| finding.fault == fault)
    }

    /// Whether so many are what one packet in 10,000 comes to.
    fn is_one_in_10_000(&self, count: u64) -> bool {
        let in_10_000 = count as f64 * 10_000.0 / self.report.counters.received as f64;
        in_10_000 >= 0.5 && (in_10_000 < 2.0 || !self.undisturbed)
    }
}

/// The integrity scenario against a node with this fault.
async fn found_with(fault: &str) -> Found {
    let _machine = MACHINE.lock().await;
    let mut found = run_with(fault).await;
    for _ in 1..RUNS_MAX {
        if found.undisturbed {
            break;
        }
        found = run_with(fault).await;
    }
    // 12 people who each send 500 packets a second to two others, for 10 s.
    assert!(found.report.counters.received > 60_000, "{}", found.report);
    found
}

async fn run_with(fault: &str) -> Found {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let data = folder.path();
    let arguments = ["serve", "--dev", "--shards", "1", "--listen", "127.0.0.1:0", "--data"];
    let arguments = arguments.iter().map(OsStr::new).chain([data.as_os_str()]);
    let node = Node::serve_with(arguments, data, &[("CONSILIUM_PLANTED_FAULT", fault)]);
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("loadtest/scenarios/integrity.toml");
    let scenario = Scenario::load(&scenario).expect("a scenario");
    let target =
        Target::parse(&format!("http://{}", node.address()), Some(node.api_key())).expect("a target");
    let options = RunOptions { server_pid: Some(node.pid()), ..RunOptions::default() };
    let report = LocalSet::new().run_until(run::run(&scenario, &target, &options)).await.expect("a report");
    let undisturbed = report.host.iter().all(|core| core.stolen_second_percent <= TAKEN_PERCENT_MAX);
    Found { report, undisturbed }
}

#[tokio::test]
async fn without_a_fault_nothing_is_found() {
    let found = found_with("none").await;
    let report = &found.report;
    assert!(found.only(None) && (report.is_good() || !found.undisturbed), "{report}");
}

#[tokio::test]
async fn dropped_packets_are_found_before_and_after_repair() {
    let found = found_with("drop:10000").await;
    let (report, c) = (&found.report, &found.report.counters);
    assert!(!report.is_good() && report.loss_before_repair_percent > 0.0, "{report}");
    assert!(found.is_one_in_10_000(c.lost + c.repaired), "{report}");
    // Pictures are repaired, and sound, for which nobody asks again, is not: that alone may be named.
    assert!(c.repaired > 0 && found.only(Some(Fault::Lost)), "{report}");
}

#[tokio::test]
async fn repeated_packets_are_found() {
    let found = found_with("duplicate:10000").await;
    let report = &found.report;
    assert!(found.is_one_in_10_000(report.counters.duplicate), "{report}");
    assert!(found.names(Fault::Duplicate) && found.only(Some(Fault::Duplicate)), "{report}");
}

#[tokio::test]
async fn delayed_packets_are_found() {
    let found = found_with("delay:10000").await;
    let report = &found.report;
    assert!(found.is_one_in_10_000(report.counters.delayed), "{report}");
    assert!(found.names(Fault::Delayed) && found.only(Some(Fault::Delayed)), "{report}");
    let late = report.findings.iter().filter_map(|finding| finding.late_ms);
    assert!(late.into_iter().all(|late_ms| late_ms >= 100.0), "{report}");
}

#[tokio::test]
async fn misrouted_packets_are_found_where_they_do_not_belong() {
    let found = found_with("misroute:10000").await;
    let (report, size) = (&found.report, 3);
    assert!(found.is_one_in_10_000(report.counters.misrouted) && found.names(Fault::Misrouted), "{report}");
    let wrong = report.findings.iter().filter(|finding| finding.fault == Fault::Misrouted);
    let is_elsewhere =
        |receiver: u32, sender: Option<u32>| sender.is_some_and(|of| of / size != receiver / size);
    assert!(wrong.into_iter().all(|finding| is_elsewhere(finding.receiver, finding.sender)), "{report}");
}
