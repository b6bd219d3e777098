//! Access tokens: who may call for the next minutes, and for what (RFC 9068).
//!
//! Signed as tickets are (compact JWS, Ed25519) and nothing else in common: another key, `typ` and `aud`, so that neither passes
//! for the other (RFC 8725 §3.11, §3.12).

use media_model::{TenantId, random_id};
use serde::{Deserialize, Serialize};
use signaling_protocol::ticket::{LEEWAY_S, Signer, TicketError, Token};

use crate::permissions::Scopes;

/// Signs access tokens.
pub type AccessSigner = Signer<AccessToken>;

/// Who issues, as `iss` has it.
const ISSUER: &str = "consilium";

random_id! {
    /// An access token's number (`jti`).
    AccessTokenId, "access token"
}

/// Leave to call as one API client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// `jti`
    pub id: AccessTokenId,
    /// `tenant`: whose client it is.
    pub tenant: TenantId,
    /// `client_id` and `sub`: which client, within its tenant.
    pub client: String,
    /// `scope`: for what.
    pub scopes: Scopes,
    /// `iat`, in seconds since 1970.
    pub issued_at_unix_s: u64,
    /// `exp`, likewise.
    pub expires_at_unix_s: u64,
}

/// An access token in JSON (RFC 9068 §2.2).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessClaims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    jti: AccessTokenId,
    tenant: TenantId,
    scope: String,
    iat: u64,
    exp: u64,
}

impl Token for AccessToken {
    const TYP: &'static str = "at+jwt";
    const AUDIENCE: &'static str = "consilium-control-api";
    type Claims = AccessClaims;

    fn to_claims(&self) -> AccessClaims {
        AccessClaims {
            iss: ISSUER.into(),
            aud: Self::AUDIENCE.into(),
            sub: self.client.clone(),
            client_id: self.client.clone(),
            jti: self.id,
            tenant: self.tenant,
            scope: self.scopes.to_string(),
            iat: self.issued_at_unix_s,
            exp: self.expires_at_unix_s,
        }
    }

    fn from_claims(claims: AccessClaims) -> Result<Self, TicketError> {
        let is_ours = claims.iss == ISSUER && claims.aud == Self::AUDIENCE && claims.sub == claims.client_id;
        let scopes = claims.scope.parse().map_err(|_| TicketError::Invalid)?;
        if !is_ours {
            return Err(TicketError::Invalid);
        }
        Ok(Self {
            id: claims.jti,
            tenant: claims.tenant,
            client: claims.client_id,
            scopes,
            issued_at_unix_s: claims.iat,
            expires_at_unix_s: claims.exp,
        })
    }

    /// Without leeway at its end: ten minutes are long enough.
    fn check_time(&self, now_unix_s: u64) -> Result<(), TicketError> {
        let is_now = now_unix_s + LEEWAY_S >= self.issued_at_unix_s && now_unix_s < self.expires_at_unix_s;
        if is_now { Ok(()) } else { Err(TicketError::Expired) }
    }
}

#[cfg(test)]
mod tests {
    use media_model::{ConsultId, Pii, Role};
    use signaling_protocol::ticket::{Ticket, TicketId, TicketSigner, TicketVerifier, Verifier};

    use super::*;
    use crate::permissions::Scope;

    const NOW: u64 = 1_800_000_000;

    fn token() -> AccessToken {
        AccessToken {
            id: AccessTokenId::from_bytes([7; 16]),
            tenant: TenantId::SYSTEM,
            client: "ehr-1".into(),
            scopes: [Scope::PeopleRead, Scope::TicketsWrite].into_iter().collect(),
            issued_at_unix_s: NOW,
            expires_at_unix_s: NOW + 600,
        }
    }

    fn ticket() -> Ticket {
        Ticket {
            id: TicketId::from_bytes([7; 16]),
            tenant: TenantId::SYSTEM,
            consult: ConsultId::from_bytes([1; 16]),
            person: Pii::new("person-1".into()),
            role: Role::Patient,
            display_name: Pii::new("Somebody".into()),
            node: None,
            waits: false,
            break_glass: None,
            issued_at_unix_s: NOW,
            not_before_unix_s: None,
            expires_at_unix_s: NOW + 600,
        }
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_ends() {
        let signer = AccessSigner::generate().expect("a key");
        let verifier = Verifier::<AccessToken>::new([signer.public_key()]).expect("a key");
        let text = signer.sign(&token());
        assert_eq!(verifier.verify(&text, NOW), Ok(token()));
        assert_eq!(verifier.verify(&text, NOW + 600), Err(TicketError::Expired));
        assert_eq!(verifier.verify(&text, NOW - 61), Err(TicketError::Expired));
        let other = AccessSigner::generate().expect("a key");
        assert_eq!(verifier.verify(&other.sign(&token()), NOW), Err(TicketError::Invalid));
    }

    #[test]
    fn neither_a_ticket_nor_an_access_token_passes_for_the_other_even_under_one_key() {
        let signer = AccessSigner::generate().expect("a key");
        let der = signer.to_pkcs8().expect("it can be kept");
        let tickets = TicketSigner::from_pkcs8(&der).expect("the same key");
        let access = Verifier::<AccessToken>::new([signer.public_key()]).expect("a key");
        let doors = TicketVerifier::new([signer.public_key()]).expect("a key");
        assert_eq!(doors.verify(&tickets.sign(&ticket()), NOW).map(|good| good.id), Ok(ticket().id));
        assert_eq!(doors.verify(&signer.sign(&token()), NOW).map(drop), Err(TicketError::Invalid));
        assert_eq!(access.verify(&tickets.sign(&ticket()), NOW).map(drop), Err(TicketError::Invalid));
    }
}
