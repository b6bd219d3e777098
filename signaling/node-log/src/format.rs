//! Batches and records as bytes.

use aws_lc_rs::digest;

use crate::RECORD_BYTES_MAX;

/// What every log begins with.
pub(crate) const HEADER: &[u8] = b"consilium node log 1\n";
/// A batch is begun anew before it gets longer; only so much at the end of a file can be torn.
pub(crate) const BATCH_BYTES_MAX: usize = 2 * (RECORD_BYTES_MAX + RECORD_HEADER_BYTES);

const LENGTH_BYTES: usize = 4;
const DIGEST_BYTES: usize = 8;
const BATCH_HEADER_BYTES: usize = LENGTH_BYTES + DIGEST_BYTES;
const RECORD_HEADER_BYTES: usize = 4;

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) records: Vec<Vec<u8>>,
    /// How much of it is whole; zero where not even the header is.
    pub(crate) good_bytes: usize,
}

/// Why a file cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotALog,
    Damaged { offset: usize },
}

/// How much a record takes up.
pub(crate) const fn size_of(record: &[u8]) -> usize {
    RECORD_HEADER_BYTES + record.len()
}

/// Adds a batch of these records, which are not too long each nor together.
pub(crate) fn write<'a>(bytes: &mut Vec<u8>, records: impl IntoIterator<Item = &'a [u8]>) {
    let start = bytes.len();
    bytes.resize(start + BATCH_HEADER_BYTES, 0);
    for record in records {
        let length = u32::try_from(record.len()).expect("whoever adds a record bounds it");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(record);
    }
    let (header, body) = bytes[start..].split_at_mut(BATCH_HEADER_BYTES);
    let length = u32::try_from(body.len()).expect("a batch is bounded");
    header[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    header[LENGTH_BYTES..].copy_from_slice(&digest_of(body));
}

/// Reads a file; what is torn at its end is left out.
pub(crate) fn read(bytes: &[u8]) -> Result<Read, Fault> {
    let mut read = Read { records: Vec::new(), good_bytes: 0 };
    let Some(mut rest) = bytes.strip_prefix(HEADER) else {
        return if HEADER.starts_with(bytes) { Ok(read) } else { Err(Fault::NotALog) };
    };
    loop {
        read.good_bytes = bytes.len() - rest.len();
        let Some((body, after)) = batch(rest) else { break };
        let damaged = Fault::Damaged { offset: read.good_bytes };
        read_records(body, &mut read.records).ok_or(damaged)?;
        rest = after;
    }
    if rest.len() > BATCH_HEADER_BYTES + BATCH_BYTES_MAX || is_followed_by_a_batch(rest) {
        return Err(Fault::Damaged { offset: read.good_bytes });
    }
    Ok(read)
}

/// The first batch, if it is whole, and what comes after it.
fn batch(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (body, after, digest) = split(bytes)?;
    (digest_of(body) == digest).then_some((body, after))
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], [u8; DIGEST_BYTES])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    let (digest, rest) = rest.split_first_chunk::<DIGEST_BYTES>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (body, after) = rest.split_at_checked(length).filter(|_| length > 0)?;
    Some((body, after, *digest))
}

/// Whether a batch that is not whole has a whole one behind it: then it was whole once.
fn is_followed_by_a_batch(bytes: &[u8]) -> bool {
    split(bytes).is_some_and(|(_, after, _)| batch(after).is_some())
}

fn read_records(mut body: &[u8], records: &mut Vec<Vec<u8>>) -> Option<()> {
    while !body.is_empty() {
        let (length, rest) = body.split_first_chunk()?;
        let (record, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        records.push(record.to_vec());
        body = rest;
    }
    Some(())
}

fn digest_of(body: &[u8]) -> [u8; DIGEST_BYTES] {
    let digest = digest::digest(&digest::SHA256, body);
    *digest.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
}
