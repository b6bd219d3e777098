//! Counters that go on when an engine is replaced.

use media_engine::Counters;

/// Adds what another engine of the shard has counted; what it holds now replaces what is in `total`.
pub(crate) fn add(total: &mut Counters, engine: &Counters) {
    // Without `..`, so that a new counter cannot be forgotten here.
    let Counters {
        rtp_received,
        rtp_forwarded,
        retransmitted,
        bytes_received,
        bytes_sent,
        rtcp_received,
        stun_checks,
        handshakes,
        keyframe_requests,
        dropped,
        consults,
        transports,
    } = engine;
    total.rtp_received.iter_mut().zip(rtp_received).for_each(|(total, count)| *total += count);
    total.rtp_forwarded.iter_mut().zip(rtp_forwarded).for_each(|(total, count)| *total += count);
    total.dropped.iter_mut().zip(dropped).for_each(|(total, count)| *total += count);
    total.retransmitted += retransmitted;
    total.bytes_received += bytes_received;
    total.bytes_sent += bytes_sent;
    total.rtcp_received += rtcp_received;
    total.stun_checks += stun_checks;
    total.handshakes += handshakes;
    total.keyframe_requests += keyframe_requests;
    total.consults = *consults;
    total.transports = *transports;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_what_is_held_is_what_is_held_now() {
        let mut total =
            Counters { rtp_received: [1, 2], bytes_sent: 10, transports: 9, ..Counters::default() };
        add(
            &mut total,
            &Counters { rtp_received: [10, 20], bytes_sent: 5, transports: 1, ..Counters::default() },
        );
        assert_eq!((total.rtp_received, total.bytes_sent, total.transports), ([11, 22], 15, 1));
    }
}
