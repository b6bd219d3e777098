//! What the keys promise, seen from the border.

mod erasing;
mod files;
mod known_answers;
mod rotation;
mod service;
mod tampering;

use std::sync::Arc;

use media_model::TenantId;

use super::{LocalMasterKeys, MasterKeys, PersonKeys, Place, StoredPersonKey, StoredTenantKey, TenantKeys};
use crate::ids::PersonId;

const PERSON: &str = "0123456789abcdef0123456789abcdef";

fn tenant(name: &str) -> TenantId {
    name.parse().expect("a tenant")
}

fn north() -> TenantId {
    tenant("north")
}

fn person() -> PersonId {
    PERSON.parse().expect("a person")
}

fn other_person() -> PersonId {
    PersonId::from_bytes([0xff; 16])
}

fn name_place() -> Place<'static> {
    Place { tenant: north(), table: "people", row: PERSON, column: "name" }
}

fn url_place() -> Place<'static> {
    Place { tenant: north(), table: "webhooks", row: "7", column: "url" }
}

/// A tenant with one person, as the store has them.
struct Clinic {
    master: Arc<dyn MasterKeys>,
    tenant_rows: Vec<StoredTenantKey>,
    keys: TenantKeys,
    person_rows: Vec<StoredPersonKey>,
    person: PersonKeys,
}

impl Clinic {
    async fn new(tenant: &str) -> Self {
        Self::under(Arc::new(LocalMasterKeys::ephemeral()), tenant).await
    }

    async fn under(master: Arc<dyn MasterKeys>, name: &str) -> Self {
        let tenant = tenant(name);
        let (keys, tenant_rows) = TenantKeys::draw(&*master, tenant).await.expect("a new tenant");
        let (person, row) = keys.draw_person(person()).expect("a new person");
        Self { master, tenant_rows, keys, person_rows: vec![row], person }
    }

    /// Forgets the unwrapped keys and reads the rows.
    async fn read_again(&mut self) {
        let tenant = self.keys.tenant();
        self.keys =
            TenantKeys::unwrap(&*self.master, tenant, &self.tenant_rows).await.expect("the tenant's rows");
        self.person = self.keys.person(person(), &self.person_rows).expect("the person's rows");
    }
}
