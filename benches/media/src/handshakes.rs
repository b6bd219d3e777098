//! A join: command, connectivity check, DTLS, until media can flow. Only the server's share of the CPU counts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    rand::SystemRandom,
    signature::{
        self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
        UnparsedPublicKey as VerifyingKey,
    },
};
use media_engine::{
    Config, Engine,
    api::{Command, Datagram, Event, Join, TransmitBuffer},
    rtp::NtpTime,
    transport::dtls::Identity,
};
use media_model::{ConsultId, ParticipantNumber, ShardId, TransportId};

use crate::support::{Client, SERVER};

/// Rounds of messages until a handshake counts as failed.
const ROUNDS_MAX: usize = 50;

/// A shard that people join, one after another.
pub struct Joins {
    engine: Engine,
    out: TransmitBuffer,
    now: Instant,
    joined: u64,
    spent: Duration,
}

impl Default for Joins {
    fn default() -> Self {
        Self::new()
    }
}

impl Joins {
    /// Nobody is there yet.
    pub fn new() -> Self {
        let now = Instant::now();
        let config = Config {
            epoch: (now, NtpTime::from_unix(Duration::from_secs(1_800_000_000))),
            seed: 7,
            identity: Arc::new(Identity::generate()),
            shard: ShardId(0),
        };
        let (engine, out) = (Engine::new(config), TransmitBuffer::new(1 << 20, 1_024));
        Self { engine, out, now, joined: 0, spent: Duration::ZERO }
    }

    /// Somebody joins and is gone again; what it cost the server until media could flow.
    pub fn join(&mut self) -> Duration {
        let index = (self.joined % 200) as usize;
        let mut client = Client::new(index, self.now);
        let transport = TransportId(self.joined);
        self.joined += 1;
        self.spent = Duration::ZERO;
        let join = Join {
            transport,
            consult: ConsultId::from_bytes([9; 16]),
            participant: ParticipantNumber::new(1).expect("numbers begin with 1"),
            admitted: true,
            ice_local: client.ice_server.clone(),
            ice_remote: client.ice_client.clone(),
            fingerprint: client.fingerprint(),
            media: client.media(),
        };
        self.engine_does(|engine, now, out| engine.handle_command(now, Command::Join(Box::new(join)), out));
        let mut check = client.check();
        self.receive(&client, &mut check);
        let mut is_connected = false;
        for _ in 0..ROUNDS_MAX {
            self.deliver(&mut client);
            while let Some(event) = self.engine.poll_event() {
                is_connected |= event == Event::Connected(transport);
            }
            if is_connected {
                break;
            }
            self.now += Duration::from_millis(1);
            client.handle_timeout(self.now);
            while let Some(mut datagram) = client.poll_transmit() {
                self.receive(&client, &mut datagram);
            }
        }
        assert!(is_connected, "a handshake without loss succeeds");
        let spent = self.spent;
        self.engine.handle_command(self.now, Command::Leave(transport), &mut self.out);
        self.out.clear();
        while self.engine.poll_event().is_some() {}
        spent
    }

    fn receive(&mut self, client: &Client, data: &mut [u8]) {
        let remote = client.address;
        self.engine_does(|engine, now, out| {
            engine.handle_datagram(now, Datagram { remote, local: SERVER, data }, out);
            while engine.poll_timeout().is_some_and(|due| due <= now) {
                engine.handle_timeout(now, out);
            }
        });
    }

    fn engine_does(&mut self, work: impl FnOnce(&mut Engine, Instant, &mut TransmitBuffer)) {
        let start = Instant::now();
        work(&mut self.engine, self.now, &mut self.out);
        self.spent += start.elapsed();
    }

    fn deliver(&mut self, client: &mut Client) {
        let sent: Vec<Vec<u8>> = self.out.iter().map(|(_, bytes)| bytes.to_vec()).collect();
        self.out.clear();
        sent.iter().for_each(|datagram| client.handle(self.now, datagram));
    }
}

/// The public-key work that no server can do without: a key pair and an agreement, a signature of its own and the
/// check of the client's, all on P-256.
pub struct PublicKeyWork {
    random: SystemRandom,
    signing: EcdsaKeyPair,
    peer: Vec<u8>,
    signed: signature::Signature,
}

const TRANSCRIPT: &[u8; 64] = &[5; 64];

impl Default for PublicKeyWork {
    fn default() -> Self {
        Self::new()
    }
}

impl PublicKeyWork {
    /// With long-term keys made.
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let signing = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key pair");
        let peer = EphemeralPrivateKey::generate(&ECDH_P256, &random).expect("a key pair");
        let peer = peer.compute_public_key().expect("its public half").as_ref().to_vec();
        let signed = signing.sign(&random, TRANSCRIPT).expect("signed");
        Self { random, signing, peer, signed }
    }

    /// Once; what it cost.
    pub fn run(&self) -> Duration {
        let start = Instant::now();
        let own = EphemeralPrivateKey::generate(&ECDH_P256, &self.random).expect("a key pair");
        let public = own.compute_public_key().expect("its public half");
        std::hint::black_box(self.signing.sign(&self.random, public.as_ref()).expect("signed"));
        let peer = UnparsedPublicKey::new(&ECDH_P256, &self.peer);
        agree_ephemeral(own, peer, (), |secret| Ok::<_, ()>(std::hint::black_box(secret.len())))
            .expect("agreed");
        let key = VerifyingKey::new(&ECDSA_P256_SHA256_ASN1, self.signing.public_key());
        key.verify(TRANSCRIPT, self.signed.as_ref()).expect("its own signature");
        start.elapsed()
    }
}
