//! Tokens of visits: who is in a visit may call for as long as they could come back to it, and for nothing else.
//!
//! The node gives one out with each `welcome`, without asking the database. Signed as tickets and access tokens are, and nothing else in
//! common: another key, `typ` and `aud` (RFC 8725 §3.11, §3.12). Being genuine is not enough: at each use the database says
//! whether the ticket, the consult and the person are what they were.

use aws_lc_rs::rand;
use media_model::{ConsultId, Role, TenantId, random_id};
use serde::{Deserialize, Serialize};
use signaling_protocol::ticket::{LEEWAY_S, Signer, TicketError, TicketId, Token, Verifier};

use crate::{ids::PersonId, limits::VISIT_TOKEN_LIFETIME};

/// Signs tokens of visits.
pub type VisitSigner = Signer<VisitToken>;
/// Verifies them.
pub type VisitVerifier = Verifier<VisitToken>;

random_id! {
    /// The number of a visit's token (`jti`).
    VisitTokenId, "visit token"
}

/// Leave to call as one person of one visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitToken {
    /// `jti`
    pub id: VisitTokenId,
    /// `tenant`: whose visit it is.
    pub tenant: TenantId,
    /// `consult`: the visit's.
    pub consult: ConsultId,
    /// `ticket`: what they came in with.
    pub ticket: TicketId,
    /// `person`: who, by the internal id.
    pub person: PersonId,
    /// `role`: as what.
    pub role: Role,
    /// `iat`, in seconds since 1970.
    pub issued_at_unix_s: u64,
    /// `exp`, likewise.
    pub expires_at_unix_s: u64,
}

impl VisitToken {
    /// For who came in with this ticket, from now on.
    pub fn begin(
        (tenant, consult, ticket): (TenantId, ConsultId, TicketId),
        (person, role): (PersonId, Role),
        now_unix_s: u64,
    ) -> Self {
        let mut id = [0; 16];
        rand::fill(&mut id).expect("the system's random source works");
        let id = VisitTokenId::from_bytes(id);
        let expires_at_unix_s = now_unix_s.saturating_add(VISIT_TOKEN_LIFETIME.as_secs());
        Self { id, tenant, consult, ticket, person, role, issued_at_unix_s: now_unix_s, expires_at_unix_s }
    }
}

/// A visit's token in JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisitClaims {
    aud: String,
    jti: VisitTokenId,
    tenant: TenantId,
    consult: ConsultId,
    ticket: TicketId,
    person: PersonId,
    role: Role,
    iat: u64,
    exp: u64,
}

impl Token for VisitToken {
    const TYP: &'static str = "consilium-visit+jwt";
    const AUDIENCE: &'static str = "consilium-visit";
    type Claims = VisitClaims;

    fn to_claims(&self) -> VisitClaims {
        VisitClaims {
            aud: Self::AUDIENCE.into(),
            jti: self.id,
            tenant: self.tenant,
            consult: self.consult,
            ticket: self.ticket,
            person: self.person,
            role: self.role,
            iat: self.issued_at_unix_s,
            exp: self.expires_at_unix_s,
        }
    }

    fn from_claims(claims: VisitClaims) -> Result<Self, TicketError> {
        let lasts_s = claims.exp.checked_sub(claims.iat).ok_or(TicketError::Invalid)?;
        if claims.aud != Self::AUDIENCE || lasts_s > VISIT_TOKEN_LIFETIME.as_secs() {
            return Err(TicketError::Invalid);
        }
        Ok(Self {
            id: claims.jti,
            tenant: claims.tenant,
            consult: claims.consult,
            ticket: claims.ticket,
            person: claims.person,
            role: claims.role,
            issued_at_unix_s: claims.iat,
            expires_at_unix_s: claims.exp,
        })
    }

    /// Without leeway at its end: four hours are long enough.
    fn check_time(&self, now_unix_s: u64) -> Result<(), TicketError> {
        let has_begun = now_unix_s.saturating_add(LEEWAY_S) >= self.issued_at_unix_s;
        if has_begun && now_unix_s < self.expires_at_unix_s { Ok(()) } else { Err(TicketError::Expired) }
    }
}

