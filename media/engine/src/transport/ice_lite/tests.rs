//! The agent against the client side of `rtc-stun`.

use std::time::Duration;

use rtc_stun::{
    attributes as attr,
    crypto::{RTCCrypto, RTCCryptoProvider, default_provider},
    error_code::ErrorCodeAttribute,
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Getter, Message, Setter, TransactionId},
    textattrs::TextAttribute,
    xoraddr::XorMappedAddress,
};

use super::*;

const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn credentials(name: &str) -> IceCredentials {
    IceCredentials { ufrag: name.into(), password: format!("password-of-{name}-0123456789").into() }
}

fn address(last: u8) -> SocketAddr {
    ([198, 51, 100, last], 5000).into()
}

fn agent(now: Instant) -> IceLite {
    IceLite::new(&credentials("srv1"), &credentials("cli1"), now)
}

const PRIORITY: (attr::AttrType, &[u8]) = (attr::ATTR_PRIORITY, &[0x6e, 0, 1, 0xff]);
const CONTROLLING: (attr::AttrType, &[u8]) = (attr::ATTR_ICE_CONTROLLING, &[7; 8]);
const USE_CANDIDATE: (attr::AttrType, &[u8]) = (attr::ATTR_USE_CANDIDATE, &[]);

/// A check as a client's ICE agent sends it, with these attributes behind the usual ones.
fn check(server: &str, client: &str, extra: &[(attr::AttrType, &[u8])]) -> Vec<u8> {
    signed(server, client, &credentials(server).password, extra)
}

fn signed(server: &str, client: &str, password: &str, extra: &[(attr::AttrType, &[u8])]) -> Vec<u8> {
    let provider = default_provider().unwrap();
    let mut setters: Vec<Box<dyn Setter>> = vec![
        Box::new(TransactionId([server.len() as u8; 12])),
        Box::new(BINDING_REQUEST),
        Box::new(TextAttribute::new(attr::ATTR_USERNAME, format!("{server}:{client}"))),
    ];
    for (typ, value) in extra {
        let attribute = attr::RawAttribute { typ: *typ, length: value.len() as u16, value: value.to_vec() };
        setters.push(Box::new(attribute));
    }
    let mut message = Message::new();
    message.build(&setters).unwrap();
    let key = password.to_owned();
    MessageIntegrity::new_short_term_integrity_with_provider(key, crypto(&provider))
        .add_to(&mut message)
        .unwrap();
    FINGERPRINT.add_to(&mut message).unwrap();
    message.raw
}

fn crypto(provider: &Arc<dyn RTCCryptoProvider>) -> &dyn RTCCrypto {
    provider.crypto()
}

/// What `rtc-stun` reads from an answer, after it has checked integrity and fingerprint.
fn read(answer: &[u8], password: &str) -> Message {
    let provider = default_provider().unwrap();
    let mut message = Message::new();
    message.unmarshal_binary(answer).unwrap();
    FINGERPRINT.check(&message).unwrap();
    MessageIntegrity::check(&mut message, password.as_bytes(), crypto(&provider)).unwrap();
    message
}

