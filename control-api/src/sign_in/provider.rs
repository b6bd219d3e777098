//! What a provider says of itself (OpenID Connect Discovery), its keys, and exchanging a code for an ID token.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

use media_model::Pii;
use reqwest::{Client, RequestBuilder, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::{
    Expected, SignInRefusal, SignInSettings, SignedIn,
    id_token::{self, Keys},
    target::ProviderUrl,
};
use crate::{
    Networks,
    limits::{
        PROVIDER_ANSWER_BYTES_MAX, PROVIDER_CONNECT_TIMEOUT, PROVIDER_KEYS_MAX, PROVIDER_KEYS_REST,
        PROVIDER_KNOWN_FOR, PROVIDER_TIMEOUT, PROVIDERS_MAX,
    },
    outbound,
};

/// Where a provider's document is, below its issuer (OpenID Connect Discovery §4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// What a provider says of itself, as far as it matters here.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub authorization: ProviderUrl,
    token: ProviderUrl,
    jwks: ProviderUrl,
    /// Whether a secret goes into the form because the provider does not take it in the header.
    secret_in_form: bool,
    /// Whether it names itself whenever it sends a browser back (RFC 9207 §3).
    pub names_itself: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Pii<String>,
}

/// A provider that was asked.
pub(crate) struct Known {
    pub metadata: Metadata,
    asked_at: Instant,
    keys: tokio::sync::Mutex<KnownKeys>,
}

#[derive(Default)]
struct KnownKeys {
    keys: Arc<Keys>,
    asked_at: Option<Instant>,
    /// When they were asked for because one was missing.
    missed_at: Option<Instant>,
}

/// What is exchanged.
pub(crate) struct Exchange<'a> {
    pub code: &'a str,
    pub verifier: &'a str,
    pub redirect_uri: &'a str,
}

/// Asks providers, and remembers what they said.
pub(crate) struct Providers {
    allowed: Arc<Networks>,
    /// Made when the first is asked: most commands never do.
    client: OnceLock<Client>,
    known: Mutex<HashMap<String, Arc<Known>>>,
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Providers").finish_non_exhaustive()
    }
}

impl Providers {
    /// Asks providers in the world, and in these networks.
    pub fn new(allowed: Networks) -> Self {
        Self { allowed: Arc::new(allowed), client: OnceLock::new(), known: Mutex::default() }
    }

    /// Networks that providers may be in besides the world.
    pub fn allowed(&self) -> &Networks {
        &self.allowed
    }

    fn client(&self) -> &Client {
        let make = || outbound::client(self.allowed.clone(), PROVIDER_CONNECT_TIMEOUT, PROVIDER_TIMEOUT);
        self.client.get_or_init(make)
    }

    /// What the provider of this name says of itself, now or within the last hour.
    pub async fn known(&self, issuer: &str) -> Result<Arc<Known>, SignInRefusal> {
        let remembered = self.lock().get(issuer).cloned();
        if let Some(known) = remembered.filter(|known| known.asked_at.elapsed() < PROVIDER_KNOWN_FOR) {
            return Ok(known);
        }
        let metadata = self.metadata(issuer).await?;
        let known =
            Arc::new(Known { metadata, asked_at: Instant::now(), keys: tokio::sync::Mutex::default() });
        let mut all = self.lock();
        if all.len() >= PROVIDERS_MAX {
            all.clear();
        }
        all.insert(issuer.to_owned(), known.clone());
        Ok(known)
    }

