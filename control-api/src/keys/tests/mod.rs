//! What the keys promise, seen from the border.

mod erasing;
mod files;
mod known_answers;
mod rotation;
mod tampering;

use super::{LocalMasterKeys, PersonKeys, Place, StoredPersonKey, StoredTenantKey, TenantKeys};

const PERSON: &str = "0123456789abcdef0123456789abcdef";
const NAME: Place<'_> = Place { tenant: "north", table: "people", row: PERSON, column: "name" };
const URL: Place<'_> = Place { tenant: "north", table: "webhooks", row: "7", column: "url" };

/// A tenant with one person, as the store has them.
struct Clinic {
    master: LocalMasterKeys,
    tenant_rows: Vec<StoredTenantKey>,
    keys: TenantKeys,
    person_rows: Vec<StoredPersonKey>,
    person: PersonKeys,
}

impl Clinic {
    async fn new(tenant: &str) -> Self {
        Self::under(LocalMasterKeys::ephemeral(), tenant).await
    }

    async fn under(master: LocalMasterKeys, tenant: &str) -> Self {
        let (keys, tenant_rows) = TenantKeys::draw(&master, tenant).await.expect("a new tenant");
        let (person, row) = keys.draw_person(PERSON).expect("a new person");
        Self { master, tenant_rows, keys, person_rows: vec![row], person }
    }

    /// Forgets the unwrapped keys and reads the rows.
    async fn read_again(&mut self) {
        let tenant = self.keys.tenant().to_owned();
        self.keys =
            TenantKeys::unwrap(&self.master, &tenant, &self.tenant_rows).await.expect("the tenant's rows");
        self.person = self.keys.person(PERSON, &self.person_rows).expect("the person's rows");
    }
}
