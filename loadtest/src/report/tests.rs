//! A report's words and its way through JSON.

use std::time::Duration;

use super::*;
use crate::findings::Fault;

/// A report of 60 s in which 5 packets of 9,000 each second went to the wrong person.
pub(crate) fn sample_report() -> Report {
    let text = "[consults]\ncount = 30\nparticipants = 3\n";
    let scenario = Scenario::parse(text).expect("a scenario");
    let window = |packets: u64| {
        let mut measure = Measure::new();
        measure.counters.received = packets;
        measure.counters.sent = packets / 2;
        measure.counters.frames = packets / 4;
        measure.counters.misrouted = packets / 1_800;
        (1..=packets.min(9_000)).for_each(|at| measure.delay((0, 1), 0, at * 1_000));
        let finding = Finding {
            fault: Fault::Misrouted,
            at_s: 1.0,
            receiver: 7,
            track: crate::plan::Kind::Audio,
            sender: Some(1),
            sequence: Some(70),
            late_ms: None,
        };
        measure.findings.note(finding);
        let seconds = packets / 9_000;
        Window { measure, wall_ns: seconds * 1_000_000_000, cpu_ns: seconds * 300_000_000 }
    };
    let used = |seconds: u64| Used {
        wall_ns: seconds * 1_000_000_000,
        cpu_ns: seconds * 45_000_000,
        resident_bytes: 40 << 20,
        descriptors: 120,
        sockets: 100,
        threads: 5,
        growth: 0,
    };
    let sample = |at: u64| Sample::new(Duration::from_secs(at), &[window(9_000)], 30, Some(used(1)));
    let gathered = Gathered {
        consults: 30,
        participants: 90,
        lost_participants: 0,
        windows: vec![window(540_000)],
        join_ms: &[20.0, 30.0, 40.0],
        resume_ms: &[10.0, 20.0],
        refusals: Refusals { joins: 5, tried_again: 4, participants: 3 },
        join_steps_ms: &[
            [0.0, 1.0, 2.0, 3.0, 4.0, 10.0],
            [0.0, 1.0, 2.0, 3.0, 4.0, 20.0],
            [0.0, 1.0, 2.0, 3.0, 4.0, 30.0],
        ],
        used: Some(used(60)),
        host: vec![Core {
            core: 3,
            harness: false,
            server: true,
            stolen_percent: 7.0,
            stolen_second_percent: 30.0,
        }],
        timeline: (1..=60).map(sample).collect(),
        undisturbed: None,
        recovery_s: None,
        is_recovered: true,
        stopped: false,
        kept_awake: false,
        at_s: 1_795_330_800,
    };
    Report::new(gathered, &scenario)
}

#[test]
fn every_failure_is_a_threshold_that_failed() {
    let report = sample_report();
    assert!(!report.is_good());
    let failed: Vec<&str> = report.checks.iter().filter(|c| !c.passed).map(|c| c.name.as_str()).collect();
    assert_eq!(failed, ["packets misrouted", "participants refused"]);
    assert_eq!(report.failures, ["300 packets misrouted", "3 participants refused"]);
    assert!(
        report.to_string().contains("refused        5 joins, 4 tried again, 3 participants for good"),
        "{report}"
    );
    assert!(report.to_string().contains("resume         p50 20.000"), "{report}");
    let text = report.to_string();
    assert!(text.contains("misrouted: at participant 7, sound of participant 1, packet 70"), "{text}");
    let steps = "of it p50/p99 refused 0/0, WebSocket 1/1, welcome 2/2, answer 3/3, ICE 4/4, DTLS 20/30 ms";
    assert!(text.contains(steps), "{text}");
    assert!(
        text.contains("note           the host took 7.0 % of core 3 (server) during the window"),
        "{text}"
    );
}

#[test]
fn a_report_comes_back_from_json() {
    let report = sample_report();
    let json = serde_json::to_string(&report).expect("JSON");
    let read: Report = serde_json::from_str(&json).expect("a report");
    assert_eq!((read.counters, read.timeline.len()), (report.counters, 60));
    let server = read.server.expect("a server");
    assert!((server.us_per_packet - 5.0).abs() < 0.01, "{server:?}");
}
