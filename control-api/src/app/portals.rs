//! Tenants' own pages: which origins may frame a tenant's visits and call for it.
//!
//! Every request of a web page asks for them, so they are kept in memory. A change in this process is known at once, one of another node's
//! within [`PORTALS_INTERVAL`]; while the database is away, what was known last goes on. A tenant that a page asks for and that is not
//! known is looked for at once, so seldom that nobody keeps the database busy with names that they make up.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs, io,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::Instant,
};

use media_model::TenantId;
use tokio::sync::Notify;

use super::{BootstrapError, ControlApi, by, record, tenants::from_shell};
use crate::{
    PortalOrigin, StoreError,
    audit::{Action, Entry},
    auth::Caller,
    limits::{PORTAL_ORIGINS_MAX, PORTALS_INTERVAL, TENANT_MISSING_FOR, TENANTS_MISSING_MAX},
    permissions::Act,
    problem::Problem,
    store::portal_origins,
    whole_file,
};

/// Older than whatever the database has.
const VERSION_RECALLED: i64 = -1;

/// What is known of tenants' own pages. Clones are handles to the same thing; nothing in it waits.
#[derive(Debug, Clone, Default)]
pub struct Portals {
    known: Arc<RwLock<Known>>,
    has_changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Known {
    of_tenants: HashMap<TenantId, Listed>,
    of_any: HashSet<PortalOrigin>,
    /// Tenants that were not there, and when that was seen.
    missing: HashMap<TenantId, Instant>,
}

#[derive(Debug)]
struct Listed {
    version: i64,
    origins: Arc<[PortalOrigin]>,
}

impl Portals {
    /// The origins of a tenant's pages; none where there is no such tenant.
    pub fn of(&self, tenant: TenantId) -> Option<Arc<[PortalOrigin]>> {
        self.known().of_tenants.get(&tenant).map(|listed| Arc::clone(&listed.origins))
    }

    /// Whether this is the origin of a tenant's pages.
    pub fn is_of(&self, tenant: TenantId, origin: &str) -> bool {
        let known = self.known();
        let listed = known.of_tenants.get(&tenant);
        listed.is_some_and(|listed| listed.origins.iter().any(|each| each.as_str() == origin))
    }

    /// Whether this is the origin of any tenant's pages.
    pub fn is_any(&self, origin: &str) -> bool {
        self.known().of_any.contains(origin)
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn version_of(&self, tenant: TenantId) -> Option<i64> {
        self.known().of_tenants.get(&tenant).map(|listed| listed.version)
    }

    /// Whether it is worth asking the database for a tenant that is not known: not again so soon, and not for many in a short time.
    fn may_look_for(&self, tenant: TenantId, now: Instant) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.missing.retain(|_, at| now.saturating_duration_since(*at) < TENANT_MISSING_FOR);
        let may = known.missing.len() < TENANTS_MISSING_MAX && !known.missing.contains_key(&tenant);
        if may {
            known.missing.insert(tenant, now);
        }
        may
    }

    /// What is known, a line a tenant: its name, then its origins.
    fn text(&self) -> String {
        let known = self.known();
        let line = |(tenant, listed): (&TenantId, &Listed)| {
            let words = listed.origins.iter().map(PortalOrigin::as_str);
            std::iter::once(tenant.as_str()).chain(words).collect::<Vec<_>>().join(" ") + "\n"
        };
        let mut lines: Vec<_> = known.of_tenants.iter().map(line).collect();
        lines.sort_unstable();
        lines.concat()
    }

    /// Takes up what was known before a start, until the database has been asked. A line that says nothing is left out.
    fn recall(&self, text: &str) {
        let listed = |line: &str| {
            let mut words = line.split(' ');
            let tenant = words.next()?.parse().ok()?;
            Some((tenant, VERSION_RECALLED, words.map(|word| word.parse().ok()).collect::<Option<Vec<_>>>()?))
        };
        self.learn(text.lines().filter_map(listed));
    }

