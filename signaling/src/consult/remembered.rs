//! What a node has to remember of tickets when it starts again, as records of its log. There is nothing personal in it.
//!
//! ```text
//! kind, 1 byte │ way, 1 │ until, seconds since 1970, 8 │ id of the ticket or consult, 16
//! ```
//!
//! Of resume tokens the generation stands in the second half of the place of the time, of which the first is enough until 2106.
//!
//! Several may stand in one record, one behind the other.

use std::path::Path;

use media_model::ConsultId;
use node_log::{Limits, NodeLog, OpenError, RECORD_BYTES_MAX};
use signaling_protocol::ticket::TicketId;

use crate::journal::Way;

const BYTES: usize = 26;

/// 200,000 each of tickets used, of their resume tokens, of tickets revoked and consults ended are 21 MB, and a log is begun anew at
/// twice that.
const LIMITS: Limits = Limits { bytes_max: 64 << 20, reserve_bytes: 1 << 20 };

/// One thing to remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// The ticket has opened a door.
    Used { ticket: TicketId, way: Way, until_unix_s: u64 },
    /// It has not, after all: a WebSocket came to nothing.
    GivenBack { ticket: TicketId },
    /// Of the resume tokens of whoever came in with it, those before this generation are good no longer.
    Resumed { ticket: TicketId, generation: u32, until_unix_s: u64 },
    /// It was taken back.
    Revoked { ticket: TicketId, until_unix_s: u64 },
    /// The consult is over.
    Ended { consult: ConsultId, until_unix_s: u64 },
}

impl Remembered {
    pub(crate) fn encode(self) -> [u8; BYTES] {
        let (kind, way, until, id) = match self {
            Self::Used { ticket, way, until_unix_s } => (1, number_of(way), until_unix_s, ticket.to_bytes()),
            Self::GivenBack { ticket } => (2, 0, 0, ticket.to_bytes()),
            Self::Revoked { ticket, until_unix_s } => (3, 0, until_unix_s, ticket.to_bytes()),
            Self::Ended { consult, until_unix_s } => (4, 0, until_unix_s, consult.to_bytes()),
            Self::Resumed { ticket, generation, until_unix_s } => {
                let until = u32::try_from(until_unix_s).unwrap_or(u32::MAX);
                (5, 0, u64::from(until) << 32 | u64::from(generation), ticket.to_bytes())
            }
        };
        let mut bytes = [0; BYTES];
        (bytes[0], bytes[1]) = (kind, way);
        bytes[2..10].copy_from_slice(&until.to_be_bytes());
        bytes[10..].copy_from_slice(&id);
        bytes
    }

    fn decode(bytes: &[u8; BYTES]) -> Option<Self> {
        let (&[kind, way], rest) = bytes.split_first_chunk()?;
        let (until, id) = rest.split_first_chunk()?;
        let until_unix_s = u64::from_be_bytes(*until);
        let id: [u8; 16] = id.try_into().ok()?;
        let (ticket, consult) = (TicketId::from_bytes(id), ConsultId::from_bytes(id));
        Some(match kind {
            1 => Self::Used { ticket, way: way_of(way)?, until_unix_s },
            2 => Self::GivenBack { ticket },
            3 => Self::Revoked { ticket, until_unix_s },
            4 => Self::Ended { consult, until_unix_s },
            5 => {
                let generation = (until_unix_s & u64::from(u32::MAX)) as u32;
                Self::Resumed { ticket, generation, until_unix_s: until_unix_s >> 32 }
            }
            _ => return None,
        })
    }
}

const fn number_of(way: Way) -> u8 {
    match way {
        Way::WebSocket => 1,
        Way::Whip => 2,
        Way::Whep => 3,
    }
}

const fn way_of(number: u8) -> Option<Way> {
    Some(match number {
        1 => Way::WebSocket,
        2 => Way::Whip,
        3 => Way::Whep,
        _ => return None,
    })
}

/// What a node knew of tickets when it stopped, and the file that remembers it.
#[derive(Debug)]
pub struct TicketLog {
    pub(super) log: NodeLog,
    pub(super) remembered: Vec<Remembered>,
}

/// A ticket log that cannot be used. A node that starts without it may open a door twice.
#[derive(Debug, thiserror::Error)]
pub enum TicketLogError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is whole, and says what this version does not know.
    #[error("the ticket log was written by another version")]
    Unknown,
}

impl TicketLog {
    /// Opens the file, or begins it.
    pub fn open(path: &Path) -> Result<Self, TicketLogError> {
        let (log, records) = node_log::open(path, LIMITS)?;
        let mut remembered = Vec::new();
        for record in &records {
            let (pieces, rest) = record.as_chunks::<BYTES>();
            if !rest.is_empty() {
                return Err(TicketLogError::Unknown);
            }
            for piece in pieces {
                remembered.push(Remembered::decode(piece).ok_or(TicketLogError::Unknown)?);
            }
        }
        Ok(Self { log, remembered })
    }

    pub(crate) fn handle(&self) -> NodeLog {
        self.log.clone()
    }
}

/// Begins the log anew with these alone, if it has become much longer than they are.
pub(super) fn shorten(log: &NodeLog, count: usize, all: impl Iterator<Item = Remembered>) {
    const SHORT_BYTES: usize = 1 << 20;
    if log.bytes() < (SHORT_BYTES + 2 * count * BYTES) as u64 {
        return;
    }
    let mut records = vec![Vec::new()];
    for remembered in all {
        match records.last_mut() {
            Some(last) if last.len() + BYTES <= RECORD_BYTES_MAX => last.extend(remembered.encode()),
            _ => records.push(remembered.encode().to_vec()),
        }
    }
    log.begin_anew(records);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (ticket, consult) = (TicketId::from_bytes([7; 16]), ConsultId::from_bytes([8; 16]));
        let all = [
            Remembered::Used { ticket, way: Way::WebSocket, until_unix_s: u64::MAX },
            Remembered::Used { ticket, way: Way::Whip, until_unix_s: 1 },
            Remembered::Used { ticket, way: Way::Whep, until_unix_s: 2 },
            Remembered::GivenBack { ticket },
            Remembered::Revoked { ticket, until_unix_s: 1_800_000_000 },
            Remembered::Ended { consult, until_unix_s: 3 },
            Remembered::Resumed { ticket, generation: u32::MAX, until_unix_s: 1_800_000_000 },
            Remembered::Resumed { ticket, generation: 7, until_unix_s: u64::from(u32::MAX) },
        ];
        for remembered in all {
            assert_eq!(Remembered::decode(&remembered.encode()), Some(remembered));
        }
        for bytes in [[0; BYTES], [6; BYTES], [1; BYTES].map(|byte| byte * 9)] {
            assert_eq!(Remembered::decode(&bytes), None);
        }
    }

    #[tokio::test]
    async fn a_record_of_another_version_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tickets");
        TicketLog::open(&path).expect("a new one").log.append(vec![9; BYTES]).await.expect("room");
        assert!(matches!(TicketLog::open(&path), Err(TicketLogError::Unknown)));
    }
}
