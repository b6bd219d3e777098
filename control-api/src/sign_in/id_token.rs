//! Whether an ID token is what was asked for (OpenID Connect Core §3.1.3.7).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use media_model::Pii;
use serde::Deserialize;
use serde_json::Value;

use super::{SignInRefusal, factors::has_second_factor};
use crate::limits::{ID_TOKEN_BYTES_MAX, ID_TOKEN_LEEWAY, SIGN_IN_LIFETIME, SUBJECT_BYTES_MAX};

/// How an ID token may be signed. Never by a secret that both sides have, and never not at all.
const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("RS256", Algorithm::RS256),
    ("PS256", Algorithm::PS256),
    ("ES256", Algorithm::ES256),
    ("EdDSA", Algorithm::EdDSA),
];

/// What the token has to say.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    /// How long ago they may have shown who they are.
    pub max_age_s: u64,
    pub mfa_acr: &'a [String],
    pub now_s: u64,
}

/// Who signed in.
#[derive(Debug)]
pub(crate) struct SignedIn {
    /// What the provider calls them.
    pub subject: Pii<String>,
    /// Whether there was a second factor.
    pub mfa: bool,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What has to be understood and is not (RFC 7515 §4.1.11).
    crit: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: Pii<String>,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nonce: Option<String>,
    auth_time: Option<f64>,
    /// A list of texts; some providers have something else here.
    amr: Option<Value>,
    acr: Option<String>,
}

/// A provider's public keys, those that may sign.
#[derive(Default)]
pub(super) struct Keys(Vec<Jwk>);

impl Keys {
    /// Takes what can be used of a JWK set; a key of a kind that nobody here knows is no fault (RFC 7517 §5).
    pub fn parse(set: &Value, keys_max: usize) -> Option<Self> {
        let keys = set.get("keys")?.as_array()?.iter().take(keys_max);
        let key = |key: &Value| Jwk::deserialize(key).ok().filter(signs);
        Some(Self(keys.filter_map(key).collect()))
    }

    /// The key that a token was signed with. Where the token does not say which, there has to be one only.
    fn find(&self, header: &Header, algorithm: Algorithm) -> Option<&Jwk> {
        let fits = |key: &&Jwk| {
            let is_named = header.kid.is_none() || key.common.key_id == header.kid;
            let is_for_it = key.common.key_algorithm.is_none_or(|of_key| of_key.to_string() == header.alg);
            is_named && is_for_it && is_of_kind(key, algorithm)
        };
        let mut fitting = self.0.iter().filter(fits);
        let found = fitting.next()?;
        (header.kid.is_some() || fitting.next().is_none()).then_some(found)
    }
}

fn signs(key: &Jwk) -> bool {
    !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption))
}

fn is_of_kind(key: &Jwk, algorithm: Algorithm) -> bool {
    match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), Algorithm::RS256 | Algorithm::PS256) => true,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    }
}

/// Who signed in, by an ID token of the provider with these keys.
pub(super) fn verify(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<SignedIn, SignInRefusal> {
    let claims = signed_claims(token, keys)?;
    if claims.iss != expected.issuer {
        return Err(SignInRefusal::IssuerMismatch);
    }
    if !is_for(&claims, expected.client_id) {
        return Err(SignInRefusal::AudienceMismatch);
    }
    let (now_s, leeway_s) = (expected.now_s as f64, ID_TOKEN_LEEWAY.as_secs_f64());
    let is_new = claims.iat <= now_s + leeway_s && claims.iat >= now_s - SIGN_IN_LIFETIME.as_secs_f64();
    if claims.exp <= now_s - leeway_s || !is_new {
        return Err(SignInRefusal::TokenExpired);
    }
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(SignInRefusal::NonceMismatch);
    }
    // A provider that was asked has to say (§2); those that do not, some of them large, are believed to have looked.
    let oldest_s = now_s - expected.max_age_s as f64 - leeway_s;
    if claims.auth_time.is_some_and(|at| at < oldest_s) {
        return Err(SignInRefusal::SignInTooOld);
    }
    if !(1..=SUBJECT_BYTES_MAX).contains(&claims.sub.reveal().len()) {
        return Err(SignInRefusal::TokenMalformed);
    }
    let amr = claims.amr.as_ref().and_then(Value::as_array).into_iter().flatten();
    let amr: Vec<String> = amr.filter_map(|method| method.as_str().map(str::to_owned)).collect();
    let mfa = has_second_factor(&amr, claims.acr.as_deref(), expected.mfa_acr);
    Ok(SignedIn { subject: claims.sub, mfa })
}

/// What a token says that one of these keys has signed.
fn signed_claims(token: &str, keys: &Keys) -> Result<Claims, SignInRefusal> {
    if token.len() > ID_TOKEN_BYTES_MAX {
        return Err(SignInRefusal::TokenMalformed);
    }
    let header = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header: Option<Header> = header.and_then(|json| serde_json::from_slice(&json).ok());
    let header = header.filter(|header| header.crit.is_none()).ok_or(SignInRefusal::TokenMalformed)?;
    let known = ALGORITHMS.into_iter().find(|(name, _)| *name == header.alg);
    let (_, algorithm) = known.ok_or(SignInRefusal::AlgorithmRefused)?;
    let key = keys.find(&header, algorithm).ok_or(SignInRefusal::KeyUnknown)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| SignInRefusal::KeyUnknown)?;
    // What it says is looked at here, claim by claim: each has a code of its own.
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    match jsonwebtoken::decode::<Claims>(token, &key, &validation) {
        Ok(decoded) => Ok(decoded.claims),
        Err(error) => Err(match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => SignInRefusal::SignatureInvalid,
            _ => SignInRefusal::TokenMalformed,
        }),
    }
}

/// Whether the token is for this client: alone, or so that the provider says who asked for it.
fn is_for(claims: &Claims, client_id: &str) -> bool {
    let (is_named, is_alone) = match &claims.aud {
        Audience::One(one) => (one == client_id, true),
        Audience::Several(several) => (several.iter().any(|one| one == client_id), several.len() == 1),
    };
    let asked_for_it = claims.azp.as_ref().map(|azp| azp == client_id);
    is_named && asked_for_it.unwrap_or(is_alone)
}
