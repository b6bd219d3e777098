//! What the two kinds of token claim (RFC 7519 §4), and what a claim may look like.

use media_model::{BreakGlassId, ConsultId, ParticipantNumber, Pii, Role, TenantId, random_id};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{LEEWAY_S, TicketError};
use crate::limits::{DISPLAY_NAME_CHARS_MAX, NODE_NAME_BYTES_MAX, PERSON_ID_BYTES_MAX, is_line};

/// One of the two kinds of token.
pub trait Token: Sized {
    /// `typ` of the header (RFC 7515 §4.1.9).
    const TYP: &'static str;
    /// `aud` (RFC 7519 §4.1.3).
    const AUDIENCE: &'static str;
    /// The JSON form.
    #[doc(hidden)]
    type Claims: Serialize + DeserializeOwned;

    #[doc(hidden)]
    fn to_claims(&self) -> Self::Claims;
    #[doc(hidden)]
    fn from_claims(claims: Self::Claims) -> Result<Self, TicketError>;
    #[doc(hidden)]
    fn check_time(&self, now_unix_s: u64) -> Result<(), TicketError>;
}

random_id! {
    /// A ticket's number (`jti`): what is taken back, and what is remembered as used.
    TicketId, "ticket"
}

/// Somebody comes by break-glass: everybody sees it, and it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Glass {
    /// Which, as the audit log names it.
    pub id: BreakGlassId,
    /// When it runs out, in seconds since 1970: whoever is still there leaves.
    #[serde(rename = "until")]
    pub until_unix_s: u64,
}

/// Leave to come into one consult as one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// `jti`
    pub id: TicketId,
    /// `tenant`: whose consult it is.
    pub tenant: TenantId,
    /// `consult`: where to.
    pub consult: ConsultId,
    /// `person`: who, by the EHR's opaque id. The same person is the same participant.
    pub person: Pii<String>,
    /// `role`
    pub role: Role,
    /// `name`: what the others see.
    pub display_name: Pii<String>,
    /// `node`: where the consult is thought to be. A hint for whoever sends the client there; every node opens.
    pub node: Option<String>,
    /// `waits`: whether to stay in the waiting room until staff opens.
    pub waits: bool,
    /// `break_glass`: whether they have no part in the visit but what they broke.
    pub break_glass: Option<Glass>,
    /// `iat`, in seconds since 1970.
    pub issued_at_unix_s: u64,
    /// `nbf`, likewise.
    pub not_before_unix_s: Option<u64>,
    /// `exp`, likewise.
    pub expires_at_unix_s: u64,
}

/// Leave to come back after a broken connection, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeToken {
    /// `tenant`: whose consult it is.
    pub tenant: TenantId,
    /// `consult`: where to.
    pub consult: ConsultId,
    /// `participant`: the number kept for them.
    pub participant: ParticipantNumber,
    /// `ticket`: the ticket they first came in with, so that taking it back ends this too.
    pub ticket: TicketId,
    /// `person`: who, by the EHR's opaque id.
    pub person: Pii<String>,
    /// `role`
    pub role: Role,
    /// `name`: what the others see.
    pub display_name: Pii<String>,
    /// `generation`: counts up with every token given to the participant; only the newest is good.
    pub generation: u32,
    /// `waits`: whether they were still to be let in.
    pub waits: bool,
    /// `break_glass`: as in the ticket.
    pub break_glass: Option<Glass>,
    /// `iat`, in seconds since 1970.
    pub issued_at_unix_s: u64,
    /// `exp`, likewise.
    pub expires_at_unix_s: u64,
}

/// A ticket in JSON. A member that is missing, unknown or there twice makes it invalid.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketClaims {
    aud: String,
    jti: TicketId,
    tenant: TenantId,
    consult: ConsultId,
    person: Pii<String>,
    role: Role,
    name: Pii<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    waits: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    break_glass: Option<Glass>,
    iat: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    exp: u64,
}

/// A resume token in JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeClaims {
    aud: String,
    tenant: TenantId,
    consult: ConsultId,
    participant: ParticipantNumber,
    ticket: TicketId,
    person: Pii<String>,
    role: Role,
    name: Pii<String>,
    generation: u32,
    waits: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    break_glass: Option<Glass>,
    iat: u64,
    exp: u64,
}

