//! What a log keeps, what it cuts off, and what it refuses.

use std::{fs, path::Path};

use super::*;

const LIMITS: Limits = Limits { bytes_max: 64 * 1024, reserve_bytes: 8 * 1024 };

fn record(number: u8) -> Vec<u8> {
    vec![number; 1 + usize::from(number)]
}

fn numbers(path: &Path) -> Vec<u8> {
    let (_, records) = open(path, LIMITS).expect("the log");
    assert!(records.iter().all(|found| *found == record(found[0])), "each record is as it was added");
    records.iter().map(|found| found[0]).collect()
}

/// Waits until the thread has written everything: it ends with its last handle, and then the file is whole.
async fn written(log: &NodeLog) {
    log.append(record(255)).await.expect("room");
}

#[tokio::test]
async fn what_was_added_is_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    assert_eq!(numbers(&path), []);
    let (log, _) = open(&path, LIMITS).expect("the log");
    log.append(record(1)).await.expect("room");
    log.note(record(2));
    log.append(record(3)).await.expect("room");
    assert_eq!(numbers(&path), [1, 2, 3]);
    let (log, _) = open(&path, LIMITS).expect("the log");
    log.append(record(4)).await.expect("room");
    assert_eq!(numbers(&path), [1, 2, 3, 4]);
    assert_eq!(log.bytes(), fs::metadata(&path).expect("the file").len());
}

#[tokio::test]
async fn many_who_come_at_once_share_batches_and_keep_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let (log, _) = open(&path, LIMITS).expect("the log");
    for number in 1..=100 {
        log.note(record(number));
    }
    written(&log).await;
    let expected: Vec<u8> = (1..=100).chain([255]).collect();
    assert_eq!(numbers(&path), expected);
}

#[tokio::test]
async fn a_batch_that_was_torn_is_cut_off_wherever_it_was_torn() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let (log, _) = open(&path, LIMITS).expect("the log");
    log.append(record(1)).await.expect("room");
    let whole = log.bytes() as usize;
    log.append(record(2)).await.expect("room");
    let bytes = fs::read(&path).expect("the file");
    for cut in 0..bytes.len() {
        let torn = folder.path().join(format!("torn-{cut}"));
        fs::write(&torn, &bytes[..cut]).expect("a torn file");
        let expected: &[u8] = if cut < whole { &[] } else { &[1] };
        assert_eq!(numbers(&torn), expected, "cut at {cut}");
        let (log, _) = open(&torn, LIMITS).expect("it goes on");
        log.append(record(3)).await.expect("room");
        assert_eq!(numbers(&torn), [expected, &[3]].concat(), "cut at {cut}");
    }
}

#[tokio::test]
async fn pages_of_the_last_batch_that_never_came_to_the_disk_are_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let (log, _) = open(&path, LIMITS).expect("the log");
    log.append(record(1)).await.expect("room");
    let whole = log.bytes() as usize;
    log.append(record(200)).await.expect("room");
    let mut bytes = fs::read(&path).expect("the file");
    bytes[whole..whole + 50].fill(0);
    fs::write(&path, &bytes).expect("a torn file");
    assert_eq!(numbers(&path), [1]);
}

#[tokio::test]
async fn damage_is_named_and_the_file_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let (log, _) = open(&path, LIMITS).expect("the log");
    for number in 1..=3 {
        log.append(record(number)).await.expect("room");
    }
    let good = fs::read(&path).expect("the file");
    let first = format::HEADER.len();
    let mut bytes = good.clone();
    bytes[first + 13] ^= 1;
    fs::write(&path, &bytes).expect("a damaged file");
    let error = open(&path, LIMITS).expect_err("damage");
    assert!(matches!(error, OpenError::Damaged { offset, .. } if offset == first), "{error}");
    assert_eq!(fs::read(&path).expect("the file"), bytes);

    fs::write(&path, b"something else").expect("another file");
    assert!(matches!(open(&path, LIMITS), Err(OpenError::NotALog(_))));
    fs::write(&path, vec![0; LIMITS.bytes_max as usize + 1]).expect("a long file");
    assert!(matches!(open(&path, LIMITS), Err(OpenError::TooLong { .. })));
}

#[tokio::test]
async fn the_reserve_is_left_to_what_must_not_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let (log, _) = open(&path, LIMITS).expect("the log");
    let long = vec![7; 1_000];
    let mut taken = 0;
    let refused = loop {
        match log.append(long.clone()).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, AppendError::Full);
    let room = LIMITS.bytes_max - LIMITS.reserve_bytes;
    assert!(log.bytes() <= room && log.bytes() > room - 1_100, "{} of {room} bytes", log.bytes());
    log.note(vec![8; 1_000]);
    assert_eq!(log.append(long.clone()).await, Err(AppendError::Full));
    log.begin_anew(vec![long.clone()]);
    log.append(long.clone()).await.expect("there is room again");
    let (_, records) = open(&path, LIMITS).expect("the log");
    assert_eq!((records.len(), log.lost()), (2, 0), "of {taken} and one that was noted");
}

#[tokio::test]
async fn a_file_that_is_begun_anew_holds_what_it_was_given_and_what_came_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let (log, _) = open(&path, LIMITS).expect("the log");
    log.note(record(1));
    log.begin_anew(vec![record(2), record(3)]);
    log.note(record(4));
    written(&log).await;
    assert_eq!(numbers(&path), [2, 3, 4, 255]);
    assert!(!path.with_extension("new").exists());
}

#[tokio::test]
async fn a_record_that_is_too_long_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, _) = open(&folder.path().join("log"), LIMITS).expect("the log");
    assert_eq!(log.append(vec![0; RECORD_BYTES_MAX + 1]).await, Err(AppendError::Unwritable));
    log.note(vec![0; RECORD_BYTES_MAX + 1]);
    assert_eq!(log.lost(), 1);
}

#[test]
fn whoever_writes_garbage_into_it_gets_no_record_out() {
    let mut bytes = format::HEADER.to_vec();
    for seed in 0_u32..2_000 {
        bytes.truncate(format::HEADER.len());
        let length = seed % 97;
        bytes.extend((0..length).map(|i| (seed.wrapping_mul(2_654_435_761) >> (i % 24)) as u8));
        let read = format::read(&bytes).expect("short garbage is a torn batch");
        assert_eq!((read.records.len(), read.good_bytes), (0, format::HEADER.len()));
    }
}
