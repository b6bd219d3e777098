//! One transport from its first check to its last packet. Sans-I/O: datagrams and the time go in, packets go to the outbox.
//!
//! ```text
//! Checking ──answer──> Handshaking ──keys──> Up          (ICE and DTLS)
//! Registering ──echo──────────────────────> Up           (keys that were known before)
//!      └──────── 10 s ───────> Failed <── DTLS, certificate
//! ```

use std::time::{Duration, Instant};

use prefetch::prefetch;

use super::{
    TransportFailed,
    context::Context,
    handshake::{Handshake, Progress},
    session::Session,
};
use crate::{
    plan::{Keying, ReceivePlan, Shown, TransportPlan},
    srtp::Srtp,
    wire::stun,
};

const CHECK_NS: u64 = 50_000_000;
/// RFC 7675 §5.1: every five seconds, randomised.
const CONSENT_NS: u64 = 5_000_000_000;
/// RFC 7675 §5.1
const CONSENT_EXPIRY_NS: u64 = 30_000_000_000;
const CONNECT_NS: u64 = 10_000_000_000;

enum Phase {
    Checking,
    Handshaking(Box<Handshake>),
    Registering,
    Up(Box<Session>),
    Failed,
}

/// What the worker is to tell the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing new.
    Nothing,
    /// It is connected; so long it took until ICE was done.
    Connected(Duration),
    /// It will not be.
    Failed(TransportFailed),
}

/// One transport.
pub struct Transport {
    plan: TransportPlan,
    phase: Phase,
    begin_ns: u64,
    /// When the first check was answered.
    checked_ns: u64,
    check_at_ns: u64,
    checks: u32,
    consent_ns: u64,
}

impl Transport {
    /// One that sends its first check when it is polled next.
    pub fn new(plan: TransportPlan, now_ns: u64) -> Self {
        let phase = match plan.keying {
            Keying::Webrtc { .. } => Phase::Checking,
            Keying::Raw { .. } => Phase::Registering,
        };
        Self {
            plan,
            phase,
            begin_ns: now_ns,
            checked_ns: now_ns,
            check_at_ns: now_ns,
            checks: 0,
            consent_ns: now_ns,
        }
    }

    /// When [`Self::handle_timeout`] has something to do, in nanoseconds since 1970.
    pub fn poll_timeout(&self, now_ns: u64, instant: Instant) -> u64 {
        let phase = match &self.phase {
            Phase::Handshaking(handshake) => handshake
                .poll_timeout()
                .map_or(u64::MAX, |at| now_ns + at.saturating_duration_since(instant).as_nanos() as u64),
            Phase::Up(session) => session.poll_timeout(),
            Phase::Failed => return u64::MAX,
            Phase::Checking | Phase::Registering => self.check_at_ns,
        };
        phase.min(self.check_at_ns)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, context: &mut Context<'_>) -> Outcome {
        if !matches!(self.phase, Phase::Up(_) | Phase::Failed) && context.now_ns > self.begin_ns + CONNECT_NS
        {
            let why = match self.phase {
                Phase::Handshaking(_) => TransportFailed::Dtls,
                _ => TransportFailed::Ice,
            };
            return self.fail(why);
        }
        if self.check_at_ns <= context.now_ns {
            self.check(context);
        }
        match &mut self.phase {
            Phase::Up(session) => {
                session.handle_timeout(context);
                Outcome::Nothing
            }
            Phase::Handshaking(handshake) => {
                let progress = handshake.handle_timeout(context.instant, &mut |datagram| {
                    send(context, datagram);
                });
                self.progress(progress, context)
            }
            _ => Outcome::Nothing,
        }
    }

    /// Takes a datagram in; `arrival_ns` is when the kernel had it.
    pub fn handle_datagram(
        &mut self,
        datagram: &mut [u8],
        arrival_ns: u64,
        context: &mut Context<'_>,
    ) -> Outcome {
        // RFC 7983 §7
        match (datagram.first(), &mut self.phase) {
            (Some(128..=191), Phase::Up(session)) => {
                session.handle_datagram(datagram, arrival_ns, context);
                Outcome::Nothing
            }
            (Some(20..=63), Phase::Handshaking(handshake)) => {
                let progress = handshake.handle_datagram(context.instant, datagram, &mut |datagram| {
                    send(context, datagram);
                });
                self.progress(progress, context)
            }
            (Some(0..=3), _) => self.stun(datagram, context),
            (_, Phase::Registering) => self.registered(datagram, context),
            _ => Outcome::Nothing,
        }
    }

    /// Has the processor fetch what everything begins with …
    pub fn prefetch(&self) {
        prefetch(&self.phase);
        prefetch(&self.check_at_ns);
    }

    /// … then the media of a connected transport …
    pub fn prefetch_session(&self) {
        if let Phase::Up(session) = &self.phase {
            session.prefetch();
        }
    }

    /// … and its streams.
    pub fn prefetch_streams(&self) {
        if let Phase::Up(session) = &self.phase {
            session.prefetch_streams();
        }
    }

    /// More streams.
    pub fn receive(&mut self, streams: Vec<ReceivePlan>) {
        match &mut self.phase {
            Phase::Up(session) => session.receive(streams),
            _ => {
                self.plan.receives.retain(|known| streams.iter().all(|stream| stream.ssrc != known.ssrc));
                self.plan.receives.extend(streams);
            }
        }
    }

