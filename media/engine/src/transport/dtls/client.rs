//! The client's role, for tests, the simulator and load: on `dimpl`, so that our server always meets another stack.

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use dimpl::{Config, ConfigBuilder, DtlsCertificate, Output, SrtpProfile};

use super::{Connected, DtlsError, DtlsEvent, Identity, identity::fingerprint};
use crate::transport::srtp::{KeyingMaterial, Profile};

/// As browsers have it: libwebrtc and NSS both begin with 50 ms.
const RESEND_AFTER_FIRST: Duration = Duration::from_millis(50);
/// Longest datagram that is sent.
const DATAGRAM_BYTES_MAX: usize = 1200;
/// Repetitions of a flight.
const RESENDS_MAX: usize = 12;
/// Room for the largest output: a record, a certificate or keys.
const OUTPUT_BYTES_MAX: usize = 4096;

/// Shared, because `dimpl` tries out its whole crypto provider for each configuration that is built.
static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| config(Config::builder()));

fn config(builder: ConfigBuilder) -> Arc<Config> {
    let builder =
        builder.mtu(DATAGRAM_BYTES_MAX).flight_start_rto(RESEND_AFTER_FIRST).flight_retries(RESENDS_MAX);
    Arc::new(builder.build().expect("a valid configuration"))
}

/// A DTLS association in the client's role, with the methods of [`super::Dtls`].
pub struct DtlsClient {
    dtls: dimpl::Dtls,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<DtlsEvent>,
    timeout: Option<Instant>,
    fingerprint: Option<[u8; 32]>,
}

impl DtlsClient {
    /// A client that begins its handshake at once.
    ///
    /// # Panics
    /// When the stack refuses its own configuration.
    pub fn new(identity: &Arc<Identity>, now: Instant) -> Self {
        Self::with(identity, now, Arc::clone(&CONFIG))
    }

    /// The same with a hello and retransmissions that repeat with the seed: **for tests only**, its randoms are known.
    ///
    /// # Panics
    /// When the stack refuses its own configuration.
    pub fn seeded(identity: &Arc<Identity>, now: Instant, seed: u64) -> Self {
        Self::with(identity, now, config(Config::builder().dangerously_set_rng_seed(seed)))
    }

    fn with(identity: &Arc<Identity>, now: Instant, config: Arc<Config>) -> Self {
        let certificate = DtlsCertificate {
            certificate: identity.certificate_der().to_vec(),
            private_key: identity.private_key_der().to_vec(),
        };
        let mut dtls = dimpl::Dtls::new_12(config, certificate, now);
        dtls.set_active(true);
        let mut client = Self {
            dtls,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            timeout: None,
            fingerprint: None,
        };
        let started = client.dtls.handle_timeout(now);
        debug_assert!(started.is_ok());
        client.drain();
        client
    }

    /// Takes in a datagram from the server.
    ///
    /// # Errors
    /// [`DtlsError::HandshakeFailed`] when the association is over.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError> {
        let result = self.dtls.handle_timeout(now).and_then(|()| self.dtls.handle_packet(datagram));
        self.finish(result)
    }

    /// Repeats what is due.
    ///
    /// # Errors
    /// [`DtlsError::HandshakeFailed`] when the association is over.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        let result = self.dtls.handle_timeout(now);
        self.finish(result)
    }

    /// When to call [`Self::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<DtlsEvent> {
        self.events.pop_front()
    }

    /// Says goodbye to the server.
    pub fn close(&mut self) {
        // Fails only where there is nothing to close any more.
        let _ = self.dtls.close();
        self.drain();
    }

    fn finish(&mut self, result: Result<(), dimpl::Error>) -> Result<(), DtlsError> {
        self.drain();
        result.map_err(|_| {
            // Every error of `dimpl` is the end, but its timer would run on.
            self.timeout = None;
            DtlsError::HandshakeFailed
        })
    }

    fn drain(&mut self) {
        let mut buffer = vec![0; OUTPUT_BYTES_MAX];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => self.transmits.push_back(datagram.to_vec()),
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    self.timeout = Some(at);
                    return;
                }
                Output::PeerCert(certificate) => self.fingerprint = Some(fingerprint(certificate)),
                Output::KeyingMaterial(export, profile) => {
                    let profile = match profile {
                        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
                        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
                        _ => Profile::Aes128CmSha1_80,
                    };
                    let (Ok(keys), Some(fingerprint)) =
                        (KeyingMaterial::from_export(profile, &export), self.fingerprint)
                    else {
                        continue;
                    };
                    self.events.push_back(DtlsEvent::Connected(Connected { profile, fingerprint, keys }));
                }
                Output::CloseNotify => self.events.push_back(DtlsEvent::Closed),
                _ => {}
            }
        }
    }
}
