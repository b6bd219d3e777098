//! What people are known as, and what they are for the whole tenant.

use media_model::{Pii, Role, TenantId};

use super::{
    BootstrapError, ControlApi, by, erasing::about, people::is_external_id, record, tenants::from_shell,
};
use crate::{
    audit::{Action, Entry},
    auth::Caller,
    ids::PersonId,
    permissions::{Act, Person, Relation, TenantRole},
    problem::Problem,
    store,
};

/// What is to change about somebody. `None` leaves it, `Some(None)` takes it away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoleChange {
    /// What the clinic knows them as. It opens no patient's door.
    pub standing: Option<Option<Role>>,
    /// What they are for the whole tenant.
    pub tenant_role: Option<Option<TenantRole>>,
}

impl RoleChange {
    /// What somebody is after it.
    fn applied_to(self, person: Person) -> Person {
        Person {
            standing: self.standing.unwrap_or(person.standing),
            tenant_role: self.tenant_role.unwrap_or(person.tenant_role),
            ..person
        }
    }
}

impl ControlApi {
    /// Changes from the shell what somebody is known as, by the EHR's id of them. Whoever is not known yet is made known.
    pub async fn set_roles_from_shell(
        &self,
        tenant: TenantId,
        external_id: Pii<String>,
        change: RoleChange,
    ) -> Result<PersonId, BootstrapError> {
        if !is_external_id(external_id.reveal()) {
            return Err(BootstrapError::ExternalId);
        }
        let mut act = self.store.begin(tenant).await?;
        if store::tenants::find(&mut act).await?.is_none() {
            return Err(BootstrapError::NoTenant(tenant));
        }
        let id = self.person_of(&mut act, &external_id).await?;
        let person = store::people::person(&mut act, id).await?;
        let person = person.ok_or(crate::StoreError::Malformed("a person who was just seen"))?;
        let person = change.applied_to(person);
        store::people::set_roles(&mut act, &person).await?;
        record(&mut act, &granted(&person, from_shell(Action::Asked(Act::GrantRole)))).await?;
        self.commit(act).await?;
        Ok(id)
    }
}

/// What somebody is from now on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roles {
    pub person: PersonId,
    pub standing: Option<Role>,
    pub tenant_role: Option<TenantRole>,
}

impl ControlApi {
    /// Says what somebody is from now on. Never about oneself, and only by a person who showed two factors.
    pub(crate) async fn set_roles(&self, caller: Caller, roles: Roles) -> Result<Roles, Problem> {
        let relation = Relation::to_tenant().of(roles.person);
        let act = self.begin(&caller).await?;
        let mut act = self.permit_in(act, &caller, Act::GrantRole, &relation).await?;
        let person = store::people::person(&mut act, roles.person).await?.ok_or(Problem::NotFound)?;
        let Roles { standing, tenant_role, .. } = roles;
        let person = Person { standing, tenant_role, ..person };
        store::people::set_roles(&mut act, &person).await?;
        record(&mut act, &granted(&person, by(&caller, Action::Asked(Act::GrantRole)))).await?;
        self.keep(act, &caller, roles).await
    }
}

/// What somebody is from now on, for the audit log.
fn granted(person: &Person, entry: Entry) -> Entry {
    let detail = Some(person.tenant_role.map_or("no_tenant_role", TenantRole::as_str));
    about(person.id, Entry { role: person.standing, detail, ..entry })
}