#[cfg(test)]
mod tests {
    use media_model::Pii;
    use signaling_protocol::ticket::{Ticket, TicketSigner, TicketVerifier, typ_of};

    use super::*;
    use crate::{
        access::{AccessSigner, AccessToken, AccessTokenId},
        permissions::Scopes,
    };

    const NOW: u64 = 1_800_000_000;

    fn token() -> VisitToken {
        let visit = (TenantId::SYSTEM, ConsultId::from_bytes([1; 16]), TicketId::from_bytes([2; 16]));
        VisitToken::begin(visit, (PersonId::from_bytes([3; 16]), Role::Nurse), NOW)
    }

    #[test]
    fn a_token_says_what_was_signed_for_four_hours_and_no_longer() {
        let signer = VisitSigner::generate().expect("a key");
        let verifier = VisitVerifier::new([signer.public_key()]).expect("a key");
        let (token, hours) = (token(), 3_600);
        let text = signer.sign(&token);
        assert_eq!(typ_of(&text).as_deref(), Some(VisitToken::TYP));
        assert_eq!(verifier.verify(&text, NOW), Ok(token.clone()));
        assert_eq!(verifier.verify(&text, NOW + 4 * hours - 1), Ok(token.clone()));
        assert_eq!(verifier.verify(&text, NOW + 4 * hours), Err(TicketError::Expired));
        assert_eq!(verifier.verify(&text, NOW - 61), Err(TicketError::Expired));
        let other = VisitSigner::generate().expect("a key");
        assert_eq!(verifier.verify(&other.sign(&token), NOW), Err(TicketError::Invalid));
        for expires_at_unix_s in [NOW + 4 * hours + 1, NOW - 1] {
            let odd = VisitToken { expires_at_unix_s, ..token.clone() };
            assert_eq!(verifier.verify(&signer.sign(&odd), NOW), Err(TicketError::Invalid));
        }
    }

    #[test]
    fn no_kind_of_token_passes_for_another_even_under_one_key() {
        let signer = VisitSigner::generate().expect("a key");
        let (der, key) = (signer.to_pkcs8().expect("it can be kept"), signer.public_key());
        let (access, tickets) = (AccessSigner::from_pkcs8(&der), TicketSigner::from_pkcs8(&der));
        let access = access.expect("the same key").sign(&AccessToken {
            id: AccessTokenId::from_bytes([7; 16]),
            tenant: TenantId::SYSTEM,
            client: "ehr-1".into(),
            scopes: Scopes::all(),
            issued_at_unix_s: NOW,
            expires_at_unix_s: NOW + 600,
        });
        let ticket = tickets.expect("the same key").sign(&Ticket {
            id: TicketId::from_bytes([2; 16]),
            tenant: TenantId::SYSTEM,
            consult: ConsultId::from_bytes([1; 16]),
            person: Pii::new(PersonId::from_bytes([3; 16]).to_string()),
            role: Role::Nurse,
            display_name: Pii::new("Somebody".into()),
            node: None,
            waits: false,
            break_glass: None,
            issued_at_unix_s: NOW,
            not_before_unix_s: None,
            expires_at_unix_s: NOW + 600,
        });
        let visit = signer.sign(&token());
        let visits = VisitVerifier::new([key.clone()]).expect("a key");
        let clients = Verifier::<AccessToken>::new([key.clone()]).expect("a key");
        let doors = TicketVerifier::new([key]).expect("a key");
        let is_good = |text: &str| {
            [
                visits.verify(text, NOW).is_ok(),
                clients.verify(text, NOW).is_ok(),
                doors.verify(text, NOW).is_ok(),
            ]
        };
        assert_eq!(is_good(&visit), [true, false, false]);
        assert_eq!(is_good(&access), [false, true, false]);
        assert_eq!(is_good(&ticket), [false, false, true]);
    }
}