    /// Somebody else's media on a stream.
    pub fn show(&mut self, ssrc: u32, shown: Option<Shown>, now_ns: u64) {
        match &mut self.phase {
            Phase::Up(session) => session.show(ssrc, shown, now_ns),
            _ => self.plan.receives.iter_mut().filter(|r| r.ssrc == ssrc).for_each(|r| r.shown = shown),
        }
    }

    /// Its address is another one now: the other side has to hear of it by a check before anything else.
    pub fn address_changed(&mut self, now_ns: u64) {
        if matches!(self.phase, Phase::Up(_)) && self.check_at_ns != u64::MAX {
            self.check_at_ns = now_ns;
        }
    }

    /// The media of a connected transport.
    pub fn session(&mut self) -> Option<&mut Session> {
        match &mut self.phase {
            Phase::Up(session) => Some(session),
            _ => None,
        }
    }

    /// An ICE check, or the registration again.
    fn check(&mut self, context: &mut Context<'_>) {
        let is_up = matches!(self.phase, Phase::Up(_));
        match &self.plan.keying {
            Keying::Raw { registration, .. } => {
                if is_up {
                    self.check_at_ns = u64::MAX;
                    return;
                }
                send(context, registration);
                self.check_at_ns = context.now_ns + CHECK_NS;
            }
            Keying::Webrtc { ice_local, ice_remote, .. } => {
                if is_up && context.now_ns > self.consent_ns + CONSENT_EXPIRY_NS {
                    context.measure.counters.consent_lost += 1;
                    self.consent_ns = context.now_ns;
                }
                self.checks += 1;
                let transaction = transaction(context.transport, self.checks);
                let check = stun::check(ice_local, ice_remote, transaction, u64::from(context.transport) + 1);
                send(context, &check);
                let jitter =
                    u64::from(self.checks.wrapping_mul(2_654_435_761).wrapping_add(context.transport) % 401);
                self.check_at_ns = context.now_ns
                    + match self.phase {
                        Phase::Checking => CHECK_NS,
                        _ => CONSENT_NS * (800 + jitter) / 1_000,
                    };
            }
        }
    }

    fn stun(&mut self, datagram: &[u8], context: &mut Context<'_>) -> Outcome {
        let Keying::Webrtc { ice_local, ice_remote, fingerprint_remote } = &self.plan.keying else {
            return Outcome::Nothing;
        };
        match stun::read(datagram, ice_local, ice_remote) {
            Some(stun::Read::Request(transaction)) => {
                send(context, &stun::success(transaction, self.plan.remote, &ice_local.password));
            }
            Some(stun::Read::Success(id)) if is_own(id, context.transport, self.checks) => {
                self.consent_ns = context.now_ns;
                if matches!(self.phase, Phase::Checking) {
                    self.checked_ns = context.now_ns;
                    self.check_at_ns = context.now_ns + CONSENT_NS;
                    let fingerprint = *fingerprint_remote;
                    let identity = context.identity;
                    let now = context.instant;
                    let handshake = Handshake::begin(identity, fingerprint, now, &mut |datagram| {
                        send(context, datagram);
                    });
                    self.phase = Phase::Handshaking(Box::new(handshake));
                }
            }
            _ => {}
        }
        Outcome::Nothing
    }

    fn registered(&mut self, datagram: &[u8], context: &mut Context<'_>) -> Outcome {
        let Keying::Raw { registration, send_key, receive_key } = &self.plan.keying else {
            return Outcome::Nothing;
        };
        if datagram != registration {
            return Outcome::Nothing;
        }
        match (Srtp::raw(*send_key), Srtp::raw(*receive_key)) {
            (Ok(send), Ok(receive)) => self.up(send, receive, context),
            _ => self.fail(TransportFailed::Dtls),
        }
    }

    fn progress(&mut self, progress: Progress, context: &mut Context<'_>) -> Outcome {
        match progress {
            Progress::Going => Outcome::Nothing,
            Progress::Failed => self.fail(TransportFailed::Dtls),
            Progress::WrongCertificate => self.fail(TransportFailed::Fingerprint),
            Progress::Done(keys) => {
                let (send, receive) = *keys;
                self.up(send, receive, context)
            }
        }
    }

    fn up(&mut self, send: Srtp, receive: Srtp, context: &mut Context<'_>) -> Outcome {
        self.phase = Phase::Up(Box::new(Session::new(&mut self.plan, send, receive, context)));
        Outcome::Connected(Duration::from_nanos(self.checked_ns.saturating_sub(self.begin_ns)))
    }

    fn fail(&mut self, why: TransportFailed) -> Outcome {
        self.phase = Phase::Failed;
        Outcome::Failed(why)
    }
}

fn transaction(transport: u32, number: u32) -> [u8; 12] {
    let mut id = *b"load\0\0\0\0\0\0\0\0";
    id[4..8].copy_from_slice(&transport.to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    id
}

/// One of the last few checks.
fn is_own(id: [u8; 12], transport: u32, newest: u32) -> bool {
    (newest.saturating_sub(8)..=newest).any(|number| transaction(transport, number) == id)
}

fn send(context: &mut Context<'_>, datagram: &[u8]) {
    context.out(|to| {
        to.get_mut(..datagram.len())?.copy_from_slice(datagram);
        Some(datagram.len())
    });
}