impl Token for Ticket {
    const TYP: &'static str = "consilium-ticket+jwt";
    const AUDIENCE: &'static str = "consilium-signaling";
    type Claims = TicketClaims;

    fn to_claims(&self) -> TicketClaims {
        TicketClaims {
            aud: Self::AUDIENCE.into(),
            jti: self.id,
            tenant: self.tenant,
            consult: self.consult,
            person: self.person.clone(),
            role: self.role,
            name: self.display_name.clone(),
            node: self.node.clone(),
            waits: self.waits,
            break_glass: self.break_glass,
            iat: self.issued_at_unix_s,
            nbf: self.not_before_unix_s,
            exp: self.expires_at_unix_s,
        }
    }

    fn from_claims(claims: TicketClaims) -> Result<Self, TicketError> {
        let node_is_good =
            claims.node.as_ref().is_none_or(|node| is_line(node) && node.len() <= NODE_NAME_BYTES_MAX);
        if claims.aud != Self::AUDIENCE || !node_is_good || !is_person(&claims.person, &claims.name) {
            return Err(TicketError::Invalid);
        }
        Ok(Self {
            id: claims.jti,
            tenant: claims.tenant,
            consult: claims.consult,
            person: claims.person,
            role: claims.role,
            display_name: claims.name,
            node: claims.node,
            waits: claims.waits,
            break_glass: claims.break_glass,
            issued_at_unix_s: claims.iat,
            not_before_unix_s: claims.nbf,
            expires_at_unix_s: claims.exp,
        })
    }

    fn check_time(&self, now_unix_s: u64) -> Result<(), TicketError> {
        let from = self.not_before_unix_s.unwrap_or(0).max(self.issued_at_unix_s);
        check_time(from, self.expires_at_unix_s, now_unix_s)
    }
}

impl Token for ResumeToken {
    const TYP: &'static str = "consilium-resume+jwt";
    const AUDIENCE: &'static str = "consilium-resume";
    type Claims = ResumeClaims;

    fn to_claims(&self) -> ResumeClaims {
        ResumeClaims {
            aud: Self::AUDIENCE.into(),
            tenant: self.tenant,
            consult: self.consult,
            participant: self.participant,
            ticket: self.ticket,
            person: self.person.clone(),
            role: self.role,
            name: self.display_name.clone(),
            generation: self.generation,
            waits: self.waits,
            break_glass: self.break_glass,
            iat: self.issued_at_unix_s,
            exp: self.expires_at_unix_s,
        }
    }

    fn from_claims(claims: ResumeClaims) -> Result<Self, TicketError> {
        if claims.aud != Self::AUDIENCE || !is_person(&claims.person, &claims.name) {
            return Err(TicketError::Invalid);
        }
        Ok(Self {
            tenant: claims.tenant,
            consult: claims.consult,
            participant: claims.participant,
            ticket: claims.ticket,
            person: claims.person,
            role: claims.role,
            display_name: claims.name,
            generation: claims.generation,
            waits: claims.waits,
            break_glass: claims.break_glass,
            issued_at_unix_s: claims.iat,
            expires_at_unix_s: claims.exp,
        })
    }

    fn check_time(&self, now_unix_s: u64) -> Result<(), TicketError> {
        check_time(self.issued_at_unix_s, self.expires_at_unix_s, now_unix_s)
    }
}

fn is_person(person: &Pii<String>, name: &Pii<String>) -> bool {
    is_line(person.reveal())
        && person.reveal().len() <= PERSON_ID_BYTES_MAX
        && is_line(name.reveal())
        && name.reveal().chars().count() <= DISPLAY_NAME_CHARS_MAX
}

/// RFC 7519 §4.1.4 and §4.1.5: good from `from` until before `until`, give or take the leeway.
fn check_time(from: u64, until: u64, now: u64) -> Result<(), TicketError> {
    if now.saturating_add(LEEWAY_S) < from || now >= until.saturating_add(LEEWAY_S) {
        return Err(TicketError::Expired);
    }
    Ok(())
}
