//! Who was erased, so that a restore erases them again.
//!
//! A backup of the wrapped keys that is older than an erasure still holds the key. So the list of erasures is kept
//! with those backups, one JSON object a line, and is replayed after every restore, before anything is served:
//!
//! ```text
//! {"tenant":"north","person":"0123456789abcdef0123456789abcdef","up_to_version":1,"at_ms":1767225600000}
//! ```
//!
//! A line goes to the list, and to disk, before the key goes: an erasure that is listed but was not done is done by
//! the replay, the other way round it would be undone. Replaying a list twice changes nothing, and leaves the newer keys
//! of those alone who were erased once and came back.

use std::io::{self, BufRead, Read};

use media_model::TenantId;
use serde::{Deserialize, Serialize};

use super::{KeyFault, KeyVersion, StoredPersonKey};
use crate::{ids::PersonId, limits::ERASURE_LINE_BYTES_MAX};

/// One person was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Whose patient it was.
    pub tenant: TenantId,
    /// Our own id of the person, never the EHR's.
    pub person: PersonId,
    /// All keys up to this one.
    pub up_to_version: KeyVersion,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Erasure {
    /// What becomes of a person's rows. The last erased version gets a row even where a backup never had it, so that
    /// its number is not given to a new key, which the next replay would take away.
    pub fn apply(&self, rows: &mut Vec<StoredPersonKey>) {
        for row in rows.iter_mut().filter(|row| row.version <= self.up_to_version) {
            row.wrapped = None;
        }
        if rows.iter().all(|row| row.version != self.up_to_version) {
            rows.push(StoredPersonKey { version: self.up_to_version, wrapped: None });
        }
    }

    /// The line of the list, its end included.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("two names and a number are JSON");
        line.push('\n');
        line
    }

    /// Reads one line, with or without its end. Fields that a newer binary added are left out.
    pub fn parse_line(line: &str) -> Result<Self, KeyFault> {
        serde_json::from_str(line).map_err(|_| KeyFault::Malformed { what: "a line of the list of erasures" })
    }
}

/// Reads a list, line by line. A line that cannot be read is a fault of its own and the next one follows: whoever
/// restores must not serve before somebody has looked at it, for it may have named a person. That goes for a last line
/// that was cut off, too. After [`KeyFault::Unreadable`] there is nothing more.
pub fn read_erasures(mut list: impl BufRead) -> impl Iterator<Item = Result<Erasure, KeyFault>> {
    let (mut number, mut ended) = (0, false);
    std::iter::from_fn(move || {
        while !ended {
            number += 1;
            match next_line(&mut list) {
                Ok(None) => ended = true,
                Ok(Some(line)) if line.ends_with(b"\n") && line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => {
                    let text = str::from_utf8(&line).ok().filter(|text| text.ends_with('\n'));
                    let erasure = text.and_then(|text| Erasure::parse_line(text).ok());
                    return Some(erasure.ok_or(KeyFault::MalformedLine { line: number }));
                }
                Err(error) => {
                    ended = true;
                    return Some(Err(KeyFault::Unreadable { reason: error.to_string() }));
                }
            }
        }
        None
    })
}

/// A line with its end, or as much of it as tells that it is too long; the rest is skipped.
fn next_line(list: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    Read::by_ref(list).take(ERASURE_LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
    if line.len() == ERASURE_LINE_BYTES_MAX && !line.ends_with(b"\n") {
        list.skip_until(b'\n')?;
    }
    Ok((!line.is_empty()).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erasure(at_ms: i64) -> Erasure {
        let person = "0123456789abcdef".repeat(2).parse().expect("a person");
        Erasure {
            tenant: "north-2".parse().expect("a tenant"),
            person,
            up_to_version: KeyVersion::FIRST,
            at_ms,
        }
    }

    fn read(list: &str) -> Vec<Result<Erasure, KeyFault>> {
        read_erasures(list.as_bytes()).collect()
    }

    #[test]
    fn a_list_reads_back_what_was_written() {
        let list: String = (0..3).map(|at| erasure(at).to_line()).collect();
        assert_eq!(read(&list), (0..3).map(|at| Ok(erasure(at))).collect::<Vec<_>>());
        let line =
            r#"{"tenant":"north-2","person":"0123456789abcdef0123456789abcdef","up_to_version":1,"at_ms":7}"#;
        assert_eq!(erasure(7).to_line(), format!("{line}\n"), "the form on disk does not change by accident");
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_damaged_line_is_named_and_the_others_are_read() {
        let good = erasure(1).to_line();
        let long = format!("{}\n", " ".repeat(ERASURE_LINE_BYTES_MAX * 3) + "x");
        let list = format!("{good}{{\"tenant\"\n{long}\n{good}");
        let bad = |line| Err(KeyFault::MalformedLine { line });
        assert_eq!(read(&list), [Ok(erasure(1)), bad(2), bad(3), Ok(erasure(1))]);
    }

    #[test]
    fn a_last_line_that_was_cut_off_is_a_fault_wherever_the_cut_is() {
        let (first, last) = (erasure(1).to_line(), erasure(23).to_line());
        for kept in 1..last.len() {
            let list = format!("{first}{}", &last[..kept]);
            assert_eq!(read(&list), [Ok(erasure(1)), Err(KeyFault::MalformedLine { line: 2 })], "{kept}");
        }
    }

    #[test]
    fn versions_that_are_none_are_refused() {
        for version in ["0", "-1", "null", "4294967296", "\"1\""] {
            let line = erasure(1).to_line().replace("version\":1", &format!("version\":{version}"));
            assert!(Erasure::parse_line(&line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_names_nobody_is_no_erasure() {
        let person = "0123456789abcdef".repeat(2);
        for (tenant, person) in [("", &person[..]), ("North", &person), ("north", "4711"), ("north", "")] {
            let line = erasure(1).to_line().replace("north-2", tenant);
            let line = line.replace(&erasure(1).person.to_string(), person);
            assert!(Erasure::parse_line(&line).is_err(), "{line}");
        }
    }
}
