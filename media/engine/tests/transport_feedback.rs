//! Transport-wide feedback: what a sender reads of it, by our reader and by somebody else's.

mod random;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use media_engine::{
    rtp::rtcp::{Compound, Packet, TransportCc},
    transport::feedback::TransportFeedback,
};
use random::Random;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, SymbolTypeTcc, TransportLayerCc};
use rtc_shared::marshal::Unmarshal;

const MS: Duration = Duration::from_millis(1);

/// Number and arrival in ticks of 250 µs since reference time 0, as the other implementation reads them.
fn their_reading(mut bytes: &[u8]) -> Vec<Status> {
    let feedback = TransportLayerCc::unmarshal(&mut bytes).unwrap();
    let symbols = feedback.packet_chunks.iter().flat_map(|chunk| match chunk {
        PacketStatusChunk::RunLengthChunk(c) => vec![c.packet_status_symbol; c.run_length.into()],
        PacketStatusChunk::StatusVectorChunk(c) => c.symbol_list.clone(),
    });
    let mut deltas = feedback.recv_deltas.iter();
    let mut ticks = i64::from(feedback.reference_time) * 256;
    let numbers = (0..feedback.packet_status_count).map(|i| feedback.base_sequence_number.wrapping_add(i));
    let read = numbers.zip(symbols).map(|(number, symbol)| {
        if symbol == SymbolTypeTcc::PacketNotReceived {
            return (number, None);
        }
        ticks += deltas.next().unwrap().delta / 250;
        (number, Some(ticks))
    });
    read.collect()
}

fn our_reading(feedback: &TransportCc<'_>) -> Vec<Status> {
    let reference = i64::from(feedback.reference_time) * 256;
    feedback.statuses().map(|s| (s.sequence, s.arrival_ticks.map(|ticks| reference + ticks))).collect()
}

/// One packet's number and when it arrived, if it did.
type Status = (u16, Option<i64>);

/// Polls everything that is due. Both readers read every message, and agree.
fn poll_all(feedback: &mut TransportFeedback, now: Instant, room: usize) -> Vec<Vec<Status>> {
    let mut messages = vec![];
    let mut buffer = vec![0; room];
    while let Some(length) = feedback.poll(now, &mut buffer) {
        let Some(Ok(Packet::TransportCc(read))) = Compound::new(&buffer[..length]).next() else {
            panic!("{:?}", &buffer[..length])
        };
        let ours = our_reading(&read);
        assert_eq!((read.sender_ssrc, read.media_ssrc), (77, 88));
        assert_eq!(ours, their_reading(&buffer[..length]));
        assert!(ours.last().is_some_and(|(_, arrival)| arrival.is_some()));
        messages.push(ours);
    }
    messages
}

fn feedback() -> (TransportFeedback, Instant) {
    let start = Instant::now();
    (TransportFeedback::new(77, start), start)
}

#[test]
fn arrivals_and_losses_are_told_over_a_wrap() {
    let (mut feedback, start) = feedback();
    for (sequence, ms) in [(65_534, 10), (65_535, 12), (1, 80), (0, 81), (5, 99)] {
        feedback.record(start + ms * MS, sequence, 88);
    }
    assert!(poll_all(&mut feedback, start + 109 * MS, 1_200).is_empty(), "not due yet");
    assert_eq!(feedback.poll_timeout(), Some(start + 110 * MS));
    let told = poll_all(&mut feedback, start + 110 * MS, 1_200);
    let expected = [
        (65_534, Some(40)),
        (65_535, Some(48)),
        (0, Some(324)),
        (1, Some(320)),
        (2, None),
        (3, None),
        (4, None),
        (5, Some(396)),
    ];
    assert_eq!(told, [expected]);
    assert_eq!(feedback.poll_timeout(), None, "no news");
}

#[test]
fn a_late_packet_is_told_of_after_all() {
    let (mut feedback, start) = feedback();
    [10, 11, 13].iter().for_each(|sequence| feedback.record(start, *sequence, 88));
    let told = poll_all(&mut feedback, start + 100 * MS, 1_200);
    assert_eq!(told, [[(10, Some(0)), (11, Some(0)), (12, None), (13, Some(0))]]);
    feedback.record(start + 101 * MS, 12, 88);
    feedback.record(start + 102 * MS, 12, 88);
    assert_eq!(feedback.poll_timeout(), Some(start + 1_951 * MS), "one packet alone is not worth a message");
    let told = poll_all(&mut feedback, start + 1_951 * MS, 1_200);
    assert_eq!(told, [[(12, Some(404)), (13, Some(0))]]);
    feedback.record(start + 1_960 * MS, 13, 88);
    assert_eq!(feedback.poll_timeout(), None, "a duplicate is no news");
}

#[test]
fn a_leap_starts_afresh_and_what_is_far_too_late_is_ignored() {
    let (mut feedback, start) = feedback();
    feedback.record(start, 10, 88);
    feedback.record(start + MS, 10 + 600, 88);
    feedback.record(start + MS, 11, 88);
    assert_eq!(poll_all(&mut feedback, start + 100 * MS, 1_200), [[(610, Some(4))]]);
}

#[test]
fn a_time_that_no_delta_holds_goes_into_the_next_message() {
    let (mut feedback, start) = feedback();
    feedback.record(start + 10_000 * MS, 1, 88);
    feedback.record(start, 2, 88);
    feedback.record(start + 10_000 * MS, 3, 88);
    let told = poll_all(&mut feedback, start + 10_100 * MS, 1_200);
    assert_eq!(told, [vec![(1, Some(40_000))], vec![(2, Some(0))], vec![(3, Some(40_000))]]);
}

