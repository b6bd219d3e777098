//! What the media sockets of a shard ask of the kernel.

/// Counted since the shard started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoCounters {
    /// How often the thread waited: `poll`.
    pub waits: u64,
    /// Calls that took datagrams in: `recvmmsg`.
    pub receive_calls: u64,
    /// Calls that gave datagrams out: `sendmmsg`, and `sendmsg` where that fails.
    pub send_calls: u64,
    /// Messages in those calls: single datagrams, or trains of them.
    pub messages_sent: u64,
    /// Datagrams that came with the mark of a queue about to overflow (CE, RFC 3168 §5).
    pub ecn_marked: u64,
    /// Trains that the kernel refused, whose datagrams were then sent one by one.
    pub trains_refused: u64,
    /// Sockets that take in trains (`UDP_GRO`).
    pub sockets_with_gro: u64,
    /// Sockets that give out trains (`UDP_SEGMENT`).
    pub sockets_with_gso: u64,
    /// Sockets.
    pub sockets: u64,
}

impl IoCounters {
    /// Adds what another socket or shard counted.
    pub fn add(&mut self, other: &Self) {
        // Without `..`, so that a new counter cannot be forgotten here.
        let Self {
            waits,
            receive_calls,
            send_calls,
            messages_sent,
            ecn_marked,
            trains_refused,
            sockets_with_gro,
            sockets_with_gso,
            sockets,
        } = other;
        self.waits += waits;
        self.receive_calls += receive_calls;
        self.send_calls += send_calls;
        self.messages_sent += messages_sent;
        self.ecn_marked += ecn_marked;
        self.trains_refused += trains_refused;
        self.sockets_with_gro += sockets_with_gro;
        self.sockets_with_gso += sockets_with_gso;
        self.sockets += sockets;
    }
}
