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
use tokio::task::LocalSet;

/// The integrity scenario against a node with this fault.
async fn report_with(fault: &str) -> Report {
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
    // 12 people who each send 500 packets a second to two others, for 10 s.
    assert!(report.counters.received > 60_000, "{report}");
    report
}

/// Faults of which the report has an example.
fn named(report: &Report) -> Vec<Fault> {
    let mut named: Vec<Fault> = report.findings.iter().map(|finding| finding.fault).collect();
    named.dedup();
    named
}

/// How many in 10,000 received packets.
fn rate(report: &Report, count: u64) -> f64 {
    count as f64 * 10_000.0 / report.counters.received as f64
}

#[tokio::test]
async fn without_a_fault_nothing_is_found() {
    let report = report_with("none").await;
    assert!(report.is_good() && report.findings.is_empty(), "{report}");
}

#[tokio::test]
async fn dropped_packets_are_found_before_and_after_repair() {
    let report = report_with("drop:10000").await;
    let c = &report.counters;
    assert!(!report.is_good() && report.loss_before_repair_percent > 0.0, "{report}");
    assert!((0.5..2.0).contains(&rate(&report, c.lost + c.repaired)), "{report}");
    // Pictures are repaired, and sound, for which nobody asks again, is not: that alone may be named.
    assert!(c.repaired > 0 && named(&report).iter().all(|fault| *fault == Fault::Lost), "{report}");
}

#[tokio::test]
async fn repeated_packets_are_found() {
    let report = report_with("duplicate:10000").await;
    assert!((0.5..2.0).contains(&rate(&report, report.counters.duplicate)), "{report}");
    assert!(!report.is_good() && named(&report) == [Fault::Duplicate], "{report}");
}

#[tokio::test]
async fn delayed_packets_are_found() {
    let report = report_with("delay:10000").await;
    assert!((0.5..2.0).contains(&rate(&report, report.counters.delayed)), "{report}");
    assert!(!report.is_good() && named(&report) == [Fault::Delayed], "{report}");
    let late = report.findings.iter().filter_map(|finding| finding.late_ms);
    assert!(late.into_iter().all(|late_ms| late_ms >= 100.0), "{report}");
}

#[tokio::test]
async fn misrouted_packets_are_found_where_they_do_not_belong() {
    let report = report_with("misroute:10000").await;
    assert!((0.5..2.0).contains(&rate(&report, report.counters.misrouted)), "{report}");
    let (named, size) = (named(&report), 3);
    assert!(!report.is_good() && named.last() == Some(&Fault::Misrouted), "{report}");
    let wrong = report.findings.iter().filter(|finding| finding.fault == Fault::Misrouted);
    let is_elsewhere =
        |receiver: u32, sender: Option<u32>| sender.is_some_and(|of| of / size != receiver / size);
    assert!(wrong.into_iter().all(|finding| is_elsewhere(finding.receiver, finding.sender)), "{report}");
}
