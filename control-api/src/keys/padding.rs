//! Rounds lengths up before sealing, so that a length says little.
//!
//! AES-GCM hides everything but the length. The length of a name picks people out of a clinic's list, and that of a
//! chat message tells "yes" from "no"; an index over rows of known length costs an attacker nothing, and padding costs
//! us a few dozen bytes. Up to 60 bytes (nearly every name, number and address) everything looks the same. Beyond
//! that a length keeps only its leading bits (PADMÉ, of "Reducing Metadata Leakage from Encrypted Files and
//! Communication with PURBs", Nikitin et al. 2019): at most an eighth longer, and few lengths to tell apart.
//!
//! ```text
//! length of the value (4 bytes, big-endian) | value | zeros
//! ```

use zeroize::Zeroizing;

use super::KeyFault;
use crate::limits::SEALED_PLAINTEXT_BYTES_MAX;

/// The shortest padded form.
const SHORTEST: usize = 64;
/// What says how long the value is.
const LENGTH_BYTES: usize = 4;

const UNPADDABLE: KeyFault = KeyFault::Malformed { what: "the padding of a sealed value" };

/// The value with its length before and zeros behind it.
pub(super) fn pad(value: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
    if value.len() > SEALED_PLAINTEXT_BYTES_MAX {
        return Err(KeyFault::TooLong { bytes: value.len() });
    }
    let length = u32::try_from(value.len()).map_err(|_| KeyFault::TooLong { bytes: value.len() })?;
    let padded = padded_length(LENGTH_BYTES + value.len());
    let mut out = Zeroizing::new(Vec::with_capacity(padded));
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
    out.resize(padded, 0);
    Ok(out)
}

/// The value that [`pad`] was given. What comes here is authentic, so that a wrong length is our own mistake.
pub(super) fn unpad(padded: &[u8]) -> Result<&[u8], KeyFault> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_BYTES>().ok_or(UNPADDABLE)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| UNPADDABLE)?;
    rest.get(..length).ok_or(UNPADDABLE)
}

/// The longest padded form there is.
pub(super) const fn padded_bytes_max() -> usize {
    padded_length(LENGTH_BYTES + SEALED_PLAINTEXT_BYTES_MAX)
}

/// PADMÉ: of a length of `e` + 1 bits, all but the leading ⌊log₂ e⌋ + 2 are rounded up.
const fn padded_length(length: usize) -> usize {
    if length <= SHORTEST {
        return SHORTEST;
    }
    let e = length.ilog2();
    let kept = e.ilog2() + 1;
    let mask = (1 << (e - kept)) - 1;
    (length + mask) & !mask
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_length_comes_back_and_grows_by_an_eighth_at_most() {
        let mut lengths = BTreeSet::new();
        for length in (0..2_000).chain([SEALED_PLAINTEXT_BYTES_MAX - 1, SEALED_PLAINTEXT_BYTES_MAX]) {
            let value = vec![0; length];
            let padded = pad(&value).expect("not too long");
            assert_eq!(unpad(&padded), Ok(&value[..]));
            assert!(padded.len() == SHORTEST || padded.len() * 8 <= (length + LENGTH_BYTES) * 9, "{length}");
            assert!(padded.len() <= padded_bytes_max());
            lengths.insert(padded.len());
        }
        assert!(lengths.len() < 70, "{} lengths can be told apart", lengths.len());
    }

    #[test]
    fn short_values_have_one_length() {
        assert_eq!(pad(b"").map(|p| p.len()), pad(&[b'a'; 60]).map(|p| p.len()));
        assert_ne!(pad(b"").map(|p| p.len()), pad(&[b'a'; 61]).map(|p| p.len()));
    }

    #[test]
    fn what_is_too_long_or_damaged_is_refused() {
        let bytes = SEALED_PLAINTEXT_BYTES_MAX + 1;
        assert_eq!(pad(&vec![0; bytes]), Err(KeyFault::TooLong { bytes }));
        for damaged in [&[][..], &[0, 0, 0], &[0, 0, 0, 1], &[255, 255, 255, 255, 0]] {
            assert_eq!(unpad(damaged), Err(UNPADDABLE), "{damaged:?}");
        }
    }
}
