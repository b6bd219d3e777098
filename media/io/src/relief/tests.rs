//! When video is shed and when it goes on; a shard that is too slow, in time that is made up.

use std::{net::UdpSocket, os::fd::AsFd as _};

use super::*;

const CALM: Backlog = Backlog { bytes: 1_000, capacity: 8_000_000, drops: 0 };
const NOTHING: [u8; 0] = [];
const BEHIND: Backlog = Backlog { bytes: 2_000_000, ..CALM };

/// Checks for so long, as often as a busy shard does; how often the answer changed, and to what.
fn pass(relief: &mut Relief, now: &mut Instant, time: Duration, backlog: Backlog) -> Vec<u8> {
    pass_at(0.9, relief, now, time, backlog)
}

/// The same on a shard that takes this share of its core.
fn pass_at(share: f64, relief: &mut Relief, now: &mut Instant, time: Duration, backlog: Backlog) -> Vec<u8> {
    let until = *now + time;
    let mut changes = Vec::new();
    while *now < until {
        *now += RELIEF_CHECK_INTERVAL;
        changes.extend(relief.note(*now, Some(backlog), false, share));
    }
    changes
}

#[test]
fn video_is_shed_step_by_step_and_goes_on_step_by_step() {
    let (mut relief, mut now) = (Relief::default(), Instant::now());
    assert_eq!(pass(&mut relief, &mut now, Duration::from_secs(5), CALM), NOTHING);
    assert_eq!(pass(&mut relief, &mut now, Duration::from_secs(2), BEHIND), [1, 2, 3, 4]);
    assert_eq!(pass(&mut relief, &mut now, RELIEF_HOLD_MIN - Duration::from_secs(1), CALM), NOTHING);
    assert_eq!(pass(&mut relief, &mut now, 5 * RELIEF_HOLD_MIN, CALM), [3, 2, 1, 0]);
}

#[test]
fn a_short_burst_is_no_reason_and_drops_that_go_on_are_one() {
    let (mut relief, mut now) = (Relief::default(), Instant::now());
    let burst = RELIEF_CHECK_INTERVAL * (BEHIND_CHECKS - 1);
    assert_eq!(pass(&mut relief, &mut now, burst, BEHIND), NOTHING);
    assert_eq!(pass(&mut relief, &mut now, Duration::from_secs(1), CALM), NOTHING);
    let mut changes = Vec::new();
    for drops in 1..=4 {
        now += RELIEF_CHECK_INTERVAL;
        changes.extend(relief.note(now, Some(Backlog { drops, ..CALM }), false, 0.9));
    }
    assert_eq!((changes, relief.read()), (vec![1], (1, 4)));
}

#[test]
fn who_catches_up_is_not_behind() {
    let (mut relief, mut now) = (Relief::default(), Instant::now());
    let mut check = |bytes, drops| {
        now += RELIEF_CHECK_INTERVAL;
        relief.note(now, Some(Backlog { bytes, drops, ..CALM }), false, 0.7)
    };
    // The machine stood still until the socket was full; some 60 checks until it is empty again.
    assert_eq!(check(8_000_000, 900), None);
    for left in (0..60).rev() {
        assert_eq!(check(BACKLOG_BYTES_MAX + left * CALM.capacity / CATCHING_UP_PART, 900), None);
    }
    // As much as it was: no progress any more.
    let steps: Vec<u8> = (0..BEHIND_CHECKS).filter_map(|_| check(2_000_000, 900)).collect();
    assert_eq!(steps, [1]);
    // What is withheld helps: nothing more has to be, however long it takes.
    assert_eq!(check(8_000_000, 900), None, "too soon after a step");
    for left in (0..60).rev() {
        assert_eq!(check(BACKLOG_BYTES_MAX + left * CALM.capacity / CATCHING_UP_PART, 900), None);
    }
}

#[test]
fn what_came_back_too_early_waits_longer_the_next_time() {
    let (mut relief, mut now) = (Relief::default(), Instant::now());
    let mut waits = Vec::new();
    for _ in 0..4 {
        assert_eq!(pass(&mut relief, &mut now, RELIEF_CHECK_INTERVAL * 20, BEHIND).first(), Some(&1));
        let begun = now;
        while relief.quarters > 0 {
            pass(&mut relief, &mut now, RELIEF_CHECK_INTERVAL, CALM);
        }
        waits.push(now - begun);
    }
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    pass(&mut relief, &mut now, RELIEF_HOLD_MAX * 2, CALM);
    assert_eq!(relief.hold, RELIEF_HOLD_SHORT, "and all is forgotten");
}

#[test]
fn a_shard_with_time_to_spare_goes_on_soon_after_the_machine_stood_still() {
    let (mut relief, mut now) = (Relief::default(), Instant::now());
    let mut waits = Vec::new();
    for _ in 0..20 {
        // Behind for a while, again and again, though three quarters of the core are all it takes.
        assert_eq!(pass_at(0.75, &mut relief, &mut now, Duration::from_secs(1), BEHIND).first(), Some(&1));
        let begun = now;
        while relief.quarters > 0 {
            pass_at(0.75, &mut relief, &mut now, RELIEF_CHECK_INTERVAL, CALM);
        }
        waits.push(now - begun);
    }
    assert!(waits[0] <= Duration::from_secs(2), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= RELIEF_HOLD_MIN * 4 + Duration::from_secs(1)), "{waits:?}");
}

