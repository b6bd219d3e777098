//! Entries that the audit log can never take as things are: set aside, still sealed, so that they hold up no others. They are
//! tried again each time the node starts.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use control_api::audit::EntryId;
use node_log::{AppendError, Limits, NodeLog};

use super::{
    Cipher, SpoolError,
    record::{self, Named},
};

const LIMITS: Limits = Limits { bytes_max: 64 << 20, reserve_bytes: 1 << 20 };
const CONTEXT: &[u8] = b"consilium spool aside 1";

/// Their file, beside the spool.
pub struct Aside {
    log: NodeLog,
    sealed: Mutex<BTreeMap<EntryId, Vec<u8>>>,
}

impl Aside {
    /// Opens the file, or begins it; what is in it.
    pub fn beside(spool: &Path, cipher: &Cipher) -> Result<(Self, Vec<Named>), SpoolError> {
        let (log, records) = node_log::open(&spool.with_file_name("spool-aside.log"), LIMITS)?;
        let (mut sealed, mut entries) = (BTreeMap::new(), Vec::new());
        for (place, record) in records.into_iter().enumerate() {
            let opened = cipher.open(CONTEXT, &record).and_then(|opened| record::decode(&opened));
            let [entry] = <[Named; 1]>::try_from(opened.ok_or(SpoolError::NotOurs(place))?)
                .map_err(|_| SpoolError::NotOurs(place))?;
            sealed.insert(entry.0, record);
            entries.push(entry);
        }
        Ok((Self { log, sealed: Mutex::new(sealed) }, entries))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Adds one, unless it is there. On disk when it returns.
    pub async fn add(&self, cipher: &Cipher, entry: &Named) -> Result<(), AppendError> {
        if self.lock().contains_key(&entry.0) {
            return Ok(());
        }
        let record = cipher.seal(CONTEXT, &record::encode(std::slice::from_ref(entry)));
        self.log.append(record.clone()).await?;
        self.lock().insert(entry.0, record);
        Ok(())
    }

    /// These the audit log has taken after all.
    pub fn forget(&self, taken: impl Iterator<Item = EntryId>) {
        let mut sealed = self.lock();
        let before = sealed.len();
        taken.for_each(|id| drop(sealed.remove(&id)));
        if sealed.len() < before {
            self.log.begin_anew(sealed.values().cloned().collect());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<EntryId, Vec<u8>>> {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
