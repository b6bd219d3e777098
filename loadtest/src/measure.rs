//! What is counted and timed, in one thread of the media plane and summed over all.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::findings::{Fault, Finding, Findings};

/// Longest delay that is told apart, in nanoseconds.
const DELAY_NS_MAX: u64 = 60_000_000_000;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of a measuring window.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Adds another thread's.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counters! {
    /// Media packets sent, retransmissions left out.
    sent,
    /// Media packets received that were sealed for this stream, whatever else is wrong with them.
    received,
    /// Packets that never came, by the stamps of those that did and by what their senders have sent.
    lost,
    /// Of them those that no later packet points to: a stream that fell silent.
    lost_at_the_end,
    /// Packets that were missing when a later one came; some of them came after all.
    gaps,
    /// Of them those that came after they had been asked for.
    repaired,
    /// Packets that came after one of their stream that was sent less than 20 ms later, without having been asked for.
    reordered,
    /// Packets that came after one of their stream that was sent 20 ms later or more: held back on the way.
    delayed,
    /// Of both those whose retransmission had come before them.
    late_after_repair,
    /// Retransmissions of what had come meanwhile.
    repeated,
    /// Packets that came twice without having been asked for.
    duplicate,
    /// Media of somebody whom the stream does not show: another person, another consult, oneself.
    misrouted,
    /// Sound on a picture's stream, or the other way.
    wrong_track,
    /// Packets whose CSRC does not name their sender.
    wrong_csrc,
    /// Sealed for this stream but without a stamp.
    garbled,
    /// Frames that a decoder would have shown.
    frames,
    /// Freezes, as webrtc-stats counts them.
    freezes,
    /// Milliseconds of all freezes.
    frozen_ms,
    /// Padding only.
    padding,
    /// RTP or RTCP that did not authenticate.
    unauthenticated,
    /// RTP of an SSRC that nobody has announced, nor did later.
    unknown_ssrc,
    /// RTCP compounds sent.
    rtcp_sent,
    /// RTCP compounds received.
    rtcp_received,
    /// Packets that were asked for, repetitions included.
    nack_sent,
    /// Packets that the target asked for.
    nack_received,
    /// Of them those that were sent again.
    nack_answered,
    /// Key frames asked for.
    pli_sent,
    /// Key frames that the target asked for.
    keyframes_wanted,
    /// Transport-wide feedback received.
    transport_cc_received,
    /// Datagrams whose arrival the kernel did not note, or whose note is in doubt because the clock was set: the time of the
    /// read counts, with whatever the harness was late.
    #[serde(default)] unnoted,
    /// Datagrams that the kernel did not take.
    refused_by_kernel,
    /// Packets left out because the harness was more than half a second late.
    skipped,
    /// Transports whose consent ran out.
    consent_lost,
}

/// Counters and delays of one thread.
#[derive(Debug)]
pub struct Measure {
    /// Counters.
    pub counters: Counters,
    /// One-way delays in nanoseconds.
    pub delay_ns: Histogram<u64>,
    /// Of them those between participants who were there before the window began.
    pub established_ns: Histogram<u64>,
    /// From the first word of signaling to the first whole picture, in nanoseconds; since the run began.
    pub first_frame_ns: Histogram<u64>,
    /// Participants below this number were there before the window began.
    pub established: u32,
    /// Examples of what went wrong.
    pub findings: Findings,
    /// How late the harness itself was with what it had to send, in nanoseconds.
    pub lag_ns: Histogram<u64>,
    /// From the first stamp of each batch until the kernel had all of it, in nanoseconds.
    pub handover_ns: Histogram<u64>,
}

impl Counters {
    /// Packets of which not a single one is acceptable, whatever the thresholds.
    pub fn never_acceptable(&self) -> u64 {
        self.misrouted
            + self.wrong_track
            + self.wrong_csrc
            + self.garbled
            + self.unauthenticated
            + self.duplicate
    }
}

impl Measure {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            counters: Counters::default(),
            delay_ns: histogram(),
            established_ns: histogram(),
            first_frame_ns: histogram(),
            established: 0,
            findings: Findings::default(),
            lag_ns: histogram(),
            handover_ns: histogram(),
        }
    }

    /// Begins a window: everything anew but what counts since the run began.
    pub fn begin_window(&mut self, established: u32) -> Self {
        let first_frame_ns = std::mem::replace(&mut self.first_frame_ns, histogram());
        Self { first_frame_ns, established, ..Self::new() }
    }

    /// The delay of a packet between two participants; one below zero, by the resolution of clocks, counts as none.
    pub fn delay(&mut self, (sender, receiver): (u32, u32), sent_ns: u64, arrival_ns: u64) {
        let delay_ns = arrival_ns.saturating_sub(sent_ns).max(1);
        self.delay_ns.saturating_record(delay_ns);
        if sender.max(receiver) < self.established {
            self.established_ns.saturating_record(delay_ns);
        }
    }

    /// Counts a fault, and keeps it as an example.
    pub fn find(&mut self, finding: Finding) {
        let c = &mut self.counters;
        let counter = match finding.fault {
            Fault::Lost => &mut c.lost,
            Fault::Duplicate => &mut c.duplicate,
            Fault::Delayed => &mut c.delayed,
            Fault::Reordered => &mut c.reordered,
            Fault::WrongTrack => &mut c.wrong_track,
            Fault::Misrouted => &mut c.misrouted,
            Fault::WrongCsrc => &mut c.wrong_csrc,
            Fault::Garbled => &mut c.garbled,
            Fault::Unauthenticated => &mut c.unauthenticated,
        };
        *counter += 1;
        self.findings.note(finding);
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: &Self) {
        self.counters.add(&other.counters);
        // Both have the same bounds, so nothing is refused.
        let _ = self.delay_ns.add(&other.delay_ns);
        let _ = self.established_ns.add(&other.established_ns);
        let _ = self.first_frame_ns.add(&other.first_frame_ns);
        let _ = self.lag_ns.add(&other.lag_ns);
        let _ = self.handover_ns.add(&other.handover_ns);
        self.findings.add(&other.findings);
    }
}

impl Default for Measure {
    fn default() -> Self {
        Self::new()
    }
}

/// Two digits from a microsecond to a minute.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, DELAY_NS_MAX, 2).expect("constant bounds that fit")
}