#[test]
fn without_a_measure_turns_that_leave_something_over_count() {
    let (mut relief, now) = (Relief::default(), Instant::now());
    let changes: Vec<u8> = (1..=BEHIND_CHECKS + 10)
        .filter_map(|n| relief.note(now + RELIEF_CHECK_INTERVAL * n, None, true, 0.9))
        .collect();
    assert_eq!(changes, [1, 2]);
}

#[test]
#[cfg(target_os = "linux")]
fn the_kernel_tells_what_waits_and_what_it_dropped() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let before = backlog_of(server.as_fd()).unwrap();
    assert_eq!((before.bytes, before.drops), (0, 0));
    for _ in 0..10_000 {
        client.send_to(&[0; 1_000], server.local_addr().unwrap()).unwrap();
    }
    let after = backlog_of(server.as_fd()).unwrap();
    assert!(after.bytes > after.capacity / 2 && after.drops > 1_000, "{after:?}");
}

/// A shard whose packets cost too much, and the socket before it. Time is made up: a packet's cost.
struct Slow {
    relief: Relief,
    now: Instant,
    cost: Duration,
    /// What waits: whether it is sound, and since when.
    socket: std::collections::VecDeque<(bool, Instant)>,
    kernel_drops: [u64; 2],
    handled: [u64; 2],
    shed: u64,
    delay_max: Duration,
    sent: u64,
}

impl Slow {
    const SOCKET_PACKETS: usize = 3_600;
    const PACKET_BYTES: u64 = 2_304;
    /// From one packet to the next; every fifth is sound.
    const SPACING: Duration = Duration::from_micros(100);

    fn new(cost: Duration) -> Self {
        Self {
            relief: Relief::default(),
            now: Instant::now(),
            cost,
            socket: Default::default(),
            kernel_drops: [0; 2],
            handled: [0; 2],
            shed: 0,
            delay_max: Duration::ZERO,
            sent: 0,
        }
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        let mut next = self.now;
        while self.now < until {
            self.turn(&mut next);
            let drops = self.kernel_drops.iter().sum();
            let bytes = self.socket.len() as u64 * Self::PACKET_BYTES;
            let capacity = Self::SOCKET_PACKETS as u64 * Self::PACKET_BYTES;
            if self.relief.checked_at.is_none_or(|at| self.now - at >= RELIEF_CHECK_INTERVAL) {
                let share = (self.cost.as_secs_f64() / Self::SPACING.as_secs_f64()).min(1.0);
                self.relief.note(self.now, Some(Backlog { bytes, capacity, drops }), false, share);
            }
        }
    }

    fn turn(&mut self, next: &mut Instant) {
        self.now += Self::SPACING;
        for _ in 0..256 {
            while *next <= self.now {
                let is_sound = self.sent.is_multiple_of(5);
                self.sent += 1;
                if self.socket.len() < Self::SOCKET_PACKETS {
                    self.socket.push_back((is_sound, *next));
                } else {
                    self.kernel_drops[usize::from(is_sound)] += 1;
                }
                *next += Self::SPACING;
            }
            let Some((is_sound, since)) = self.socket.pop_front() else { return };
            if !is_sound && self.sent % 4 < u64::from(self.relief.quarters) {
                self.shed += 1;
                self.now += self.cost / 20;
                continue;
            }
            self.now += self.cost;
            self.handled[usize::from(is_sound)] += 1;
            if is_sound {
                self.delay_max = self.delay_max.max(self.now - since);
            }
        }
    }

    /// Forgets what was counted, and keeps what waits.
    fn count_anew(&mut self) {
        (self.handled, self.shed, self.delay_max) = ([0; 2], 0, Duration::ZERO);
        self.kernel_drops = [self.kernel_drops.iter().sum(), 0];
    }
}

#[test]
fn an_overloaded_shard_sheds_video_and_no_sound_and_recovers() {
    let mut shard = Slow::new(Duration::from_micros(50));
    shard.run(Duration::from_secs(2));
    assert_eq!((shard.shed, shard.kernel_drops), (0, [0; 2]), "at half load nothing is shed");
    // Everything costs three times as much: half again of what there is time for.
    shard.cost = Duration::from_micros(150);
    shard.run(Duration::from_secs(1));
    assert!(shard.relief.quarters >= 1, "it has begun to shed");
    shard.count_anew();
    shard.run(Duration::from_secs(2));
    let [video, sound] = shard.handled;
    assert!(shard.shed > 1_000 && video > 0, "some pictures are held back: {} of {video}", shard.shed);
    assert_eq!(shard.kernel_drops[1], 0, "no sound is lost");
    assert!(sound >= 3_900 && shard.delay_max < Duration::from_millis(100), "{sound} {:?}", shard.delay_max);
    // As it was before.
    shard.cost = Duration::from_micros(50);
    shard.run(RELIEF_HOLD_MAX);
    assert_eq!(shard.relief.quarters, 0);
    shard.count_anew();
    shard.run(Duration::from_secs(1));
    assert_eq!((shard.shed, shard.kernel_drops[1]), (0, 0), "everything goes on");
}
