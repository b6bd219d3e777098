//! What must not happen to a packet, by name, and where it did: for each kind of fault a count and a few examples.

use serde::{Deserialize, Serialize};

use crate::plan::Kind;

/// Examples of each fault that a thread keeps in a window.
const EXAMPLES_MAX: usize = 5;

/// What can go wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It never came, not even by retransmission.
    Lost,
    /// It came twice, and nobody had asked for it.
    Duplicate,
    /// It came after one of its stream that was sent 20 ms later or more.
    Delayed,
    /// It came after one of its stream that was sent later, by less than 20 ms.
    Reordered,
    /// Sound on a picture's stream, or the other way.
    WrongTrack,
    /// It is of somebody whom the stream does not show: another person, another consult, oneself.
    Misrouted,
    /// Its CSRC does not name its sender.
    WrongCsrc,
    /// It was sealed for this stream and carries no stamp.
    Garbled,
    /// It did not authenticate.
    Unauthenticated,
}

impl Fault {
    /// Its name in sentences: "3 packets misrouted".
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicate => "duplicate",
            Self::Delayed => "delayed",
            Self::Reordered => "reordered",
            Self::WrongTrack => "on the wrong track",
            Self::Misrouted => "misrouted",
            Self::WrongCsrc => "with the wrong CSRC",
            Self::Garbled => "garbled",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

/// One packet that something was wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub fault: Fault,
    /// When, in seconds since 1970.
    pub at_s: f64,
    /// At whose, by the harness's numbers.
    pub receiver: u32,
    /// What the stream carries.
    pub track: Kind,
    /// Who sent it, by the harness's numbers, where that is known.
    pub sender: Option<u32>,
    /// Its place among what was sent on its track, where that is known.
    pub sequence: Option<u32>,
    /// How much too late it was, or how long it was on its way, in milliseconds.
    pub late_ms: Option<f64>,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let track = match self.track {
            Kind::Audio => "sound",
            Kind::Video => "picture",
        };
        write!(f, "{}: at participant {}, {track}", self.fault.name(), self.receiver)?;
        if let Some(sender) = self.sender {
            write!(f, " of participant {sender}")?;
        }
        if let Some(sequence) = self.sequence {
            write!(f, ", packet {sequence}")?;
        }
        match self.late_ms {
            Some(late_ms) => write!(f, ", {late_ms:.1} ms late"),
            None => Ok(()),
        }
    }
}

/// Examples of what was found.
#[derive(Debug, Clone, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Keeps one more example, if there are not enough of its fault.
    pub fn note(&mut self, finding: Finding) {
        if self.0.iter().filter(|known| known.fault == finding.fault).count() < EXAMPLES_MAX {
            self.0.push(finding);
        }
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|finding| self.note(*finding));
    }

    /// All of them, the worst kinds last.
    pub fn list(&self) -> Vec<Finding> {
        let mut list = self.0.clone();
        list.sort_by(|a, b| a.fault.cmp(&b.fault).then(a.at_s.total_cmp(&b.at_s)));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_fault_does_not_hide_another() {
        let finding = |fault| Finding {
            fault,
            at_s: 1.0,
            receiver: 7,
            track: Kind::Audio,
            sender: Some(4),
            sequence: Some(9),
            late_ms: None,
        };
        let mut findings = Findings::default();
        (0..1_000).for_each(|_| findings.note(finding(Fault::Lost)));
        let mut others = Findings::default();
        others.note(finding(Fault::Misrouted));
        findings.add(&others);
        assert_eq!(findings.list().len(), EXAMPLES_MAX + 1);
        let text = "misrouted: at participant 7, sound of participant 4, packet 9";
        assert_eq!(findings.list().last().map(ToString::to_string).as_deref(), Some(text));
    }
}
