//! DTLS 1.2 as the client, on `dimpl`: a different stack than the one that Consilium's server uses, and one whose timers
//! survive the loss of any datagram. Dropped once keys are there: the server's last flight is what completes the client's
//! handshake, so nothing is left to repeat.

use std::{sync::Arc, time::Duration, time::Instant};

use aws_lc_rs::digest::{SHA256, digest};
use dimpl::{Config, DtlsCertificate, Output, SrtpProfile};

use crate::srtp::{Profile, Srtp};

/// Janus drops the first ClientHello; who asks again after 40 ms is in within 80.
const RESEND_AFTER: Duration = Duration::from_millis(40);
const DATAGRAM_BYTES_MAX: usize = 1_200;
const RESENDS_MAX: usize = 12;
const OUTPUT_BYTES: usize = 4_096;

/// The certificate that every transport shows, and the stack's configuration.
#[derive(Clone)]
pub struct Identity {
    certificate: Vec<u8>,
    private_key: Vec<u8>,
    config: Arc<Config>,
}

/// No certificate could be made, or the DTLS stack refuses its configuration.
#[derive(Debug, thiserror::Error)]
#[error("no DTLS identity: {0}")]
pub struct NoIdentity(String);

impl Identity {
    /// A new key and a certificate for it.
    pub fn generate() -> Result<Self, NoIdentity> {
        let no = |error: &dyn std::fmt::Display| NoIdentity(error.to_string());
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|error| no(&error))?;
        let certificate =
            rcgen::CertificateParams::default().self_signed(&key).map_err(|error| no(&error))?;
        let config = Config::builder()
            .mtu(DATAGRAM_BYTES_MAX)
            .flight_start_rto(RESEND_AFTER)
            .flight_retries(RESENDS_MAX)
            .build()
            .map_err(|error| no(&format!("{error:?}")))?;
        Ok(Self {
            certificate: certificate.der().to_vec(),
            private_key: key.serialize_der(),
            config: Arc::new(config),
        })
    }

    /// SHA-256 of the certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha_256(&self.certificate)
    }
}

/// How far a handshake has come.
#[derive(Debug)]
pub enum Progress {
    /// Not there yet.
    Going,
    /// Keys of both directions: sending, receiving.
    Done(Box<(Srtp, Srtp)>),
    /// It is over.
    Failed,
    /// The other side's certificate is another one than promised.
    WrongCertificate,
}

/// A handshake.
pub struct Handshake {
    dtls: dimpl::Dtls,
    timeout: Option<Instant>,
    fingerprint: Option<[u8; 32]>,
    wanted: [u8; 32],
}

impl Handshake {
    /// Begins one; `wanted` is the other side's fingerprint.
    pub fn begin(identity: &Identity, wanted: [u8; 32], now: Instant, out: &mut dyn FnMut(&[u8])) -> Self {
        let certificate = DtlsCertificate {
            certificate: identity.certificate.clone(),
            private_key: identity.private_key.clone(),
        };
        let mut dtls = dimpl::Dtls::new_12(Arc::clone(&identity.config), certificate, now);
        dtls.set_active(true);
        let mut handshake = Self { dtls, timeout: None, fingerprint: None, wanted };
        handshake.handle_timeout(now, out);
        handshake
    }

    /// Takes a datagram in.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8], out: &mut dyn FnMut(&[u8])) -> Progress {
        let result = self.dtls.handle_timeout(now).and_then(|()| self.dtls.handle_packet(datagram));
        self.drain(result.is_err(), out)
    }

    /// Repeats what is due.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut dyn FnMut(&[u8])) -> Progress {
        let result = self.dtls.handle_timeout(now);
        self.drain(result.is_err(), out)
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }

    fn drain(&mut self, failed: bool, out: &mut dyn FnMut(&[u8])) -> Progress {
        let mut buffer = [0; OUTPUT_BYTES];
        let mut progress = if failed { Progress::Failed } else { Progress::Going };
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => out(datagram),
                Output::Timeout(at) => {
                    self.timeout = Some(at);
                    return progress;
                }
                Output::PeerCert(certificate) => self.fingerprint = Some(sha_256(certificate)),
                Output::KeyingMaterial(export, profile) => progress = self.keys(&export, profile),
                Output::BufferTooSmall { .. } | Output::CloseNotify => return Progress::Failed,
                _ => {}
            }
        }
    }

    /// RFC 5764 §4.2: client's key, server's key, client's salt, server's salt.
    fn keys(&self, export: &[u8], profile: SrtpProfile) -> Progress {
        if self.fingerprint != Some(self.wanted) {
            return Progress::WrongCertificate;
        }
        let profile = match profile {
            SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
            SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
            _ => Profile::Aes128CmSha1_80,
        };
        let (key, salt) = (profile.key_len(), profile.salt_len());
        let part = |start: usize, length: usize| export.get(start..start + length).unwrap_or_default();
        let send = Srtp::derive(profile, part(0, key), part(2 * key, salt));
        let receive = Srtp::derive(profile, part(key, key), part(2 * key + salt, salt));
        match (send, receive) {
            (Ok(send), Ok(receive)) => Progress::Done(Box::new((send, receive))),
            _ => Progress::Failed,
        }
    }
}

fn sha_256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(to, byte)| *to = *byte);
    hash
}
