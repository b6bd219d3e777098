//! The client's handshake messages, whole and in order, out of fragments in any order (RFC 6347 §4.2.3).
//!
//! Bounded: a handshake has five messages in the clear, each of one kind and of limited length, and each is kept
//! once. Fragments that came survive the loss of others, so that a repeated flight completes a broken one.

use super::record::{Fragment, HandshakeType};

/// Longest handshake message that is taken in, in bytes. Browsers' ClientHellos have 1.5 kB, certificates 0.3 to 1 kB.
pub(super) const MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// What a client sends in the clear, by message number: HelloVerifyRequest makes it say hello twice
/// (RFC 6347 §4.2.1), and its certificate is required (RFC 8827 §6.5).
pub(super) const CLIENT_MESSAGES: [HandshakeType; 5] = [
    HandshakeType::ClientHello,
    HandshakeType::ClientHello,
    HandshakeType::Certificate,
    HandshakeType::ClientKeyExchange,
    HandshakeType::CertificateVerify,
];

/// What became of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It was new, or it may yet be of use.
    Kept,
    /// Its message was accepted before: the client repeats itself.
    Repeated(u16),
    /// It fits no message of a handshake.
    Refused,
}

/// Messages on their way in.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    next: u16,
    messages: [Option<Partial>; CLIENT_MESSAGES.len()],
}

#[derive(Debug)]
struct Partial {
    body: Vec<u8>,
    /// Which bytes of `body` have come.
    present: Vec<bool>,
    missing: usize,
}

impl Reassembly {
    /// The number of the message that is to be accepted next.
    pub(super) fn next(&self) -> u16 {
        self.next
    }

    /// Whether every message that comes in the clear was accepted.
    pub(super) fn is_complete(&self) -> bool {
        usize::from(self.next) == CLIENT_MESSAGES.len()
    }

    /// Takes a fragment in.
    pub(super) fn push(&mut self, fragment: &Fragment<'_>) -> Pushed {
        let index = usize::from(fragment.sequence);
        let Some(kind) = CLIENT_MESSAGES.get(index) else { return Pushed::Refused };
        if fragment.kind != *kind as u8 || fragment.length > MESSAGE_BYTES_MAX {
            return Pushed::Refused;
        }
        if fragment.sequence < self.next {
            return Pushed::Repeated(fragment.sequence);
        }
        let Some(slot) = self.messages.get_mut(index) else { return Pushed::Refused };
        let partial = slot.get_or_insert_with(|| Partial {
            body: vec![0; fragment.length],
            present: vec![false; fragment.length],
            missing: fragment.length,
        });
        if partial.write(fragment) { Pushed::Kept } else { Pushed::Refused }
    }

    /// The next message's body, once it is whole. It is [`Self::accept`]ed, or forgotten and waited for again.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let slot = self.messages.get_mut(usize::from(self.next))?;
        slot.take_if(|partial| partial.missing == 0).map(|partial| partial.body)
    }

    /// The message that was taken is the one that was waited for.
    pub(super) fn accept(&mut self) {
        self.next += 1;
    }
}

impl Partial {
    fn write(&mut self, fragment: &Fragment<'_>) -> bool {
        let range = fragment.offset..fragment.offset + fragment.data.len();
        if fragment.length != self.body.len() {
            return false;
        }
        let (Some(body), Some(present)) = (self.body.get_mut(range.clone()), self.present.get_mut(range))
        else {
            return false;
        };
        body.copy_from_slice(fragment.data);
        self.missing -= present.iter().filter(|present| !**present).count();
        present.fill(true);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(sequence: u16, offset: usize, data: &[u8]) -> Fragment<'_> {
        Fragment { kind: 1, length: 10, sequence, offset, data }
    }

    #[test]
    fn fragments_in_any_order_and_overlapping_make_the_message_once() {
        let mut reassembly = Reassembly::default();
        assert_eq!(reassembly.push(&fragment(0, 4, b"456789")), Pushed::Kept);
        assert_eq!(reassembly.take(), None);
        assert_eq!(reassembly.push(&fragment(0, 0, b"01234")), Pushed::Kept);
        assert_eq!(reassembly.take().as_deref(), Some(&b"0123456789"[..]));
        reassembly.accept();
        assert_eq!(reassembly.push(&fragment(0, 0, b"01234")), Pushed::Repeated(0));
        assert_eq!(reassembly.next(), 1);
    }

    #[test]
    fn what_fits_no_message_is_refused_and_keeps_no_memory() {
        let mut reassembly = Reassembly::default();
        assert_eq!(reassembly.push(&Fragment { kind: 11, ..fragment(0, 0, b"0") }), Pushed::Refused);
        assert_eq!(reassembly.push(&fragment(5, 0, b"0")), Pushed::Refused);
        let long = Fragment { length: MESSAGE_BYTES_MAX + 1, ..fragment(0, 0, b"0") };
        assert_eq!(reassembly.push(&long), Pushed::Refused);
        assert!(reassembly.messages.iter().all(Option::is_none));
    }

    #[test]
    fn a_message_that_is_not_accepted_is_waited_for_again() {
        let mut reassembly = Reassembly::default();
        reassembly.push(&fragment(0, 0, b"forged....."[..10].as_ref()));
        assert!(reassembly.take().is_some());
        assert_eq!(reassembly.push(&fragment(0, 0, b"0123456789")), Pushed::Kept);
        assert_eq!(reassembly.take().as_deref(), Some(&b"0123456789"[..]));
    }

    #[test]
    fn a_fragment_that_disagrees_on_the_length_is_refused() {
        let mut reassembly = Reassembly::default();
        reassembly.push(&fragment(0, 0, b"0"));
        let other = Fragment { length: 4, ..fragment(0, 0, b"0123") };
        assert_eq!(reassembly.push(&other), Pushed::Refused);
    }
}
