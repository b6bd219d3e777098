//! What is counted and timed, in one thread of the media plane and summed over all.

use hdrhistogram::Histogram;
use serde::Serialize;

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
    /// Packets that came after a later one without having been asked for.
    reordered,
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
    /// Padding only.
    padding,
    /// RTP or RTCP that did not authenticate.
    unauthenticated,
    /// RTP of an SSRC that nobody has announced.
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
    /// How late the harness itself was with what it had to send, in nanoseconds.
    pub lag_ns: Histogram<u64>,
}

impl Measure {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { counters: Counters::default(), delay_ns: histogram(), lag_ns: histogram() }
    }

    /// A delay; one below zero, by the resolution of clocks, counts as none.
    pub fn delay(&mut self, sent_ns: u64, arrival_ns: u64) {
        self.delay_ns.saturating_record(arrival_ns.saturating_sub(sent_ns).max(1));
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: &Self) {
        self.counters.add(&other.counters);
        // Both have the same bounds, so nothing is refused.
        let _ = self.delay_ns.add(&other.delay_ns);
        let _ = self.lag_ns.add(&other.lag_ns);
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
