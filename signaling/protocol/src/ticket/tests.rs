//! What opens and what does not.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use media_model::{ConsultId, ParticipantNumber, Pii, Role, TenantId};

use super::*;
use crate::limits::TOKEN_BYTES_MAX;

const NOW: u64 = 1_800_000_000;

fn ticket() -> Ticket {
    Ticket {
        id: TicketId::from_bytes([7; 16]),
        tenant: TenantId::SYSTEM,
        consult: ConsultId::from_bytes([0xab; 16]),
        person: Pii::new("person-1".into()),
        role: Role::Patient,
        display_name: Pii::new("Zoë".into()),
        node: Some("node-1".into()),
        waits: true,
        break_glass: None,
        issued_at_unix_s: NOW,
        not_before_unix_s: None,
        expires_at_unix_s: NOW + 600,
    }
}

fn resume() -> ResumeToken {
    ResumeToken {
        tenant: TenantId::SYSTEM,
        consult: ConsultId::from_bytes([0xab; 16]),
        participant: ParticipantNumber::new(3).unwrap(),
        ticket: TicketId::from_bytes([7; 16]),
        person: Pii::new("person-1".into()),
        role: Role::Patient,
        display_name: Pii::new("Zoë".into()),
        generation: 2,
        waits: false,
        break_glass: None,
        issued_at_unix_s: NOW,
        expires_at_unix_s: NOW + 600,
    }
}

fn pair() -> (TicketSigner, TicketVerifier) {
    let signer = TicketSigner::generate().unwrap();
    let verifier = TicketVerifier::new([signer.public_key()]).unwrap();
    (signer, verifier)
}

/// A token with header and claims of any text, genuinely signed.
fn forge(signer: &TicketSigner, header: &str, claims: &str) -> String {
    let key = aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8(&signer.to_pkcs8().unwrap()).unwrap();
    let input = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
    format!("{input}.{}", BASE64URL.encode(key.sign(input.as_bytes()).as_ref()))
}

fn parts(token: &str) -> (String, String) {
    let mut parts =
        token.split('.').map(|part| String::from_utf8(BASE64URL.decode(part).unwrap_or_default()));
    (parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap())
}

#[test]
fn a_token_reads_back_what_was_signed() {
    let (signer, verifier) = pair();
    assert_eq!(verifier.verify(&signer.sign(&ticket()), NOW), Ok(ticket()));
    let signer = ResumeSigner::generate().unwrap();
    let verifier = ResumeVerifier::new([signer.public_key()]).unwrap();
    assert_eq!(verifier.verify(&signer.sign(&resume()), NOW), Ok(resume()));
}

#[test]
fn a_key_that_was_kept_signs_on_and_an_old_one_is_good_during_a_change() {
    let (old, _) = pair();
    let kept = TicketSigner::from_pkcs8(&old.to_pkcs8().unwrap()).unwrap();
    let (new, only_new) = pair();
    let both = TicketVerifier::new([new.public_key(), old.public_key()]).unwrap();
    for signer in [&kept, &new] {
        assert_eq!(both.verify(&signer.sign(&ticket()), NOW), Ok(ticket()));
    }
    assert_eq!(only_new.verify(&kept.sign(&ticket()), NOW), Err(TicketError::Invalid));
    assert!(TicketSigner::from_pkcs8(b"no key").is_err());
}

#[test]
fn what_signs_and_who_is_believed_change_for_all_who_hold_them() {
    let (signer, verifier) = pair();
    let (held, asked) = (signer.clone(), verifier.clone());
    let old = held.sign(&ticket());
    signer.turn_to(&TicketSigner::generate().unwrap()).unwrap();
    let new = held.sign(&ticket());
    assert_eq!(asked.verify(&new, NOW), Err(TicketError::Invalid), "not believed yet");
    verifier.trust([signer.public_key()]).unwrap();
    assert_eq!(asked.verify(&new, NOW), Ok(ticket()));
    assert_eq!(asked.verify(&old, NOW), Err(TicketError::Invalid), "not believed any more");
}

#[test]
fn a_token_is_good_in_its_time_and_a_minute_around() {
    let (signer, verifier) = pair();
    let later = Ticket { not_before_unix_s: Some(NOW + 300), ..ticket() };
    let cases = [
        (ticket(), NOW - 60, true),
        (ticket(), NOW - 61, false),
        (ticket(), NOW + 659, true),
        (ticket(), NOW + 660, false),
        (later.clone(), NOW + 239, false),
        (later, NOW + 240, true),
    ];
    for (ticket, at, good) in cases {
        let verified = verifier.verify(&signer.sign(&ticket), at);
        assert_eq!(verified, if good { Ok(ticket) } else { Err(TicketError::Expired) }, "at {at}");
    }
}

