//! How many nodes, cores, bytes and bits so many consults need: the formula of `docs/capacity.md` and what was measured for it.

use std::fmt;

use crate::scenario::{Media, Profile};

/// What a node's work costs on one core of the machine below, as measured by `loadtest/costs.sh`.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    /// When, where and by which command.
    pub source: &'static str,
    /// A forwarded packet, in microseconds of a core, system calls included, by profile: pictures leave in trains, which are
    /// cheaper by the packet.
    pub packet_us: [(Profile, f64); 4],
    /// A participant who is connected and sends nothing: consent checks and RTCP, in microseconds of a core each second.
    pub participant_us_per_s: f64,
    /// A join: ticket, signaling, SDP, ICE and DTLS, in milliseconds of a core.
    pub join_ms: f64,
    /// A node with nobody in it, in bytes.
    pub node_bytes: f64,
    /// A participant, in bytes.
    pub participant_bytes: f64,
    /// What a participant who publishes adds for packets that may have to be sent again, in bytes for each packet a second.
    pub cached_bytes_per_packet: f64,
}

/// The measured ones.
pub const COSTS: Costs = Costs {
    source: "2026-11-22, loopback, one of 2 virtual cores that others used too, `loadtest/costs.sh`",
    // `low` could not be measured in that run and is taken to cost what `audio` does, which sends singly.
    packet_us: [(Profile::Full, 4.5), (Profile::Low, 5.1), (Profile::Audio, 5.1), (Profile::Dtx, 20.7)],
    participant_us_per_s: 19.8,
    join_ms: 3.0,
    node_bytes: 15.0 * MIB,
    participant_bytes: 40.0 * KIB,
    cached_bytes_per_packet: 1_400.0,
};

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;
const GIB: f64 = 1024.0 * MIB;
/// Of a media core's time that a plan uses: bursts need the rest. p99 delay stays below 10 ms up to about 0.85.
const SHARE_MAX: f64 = 0.6;
/// IP, UDP, SRTP's tag, CSRC and header extensions of a packet on the wire.
const OVERHEAD_BYTES: f64 = 28.0 + 16.0 + 4.0 + 8.0;

/// Who wants what.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Consults at one time.
    pub consults: f64,
    /// People in each.
    pub participants: f64,
    /// What they send.
    pub profile: Profile,
    /// How long a consult lasts in the mean, in minutes: so often everybody joins.
    pub minutes: f64,
    /// Cores of a node; one of them is left to signaling and the system where there are more than two.
    pub cores_per_node: f64,
}

/// What that takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Needed {
    /// Packets a second that are forwarded.
    pub forwarded_per_second: f64,
    /// Cores' worth of media work, at the share that may be used.
    pub cores: f64,
    /// Nodes, one more than is needed so that one may fail.
    pub nodes: f64,
    /// Memory of all nodes, in bytes.
    pub memory_bytes: f64,
    /// Bits a second that come in.
    pub in_bits: f64,
    /// Bits a second that go out.
    pub out_bits: f64,
}

impl Wanted {
    /// The formula.
    pub fn needed(&self, costs: &Costs) -> Needed {
        let media = Media::of(self.profile);
        let people = self.consults * self.participants;
        let sent = people * media.packets_per_second();
        let others = (self.participants - 1.0).max(0.0);
        let forwarded = sent * others;
        let packet_us =
            costs.packet_us.iter().find(|(profile, _)| *profile == self.profile).map_or(0.0, |c| c.1);
        let joins_per_second = people / (self.minutes * 60.0);
        let busy = forwarded * packet_us / 1e6
            + people * costs.participant_us_per_s / 1e6
            + joins_per_second * costs.join_ms / 1e3;
        let cores = busy / SHARE_MAX;
        let media_cores =
            if self.cores_per_node > 2.0 { self.cores_per_node - 1.0 } else { self.cores_per_node };
        let nodes = (cores / media_cores).ceil().max(1.0) + 1.0;
        let cached = sent * costs.cached_bytes_per_packet;
        let memory_bytes = nodes * costs.node_bytes + people * costs.participant_bytes + cached;
        let bits = |packets: f64| {
            packets * (media.bits_per_second() / media.packets_per_second() + 8.0 * OVERHEAD_BYTES)
        };
        Needed {
            forwarded_per_second: forwarded,
            cores,
            nodes,
            memory_bytes,
            in_bits: bits(sent),
            out_bits: bits(forwarded),
        }
    }
}

/// A table for these numbers of consults, with the formula's figures beneath.
pub struct Table {
    /// What is the same in every line.
    pub wanted: Wanted,
    /// The lines.
    pub consults: Vec<f64>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wanted { participants, profile, minutes, cores_per_node, .. } = self.wanted;
        let name = format!("{profile:?}").to_lowercase();
        writeln!(
            f,
            "consults of {participants}, profile {name}, {minutes} minutes each, nodes of {cores_per_node} cores, one node to spare\n"
        )?;
        let heads = ["consults", "packets/s out", "cores", "nodes", "memory", "in", "out"];
        let [a, b, c, d, e, g, h] = heads;
        writeln!(f, "{a:>9} {b:>14} {c:>8} {d:>6} {e:>10} {g:>12} {h:>12}")?;
        for consults in &self.consults {
            let needed = Wanted { consults: *consults, ..self.wanted }.needed(&COSTS);
            writeln!(
                f,
                "{consults:>9} {:>14.0} {:>8.1} {:>6.0} {:>10} {:>12} {:>12}",
                needed.forwarded_per_second,
                needed.cores,
                needed.nodes,
                bytes(needed.memory_bytes),
                bits(needed.in_bits),
                bits(needed.out_bits)
            )?;
        }
        writeln!(
            f,
            "\nCores are those of the media path, {:.0} % busy. Measured: {}",
            SHARE_MAX * 100.0,
            COSTS.source
        )?;
        write!(f, "docs/capacity.md has the formula.")
    }
}

fn bytes(value: f64) -> String {
    if value < GIB { format!("{:.0} MiB", value / MIB) } else { format!("{:.1} GiB", value / GIB) }
}

fn bits(value: f64) -> String {
    if value < 1e9 { format!("{:.1} Mbit/s", value / 1e6) } else { format!("{:.1} Gbit/s", value / 1e9) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(consults: f64, profile: Profile) -> Wanted {
        Wanted { consults, participants: 3.0, profile, minutes: 20.0, cores_per_node: 8.0 }
    }

    #[test]
    fn twice_the_consults_need_twice_the_cores_and_one_node_is_always_to_spare() {
        let one = wanted(1_000.0, Profile::Full).needed(&COSTS);
        let two = wanted(2_000.0, Profile::Full).needed(&COSTS);
        assert_eq!(one.forwarded_per_second, 1_000.0 * 3.0 * 2.0 * 150.0);
        assert!((two.cores / one.cores - 2.0).abs() < 1e-9 && two.nodes > one.nodes);
        assert_eq!(wanted(1.0, Profile::Dtx).needed(&COSTS).nodes, 2.0);
    }

    #[test]
    fn what_is_sent_less_costs_less() {
        let cores = [Profile::Full, Profile::Low, Profile::Audio, Profile::Dtx]
            .map(|profile| wanted(10_000.0, profile).needed(&COSTS).cores);
        assert!(cores.is_sorted_by(|a, b| a > b), "{cores:?}");
        let text = Table { wanted: wanted(0.0, Profile::Full), consults: vec![100.0, 100_000.0] }.to_string();
        assert!(text.contains("Gbit/s") && text.contains(COSTS.source), "{text}");
    }
}
