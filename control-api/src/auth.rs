//! API keys: whose and 256 random bits, sent by a back end as a bearer token (RFC 6750 §2.1); only their hash is kept.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use aws_lc_rs::{digest, rand};
use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use media_model::{ConsultId, Pii, TenantId};

use crate::{
    audit::{Actor, RequestId, SealedAddress},
    ids::PersonId,
    permissions::{Act, Person, Relation, Scopes, Subject},
    visit_token::VisitToken,
};

/// Who is behind a request, and whose tenant it is.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub tenant: TenantId,
    /// As the audit log names them.
    pub actor: Actor,
    /// As the permissions see them.
    pub subject: Subject,
    /// By which request; `None` where the server acts itself.
    pub asked: Option<Asked>,
    /// Set where the request had an idempotency key.
    pub repeatable: Option<Repeatable>,
}

impl Caller {
    /// The server itself, on behalf of a tenant.
    pub const fn server(tenant: TenantId, scopes: Scopes) -> Self {
        let subject = Subject::Client(scopes);
        Self { tenant, actor: Actor::Server, subject, asked: None, repeatable: None }
    }

    /// The person who asks, or for whom a back end does.
    pub const fn person(&self) -> Option<&Person> {
        match &self.subject {
            Subject::Person(person) | Subject::Asserted { person, .. } => Some(person),
            Subject::Visitor { .. } | Subject::Client(_) | Subject::Shell => None,
        }
    }

    /// Who that is, also where they ask by the token of their visit.
    pub const fn person_id(&self) -> Option<PersonId> {
        match &self.subject {
            Subject::Person(person) | Subject::Asserted { person, .. } => Some(person.id),
            Subject::Visitor { person, .. } => Some(*person),
            Subject::Client(_) | Subject::Shell => None,
        }
    }

    /// What the back end was made for, if it is one.
    pub const fn scopes(&self) -> Option<Scopes> {
        match self.subject {
            Subject::Client(scopes) | Subject::Asserted { scopes, .. } => Some(scopes),
            Subject::Person(_) | Subject::Visitor { .. } | Subject::Shell => None,
        }
    }

    /// Keeps in mind that this was allowed, for when the same is asked again.
    pub fn note_allowed(&self, act: Act, relation: &Relation) {
        let Some(repeatable) = &self.repeatable else { return };
        let (consult, patient, whose) = (relation.consult(), relation.patient(), relation.whose());
        // The first that was asked for is the act itself.
        let _ = repeatable.allowed.set(Allowed { act, consult, patient, whose });
    }

    /// Somebody who is in a visit.
    pub const fn visitor(token: &VisitToken, asked: Option<Asked>) -> Self {
        let VisitToken { tenant, consult, ticket, person, role, .. } = *token;
        let (actor, subject) =
            (Actor::Visitor { person, ticket }, Subject::Visitor { person, consult, role });
        Self { tenant, actor, subject, asked, repeatable: None }
    }

    /// Somebody who signed in.
    pub const fn signed_in(tenant: TenantId, person: Person, asked: Asked) -> Self {
        let (actor, subject) = (Actor::Person(person.id), Subject::Person(person));
        Self { tenant, actor, subject, asked: Some(asked), repeatable: None }
    }
}

/// A request on its way in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub id: RequestId,
    /// From where, as far as anybody knows.
    pub address: Option<Pii<IpAddr>>,
    pub started: Instant,
}

/// What the audit log says of a request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub id: RequestId,
    pub address: Option<SealedAddress>,
    pub started: Instant,
}

/// What makes a request one that is done once.
#[derive(Debug, Clone)]
pub(crate) struct Repeatable {
    /// Of the API client, method, path and key.
    pub key_hash: [u8; 32],
    pub body_hash: [u8; 32],
    /// Of the answer when it is done.
    pub status: u16,
    /// As what it was allowed, once it is.
    pub allowed: Arc<OnceLock<Allowed>>,
}

/// What the caller was allowed, standing to what it is about as facts had it then. Of these facts they are asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub act: Act,
    pub consult: Option<ConsultId>,
    pub patient: Option<PersonId>,
    pub whose: Option<PersonId>,
}

/// What a key starts with, so that secret scanners recognise one.
const PREFIX: &str = "consilium_";

/// Characters of 256 random bits in base64url.
const RANDOM_CHARS: usize = 43;

/// A back end's secret: `consilium_TENANT.RANDOM`. Printed once, by whoever created it.
#[derive(Debug, Clone)]
pub struct ApiKey {
    tenant: TenantId,
    text: Pii<String>,
}

