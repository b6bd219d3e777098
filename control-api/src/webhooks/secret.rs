//! The secret that a receiver checks messages with.

use aws_lc_rs::{hmac, rand};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use media_model::Pii;

use super::MessageId;

/// What Standard Webhooks has a secret begin with.
const PREFIX: &str = "whsec_";
const BYTES: usize = 32;

/// 256 random bits, known to the clinic's system and to us; kept sealed.
pub struct WebhookSecret([u8; BYTES]);

impl WebhookSecret {
    /// Draws a new one.
    pub fn draw() -> Self {
        let mut bytes = [0; BYTES];
        rand::fill(&mut bytes).expect("the system's random source works");
        Self(bytes)
    }

    /// What is sealed.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes what was sealed.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// As its owner is told, once.
    pub fn reveal(&self) -> Pii<String> {
        Pii::new(format!("{PREFIX}{}", STANDARD.encode(self.0)))
    }

    /// The header `webhook-signature` of a message that is sent now, in seconds since 1970.
    pub fn sign(&self, id: MessageId, now_s: i64, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let signature = hmac::sign(&key, format!("{id}.{now_s}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_standards_over_id_time_and_body() {
        let secret = WebhookSecret::from_slice(&[1; BYTES]).expect("32 bytes");
        let id = MessageId::from_bytes([2; 16]);
        let signed = secret.sign(id, 1_795_330_800, "{}");
        // By another implementation: printf '%s' "$ID.1795330800.{}" | openssl dgst -sha256 -mac HMAC -macopt hexkey:0101…
        assert_eq!(signed, "v1,lGRpNe1eB+lyb3tKKo2IM1WbjiQYiX9z7pxjDcMRYBE=");
        assert_ne!(signed, secret.sign(id, 1_795_330_801, "{}"));
        assert_ne!(signed, secret.sign(id, 1_795_330_800, "{} "));
        assert!(WebhookSecret::from_slice(&[1; 31]).is_none());
        assert!(secret.reveal().reveal().starts_with("whsec_AQEB"));
    }
}