    async fn metadata(&self, issuer: &str) -> Result<Metadata, SignInRefusal> {
        let unavailable = SignInRefusal::ProviderUnavailable;
        // The settings were looked at when they were made; the operator may have taken a network back since.
        let parse = |text: &str| ProviderUrl::parse(text, &self.allowed).ok_or(unavailable);
        let url = parse(&format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/')))?;
        let request = self.client().get(url.url().clone()).header(header::ACCEPT, "application/json");
        let document: Document = read(request).await.map_err(|_| unavailable)?;
        if document.issuer != issuer {
            return Err(SignInRefusal::IssuerMismatch);
        }
        let methods = document.token_endpoint_auth_methods_supported.unwrap_or_default();
        let takes = |name: &str| methods.iter().any(|method| method == name);
        Ok(Metadata {
            authorization: parse(&document.authorization_endpoint)?,
            token: parse(&document.token_endpoint)?,
            jwks: parse(&document.jwks_uri)?,
            secret_in_form: takes("client_secret_post") && !takes("client_secret_basic"),
            names_itself: document.authorization_response_iss_parameter_supported,
        })
    }

    /// Exchanges a code for the ID token that it stands for, and says who signed in.
    pub async fn exchange(
        &self,
        known: &Known,
        settings: &SignInSettings,
        exchange: &Exchange<'_>,
        expected: &Expected<'_>,
    ) -> Result<SignedIn, SignInRefusal> {
        let answer: TokenAnswer = read(self.token_request(&known.metadata, settings, exchange)).await?;
        let token = answer.id_token.reveal();
        let keys = self.keys(known, false).await?;
        match id_token::verify(token, &keys, expected) {
            // The provider may have new keys since.
            Err(SignInRefusal::KeyUnknown) => {
                let keys = self.keys(known, true).await?;
                id_token::verify(token, &keys, expected)
            }
            verified => verified,
        }
    }

    /// Asks for what a code stands for (RFC 6749 §4.1.3).
    fn token_request(
        &self,
        metadata: &Metadata,
        settings: &SignInSettings,
        exchange: &Exchange<'_>,
    ) -> RequestBuilder {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", exchange.code)
            .append_pair("redirect_uri", exchange.redirect_uri)
            .append_pair("code_verifier", exchange.verifier);
        let mut request = self
            .client()
            .post(metadata.token.url().clone())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        match &settings.secret {
            Some(secret) if !metadata.secret_in_form => {
                // RFC 6749 §2.3.1: each is form-encoded before.
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                request = request.basic_auth(encoded(&settings.client_id), Some(encoded(secret.reveal())));
            }
            Some(secret) => {
                form.append_pair("client_id", &settings.client_id)
                    .append_pair("client_secret", secret.reveal());
            }
            None => {
                form.append_pair("client_id", &settings.client_id);
            }
        }
        request.body(form.finish())
    }

    /// The provider's keys, asked for again where they are old or one is missing.
    async fn keys(&self, known: &Known, is_one_missing: bool) -> Result<Arc<Keys>, SignInRefusal> {
        let mut kept = known.keys.lock().await;
        let (asked_at, rest) = if is_one_missing {
            (kept.missed_at, PROVIDER_KEYS_REST)
        } else {
            (kept.asked_at, PROVIDER_KNOWN_FOR)
        };
        if asked_at.is_some_and(|at| at.elapsed() < rest) {
            return Ok(kept.keys.clone());
        }
        if is_one_missing {
            kept.missed_at = Some(Instant::now());
        }
        let set: Value = read(self.client().get(known.metadata.jwks.url().clone()))
            .await
            .map_err(|_| SignInRefusal::ProviderUnavailable)?;
        let keys = Keys::parse(&set, PROVIDER_KEYS_MAX).ok_or(SignInRefusal::ProviderUnavailable)?;
        kept.keys = Arc::new(keys);
        kept.asked_at = Some(Instant::now());
        Ok(kept.keys.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The JSON of an answer, as far as it is not too long. A refusal by the provider is `CodeRefused`, which only the exchange of a code
/// tells on.
async fn read<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, SignInRefusal> {
    let unavailable = SignInRefusal::ProviderUnavailable;
    let mut answer = request.send().await.map_err(|error| {
        let why = if outbound::is_refused(&error) { "its address is not allowed" } else { "no answer" };
        tracing::warn!(why, "a provider that people sign in with cannot be asked");
        unavailable
    })?;
    let status = answer.status();
    if status.is_client_error() {
        return Err(SignInRefusal::CodeRefused);
    }
    if !status.is_success() {
        return Err(unavailable);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|_| unavailable)? {
        if body.len() + chunk.len() > PROVIDER_ANSWER_BYTES_MAX {
            return Err(unavailable);
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|_| unavailable)
}