#[test]
fn one_kind_never_passes_for_the_other_even_under_one_key() {
    let (signer, verifier) = pair();
    let same_key = ResumeSigner::from_pkcs8(&signer.to_pkcs8().unwrap()).unwrap();
    assert_eq!(verifier.verify(&same_key.sign(&resume()), NOW), Err(TicketError::Invalid));
    let resumes = ResumeVerifier::new([signer.public_key()]).unwrap();
    assert_eq!(resumes.verify(&signer.sign(&ticket()), NOW), Err(TicketError::Invalid));
}

#[test]
fn only_the_one_header_is_taken() {
    let (signer, verifier) = pair();
    let (header, claims) = parts(&signer.sign(&ticket()));
    assert_eq!(verifier.verify(&forge(&signer, &header, &claims), NOW), Ok(ticket()));
    let with = |from: &str, to: &str| {
        let changed = header.replace(from, to);
        assert_ne!(changed, header, "{from}");
        changed
    };
    let bad = [
        with("EdDSA", "none"),
        with("EdDSA", "HS256"),
        with("EdDSA", "eddsa"),
        with("consilium-ticket+jwt", "JWT"),
        with("consilium-ticket+jwt", "consilium-resume+jwt"),
        with("{", "{\"crit\":[],"),
        with("{", "{\"alg\":\"EdDSA\","),
        with("\"alg\":\"EdDSA\",", ""),
        with(signer.public_key().kid(), "0000000000000000"),
        with("{", " x{"),
    ];
    for header in bad {
        assert_eq!(
            verifier.verify(&forge(&signer, &header, &claims), NOW),
            Err(TicketError::Invalid),
            "{header}"
        );
    }
}

#[test]
fn claims_that_are_missing_strange_or_there_twice_are_refused() {
    let (signer, verifier) = pair();
    let (header, claims) = parts(&signer.sign(&ticket()));
    let with = |from: &str, to: &str| {
        let changed = claims.replace(from, to);
        assert_ne!(changed, claims, "{from}");
        changed
    };
    let bad = [
        with("consilium-signaling", "consilium-resume"),
        with("{", "{\"iss\":\"x\","),
        with("{", "{\"exp\":9999999999,"),
        with("\"waits\":true,", ""),
        with("patient", "surgeon"),
        with("Zoë", "Zo\\u0000"),
        with("Zoë", " "),
        with("Zoë", &"x".repeat(101)),
        with("person-1", ""),
        with("person-1", &"x".repeat(129)),
        with("node-1", &"x".repeat(65)),
        with("abab", "ABAB"),
        with("0707", ""),
        with("1800000600", "-1"),
        with("1800000600", "1.8e9"),
    ];
    for claims in bad {
        assert_eq!(
            verifier.verify(&forge(&signer, &header, &claims), NOW),
            Err(TicketError::Invalid),
            "{claims}"
        );
    }
}

#[test]
fn no_change_of_a_single_character_and_no_part_of_a_token_opens() {
    let (signer, verifier) = pair();
    let token = signer.sign(&ticket());
    for at in 0..token.len() {
        let (before, after) = token.split_at(at);
        assert_eq!(verifier.verify(before, NOW), Err(TicketError::Invalid), "cut at {at}");
        let other = if after.starts_with('A') { "B" } else { "A" };
        let changed = format!("{before}{other}{}", &after[1..]);
        assert_eq!(verifier.verify(&changed, NOW), Err(TicketError::Invalid), "changed at {at}");
    }
    let bad =
        [format!("{token}="), format!("{token}."), format!(" {token}"), format!("{token}\n"), ".".repeat(3)];
    for token in bad.into_iter().chain(["A".repeat(TOKEN_BYTES_MAX + 1)]) {
        assert_eq!(verifier.verify(&token, NOW), Err(TicketError::Invalid));
    }
}

#[test]
fn nothing_personal_and_nothing_secret_is_printed() {
    let (signer, verifier) = pair();
    let printed = format!("{:?} {:?} {signer:?} {verifier:?}", ticket(), resume());
    assert!(!printed.contains("person-1") && !printed.contains("Zoë"), "{printed}");
    assert!(printed.contains(signer.public_key().kid()));
}
