//! Who is in a consult on this node, on its own disk: a node that was killed says when it starts again that they have left.
//!
//! ```text
//! came    1 │ id of the request, 16 │ the departure that they will have, sealed as in the spool
//! gone    2 │ id of the request, 16
//! alive   3 │ microseconds since 1970, 8
//! ```

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use control_api::new_entry_id;
use media_model::RequestId;
use node_log::{Limits, NodeLog, OpenError};
use signaling::{Departure, Entry, What};

use crate::spool::{Cipher, Named, SpoolKey, decode, encode};

/// 60,000 presences, begun anew long before.
const LIMITS: Limits = Limits { bytes_max: 64 << 20, reserve_bytes: 1 << 20 };
const CONTEXT: &[u8] = b"consilium presences 1";
/// How much of the past a killed node may miss.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// A file that is shorter is left as it is.
const SHORT_BYTES: usize = 256 << 10;

const CAME: u8 = 1;
const GONE: u8 = 2;
const ALIVE: u8 = 3;

/// A file of presences that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PresencesError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record was changed, or sealed with another key.
    #[error(
        "record {0} of the presences was not written by this node; move the file away and keep it for the auditor"
    )]
    NotOurs(usize),
}

/// Who is here, as the file has it.
pub struct Presences {
    log: NodeLog,
    cipher: Cipher,
    here: Mutex<BTreeMap<RequestId, Vec<u8>>>,
}

impl Presences {
    /// Opens the file, or begins it; the departures of those who were here when the node stopped without a word.
    pub fn open(path: &Path, key: &SpoolKey) -> Result<(Self, Vec<Named>), PresencesError> {
        let (log, records) = node_log::open(path, LIMITS)?;
        let cipher = Cipher::new(key);
        let (mut here, mut alive_at) = (BTreeMap::new(), UNIX_EPOCH);
        for (place, record) in records.iter().enumerate() {
            let not_ours = || PresencesError::NotOurs(place);
            match record.split_first().ok_or_else(not_ours)? {
                (&CAME, rest) => {
                    let (request, sealed) = rest.split_first_chunk().ok_or_else(not_ours)?;
                    let opened = cipher.open(&[CONTEXT, request].concat(), sealed);
                    let entries = opened.and_then(|opened| decode(&opened)).ok_or_else(not_ours)?;
                    let [departure] = <[Named; 1]>::try_from(entries).map_err(|_| not_ours())?;
                    alive_at = alive_at.max(departure.1.at);
                    here.insert(*request, departure);
                }
                (&GONE, request) => {
                    here.remove(<&[u8; 16]>::try_from(request).map_err(|_| not_ours())?);
                }
                (&ALIVE, micros) => {
                    let micros = micros.try_into().map_err(|_| not_ours())?;
                    let at = UNIX_EPOCH.checked_add(Duration::from_micros(u64::from_be_bytes(micros)));
                    alive_at = alive_at.max(at.ok_or_else(not_ours)?);
                }
                _ => return Err(not_ours()),
            }
        }
        let lost = here.into_values().map(|(id, entry)| {
            let lasted = alive_at.duration_since(entry.at).unwrap_or_default();
            (id, Entry { at: entry.at + lasted, lasted: Some(lasted), ..entry })
        });
        Ok((Self { log, cipher, here: Mutex::default() }, lost.collect()))
    }

    /// What was found when it was opened is kept elsewhere.
    pub fn begin_anew(&self) {
        self.write_anew(&self.lock());
    }

    /// These have come. On disk when it returns, where the disk takes it: nobody is turned away because it does not.
    pub async fn came(&self, comings: &[Entry]) {
        if comings.is_empty() {
            return;
        }
        for entry in comings {
            let Some(request) = entry.call.as_ref().map(|call| call.request) else { continue };
            let departure = Entry { what: What::Left(Departure::NodeLost), ..entry.clone() };
            let request_bytes = request.to_bytes();
            let context = [CONTEXT, &request_bytes].concat();
            let sealed = self.cipher.seal(&context, &encode(&[(new_entry_id(), departure)]));
            let record = [&[CAME][..], &request_bytes, &sealed].concat();
            let mut here = self.lock();
            self.log.note(record.clone());
            here.insert(request, record);
        }
        // Behind those, which are on disk then.
        if let Err(error) = self.log.append(alive(SystemTime::now())).await {
            tracing::warn!(%error, "it cannot be noted who is here");
        }
    }

