//! A key service behind the trait: what it is told, and what its absence does.

use std::sync::Mutex;

use super::{Clinic, name_place, north, tenant, url_place};
use crate::keys::{
    KeyFault, KeyFuture, KeyMaterial, KeyName, MasterKeys, MasterName, Opened, TenantKeys, Whose, Wrapped,
};

/// Keeps what it wrapped, as a service's own encryption would, with the context that it was wrapped in.
#[derive(Debug, Default)]
struct Service {
    kept: Mutex<Vec<Kept>>,
    is_away: bool,
}

#[derive(Debug, Clone)]
struct Kept {
    fields: [(&'static str, String); 3],
    key: [u8; 32],
}

impl Service {
    fn wrapped(&self, name: KeyName, key: &KeyMaterial) -> Result<Wrapped, KeyFault> {
        let mut kept = self.kept.lock().expect("not poisoned");
        kept.push(Kept { fields: name.fields(), key: *key.reveal() });
        Wrapped::new(self.newest(), vec![kept.len() as u8])
    }

    fn unwrapped(&self, name: KeyName, wrapped: &Wrapped) -> Result<KeyMaterial, KeyFault> {
        if self.is_away {
            return Err(KeyFault::MasterUnavailable { reason: "timed out".to_owned() });
        }
        let kept = self.kept.lock().expect("not poisoned");
        let Kept { fields, mut key } = kept[usize::from(wrapped.bytes()[0]) - 1].clone();
        if fields != name.fields() {
            return Err(KeyFault::NotAuthentic { what: "a tenant's key".to_owned() });
        }
        KeyMaterial::take(&mut key)
    }
}

impl MasterKeys for Service {
    fn newest(&self) -> MasterName {
        "service:key/1".parse().expect("a name")
    }

    fn names(&self) -> Vec<MasterName> {
        vec![self.newest()]
    }

    fn wrap<'a>(&'a self, name: KeyName, key: &'a KeyMaterial) -> KeyFuture<'a, Wrapped> {
        Box::pin(async move { self.wrapped(name, key) })
    }

    fn unwrap<'a>(&'a self, name: KeyName, wrapped: &'a Wrapped) -> KeyFuture<'a, KeyMaterial> {
        Box::pin(async move { self.unwrapped(name, wrapped) })
    }
}

#[tokio::test]
async fn a_service_wraps_tenants_keys_and_is_told_which() {
    let service = Service::default();
    let (keys, rows) = TenantKeys::draw(&service, north()).await.expect("a new tenant");
    let sealed = keys.seal(&url_place(), b"https://").expect("sealed");
    let again = TenantKeys::unwrap(&service, north(), &rows).await.expect("the tenant's rows");
    assert!(again.open(&url_place(), &sealed).is_ok());
    assert!(TenantKeys::unwrap(&service, tenant("south"), &rows).await.is_err());
    let kept = service.kept.lock().expect("not poisoned");
    let told: Vec<_> = kept.iter().map(|kept| kept.fields.clone().map(|(_, value)| value)).collect();
    assert_eq!(told, [["north", "sealing", "1"], ["north", "index", "1"]]);
}

#[tokio::test]
async fn while_a_service_is_away_keys_in_hand_go_on_and_others_are_worth_another_try() {
    let mut service = Service::default();
    let (keys, rows) = TenantKeys::draw(&service, north()).await.expect("a new tenant");
    service.is_away = true;
    let fault = TenantKeys::unwrap(&service, north(), &rows).await.map(|_| ());
    assert_eq!(fault.map_err(|fault| fault.whose()), Err(Whose::KeyService));
    let (person, _) = keys.draw_person(super::person()).expect("no service is asked");
    let sealed = person.seal(&name_place(), b"Rosa").expect("sealed");
    assert!(matches!(person.open(&name_place(), &sealed), Ok(Opened::Value(_))));
}

#[tokio::test]
async fn a_key_of_another_master_needs_wrapping_again() {
    let clinic = Clinic::new("north").await;
    assert!(Service::default().needs_rewrap(&clinic.tenant_rows[0].wrapped));
    assert!(!clinic.master.needs_rewrap(&clinic.tenant_rows[0].wrapped));
}