    /// Takes up versions, each unless a newer one is known already.
    pub(super) fn learn(&self, changes: impl IntoIterator<Item = (TenantId, i64, Vec<PortalOrigin>)>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (tenant, version, origins) in changes {
            let before = known.of_tenants.get(&tenant);
            if before.is_none_or(|listed| listed.version <= version) {
                known.of_tenants.insert(tenant, Listed { version, origins: origins.into() });
            }
        }
        known.of_any = known.of_tenants.values().flat_map(|listed| listed.origins.iter().cloned()).collect();
        self.has_changed.notify_one();
    }
}

/// What a tenant's list is after a change.
#[derive(Debug, Clone)]
pub(crate) struct PortalOrigins(pub Vec<PortalOrigin>);

impl ControlApi {
    /// Tenants' own pages.
    pub fn portals(&self) -> &Portals {
        &self.portals
    }

    /// The origins of a tenant's pages, also where another process has just made it; none where there is no such tenant.
    pub async fn portals_of(&self, tenant: TenantId) -> Option<Arc<[PortalOrigin]>> {
        let is_new = self.portals.of(tenant).is_none() && tenant != TenantId::SYSTEM;
        if is_new && self.portals.may_look_for(tenant, Instant::now()) {
            match self.look_for_portals(tenant).await {
                Ok(found) => self.portals.learn(found),
                Err(error) => tracing::warn!(%error, "a tenant that is not known cannot be looked for"),
            }
        }
        self.portals.of(tenant)
    }

    async fn look_for_portals(
        &self,
        tenant: TenantId,
    ) -> Result<Option<(TenantId, i64, Vec<PortalOrigin>)>, StoreError> {
        let mut tx = self.store.read(tenant).await?;
        let Some(version) = portal_origins::version(&mut tx).await? else { return Ok(None) };
        Ok(Some((tenant, version, portal_origins::all(&mut tx).await?)))
    }

