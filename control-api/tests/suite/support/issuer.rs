//! A provider of the test's own, which can be told to lie.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use aws_lc_rs::{
    digest, hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256, RsaKeyPair,
    },
};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    routing::{get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

pub const CLIENT_ID: &str = "consilium";
pub const CLIENT_SECRET: &str = "a-secret+of/ours%";

/// How the next ID tokens are made.
#[derive(Clone)]
pub struct Habits {
    pub algorithm: &'static str,
    /// Stands in the header; `None` for none.
    pub kid: Option<&'static str>,
    /// In the place of what would be true; null takes a claim away.
    pub claims: Value,
    /// More members of the header.
    pub header: Value,
    /// Signed with a key that nobody publishes.
    pub with_another_key: bool,
    /// Whether the metadata says that it names itself when it sends a browser back.
    pub names_itself: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            algorithm: "ES256",
            kid: Some("es"),
            claims: json!({}),
            header: json!({}),
            with_another_key: false,
            names_itself: true,
        }
    }
}

struct Keys {
    es: EcdsaKeyPair,
    another: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    rs: RsaKeyPair,
}

#[derive(Default)]
struct Codes {
    /// Query of the authorization request, by code.
    given: HashMap<String, HashMap<String, String>>,
    used: HashSet<String>,
}

/// A provider that answers on this machine.
#[derive(Clone)]
pub struct Issuer {
    pub url: String,
    pub habits: Arc<Mutex<Habits>>,
    /// What the first key is called in the JWK set.
    pub first_kid: Arc<Mutex<&'static str>>,
    /// How often it was asked for its keys.
    pub keys_asked: Arc<Mutex<u32>>,
    keys: Arc<Keys>,
    codes: Arc<Mutex<Codes>>,
}

impl Issuer {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let es = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let keys = Keys {
            es: es(),
            another: es(),
            ed: Ed25519KeyPair::generate().expect("a key"),
            rs: RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"),
        };
        let issuer = Self {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            habits: Arc::default(),
            first_kid: Arc::new(Mutex::new("es")),
            keys_asked: Arc::default(),
            keys: Arc::new(keys),
            codes: Arc::default(),
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    pub fn behave(&self, habits: Habits) {
        *self.habits.lock().expect("not poisoned") = habits;
    }

    /// Somebody says who they are on the provider's page: a code for the request that the browser came with.
    pub fn code_for(&self, location: &Url) -> String {
        let query: HashMap<_, _> = location.query_pairs().into_owned().collect();
        let mut codes = self.codes.lock().expect("not poisoned");
        let code = format!("code-{}", codes.given.len());
        codes.given.insert(code.clone(), query);
        code
    }

    fn sign(&self, habits: &Habits, text: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |padding| {
            let mut signature = vec![0; self.keys.rs.public_modulus_len()];
            self.keys.rs.sign(padding, &random, text, &mut signature).expect("a signature");
            signature
        };
        match habits.algorithm {
            "ES256" if habits.with_another_key => {
                self.keys.another.sign(&random, text).expect("a signature").as_ref().to_vec()
            }
            "ES256" => self.keys.es.sign(&random, text).expect("a signature").as_ref().to_vec(),
            "EdDSA" => self.keys.ed.sign(text).as_ref().to_vec(),
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "PS256" => rsa(&RSA_PSS_SHA256),
            // As somebody would who takes the public key for a secret.
            "HS256" => {
                let public = hmac::Key::new(hmac::HMAC_SHA256, self.keys.es.public_key().as_ref());
                hmac::sign(&public, text).as_ref().to_vec()
            }
            _ => Vec::new(),
        }
    }

    fn id_token(&self, nonce: &str) -> String {
        let habits = self.habits.lock().expect("not poisoned").clone();
        let mut header = json!({"alg": habits.algorithm, "typ": "JWT"});
        if let Some(kid) = habits.kid {
            header["kid"] = kid.into();
        }
        merge(&mut header, &habits.header);
        let now_s = super::now_s();
        let mut claims = json!({
            "iss": self.url, "sub": "subject-1", "aud": CLIENT_ID, "exp": now_s + 300, "iat": now_s, "nonce": nonce,
            "auth_time": now_s, "amr": ["pwd"], "email": "rosa@clinic.example", "email_verified": true,
        });
        merge(&mut claims, &habits.claims);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let signature = self.sign(&habits, text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn merge(into: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            into.as_object_mut().expect("an object").remove(name);
        } else {
            into[name] = value.clone();
        }
    }
}

async fn metadata(State(issuer): State<Issuer>) -> Json<Value> {
    let url = &issuer.url;
    let names_itself = issuer.habits.lock().expect("not poisoned").names_itself;
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize?theme=clinic"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"),
        "authorization_response_iss_parameter_supported": names_itself,
    }))
}

async fn jwks(State(issuer): State<Issuer>) -> Json<Value> {
    *issuer.keys_asked.lock().expect("not poisoned") += 1;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let point = issuer.keys.es.public_key().as_ref();
    let (x, y) = (text(&point[1..33]), text(&point[33..65]));
    let rsa = issuer.keys.rs.public_key();
    let (n, e) =
        (rsa.modulus().big_endian_without_leading_zero(), rsa.exponent().big_endian_without_leading_zero());
    let kid = *issuer.first_kid.lock().expect("not poisoned");
    Json(json!({"keys": [
        {"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": x, "y": y},
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": text(issuer.keys.ed.public_key().as_ref())},
        {"kty": "RSA", "kid": "rs", "n": text(n), "e": text(e)},
        {"kty": "RSA", "use": "enc", "kid": "enc", "n": text(n), "e": text(e)},
        {"kty": "something new", "kid": "new"},
        7,
    ]}))
}

/// As RFC 6749 §4.1.3 and RFC 7636 §4.6 have it: the right client, a code of this provider's, once, with its verifier.
async fn token(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    body: String,
) -> Result<Json<Value>, StatusCode> {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = STANDARD.encode(format!("{}:{}", encoded(CLIENT_ID), encoded(CLIENT_SECRET)));
    if headers.get(header::AUTHORIZATION).is_none_or(|value| *value != format!("Basic {basic}")) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let form: HashMap<_, _> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let code = form.get("code").cloned().unwrap_or_default();
    let mut codes = issuer.codes.lock().expect("not poisoned");
    let asked = codes.given.get(&code).cloned().ok_or(StatusCode::BAD_REQUEST)?;
    if !codes.used.insert(code) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let hash = digest::digest(&digest::SHA256, form["code_verifier"].as_bytes());
    let is_right = form["grant_type"] == "authorization_code"
        && form["redirect_uri"] == asked["redirect_uri"]
        && URL_SAFE_NO_PAD.encode(hash) == asked["code_challenge"]
        && asked["code_challenge_method"] == "S256";
    if !is_right {
        return Err(StatusCode::BAD_REQUEST);
    }
    let id_token = issuer.id_token(&asked["nonce"]);
    Ok(Json(json!({"access_token": "x", "token_type": "Bearer", "id_token": id_token})))
}
