//! API clients: back ends of a tenant, each with a key of its own that is told once.

use media_model::TenantId;

use super::{BootstrapError, ControlApi, by, now_ms, random_id, record, tenants::from_shell};
use crate::{
    ApiKey, StoreError,
    audit::{Action, Entry, Object},
    auth::Caller,
    limits::API_CLIENT_NAME_BYTES_MAX,
    permissions::{Act, Scopes},
    problem::Problem,
    store::{
        self,
        api_clients::{ApiClient, KnownClient},
    },
};

/// A client as an operator sees it.
#[derive(Debug, Clone)]
pub struct ClientSummary {
    /// Its id, which begins with its name.
    pub id: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it was revoked, likewise.
    pub revoked_at_ms: Option<i64>,
}

impl From<KnownClient> for ClientSummary {
    fn from(known: KnownClient) -> Self {
        let KnownClient { client: ApiClient { id, scopes }, created_at_ms, revoked_at_ms } = known;
        Self { id, scopes, created_at_ms, revoked_at_ms }
    }
}

impl ControlApi {
    /// Makes an API client for some purposes, and its secret. `name` becomes part of its id, which the audit log shows.
    pub async fn create_client(
        &self,
        tenant: TenantId,
        name: &str,
        scopes: Scopes,
    ) -> Result<ApiKey, BootstrapError> {
        let is_sound = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if name.is_empty() || name.len() > API_CLIENT_NAME_BYTES_MAX || !name.bytes().all(is_sound) {
            return Err(BootstrapError::ClientName);
        }
        let (key, now_ms) = (ApiKey::generate(tenant), now_ms());
        let client = ApiClient { id: format!("{name}-{}", &random_id()[..8]), scopes };
        let mut act = self.store.begin(tenant).await?;
        if store::tenants::find(&mut act).await?.is_none() {
            return Err(BootstrapError::NoTenant(tenant));
        }
        store::api_clients::insert(&mut act, &client, &key.hash(), now_ms).await?;
        let entry = Entry { object: Some(Object::Client(client.id)), ..from_shell(Action::ApiClientCreated) };
        record(&mut act, &entry).await?;
        self.commit(act).await?;
        Ok(key)
    }

    /// A tenant's clients, revoked ones as well.
    pub async fn clients_from_shell(&self, tenant: TenantId) -> Result<Vec<ClientSummary>, BootstrapError> {
        let mut tx = self.store.read(tenant).await?;
        if store::tenants::find(&mut tx).await?.is_none() {
            return Err(BootstrapError::NoTenant(tenant));
        }
        let clients = store::api_clients::all(&mut tx).await?;
        drop(tx);
        self.note_read(tenant, &listed(from_shell(Action::Asked(Act::ManageClients)))).await?;
        Ok(clients.into_iter().map(ClientSummary::from).collect())
    }

    /// Revokes a client: from now on neither its key nor a token of its opens anything.
    pub async fn revoke_client_from_shell(&self, tenant: TenantId, id: &str) -> Result<(), BootstrapError> {
        let mut act = self.store.begin(tenant).await?;
        if !store::api_clients::revoke(&mut act, id, now_ms()).await? {
            return Err(BootstrapError::NoClient(id.to_owned()));
        }
        let entry =
            Entry { object: Some(Object::Client(id.to_owned())), ..from_shell(Action::ApiClientRevoked) };
        record(&mut act, &entry).await?;
        Ok(self.commit(act).await?)
    }

    /// The same for an admin.
    pub(crate) async fn clients(&self, caller: Caller) -> Result<Vec<ClientSummary>, Problem> {
        self.permit(&caller, Act::ManageClients).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        let clients = store::api_clients::all(&mut tx).await?;
        drop(tx);
        self.note_read(caller.tenant, &listed(by(&caller, Action::Asked(Act::ManageClients)))).await?;
        Ok(clients.into_iter().map(ClientSummary::from).collect())
    }

    /// The same for an admin.
    pub(crate) async fn revoke_client(&self, caller: Caller, id: &str) -> Result<(), Problem> {
        self.permit(&caller, Act::ManageClients).await?;
        let mut act = self.begin(&caller).await?;
        if !store::api_clients::revoke(&mut act, id, now_ms()).await? {
            return Err(Problem::NotFound);
        }
        let entry =
            Entry { object: Some(Object::Client(id.to_owned())), ..by(&caller, Action::ApiClientRevoked) };
        record(&mut act, &entry).await?;
        self.keep(act, &caller, ()).await
    }

    /// Whether this text is the secret of a client that is good now.
    pub async fn knows_key(&self, secret: &str) -> Result<bool, StoreError> {
        let Some(key) = ApiKey::parse(secret) else { return Ok(false) };
        Ok(self.client_of(&key).await?.is_some())
    }

    /// The client that this is the secret of.
    pub(crate) async fn client_of(&self, key: &ApiKey) -> Result<Option<ApiClient>, StoreError> {
        let mut tx = self.store.read(key.tenant()).await?;
        store::api_clients::find_by_secret(&mut tx, &key.hash()).await
    }
}

fn listed(entry: Entry) -> Entry {
    Entry { detail: Some("clients_listed"), ..entry }
}