    /// Keeps what is known in this file, and knows what is in it, for a start while the database is away.
    pub fn remembering_portals(mut self, path: PathBuf) -> io::Result<Self> {
        match fs::read_to_string(&path) {
            Ok(text) => self.portals.recall(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        self.portals_file = Some(path.into());
        Ok(self)
    }

    async fn remember_portals(&self, text: String) -> io::Result<()> {
        let Some(path) = self.portals_file.clone() else { return Ok(()) };
        let put = tokio::task::spawn_blocking(move || whole_file::put(&path, text.as_bytes()));
        put.await.unwrap_or_else(|failed| Err(io::Error::other(failed)))
    }

    /// Reads what other processes have changed.
    pub async fn refresh_portals(&self) -> Result<(), StoreError> {
        let mut changes = Vec::new();
        for (tenant, version) in self.store.portal_versions().await? {
            if self.portals.version_of(tenant) != Some(version) {
                let mut tx = self.store.read(tenant).await?;
                changes.push((tenant, version, portal_origins::all(&mut tx).await?));
            }
        }
        if !changes.is_empty() {
            self.portals.learn(changes);
        }
        Ok(())
    }

    /// Does so for as long as the process lives, and alone writes the file.
    pub async fn keep_refreshing_portals(self) {
        let mut remembered = String::new();
        loop {
            let text = self.portals.text();
            if text != remembered {
                match self.remember_portals(text.clone()).await {
                    Ok(()) => remembered = text,
                    Err(error) => {
                        tracing::warn!(%error, "portals' origins are not kept for a start without the database");
                    }
                }
            }
            // What has changed here is written at once, what others have changed is looked for from time to time.
            if tokio::time::timeout(PORTALS_INTERVAL, self.portals.has_changed.notified()).await.is_ok() {
                continue;
            }
            if let Err(error) = self.refresh_portals().await {
                tracing::warn!(%error, "portals' origins cannot be read; those known go on");
            }
        }
    }

    /// The origins of the caller's tenant.
    pub(crate) async fn portal_origins(&self, caller: Caller) -> Result<Vec<PortalOrigin>, Problem> {
        self.permit(&caller, Act::ManageTenant).await?;
        let mut tx = self.store.read(caller.tenant).await?;
        let origins = portal_origins::all(&mut tx).await?;
        drop(tx);
        let entry = Entry { detail: Some("portal_origins"), ..by(&caller, Action::Asked(Act::ManageTenant)) };
        self.note_read(caller.tenant, &entry).await?;
        Ok(origins)
    }

    /// Says which they are from now on.
    pub(crate) async fn set_portal_origins(
        &self,
        caller: Caller,
        origins: BTreeSet<PortalOrigin>,
    ) -> Result<PortalOrigins, Problem> {
        self.permit(&caller, Act::ManageTenant).await?;
        let tenant = caller.tenant;
        let mut act = self.begin(&caller).await?;
        let version = portal_origins::begin_change(&mut act).await?.ok_or(Problem::NotFound)?;
        let origins: Vec<_> = origins.into_iter().collect();
        portal_origins::replace(&mut act, &origins).await?;
        let detail = Some("portal_origins_set");
        record(&mut act, &Entry { detail, ..by(&caller, Action::Asked(Act::ManageTenant)) }).await?;
        let PortalOrigins(origins) = self.keep(act, &caller, PortalOrigins(origins)).await?;
        self.portals.learn([(tenant, version, origins.clone())]);
        Ok(PortalOrigins(origins))
    }

    /// Adds and removes origins from the shell; which there are then.
    pub async fn change_portal_origins(
        &self,
        tenant: TenantId,
        added: &[PortalOrigin],
        removed: &[PortalOrigin],
    ) -> Result<Vec<PortalOrigin>, BootstrapError> {
        let mut act = self.store.begin(tenant).await?;
        let version = portal_origins::begin_change(&mut act).await?;
        let version = version.ok_or(BootstrapError::NoTenant(tenant))?;
        let before = portal_origins::all(&mut act).await?;
        let mut origins: BTreeSet<_> = before.iter().chain(added).cloned().collect();
        origins.retain(|origin| !removed.contains(origin));
        let origins: Vec<_> = origins.into_iter().collect();
        if origins.len() > PORTAL_ORIGINS_MAX {
            return Err(BootstrapError::TooManyOrigins);
        }
        if origins == before {
            // Nothing was done, and the version goes back with the transaction.
            return Ok(origins);
        }
        portal_origins::replace(&mut act, &origins).await?;
        let detail = Some("portal_origins_set");
        record(&mut act, &Entry { detail, ..from_shell(Action::Asked(Act::ManageTenant)) }).await?;
        self.commit(act).await?;
        self.portals.learn([(tenant, version, origins.clone())]);
        Ok(origins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_made_up_are_looked_for_seldom() {
        let (portals, start) = (Portals::default(), Instant::now());
        let name = |number: usize| format!("t-{number}").parse().expect("a tenant");
        let asked = |at| (0..10 * TENANTS_MISSING_MAX).filter(|n| portals.may_look_for(name(*n), at)).count();
        assert_eq!((asked(start), asked(start)), (TENANTS_MISSING_MAX, 0));
        assert_eq!(asked(start + TENANT_MISSING_FOR), TENANTS_MISSING_MAX, "later again");
    }

    fn origins(list: &[&str]) -> Vec<PortalOrigin> {
        list.iter().map(|text| text.parse().expect("an origin")).collect()
    }

    #[test]
    fn a_newer_version_stays_whatever_comes_after_it() {
        let (portals, clinic) = (Portals::default(), "clinic".parse().expect("a tenant"));
        assert!(portals.of(clinic).is_none());
        portals.learn([(clinic, 2, origins(&["https://new.example"]))]);
        portals.learn([(clinic, 1, origins(&["https://old.example"]))]);
        assert!(portals.is_of(clinic, "https://new.example") && portals.is_any("https://new.example"));
        assert!(!portals.is_of(clinic, "https://old.example") && !portals.is_any("https://old.example"));
        portals.learn([(clinic, 3, Vec::new())]);
        assert!(!portals.is_any("https://new.example") && portals.of(clinic).is_some());
    }

    #[test]
    fn what_was_known_before_a_start_is_until_the_database_says_what_is() {
        let (portals, clinic) = (Portals::default(), "clinic".parse().expect("a tenant"));
        portals.learn([(clinic, 7, origins(&["https://a.example", "https://b.example"]))]);
        portals.learn([("alone".parse().expect("a tenant"), 0, Vec::new())]);
        let text = portals.text();
        let again = Portals::default();
        again.recall(&format!("{text}\nclinic-2 no origin\n"));
        assert_eq!(again.text(), text);
        assert!(again.is_of(clinic, "https://b.example"));
        again.learn([(clinic, 0, origins(&["https://c.example"]))]);
        assert!(!again.is_any("https://b.example"), "whatever its version, as after a restore");
    }
}