impl ApiKey {
    /// Draws a new key.
    pub fn generate(tenant: TenantId) -> Self {
        let mut secret = [0; 32];
        rand::fill(&mut secret).expect("the system's random source works");
        let text = Pii::new(format!("{PREFIX}{tenant}.{}", URL_SAFE_NO_PAD.encode(secret)));
        Self { tenant, text }
    }

    /// Reads the key from a request's `Authorization` header; `None` if it has none of the right form.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| Self::parse(token))?
    }

    /// Reads a key as [`ApiKey::reveal`] gave it.
    pub(crate) fn parse(secret: &str) -> Option<Self> {
        let (tenant, random) = secret.strip_prefix(PREFIX)?.split_once('.')?;
        let tenant = tenant.parse().ok()?;
        (random.len() == RANDOM_CHARS).then(|| Self { tenant, text: Pii::new(secret.to_owned()) })
    }

    /// Whose it is, unless somebody made it up.
    pub(crate) const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The secret itself, to be written where its owner keeps it.
    pub fn reveal(&self) -> &str {
        self.text.reveal()
    }

    /// What the store keeps. A plain hash is enough for 256 random bits; there is nothing to guess.
    pub(crate) fn hash(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, self.text.reveal().as_bytes()).as_ref().to_vec()
    }
}

/// Whose tenant's, and so many random bits: `TENANT.RANDOM`.
#[derive(Debug, Clone)]
pub(crate) struct TenantSecret<const BITS: usize> {
    tenant: TenantId,
    text: Pii<String>,
}

/// What the browser of somebody who signed in keeps.
pub(crate) type SessionCookie = TenantSecret<256>;

/// What a guest link has behind its `#`.
pub(crate) type GuestCode = TenantSecret<128>;

impl<const BITS: usize> TenantSecret<BITS> {
    /// Draws a new one.
    pub fn generate(tenant: TenantId) -> Self {
        let mut secret = vec![0; BITS / 8];
        rand::fill(&mut secret).expect("the system's random source works");
        Self { tenant, text: Pii::new(format!("{tenant}.{}", URL_SAFE_NO_PAD.encode(secret))) }
    }

    /// Reads one as [`TenantSecret::reveal`] gave it.
    pub fn parse(text: &str) -> Option<Self> {
        let (tenant, random) = text.split_once('.')?;
        let tenant = tenant.parse().ok()?;
        // Base64 has six bits a character.
        (random.len() == BITS.div_ceil(6)).then(|| Self { tenant, text: Pii::new(text.to_owned()) })
    }

    /// Whose it is, unless somebody made it up.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The secret itself, for whoever keeps it.
    pub fn reveal(&self) -> &str {
        self.text.reveal()
    }

    /// What the store keeps.
    pub fn hash(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, self.text.reveal().as_bytes()).as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().expect("a header value"))])
    }

    #[test]
    fn a_key_is_read_back_from_the_header_it_was_sent_in() {
        let key = ApiKey::generate(TenantId::SYSTEM);
        let read = ApiKey::from_headers(&headers(&format!("Bearer {}", key.reveal())));
        assert_eq!(read.as_ref().map(ApiKey::tenant), Some(TenantId::SYSTEM));
        assert_eq!(read.map(|k| k.hash()), Some(key.hash()));
    }

    #[test]
    fn a_secret_is_read_back_and_passes_for_no_longer_nor_shorter_one() {
        let (cookie, code) =
            (SessionCookie::generate(TenantId::SYSTEM), GuestCode::generate(TenantId::SYSTEM));
        let read = GuestCode::parse(code.reveal());
        assert_eq!(read.map(|read| (read.tenant(), read.hash())), Some((TenantId::SYSTEM, code.hash())));
        assert!(SessionCookie::parse(code.reveal()).is_none() && GuestCode::parse(cookie.reveal()).is_none());
        assert!(SessionCookie::parse(cookie.reveal()).is_some());
        assert!(!format!("{code:?}").contains(code.reveal()));
    }

    #[test]
    fn anything_else_is_no_key() {
        for value in [
            "",
            "Bearer",
            "Bearer x",
            "Basic consilium_a.aaaa",
            "Bearer consilium_a.short",
            "Bearer consilium_x",
        ] {
            assert!(ApiKey::from_headers(&headers(value)).is_none(), "{value}");
        }
        assert!(!format!("{:?}", ApiKey::generate(TenantId::SYSTEM)).contains(PREFIX));
    }
}
