//! Our certificate and its key: one for the node, kept on disk, named by its fingerprint in every answer.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rtc_dtls::{
    cipher_suite::CipherSuiteId,
    config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig},
    crypto::Certificate,
    crypto_provider::{SignatureScheme, default_provider},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use zeroize::Zeroizing;

use crate::transport::srtp::Profile;

/// A self-signed certificate for ECDSA on P-256, and its key.
pub struct Identity {
    certificate: Vec<u8>,
    private_key: Zeroizing<Vec<u8>>,
    /// A configuration that offers one profile only, for each in [`Profile::PREFERENCE`]: `rtc-dtls` chooses in the
    /// client's order, so we choose before it sees the ClientHello.
    configs: [Arc<HandshakeConfig>; 3],
}

/// The bytes are no certificate with its ECDSA P-256 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate with its P-256 private key")]
pub struct InvalidIdentity;

impl Identity {
    /// A new key and a certificate for it. Its serial number is random: Firefox refuses two of the same.
    ///
    /// # Panics
    /// When the system has no randomness to give.
    pub fn generate() -> Self {
        Self::try_generate().expect("a P-256 key can be generated")
    }

    fn try_generate() -> Option<Self> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).ok()?;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Consilium");
        let mut serial = [0; 16];
        aws_lc_rs::rand::fill(&mut serial).ok()?;
        params.serial_number = Some(serial.to_vec().into());
        let certificate = params.self_signed(&key).ok()?;
        Self::from_der(certificate.der(), &key.serialize_der()).ok()
    }

    /// Takes back what [`Self::certificate_der`] and [`Self::private_key_der`] gave.
    ///
    /// # Errors
    /// [`InvalidIdentity`] when the key is no PKCS #8 key on P-256, or the certificate is not for it.
    pub fn from_der(certificate: &[u8], private_key: &[u8]) -> Result<Self, InvalidIdentity> {
        let provider = default_provider().map_err(|_| InvalidIdentity)?;
        let signing_key = provider
            .crypto()
            .import_signing_key(SignatureScheme::EcdsaP256Sha256, private_key)
            .map_err(|_| InvalidIdentity)?;
        let public_key = signing_key.public_key().bytes.to_vec();
        if public_key.is_empty() || !certificate.windows(public_key.len()).any(|part| part == public_key) {
            return Err(InvalidIdentity);
        }
        let builder = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![Certificate::from_signing_key(
                vec![certificate.to_vec().into()],
                signing_key,
            )])
            // RFC 8827 §6.5: the suite that everyone has.
            .with_cipher_suites(vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256])
            // RFC 7627 §4: binds the keys to the whole handshake. `rtc-dtls` relies on it, for it does not compare
            // the client's Finished.
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            // Certificates are self-signed; the caller compares fingerprints (RFC 8827 §6.5).
            .with_insecure_skip_verify(true)
            // Flights are repeated in `server.rs`; this timer is never looked at.
            .with_flight_interval(Duration::from_secs(3600));
        let config = |profile| {
            let builder = builder.clone().with_srtp_protection_profiles(vec![rtc_profile(profile)]);
            builder.build(false, None).map(Arc::new).map_err(|_| InvalidIdentity)
        };
        let [first, second, third] = Profile::PREFERENCE;
        Ok(Self {
            certificate: certificate.to_vec(),
            private_key: Zeroizing::new(private_key.to_vec()),
            configs: [config(first)?, config(second)?, config(third)?],
        })
    }

    /// The certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// The private key, PKCS #8 DER. Secret.
    pub fn private_key_der(&self) -> &[u8] {
        &self.private_key
    }

    /// SHA-256 of the certificate, for `a=fingerprint` (RFC 8122 §5).
    pub fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.certificate)
    }

    pub(super) fn config(&self, profile: Profile) -> Arc<HandshakeConfig> {
        let [first, second, third] = &self.configs;
        Arc::clone(match profile {
            Profile::AeadAes128Gcm => first,
            Profile::AeadAes256Gcm => second,
            Profile::Aes128CmSha1_80 => third,
        })
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

/// SHA-256 of a certificate.
pub(super) fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, certificate).as_ref());
    bytes
}

fn rtc_profile(profile: Profile) -> SrtpProtectionProfile {
    match profile {
        Profile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        Profile::AeadAes256Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
        Profile::Aes128CmSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_being_kept_and_no_two_are_alike() {
        let identity = Identity::generate();
        let again = Identity::from_der(identity.certificate_der(), identity.private_key_der());
        assert_eq!(again.map(|identity| identity.fingerprint()), Ok(identity.fingerprint()));
        assert_ne!(identity.fingerprint(), Identity::generate().fingerprint());
    }

    #[test]
    fn a_certificate_with_another_key_is_refused() {
        let (one, other) = (Identity::generate(), Identity::generate());
        assert!(Identity::from_der(one.certificate_der(), other.private_key_der()).is_err());
        assert!(Identity::from_der(one.certificate_der(), b"no key").is_err());
    }

    #[test]
    fn the_private_key_is_not_printed() {
        let identity = Identity::generate();
        assert!(!format!("{identity:?}").contains("private_key"));
    }
}
