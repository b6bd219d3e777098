//! OAuth 2 client credentials (RFC 6749 §4.4): an API key for a token that lives ten minutes.

use media_model::Pii;

use super::{ControlApi, by, now, random_bytes, record};
use crate::{
    ApiKey,
    access::{AccessToken, AccessTokenId},
    audit::{Action, Actor, Entry},
    auth::{Caller, Request},
    limits::ACCESS_TOKEN_LIFETIME,
    permissions::Scopes,
    problem::Problem,
    store,
};

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoToken {
    /// No such client, or not its secret.
    InvalidClient,
    /// A scope that the client was not made for, or that nobody knows.
    InvalidScope,
    /// Anything else.
    Failed(Problem),
}

impl From<Problem> for NoToken {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Unauthorized => Self::InvalidClient,
            other => Self::Failed(other),
        }
    }
}

/// A token that was given out.
#[derive(Debug)]
pub(crate) struct IssuedToken {
    pub token: Pii<String>,
    pub scopes: Scopes,
}

impl ControlApi {
    /// A token for the client with this id and secret, for these scopes or all that the client has. That it was given out is
    /// on disk before it is.
    pub(crate) async fn issue_token(
        &self,
        client_id: &str,
        secret: &str,
        scope: Option<&str>,
        request: Request,
    ) -> Result<IssuedToken, NoToken> {
        let keys = self.access.as_ref().ok_or(NoToken::Failed(Problem::StoreUnavailable))?;
        let key = ApiKey::parse(secret).ok_or(NoToken::InvalidClient)?;
        let caller = self.caller(&key, request).await?;
        let Actor::ApiClient(client) = &caller.actor else { return Err(NoToken::InvalidClient) };
        if client_id_of(&caller, client) != client_id {
            return Err(NoToken::InvalidClient);
        }
        let all = caller.scopes().ok_or(NoToken::InvalidClient)?;
        let scopes: Scopes = match scope {
            None => all,
            Some(text) => text.parse().map_err(|_| NoToken::InvalidScope)?,
        };
        if scopes.is_empty() || !scopes.is_within(all) {
            return Err(NoToken::InvalidScope);
        }
        let issued_at_unix_s = now().as_secs();
        let token = AccessToken {
            id: AccessTokenId::from_bytes(random_bytes()),
            tenant: caller.tenant,
            client: client.clone(),
            scopes,
            issued_at_unix_s,
            expires_at_unix_s: issued_at_unix_s + ACCESS_TOKEN_LIFETIME.as_secs(),
        };
        let mut act = self.store.begin(caller.tenant).await.map_err(Problem::from)?;
        let entry: Entry = by(&caller, Action::TokenIssued);
        record(&mut act, &entry).await.map_err(Problem::from)?;
        self.commit(act).await.map_err(Problem::from)?;
        let token = keys.signer.sign(&token);
        self.note_good(&token);
        Ok(IssuedToken { token: Pii::new(token), scopes })
    }

    /// The back end behind an access token. Its client has to be there still.
    pub(crate) async fn caller_by_token(&self, token: &str, request: Request) -> Result<Caller, Problem> {
        let keys = self.access.as_ref().ok_or(Problem::Unauthorized)?;
        let token = keys.verifier.verify(token, now().as_secs()).map_err(|_| Problem::Unauthorized)?;
        let mut tx = self.store.read(token.tenant).await?;
        let client = store::api_clients::find(&mut tx, &token.client).await?;
        let mut client = client.ok_or(Problem::Unauthorized)?;
        client.scopes = client.scopes.intersection(token.scopes);
        self.caller_of(tx, client, request).await
    }

    /// How OAuth 2 calls the client with this key.
    pub async fn client_id(&self, key: &ApiKey) -> Result<Option<String>, crate::StoreError> {
        let client = self.client_of(key).await?;
        Ok(client.map(|client| format!("{}.{}", key.tenant(), client.id)))
    }
}

/// Unique among all tenants, as it has to be.
fn client_id_of(caller: &Caller, client: &str) -> String {
    format!("{}.{client}", caller.tenant)
}
