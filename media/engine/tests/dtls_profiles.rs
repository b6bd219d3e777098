//! Which SRTP profile the server chooses, asked by a client that can offer any list: `rtc-dtls` in the client's role.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use media_engine::transport::{
    dtls::{Dtls, DtlsError, DtlsEvent, Identity},
    srtp::Profile,
};
use rtc_dtls::{
    config::ConfigBuilder,
    crypto::Certificate,
    crypto_provider::default_provider,
    endpoint::Endpoint,
    extension::extension_use_srtp::SrtpProtectionProfile::{
        self, Srtp_Aead_Aes_128_Gcm as GCM_128, Srtp_Aead_Aes_256_Gcm as GCM_256,
        Srtp_Aes128_Cm_Hmac_Sha1_32 as SHA1_32, Srtp_Aes128_Cm_Hmac_Sha1_80 as SHA1_80,
    },
};
use rtc_shared::TransportProtocol;

/// What the handshake comes to for a client that offers `offered`, in that order.
fn chosen(offered: &[SrtpProtectionProfile]) -> Result<Profile, DtlsError> {
    let (now, peer) = (Instant::now(), SocketAddr::from(([127, 0, 0, 1], 1)));
    let provider = default_provider().expect("a provider is built in");
    let certificate = Certificate::generate_self_signed(vec!["client".into()], provider.crypto());
    let config = ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![certificate.expect("generated")])
        .with_insecure_skip_verify(true)
        .with_srtp_protection_profiles(offered.to_vec())
        .build(true, None);
    let mut client = Endpoint::new(peer, TransportProtocol::UDP, None);
    client.connect(now, peer, Arc::new(config.expect("valid")), None).expect("begins");
    let mut server = Dtls::new(&Arc::new(Identity::generate()), now);
    for _ in 0..10 {
        while let Some(transmit) = client.poll_transmit() {
            server.handle_datagram(now, &transmit.message)?;
        }
        while let Some(datagram) = server.poll_transmit() {
            client.read(now, peer, None, datagram[..].into()).expect("a server's flight");
        }
    }
    let Some(DtlsEvent::Connected(connected)) = server.poll_event() else { panic!("not connected") };
    let at_client = client.get_connection_state(peer).expect("connected").srtp_protection_profile();
    assert_eq!(at_client as u16, connected.profile.iana_id());
    Ok(connected.profile)
}

#[test]
fn our_order_decides_even_where_the_client_has_the_reverse() {
    assert_eq!(chosen(&[SHA1_32, SHA1_80, GCM_256, GCM_128]), Ok(Profile::AeadAes128Gcm));
    assert_eq!(chosen(&[SHA1_80, GCM_256]), Ok(Profile::AeadAes256Gcm));
    assert_eq!(chosen(&[SHA1_32, SHA1_80]), Ok(Profile::Aes128CmSha1_80));
}

#[test]
fn a_client_without_a_profile_in_common_is_refused_for_good() {
    assert_eq!(chosen(&[SHA1_32]), Err(DtlsError::NoSrtpProfile));
    assert_eq!(chosen(&[]), Err(DtlsError::NoSrtpProfile));
    assert!(DtlsError::NoSrtpProfile.is_fatal() && !DtlsError::Refused.is_fatal());
}
