//! Tokens with which whoever is in a visit calls the control API: made here, with a key alone.

use control_api::{VisitSigner, VisitToken};
use media_model::Pii;
use signaling::{ApiTokens, Visitor};

/// Makes them.
pub struct VisitTokens(pub VisitSigner);

impl ApiTokens for VisitTokens {
    fn issue(&self, visitor: &Visitor<'_>) -> Option<Pii<String>> {
        let Visitor { tenant, consult, ticket, person, role, now_unix_s } = *visitor;
        // Whom no control API has made known can call none.
        let person = person.reveal().parse().ok()?;
        let token = VisitToken::begin((tenant, consult, ticket), (person, role), now_unix_s);
        Some(Pii::new(self.0.sign(&token)))
    }
}
