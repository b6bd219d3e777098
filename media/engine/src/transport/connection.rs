//! One client's association: where it is (ICE), who it is (DTLS), and the keys (SRTP).
//!
//! ```text
//!            checks, ClientHello …         keys, fingerprint matches
//!  Join ──▶ Connecting ─────────────────────────────────────────────▶ Connected
//!              │ CONNECT_TIMEOUT, other fingerprint, no profile           │ consent gone, close_notify
//!              └────────────────────────▶ gone ◀──────────────────────────┘
//! ```

use std::{sync::Arc, time::Instant};

use media_model::limits::CONNECT_TIMEOUT;
use prefetch::{prefetch, prefetch_front};

use super::{
    dtls::{Connected, Dtls, DtlsEvent, Identity},
    feedback::TransportFeedback,
    ice_lite::IceLite,
    srtp::{OVERHEAD_BYTES_MAX, Plain, SrtpInbound, SrtpOutbound},
};
use crate::{
    DropReason,
    api::{IceCredentials, LeaveReason, TransmitBuffer},
};

/// Sealed: within what any path carries in one piece (RFC 8200 §5 asks for 1280 with IP and UDP).
const RTCP_DATAGRAM_BYTES_MAX: usize = 1_200;

/// What became of the association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing that matters outside.
    Same,
    /// Media can flow from now on.
    Connected,
    /// It is over.
    Gone(LeaveReason),
}

/// One transport's ICE, DTLS and SRTP. What every packet needs stands first.
#[repr(C)]
pub struct Connection {
    /// Where the client is.
    pub ice: IceLite,
    /// What its packets are answered with, for bandwidth estimation.
    pub feedback: TransportFeedback,
    /// Keys of both directions, from the moment when the client has proved who it is: both or none. Not in one, so that who
    /// has them fetched need not look whether they are there.
    outbound: Option<SrtpOutbound>,
    inbound: Option<SrtpInbound>,
    /// The server's own SSRC in receiver reports and feedback.
    pub rtcp_ssrc: u32,
    /// Apart from what every packet needs.
    dtls: Box<Dtls>,
    /// When DTLS has something to do, where whoever asks need not look at it.
    dtls_due: Option<Instant>,
    fingerprint: [u8; 32],
    connect_by: Instant,
}

impl Connection {
    /// Waits for the client's checks, and then for its ClientHello.
    pub fn new(
        now: Instant,
        ice: (&IceCredentials, &IceCredentials),
        identity: &Arc<Identity>,
        fingerprint: [u8; 32],
        rtcp_ssrc: u32,
    ) -> Self {
        let dtls = Box::new(Dtls::new(identity, now));
        Self {
            ice: IceLite::new(ice.0, ice.1, now),
            feedback: TransportFeedback::new(rtcp_ssrc, now),
            rtcp_ssrc,
            dtls_due: dtls.poll_timeout(),
            dtls,
            outbound: None,
            inbound: None,
            fingerprint,
            connect_by: now + CONNECT_TIMEOUT,
        }
    }

    /// Whether media can flow.
    pub fn is_connected(&self) -> bool {
        self.outbound.is_some()
    }

    /// Takes a DTLS datagram from a validated address.
    pub fn handle_dtls(
        &mut self,
        now: Instant,
        datagram: &[u8],
        out: &mut TransmitBuffer,
    ) -> Result<Progress, DropReason> {
        let taken = self.dtls.handle_datagram(now, datagram);
        self.flush_dtls(out);
        match (self.progress(), taken) {
            (Progress::Same, Err(error)) if error.is_fatal() => Ok(Progress::Gone(LeaveReason::DtlsFailed)),
            (Progress::Same, Err(_)) => Err(DropReason::DtlsRefused),
            (progress, _) => Ok(progress),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut TransmitBuffer) -> Progress {
        if !self.is_connected() && now >= self.connect_by {
            return Progress::Gone(LeaveReason::ConnectTimeout);
        }
        if now >= self.ice.consent_expires_at() {
            return Progress::Gone(LeaveReason::ConsentExpired);
        }
        if self.dtls_due.is_some_and(|due| due <= now) {
            let failed = self.dtls.handle_timeout(now).is_err();
            self.flush_dtls(out);
            let progress = self.progress();
            if failed && progress == Progress::Same {
                return Progress::Gone(LeaveReason::DtlsFailed);
            }
            return progress;
        }
        Progress::Same
    }

    /// When [`Connection::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Instant {
        let mut next = self.ice.consent_expires_at();
        if !self.is_connected() {
            next = next.min(self.connect_by);
        }
        self.dtls_due.map_or(next, |due| next.min(due))
    }

    /// Says goodbye.
    pub fn close(&mut self, out: &mut TransmitBuffer) {
        self.dtls.close();
        self.flush_dtls(out);
    }

    /// Opens an RTP packet in place.
    pub fn inbound(&mut self) -> Result<&mut SrtpInbound, DropReason> {
        self.inbound.as_mut().ok_or(DropReason::BeforeDtls)
    }

    /// Has the processor fetch what opening a packet takes …
    pub fn prefetch_inbound(&self) {
        prefetch(&self.feedback);
        self.ice.prefetch_carrying();
        SrtpInbound::prefetch(&self.inbound);
    }

