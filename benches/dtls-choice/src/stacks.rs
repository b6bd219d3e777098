//! The rivals that are not ours: `dimpl` as the server, and `rtc-dtls` bare and guarded in either role.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use dimpl::{Config, DtlsCertificate, Output, SrtpProfile};
use media_engine::transport::{
    dtls::{Connected, DtlsEvent, Identity},
    srtp::{KeyingMaterial, Profile},
};
use rtc_dtls::{
    cipher_suite::CipherSuiteId,
    config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig},
    crypto::Certificate,
    crypto_provider::{SignatureScheme, default_provider},
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::TransportProtocol;

use crate::dtls_link::Peer;

fn connected(profile: Profile, export: &[u8]) -> Option<DtlsEvent> {
    let keys = KeyingMaterial::from_export(profile, export).ok()?;
    Some(DtlsEvent::Connected(Connected { profile, fingerprint: [0; 32], keys }))
}

/// `dimpl` in the server's role, with the first retransmission after 200 ms as ours.
pub struct DimplServer {
    dtls: dimpl::Dtls,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<DtlsEvent>,
    timeout: Option<Instant>,
}

/// `dimpl`'s configuration, shared: building one tries out the whole crypto provider.
pub fn dimpl_config() -> Arc<Config> {
    let config =
        Config::builder().mtu(1200).flight_start_rto(Duration::from_millis(200)).flight_retries(12).build();
    Arc::new(config.expect("valid"))
}

impl DimplServer {
    pub fn new(config: &Arc<Config>, identity: &Identity, now: Instant) -> Self {
        let certificate = DtlsCertificate {
            certificate: identity.certificate_der().to_vec(),
            private_key: identity.private_key_der().to_vec(),
        };
        let mut dtls = dimpl::Dtls::new_12(Arc::clone(config), certificate, now);
        dtls.set_active(false);
        let mut server = Self { dtls, transmits: VecDeque::new(), events: VecDeque::new(), timeout: None };
        server.handle_timeout(now);
        server
    }

    fn finish(&mut self, result: Result<(), dimpl::Error>) {
        let mut buffer = [0; 4096];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => self.transmits.push_back(datagram.to_vec()),
                Output::Timeout(at) => break self.timeout = Some(at),
                Output::KeyingMaterial(export, profile) => {
                    let profile = match profile {
                        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
                        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
                        _ => Profile::Aes128CmSha1_80,
                    };
                    self.events.extend(connected(profile, &export));
                }
                Output::BufferTooSmall { needed } => panic!("{needed} bytes of output"),
                _ => {}
            }
        }
        if result.is_err() {
            self.timeout = None;
        }
    }
}

impl Peer for DimplServer {
    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        let result = self.dtls.handle_timeout(now).and_then(|()| self.dtls.handle_packet(datagram));
        self.finish(result);
    }
    fn handle_timeout(&mut self, now: Instant) {
        let result = self.dtls.handle_timeout(now);
        self.finish(result);
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }
    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }
    fn poll_event(&mut self) -> Option<DtlsEvent> {
        self.events.pop_front()
    }
}

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// How `rtc-dtls` repeats its flights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// By its own timer only.
    None,
    /// The last flight again after 50 ms, doubling up to 400 ms, until connected.
    Resend,
}

/// `rtc-dtls`, fed with datagrams as they come.
pub struct RtcDtls {
    endpoint: Endpoint,
    guard: Guard,
    flight: Vec<Vec<u8>>,
    resend: Option<(Instant, Duration)>,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<DtlsEvent>,
    now: Instant,
}

/// A shared configuration, as an application would have it.
pub fn rtc_config(identity: &Identity, is_client: bool) -> Arc<HandshakeConfig> {
    let provider = default_provider().expect("a provider is built in");
    let key = provider
        .crypto()
        .import_signing_key(SignatureScheme::EcdsaP256Sha256, identity.private_key_der())
        .expect("a P-256 key");
    let certificate = vec![identity.certificate_der().to_vec().into()];
    let config = ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![Certificate::from_signing_key(certificate, key)])
        .with_cipher_suites(vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256])
        .with_extended_master_secret(ExtendedMasterSecretType::Require)
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_insecure_skip_verify(true)
        .with_flight_interval(Duration::from_millis(200))
        .with_srtp_protection_profiles(vec![
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        ])
        .build(is_client, None);
    Arc::new(config.expect("valid"))
}

impl RtcDtls {
    pub fn client(config: Arc<HandshakeConfig>, guard: Guard, now: Instant) -> Self {
        let mut endpoint = Endpoint::new(PEER, TransportProtocol::UDP, None);
        endpoint.connect(now, PEER, config, None).expect("begins");
        Self::with(endpoint, guard, now)
    }

    pub fn server(config: Arc<HandshakeConfig>, guard: Guard, now: Instant) -> Self {
        Self::with(Endpoint::new(PEER, TransportProtocol::UDP, Some(config)), guard, now)
    }

    fn with(endpoint: Endpoint, guard: Guard, now: Instant) -> Self {
        let (transmits, events) = Default::default();
        let mut peer = Self { endpoint, guard, flight: Vec::new(), resend: None, transmits, events, now };
        peer.collect(now);
        peer
    }

    fn collect(&mut self, now: Instant) {
        self.now = now;
        let sent: Vec<Vec<u8>> =
            std::iter::from_fn(|| self.endpoint.poll_transmit()).map(|sent| sent.message.to_vec()).collect();
        if !sent.is_empty() {
            self.transmits.extend(sent.iter().cloned());
            self.flight = sent;
            let after = Duration::from_millis(50);
            self.resend = (self.guard == Guard::Resend).then_some((now + after, after));
        }
    }

    fn connected(&mut self) {
        self.resend = None;
        let Some(state) = self.endpoint.get_connection_state(PEER) else { return };
        let Some(profile) = Profile::from_iana_id(state.srtp_protection_profile() as u16) else { return };
        if let Ok(export) = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], profile.export_len()) {
            self.events.extend(connected(profile, export.as_ref()));
        }
    }
}

impl Peer for RtcDtls {
    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        let events = self.endpoint.read(now, PEER, None, datagram.into()).unwrap_or_default();
        self.collect(now);
        if events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)) {
            self.connected();
        }
    }
    fn handle_timeout(&mut self, now: Instant) {
        let _ = self.endpoint.handle_timeout(PEER, now);
        self.collect(now);
        if let Some((at, after)) = self.resend.filter(|(at, _)| *at <= now) {
            self.transmits.extend(self.flight.iter().cloned());
            let after = (after * 2).min(Duration::from_millis(400));
            self.resend = Some((at + after, after));
        }
    }
    fn poll_timeout(&self) -> Option<Instant> {
        let own = self.endpoint.poll_timeout(&PEER);
        self.resend.map(|(at, _)| at).into_iter().chain(own).min()
    }
    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }
    fn poll_event(&mut self) -> Option<DtlsEvent> {
        self.events.pop_front()
    }
}