fn ask(agent: &mut IceLite, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<Vec<u8>, DropReason> {
    let mut out = [0; RESPONSE_BYTES_MAX];
    let answer = agent.handle_check(now, from, LOCAL, datagram, &mut out)?;
    assert_eq!(answer.is_valid, agent.valid.contains(&(from, LOCAL)));
    Ok(out[..answer.length].to_vec())
}

fn error_code(answer: &Message) -> u16 {
    let mut error = ErrorCodeAttribute::default();
    error.get_from(answer).unwrap();
    error.code.0
}

#[test]
fn a_check_is_answered_with_the_address_that_it_came_from() {
    let now = Instant::now();
    for from in [address(1), "[2001:db8::7]:40000".parse().unwrap()] {
        let mut ice = agent(now);
        let answer = ask(&mut ice, now, from, &check("srv1", "cli1", &[PRIORITY, CONTROLLING])).unwrap();
        let answer = read(&answer, &credentials("srv1").password);
        let mut mapped = XorMappedAddress::default();
        mapped.get_from(&answer).unwrap();
        assert_eq!((answer.typ, answer.transaction_id.0), (BINDING_SUCCESS, [4; 12]));
        assert_eq!(SocketAddr::new(mapped.ip, mapped.port), from);
        assert!(ice.is_validated(from));
    }
}

#[test]
fn the_first_valid_address_is_used_until_one_is_nominated_and_then_the_latest_nominated() {
    let now = Instant::now();
    let mut ice = agent(now);
    assert_eq!(ice.selected(), None);
    let plain = check("srv1", "cli1", &[PRIORITY, CONTROLLING]);
    let nominating = check("srv1", "cli1", &[PRIORITY, CONTROLLING, USE_CANDIDATE]);
    let steps = [(1, &plain, 1), (2, &plain, 1), (2, &nominating, 2), (1, &plain, 2), (3, &nominating, 3)];
    for (from, datagram, selected) in steps {
        ask(&mut ice, now, address(from), datagram).unwrap();
        assert_eq!(ice.selected(), Some((address(selected), LOCAL)));
    }
}

#[test]
fn what_is_not_authentic_is_not_answered_and_changes_nothing() {
    let now = Instant::now();
    let later = now + Duration::from_secs(5);
    let mut ice = agent(now);
    let good = check("srv1", "cli1", &[USE_CANDIDATE]);
    let mut wrong_fingerprint = good.clone();
    *wrong_fingerprint.last_mut().unwrap() ^= 1;
    let wrong_password = signed("srv1", "cli1", "another password altogether", &[USE_CANDIDATE]);
    for (datagram, reason) in [
        (wrong_password, DropReason::StunUnauthenticated),
        (wrong_fingerprint, DropReason::StunMalformed),
        (check("srv2", "cli1", &[USE_CANDIDATE]), DropReason::StunUnknownUser),
        (check("srv1", "cli2", &[USE_CANDIDATE]), DropReason::StunUnknownUser),
        (good[..good.len() - 8].to_vec(), DropReason::StunMalformed),
    ] {
        assert_eq!(ask(&mut ice, later, address(1), &datagram), Err(reason));
        assert_eq!((ice.selected(), ice.is_validated(address(1))), (None, false));
        assert_eq!(ice.consent_expires_at(), now + CONSENT_EXPIRY);
    }
}

#[test]
fn attributes_behind_the_integrity_are_not_believed() {
    let now = Instant::now();
    let mut ice = agent(now);
    let signed = check("srv1", "cli1", &[PRIORITY]);
    ask(&mut ice, now, address(1), &signed).unwrap();
    // Somebody on the path takes the fingerprint off, adds USE-CANDIDATE and makes a new one.
    let mut forged = Message::new();
    forged.unmarshal_binary(&signed).unwrap();
    forged.raw.truncate(signed.len() - 8);
    forged.length -= 8;
    forged.attributes.0.pop();
    forged.add(attr::ATTR_USE_CANDIDATE, &[]);
    FINGERPRINT.add_to(&mut forged).unwrap();
    ask(&mut ice, now, address(66), &forged.raw).unwrap();
    assert_eq!(ice.selected(), Some((address(1), LOCAL)));
}

#[test]
fn a_client_that_believes_to_be_controlled_is_told_of_the_role_conflict() {
    let now = Instant::now();
    let mut ice = agent(now);
    let confused = check("srv1", "cli1", &[PRIORITY, (attr::ATTR_ICE_CONTROLLED, &[7; 8]), USE_CANDIDATE]);
    let answer = ask(&mut ice, now + Duration::from_secs(1), address(1), &confused).unwrap();
    assert_eq!(error_code(&read(&answer, &credentials("srv1").password)), 487);
    assert_eq!((ice.selected(), ice.consent_expires_at()), (None, now + CONSENT_EXPIRY));
}

#[test]
fn an_attribute_that_must_be_understood_and_is_not_gets_420() {
    let now = Instant::now();
    let mut ice = agent(now);
    let odd =
        check("srv1", "cli1", &[PRIORITY, (attr::AttrType(0x7abc), &[1]), (attr::AttrType(0xc001), &[1])]);
    let answer = read(&ask(&mut ice, now, address(1), &odd).unwrap(), &credentials("srv1").password);
    assert_eq!(error_code(&answer), 420);
    assert_eq!(answer.get(attr::ATTR_UNKNOWN_ATTRIBUTES).unwrap(), [0x7a, 0xbc]);
    assert!(!ice.is_validated(address(1)));
    // As many as fit are listed, and the answer stays within its bound.
    let many: Vec<_> = (0..100).map(|i| (attr::AttrType(0x7000 + i), &[][..])).collect();
    assert!(ask(&mut ice, now, address(1), &check("srv1", "cli1", &many)).is_ok());
}

#[test]
fn consent_ends_thirty_seconds_after_the_last_check() {
    let start = Instant::now();
    let mut ice = agent(start);
    let later = start + Duration::from_secs(20);
    ask(&mut ice, later, address(1), &check("srv1", "cli1", &[PRIORITY])).unwrap();
    assert_eq!(ice.consent_expires_at(), later + Duration::from_secs(30));
}

#[test]
fn after_a_restart_the_old_credentials_work_until_the_new_ones_have_nominated() {
    let now = Instant::now();
    let mut ice = agent(now);
    ask(&mut ice, now, address(1), &check("srv1", "cli1", &[USE_CANDIDATE])).unwrap();
    ice.restart(&credentials("srv2"), &credentials("cli2"));
    assert_eq!(ice.local_ufrags().map(|u| &**u).collect::<Vec<_>>(), ["srv2", "srv1"]);
    ask(&mut ice, now, address(1), &check("srv1", "cli1", &[])).unwrap();
    ask(&mut ice, now, address(2), &check("srv2", "cli2", &[])).unwrap();
    assert_eq!(ice.selected(), Some((address(1), LOCAL)));
    assert_eq!(ask(&mut ice, now, address(2), &check("srv2", "cli1", &[])), Err(DropReason::StunUnknownUser));

    ask(&mut ice, now, address(2), &check("srv2", "cli2", &[USE_CANDIDATE])).unwrap();
    assert_eq!(ice.selected(), Some((address(2), LOCAL)));
    assert_eq!(ask(&mut ice, now, address(1), &check("srv1", "cli1", &[])), Err(DropReason::StunUnknownUser));
    assert_eq!(ice.local_ufrags().count(), 1);
}

#[test]
fn a_second_restart_keeps_the_credentials_that_carry_the_media() {
    let now = Instant::now();
    let mut ice = agent(now);
    ask(&mut ice, now, address(1), &check("srv1", "cli1", &[USE_CANDIDATE])).unwrap();
    ice.restart(&credentials("srv2"), &credentials("cli2"));
    ice.restart(&credentials("srv3"), &credentials("cli3"));
    assert_eq!(ice.local_ufrags().map(|u| &**u).collect::<Vec<_>>(), ["srv3", "srv1"]);
    assert!(ask(&mut ice, now, address(1), &check("srv1", "cli1", &[])).is_ok());
}

#[test]
fn only_the_addresses_checked_most_recently_are_remembered() {
    let now = Instant::now();
    let mut ice = agent(now);
    let datagram = check("srv1", "cli1", &[PRIORITY]);
    for last in 1..=TRANSPORT_ADDRESSES_MAX as u8 {
        ask(&mut ice, now, address(last), &datagram).unwrap();
    }
    ask(&mut ice, now, address(1), &datagram).unwrap();
    let forgotten = ice.handle_check(now, address(100), LOCAL, &datagram, &mut [0; RESPONSE_BYTES_MAX]);
    assert_eq!(forgotten.map(|answer| answer.forgotten), Ok(Some((address(2), LOCAL))));
    assert!(ice.is_validated(address(1)) && ice.is_validated(address(100)) && !ice.is_validated(address(2)));
    ice.forget((address(1), LOCAL));
    assert_eq!(ice.selected(), Some((address(100), LOCAL)));
}

#[test]
fn the_pairs_in_use_are_never_forgotten() {
    let now = Instant::now();
    let mut ice = agent(now);
    ask(&mut ice, now, address(1), &check("srv1", "cli1", &[USE_CANDIDATE])).unwrap();
    ask(&mut ice, now, address(2), &check("srv1", "cli1", &[])).unwrap();
    ice.carries((address(2), LOCAL));
    for last in 3..100 {
        ask(&mut ice, now, address(last), &check("srv1", "cli1", &[])).unwrap();
        assert!(ice.is_validated(address(1)) && ice.is_validated(address(2)));
        assert!(ice.valid.len() <= TRANSPORT_ADDRESSES_MAX);
    }
    assert_eq!(ice.selected(), Some((address(1), LOCAL)));
}

#[test]
fn random_bytes_and_damaged_checks_never_panic_and_change_nothing() {
    let now = Instant::now();
    let mut ice = agent(now);
    let good = check("srv1", "cli1", &[PRIORITY, USE_CANDIDATE]);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..50_000 {
        let datagram: Vec<u8> = if round % 2 == 0 {
            let length = random() as usize % 200;
            (0..length).map(|_| random() as u8).collect()
        } else {
            let mut damaged = good[..good.len() - random() as usize % 3 * 30].to_vec();
            let at = random() as usize % damaged.len();
            damaged[at] ^= 1 << (random() % 8);
            damaged
        };
        assert!(ask(&mut ice, now, address(1), &datagram).is_err(), "{datagram:02x?}");
    }
    assert_eq!((ice.selected(), ice.is_validated(address(1))), (None, false));
}
