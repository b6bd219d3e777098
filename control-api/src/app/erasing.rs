//! Erasing people, and doing it again after a restore.
//!
//! First a line goes to the list and to disk, then the transaction takes the keys: what is listed and was not done is done by the
//! next replay, the other way round a restore would undo it.

use std::{
    fs::File,
    io::{self, BufReader},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use media_model::Pii;

use super::{ControlApi, by, facts, now_ms, record};
use crate::{
    StoreError,
    audit::{Action, Entry},
    auth::Caller,
    ids::PersonId,
    keys::{Erasure, KeyFault, read_erasures},
    line_file,
    permissions::Act,
    problem::Problem,
    store,
};

/// A list that could not be replayed: nothing may be served before somebody has looked at it.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The list cannot be read, or one of its lines.
    #[error("the list of erasures {path}: {fault}")]
    List {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The file that says who was erased.
#[derive(Debug, Clone)]
pub(super) struct ErasureList {
    path: PathBuf,
    /// One line at a time.
    turn: Arc<Mutex<()>>,
}

impl ErasureList {
    fn at(path: PathBuf) -> Self {
        Self { path, turn: Arc::default() }
    }

    /// Adds a line; it is on disk when this returns.
    async fn append(&self, erasure: Erasure) -> io::Result<()> {
        let list = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let _turn = list.turn.lock().unwrap_or_else(PoisonError::into_inner);
            line_file::append(&list.path, &[erasure.to_line().trim_end()])
        });
        written.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    fn read(&self) -> Result<Vec<Erasure>, KeyFault> {
        match File::open(&self.path) {
            Ok(file) => read_erasures(BufReader::new(file)).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(KeyFault::Unreadable { reason: error.to_string() }),
        }
    }
}

impl ControlApi {
    /// Puts every erasure down in this file, for [`ControlApi::replay_erasures`].
    #[must_use]
    pub fn listing_erasures(mut self, path: PathBuf) -> Self {
        self.erasures = Some(ErasureList::at(path));
        self
    }

    /// Erases again whoever is on the list and is not erased, as after a restore. Returns how many that were.
    pub async fn replay_erasures(&self) -> Result<usize, ReplayError> {
        let Some(list) = &self.erasures else { return Ok(0) };
        let listed = list.read().map_err(|fault| ReplayError::List { path: list.path.clone(), fault })?;
        let mut erased = 0;
        for erasure in listed {
            erased += usize::from(self.erase_again(&erasure).await?);
        }
        if erased > 0 {
            tracing::warn!(erased, "people who had been erased were in the database again, and are erased");
            self.store.forget_freed_bytes().await?;
        }
        Ok(erased)
    }

    async fn erase_again(&self, erasure: &Erasure) -> Result<bool, StoreError> {
        let mut tx = self.store.read(erasure.tenant).await?;
        if store::people::is_erased(&mut tx, erasure).await? {
            return Ok(false);
        }
        drop(tx);
        let mut act = self.store.begin(erasure.tenant).await?;
        self.end_sessions_of(&mut act, erasure.person, "erased", &Entry::of(Action::SignedOut)).await?;
        store::people::erase(&mut act, erasure).await?;
        let again = Entry { detail: Some("replayed"), ..Entry::of(Action::PersonErased) };
        record(&mut act, &about(erasure.person, again)).await?;
        self.commit(act).await?;
        Ok(true)
    }

    /// Erases a person's keys: what was sealed about them can be read by nobody any more. The audit log keeps that they
    /// were there, under an id that leads nowhere.
    pub(crate) async fn erase_person(&self, caller: Caller, id: PersonId) -> Result<(), Problem> {
        let mut act = self.begin(&caller).await?;
        let relation = facts::to_patient(&mut act, &caller, id).await?;
        let mut act = self.permit_in(act, &caller, Act::ErasePerson, &relation).await?;
        let kept = store::people::load(&mut act, id).await?.ok_or(Problem::NotFound)?;
        // The wrapped keys are not opened: who cannot be read any more can still be erased.
        let left = kept.keys.iter().filter(|key| key.wrapped.is_some()).map(|key| key.version).max();
        let (tenant, up_to_version) = (caller.tenant, left.ok_or(Problem::NotFound)?);
        let erasure = Erasure { tenant, person: id, up_to_version, at_ms: now_ms() };
        if let Some(list) = &self.erasures {
            let listed = list.append(erasure).await;
            listed.map_err(|error| StoreError::Failed(sqlx::Error::Io(error)))?;
        }
        self.end_sessions_of(&mut act, id, "erased", &by(&caller, Action::SignedOut)).await?;
        if !store::people::erase(&mut act, &erasure).await? {
            return Err(Problem::NotFound);
        }
        record(&mut act, &about(id, by(&caller, Action::PersonErased))).await?;
        self.keep(act, &caller, ()).await?;
        // They are erased whether or not this succeeds; a later checkpoint overwrites the log as well.
        if let Err(error) = self.store.forget_freed_bytes().await {
            tracing::warn!(%error, "the write-ahead log still holds an erased person's wrapped key");
        }
        Ok(())
    }
}

pub(super) fn about(person: PersonId, entry: Entry) -> Entry {
    Entry { person_id: Some(Pii::new(person.to_string())), ..entry }
}

#[cfg(test)]
mod tests {
    use media_model::TenantId;

    use super::*;
    use crate::keys::KeyVersion;

    #[test]
    fn a_line_that_was_cut_off_is_named_and_takes_no_other_along() {
        let folder = tempfile::tempdir().expect("a folder");
        let list = ErasureList::at(folder.path().join("erasures"));
        assert_eq!(list.read(), Ok(Vec::new()));
        let (tenant, person): (TenantId, _) =
            ("north".parse().expect("a tenant"), PersonId::from_bytes([7; 16]));
        let erasure = |at_ms| Erasure { tenant, person, up_to_version: KeyVersion::FIRST, at_ms };
        line_file::append(&list.path, &[erasure(1).to_line().trim_end()]).expect("the first");
        let half = format!("{}{}", erasure(1).to_line(), &erasure(2).to_line()[..20]);
        std::fs::write(&list.path, half).expect("the power goes");
        line_file::append(&list.path, &[erasure(3).to_line().trim_end()]).expect("the next");
        assert_eq!(list.read(), Err(KeyFault::MalformedLine { line: 2 }));
        let read: Vec<_> = read_erasures(BufReader::new(File::open(&list.path).expect("the list"))).collect();
        assert_eq!((&read[0], &read[2]), (&Ok(erasure(1)), &Ok(erasure(3))));
    }
}
