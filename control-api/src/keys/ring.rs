//! Master keys from several places, taken up anew while they are in use.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use super::{KeyFault, KeyFuture, KeyMaterial, KeyName, MasterKeys, MasterName, Wrapped};

/// One place or several: the first one's newest key wraps, all keys of all unwrap. So keys move from one place to another
/// while nodes run.
pub struct MasterKeyRing(RwLock<Arc<Places>>);

struct Places {
    first: Arc<dyn MasterKeys>,
    others: Vec<Arc<dyn MasterKeys>>,
}

impl MasterKeyRing {
    /// The place whose newest key wraps, and those that unwrap only.
    pub fn new(first: Arc<dyn MasterKeys>, others: Vec<Arc<dyn MasterKeys>>) -> Self {
        Self(RwLock::new(Arc::new(Places { first, others })))
    }

    /// Takes up others. What is being wrapped or unwrapped goes on with those that it began with.
    pub fn replace(&self, with: Self) {
        let places = with.places();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = places;
    }

    fn places(&self) -> Arc<Places> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Places {
    fn all(&self) -> impl Iterator<Item = &Arc<dyn MasterKeys>> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl MasterKeys for MasterKeyRing {
    fn newest(&self) -> MasterName {
        self.places().first.newest()
    }

    fn names(&self) -> Vec<MasterName> {
        self.places().all().flat_map(|place| place.names()).collect()
    }

    fn check(&self) -> KeyFuture<'_, ()> {
        let places = self.places();
        Box::pin(async move {
            for place in places.all() {
                place.check().await?;
            }
            Ok(())
        })
    }

    fn is_away(&self) -> bool {
        self.places().all().any(|place| place.is_away())
    }

    fn wrap<'a>(&'a self, name: KeyName, key: &'a KeyMaterial) -> KeyFuture<'a, Wrapped> {
        let places = self.places();
        Box::pin(async move { places.first.wrap(name, key).await })
    }

    fn unwrap<'a>(&'a self, name: KeyName, wrapped: &'a Wrapped) -> KeyFuture<'a, KeyMaterial> {
        let places = self.places();
        Box::pin(async move {
            let master = wrapped.master();
            match places.all().find(|place| place.names().contains(master)) {
                Some(place) => place.unwrap(name, wrapped).await,
                None => Err(KeyFault::UnknownMaster { master: master.clone() }),
            }
        })
    }
}

impl fmt::Debug for MasterKeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MasterKeyRing").field(&self.names()).finish()
    }
}
