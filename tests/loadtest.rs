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
    let scenario = Scenario::parse(scenario).expect("a scenario");
    let target =
        Target::parse(&format!("http://{}", node.address()), Some(node.api_key())).expect("a target");
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
async fn more_people_than_first_slots_get_slots_by_another_offer() {
    let node = Node::dev();
    let report = report(&node, &CONSULTS.replace("participants = 3", "participants = 6")).await;
    assert_nothing_is_wrong(&report);
    let five_times = 5 * report.counters.sent;
    assert!(report.counters.received.abs_diff(five_times) < five_times / 10, "{report}");
}
