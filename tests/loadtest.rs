//! The load harness against a node: everything that is sent arrives, at the right people, in order.

mod support;

use consilium_loadtest::{
    report::Report,
    run::{self, RunOptions},
    scenario::Scenario,
    target::Target,
};
use support::node::Node;
use tokio::task::LocalSet;

const CONSULTS: &str = "
    [consults]
    count = 2
    participants = 3
    [run]
    warm_up_s = 1.0
    measure_s = 3.0
";

async fn report(node: &Node, scenario: &str) -> Report {
    report_by("", node, scenario).await
}

/// The same by another way in, such as `whip:`.
async fn report_by(way: &str, node: &Node, scenario: &str) -> Report {
    let scenario = Scenario::parse(scenario).expect("a scenario");
    let target = format!("{way}http://{}", node.address());
    let target = Target::parse(&target, Some(node.api_key())).expect("a target");
    let options = RunOptions { server_pid: Some(node.pid()), ..RunOptions::default() };
    LocalSet::new().run_until(run::run(&scenario, &target, &options)).await.expect("a report")
}

fn assert_nothing_is_wrong(report: &Report) {
    let c = &report.counters;
    let wrong = [c.misrouted, c.wrong_track, c.wrong_csrc, c.garbled, c.unauthenticated, c.duplicate];
    assert_eq!(wrong, [0; 6], "{report}");
    assert_eq!((c.lost, c.reordered, c.unknown_ssrc, report.lost_participants), (0, 0, 0, 0), "{report}");
}

#[tokio::test]
async fn everybody_gets_what_the_others_of_the_consult_send_and_nothing_else() {
    let node = Node::dev();
    for sockets in ["shared", "own"] {
        let report = report(&node, &format!("{CONSULTS}sockets = \"{sockets}\"\n")).await;
        assert_nothing_is_wrong(&report);
        // 6 people who send 150 packets a second for 3 s; a machine that runs all tests at once is late with some.
        assert!(report.counters.sent > 2_000, "{report}");
        let twice = 2 * report.counters.sent;
        assert!(report.counters.received.abs_diff(twice) < twice / 10, "{report}");
        assert!(report.counters.transport_cc_received > 0 && report.counters.rtcp_received > 0, "{report}");
        assert!(report.server.as_ref().is_some_and(|server| server.us_per_packet > 0.0), "{report}");
    }
}

#[tokio::test]
async fn a_build_without_the_feature_plants_no_fault_whatever_the_environment_says() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let data = folder.path();
    let arguments = ["serve", "--dev", "--listen", "127.0.0.1:0", "--data"].map(std::ffi::OsStr::new);
    let arguments = arguments.into_iter().chain([data.as_os_str()]);
    let node = Node::serve_with(arguments, data, &[("CONSILIUM_PLANTED_FAULT", "drop:10")]);
    let report = report(&node, CONSULTS).await;
    assert_nothing_is_wrong(&report);
    assert_eq!((report.counters.repaired, report.counters.delayed), (0, 0), "{report}");
}

#[tokio::test]
async fn more_people_than_first_slots_get_slots_by_another_offer() {
    let node = Node::dev();
    let report = report(&node, &CONSULTS.replace("participants = 3", "participants = 6")).await;
    assert_nothing_is_wrong(&report);
    // What never came counts as lost; what came after the window on a busy machine does not.
    let five_times = 5 * report.counters.sent;
    assert!(report.counters.received.abs_diff(five_times) < five_times / 3, "{report}");
}

#[tokio::test]
async fn whip_and_whep_bring_everybody_to_everybody_else() {
    let node = Node::dev();
    let report = report_by("whip:", &node, CONSULTS).await;
    assert_nothing_is_wrong(&report);
    let twice = 2 * report.counters.sent;
    assert!(report.counters.received.abs_diff(twice) < twice / 10, "{report}");
}

#[tokio::test]
async fn a_bad_network_shows_as_loss_and_delay_and_in_nothing_else() {
    let node = Node::dev();
    let network = "[network]\nloss_percent = 2.0\ndelay_ms = 30.0\naddress_change_s = 2.0\n";
    let report = report(&node, &format!("{CONSULTS}{network}")).await;
    let c = &report.counters;
    assert_eq!((c.never_acceptable(), report.lost_participants), (0, 0), "{report}");
    assert!(report.delay.p50_ms >= 60.0, "{report}");
    assert!(c.lost > 0 && c.repaired > 0 && c.nack_answered > 0, "{report}");
    // Sound is lost on both ways and not sent again; an address that changes costs a moment besides.
    assert!(report.loss_before_repair_percent > 2.0 && report.loss_percent < 15.0, "{report}");
}

#[tokio::test]
async fn who_comes_later_is_counted_apart_and_who_is_cut_off_comes_back() {
    let node = Node::dev();
    let storm = "[storm]\nconsults = 3\nover_s = 1.0\n[cut]\nafter_s = 1.0\npercent = 50.0\n";
    let report = report(&node, &format!("{CONSULTS}{storm}")).await;
    assert_eq!((report.consults, report.counters.never_acceptable()), (5, 0), "{report}");
    assert!(report.is_recovered && report.recovery_s.is_some_and(|seconds| seconds < 3.0), "{report}");
    // They resume: nobody begins to join anew, and media goes on.
    assert!(report.resume.is_some_and(|resume| resume.p50_ms > 0.0), "{report}");
    assert_eq!((report.counters.lost, report.refusals.joins), (0, 0), "{report}");
    assert!(report.established_delay.is_some_and(|delay| delay.p99_ms > 0.0), "{report}");
    assert_eq!(report.timeline.len(), 3, "{report}");
}