    /// Whoever came by these is gone, or did not come.
    pub fn gone(&self, requests: &[RequestId]) {
        let mut here = self.lock();
        for request in requests {
            if here.remove(request).is_some() {
                self.log.note([&[GONE][..], &request.to_bytes()].concat());
            }
        }
        let bytes = here.values().map(Vec::len).sum::<usize>();
        if self.log.bytes() > (SHORT_BYTES + 2 * bytes) as u64 {
            self.write_anew(&here);
        }
    }

    /// Waits until all of it is on disk, or cannot be.
    pub async fn flush(&self) {
        let _ = self.log.append(alive(SystemTime::now())).await;
    }

    /// Notes now and then that the node is alive, for as long as the process lives.
    pub async fn keep_alive(self: Arc<Self>) {
        loop {
            tokio::time::sleep(ALIVE_INTERVAL).await;
            let here = self.lock();
            if !here.is_empty() {
                self.log.note(alive(SystemTime::now()));
            }
        }
    }

    fn write_anew(&self, here: &BTreeMap<RequestId, Vec<u8>>) {
        let records = here.values().cloned().chain([alive(SystemTime::now())]);
        self.log.begin_anew(records.collect());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RequestId, Vec<u8>>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn alive(now: SystemTime) -> Vec<u8> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    [&[ALIVE][..], &micros.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use media_model::{ParticipantNumber, Pii, Role};
    use signaling::{Call, Way, Who};

    use super::*;

    fn key(byte: u8) -> SpoolKey {
        SpoolKey::from_bytes(&[byte; 32]).expect("32 bytes")
    }

    fn coming(request: u8, ago: Duration) -> Entry {
        let who = Who {
            participant: ParticipantNumber::new(request.into()),
            person: Pii::new("rosa".to_owned()),
            role: Role::Patient,
            break_glass: None,
        };
        let call = Call { request: RequestId::from_bytes([request; 16]), address: None };
        let known = Entry::of(SystemTime::now() - ago, What::Joined(Way::WebSocket));
        Entry { who: Some(who), call: Some(call), ..known }
    }

    #[tokio::test]
    async fn who_was_here_when_the_node_was_killed_has_left_when_it_was_known_to_live_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("presences.log");
        let (presences, lost) = Presences::open(&path, &key(9)).expect("a new file");
        assert!(lost.is_empty());
        let comings: Vec<_> = (1..=3).map(|n| coming(n, Duration::from_secs(60))).collect();
        presences.came(&comings).await;
        presences.gone(&[RequestId::from_bytes([2; 16])]);
        presences.flush().await;
        let text = std::fs::read(&path).expect("the file");
        assert!(!text.windows(4).any(|window| window == b"rosa"), "nothing personal in the clear");

        let mut ids = Vec::new();
        for _ in 0..2 {
            let (_, lost) = Presences::open(&path, &key(9)).expect("the same file");
            let told: Vec<_> = lost.iter().map(|(_, entry)| entry).collect();
            assert_eq!(told.len(), 2);
            for entry in told {
                assert_eq!(entry.what, What::Left(Departure::NodeLost));
                let lasted = entry.lasted.expect("for how long").as_secs();
                assert!((60..63).contains(&lasted), "{lasted} s");
                assert!(entry.at.elapsed().expect("not in the future") < Duration::from_secs(3));
            }
            ids.push(lost.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        }
        assert_eq!(ids[0], ids[1], "under the same ids, however often it is said");
        let (presences, _) = Presences::open(&path, &key(9)).expect("the same file");
        presences.begin_anew();
        presences.flush().await;
        let (_, lost) = Presences::open(&path, &key(9)).expect("the same file");
        assert!(lost.is_empty(), "it was said");
    }

    #[tokio::test]
    async fn a_file_that_was_changed_or_is_another_nodes_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("presences.log");
        let (presences, _) = Presences::open(&path, &key(9)).expect("a new file");
        presences.came(&[coming(1, Duration::ZERO)]).await;
        let error = Presences::open(&path, &key(8)).err().expect("another key");
        assert!(matches!(error, PresencesError::NotOurs(_)), "{error}");
    }
}