#[test]
fn much_news_goes_early_but_not_too_often_and_is_numbered() {
    let (mut feedback, start) = feedback();
    let mut sent = vec![];
    let mut buffer = [0; 1_200];
    for ms in 0..1_000 {
        let now = start + ms * MS;
        (0..2).for_each(|i| feedback.record(now, (2 * ms + i) as u16, 88));
        while let Some(length) = feedback.poll(now, &mut buffer) {
            let Some(Ok(Packet::TransportCc(read))) = Compound::new(&buffer[..length]).next() else {
                panic!()
            };
            assert_eq!(usize::from(read.feedback_count), sent.len());
            sent.push(ms);
        }
    }
    assert_eq!(sent.first(), Some(&19), "40 packets at two a millisecond");
    assert!(sent.windows(2).all(|pair| pair[1] - pair[0] == 50), "{sent:?}");
}

/// Packets every so many milliseconds, for ten seconds; when messages were due, and how many packets they told of at most.
fn paced(gap_ms: u32) -> (Vec<u32>, usize) {
    let (mut feedback, start) = feedback();
    let (mut due, mut most) = (vec![], 0);
    for ms in 0..10_000_u32 {
        if ms % gap_ms == 0 {
            feedback.record(start + ms * MS, (ms / gap_ms) as u16, 88);
        }
        for message in poll_all(&mut feedback, start + ms * MS, 1_200) {
            due.push(ms);
            most = most.max(message.len());
        }
    }
    (due, most)
}

#[test]
fn the_more_is_sent_the_sooner_it_is_told_of() {
    let gaps = |gap_ms| {
        let (due, most) = paced(gap_ms);
        let gaps = due.windows(2).skip(1).map(|pair| pair[1] - pair[0]);
        (gaps.clone().min().unwrap(), gaps.max().unwrap(), most)
    };
    // 150 packets a second, 50, 15, and one every 400 ms.
    assert_eq!(gaps(7), (105, 105, 15));
    assert_eq!(gaps(20), (260, 260, 13));
    assert_eq!(gaps(67), (1_340, 1_340, 20));
    assert_eq!(gaps(400), (2_000, 2_000, 5));
}

#[test]
fn what_a_probe_comes_to_is_told_at_once_however_little_was_sent_before() {
    let (mut feedback, start) = feedback();
    let mut sequence = 0;
    let mut record = |feedback: &mut TransportFeedback, ms| {
        sequence += 1;
        feedback.record(start + ms * MS, sequence, 88);
    };
    record(&mut feedback, 0);
    assert_eq!(poll_all(&mut feedback, start + 100 * MS, 1_200).len(), 1);
    // Two packets a second apart from a probe of eight in 14 ms.
    record(&mut feedback, 200);
    record(&mut feedback, 500);
    (0..8).for_each(|n| record(&mut feedback, 700 + 2 * n));
    let told = poll_all(&mut feedback, start + 714 * MS, 1_200);
    assert_eq!(told.iter().map(Vec::len).collect::<Vec<_>>(), [10]);
}

#[test]
fn whatever_news_there_is_goes_along_but_not_again_and_again() {
    let (mut feedback, start) = feedback();
    feedback.go_along(start, start);
    assert_eq!(feedback.poll_timeout(), None, "no news");
    feedback.record(start, 1, 88);
    feedback.go_along(start + MS, start + MS);
    assert_eq!(poll_all(&mut feedback, start + MS, 1_200).len(), 1);
    feedback.record(start + 2 * MS, 2, 88);
    feedback.go_along(start + 50 * MS, start + 70 * MS);
    assert!(poll_all(&mut feedback, start + 50 * MS, 1_200).is_empty());
    feedback.go_along(start + 51 * MS, start + 51 * MS);
    assert_eq!(poll_all(&mut feedback, start + 51 * MS, 1_200).len(), 1);
}

/// Loss, reordering, bursts, pauses and buffers of any size: everything that arrived is told once at least, with the
/// right time, and nothing else is said to have arrived.
#[test]
fn whatever_the_network_does_the_sender_learns_when_each_packet_arrived() {
    for seed in 1..60 {
        let mut random = Random::new(seed);
        let (mut feedback, start) = feedback();
        let mut now = start;
        let first = random.below(65_536);
        let (mut arrived, mut told) = (BTreeMap::new(), BTreeMap::new());
        let room = if seed % 3 == 0 { 60 } else { 1_200 };
        for sent in 0..3_000_u64 {
            let late = random.below(20).saturating_sub(15) * random.below(8);
            let sequence = (first + sent.saturating_sub(late)) as u16;
            if random.below(10) > 0 {
                feedback.record(now, sequence, 88);
                arrived.entry(sequence).or_insert((now - start).as_micros() as i64 / 250);
            }
            let pause = [0, 0, 300, 1_700, 5_250][random.below(5) as usize];
            now += Duration::from_micros(pause);
            if random.below(1_000) == 0 {
                now += 9_000 * MS;
            }
            for (sequence, arrival) in poll_all(&mut feedback, now, room).into_iter().flatten() {
                if let Some(ticks) = arrival {
                    assert_eq!(told.insert(sequence, ticks).unwrap_or(ticks), ticks, "seed {seed}");
                }
            }
        }
        for (sequence, arrival) in poll_all(&mut feedback, now + 1_850 * MS, room).into_iter().flatten() {
            told.extend(arrival.map(|ticks| (sequence, ticks)));
        }
        assert_eq!(told, arrived, "seed {seed}");
    }
}