    /// … and, when that is there, what it points at.
    pub fn prefetch_windows(&self, ssrc: u32) {
        self.feedback.prefetch_next();
        self.inbound.iter().for_each(|inbound| inbound.prefetch_window(ssrc));
    }

    /// Has the processor fetch what opening RTCP takes, when what opening a packet takes is there …
    pub fn prefetch_inbound_rtcp(&self) {
        self.inbound.iter().for_each(SrtpInbound::prefetch_rtcp);
    }

    /// … and, when that is there, its replay window.
    pub fn prefetch_inbound_rtcp_window(&self, ssrc: u32) {
        self.inbound.iter().for_each(|inbound| inbound.prefetch_rtcp_window(ssrc));
    }

    /// Has the processor fetch what is looked at when something may be due, and where RTCP goes.
    pub fn prefetch_served(&self) {
        self.ice.prefetch_selected();
        self.ice.prefetch_consent();
        prefetch(&self.dtls_due);
        prefetch(&self.feedback);
        prefetch_front(&self.outbound, SrtpOutbound::FRONT_BYTES);
    }

    /// Has the processor fetch what sealing RTCP takes, when what sealing a packet takes is there.
    pub fn prefetch_outbound_rtcp(&self) {
        self.feedback.prefetch_next();
        self.outbound.iter().for_each(SrtpOutbound::prefetch_rtcp);
    }

    /// Has the processor fetch what sealing a packet takes.
    pub fn prefetch_outbound(&self) {
        self.ice.prefetch_selected();
        prefetch(&self.outbound);
    }

    /// Writes an RTP packet and seals it where it leaves from; its sealed length.
    pub fn send_rtp(
        &self,
        bytes_max: usize,
        out: &mut TransmitBuffer,
        write: impl FnOnce(&mut [u8]) -> Option<Plain>,
    ) -> Result<usize, DropReason> {
        let outbound = self.outbound.as_ref().ok_or(DropReason::SubscriberNotConnected)?;
        let (remote, local) = self.ice.selected().ok_or(DropReason::SubscriberNotConnected)?;
        let mut sealed = 0;
        out.push(remote, local, bytes_max + OVERHEAD_BYTES_MAX, |space| {
            let plain = space.get_mut(..bytes_max).and_then(write);
            sealed = plain.and_then(|plain| outbound.seal_plain(&plain, space)).unwrap_or(0);
            sealed
        });
        if sealed == 0 { Err(DropReason::SendBufferFull) } else { Ok(sealed) }
    }

    /// Writes an RTCP compound, the feedback perhaps among it, and seals it where it leaves from; its sealed length, 0 if
    /// there was nothing to say.
    pub fn send_rtcp(
        &mut self,
        out: &mut TransmitBuffer,
        write: impl FnOnce(&mut TransportFeedback, &mut [u8]) -> Option<usize>,
    ) -> Result<usize, DropReason> {
        let outbound = self.outbound.as_mut().ok_or(DropReason::SubscriberNotConnected)?;
        let (remote, local) = self.ice.selected().ok_or(DropReason::SubscriberNotConnected)?;
        let mut sealed = 0;
        let feedback = &mut self.feedback;
        let has_room = out.push(remote, local, RTCP_DATAGRAM_BYTES_MAX, |space| {
            let space_for_plain = space.get_mut(..RTCP_DATAGRAM_BYTES_MAX - OVERHEAD_BYTES_MAX);
            let plain = space_for_plain.and_then(|space| write(feedback, space)).filter(|length| *length > 0);
            sealed = plain.and_then(|length| outbound.seal_rtcp(space, length)).unwrap_or(0);
            sealed
        });
        if has_room { Ok(sealed) } else { Err(DropReason::SendBufferFull) }
    }

    /// Handshake datagrams that find no room are lost like any other; their timer sends them again.
    fn flush_dtls(&mut self, out: &mut TransmitBuffer) {
        self.dtls_due = self.dtls.poll_timeout();
        while let Some(datagram) = self.dtls.poll_transmit() {
            if let Some((remote, local)) = self.ice.selected() {
                out.push(remote, local, datagram.len(), |space| {
                    space.copy_from_slice(&datagram);
                    datagram.len()
                });
            }
        }
    }

    fn progress(&mut self) -> Progress {
        let mut progress = Progress::Same;
        while let Some(event) = self.dtls.poll_event() {
            progress = match event {
                DtlsEvent::Connected(connected) => self.accept(connected),
                DtlsEvent::Closed => Progress::Gone(LeaveReason::ClosedByPeer),
            };
        }
        progress
    }

    fn accept(&mut self, connected: Connected) -> Progress {
        // RFC 8122 §6.2: what the client showed has to be what its SDP named.
        if connected.fingerprint != self.fingerprint {
            return Progress::Gone(LeaveReason::FingerprintMismatch);
        }
        let keys = &connected.keys;
        let inbound = SrtpInbound::new(connected.profile, keys.client_key(), keys.client_salt());
        let outbound = SrtpOutbound::new(connected.profile, keys.server_key(), keys.server_salt());
        match (inbound, outbound) {
            (Ok(inbound), Ok(outbound)) => {
                (self.inbound, self.outbound) = (Some(inbound), Some(outbound));
                Progress::Connected
            }
            _ => Progress::Gone(LeaveReason::DtlsFailed),
        }
    }
}
