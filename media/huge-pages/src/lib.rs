//! Huge pages for what media threads touch, of a node and of the load harness.
//!
//! With a thousand people on a shard, a packet's way leads through memory that was last used long ago, in dozens of places
//! among hundreds of megabytes; in pages of 4 KiB, the processor has to look up where nearly each of them stands. The
//! allocator's memory grows by a few pages at a time, so the kernel never gives it large ones by itself. Therefore a thread looks
//! once a second which stretches of 2 MiB are all but full, and has the kernel make one page of each (`MADV_COLLAPSE`, madvise(2),
//! Linux 6.1). That is done once for each of them. At 1,000 consults it saves 6 % of a shard's time (`docs/performance.md`).

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt as _,
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

/// From one look to the next.
const INTERVAL: Duration = Duration::from_secs(1);
/// Between two stretches, so that whoever allocates meanwhile does not wait for many of them in a row.
const PAUSE: Duration = Duration::from_millis(5);
/// Looks that are left out after the system had no huge page to give: it has searched its memory for one each time.
const LOOKS_LEFT_OUT: u32 = 60;
/// Size of a huge page, on x86-64 and on ARM with pages of 4 KiB.
const HUGE_BYTES: usize = 2 << 20;
const PAGE_BYTES: usize = 4 << 10;
const PAGES: usize = HUGE_BYTES / PAGE_BYTES;
/// A stretch is taken when so many of its pages are there: memory grows by a tenth at most.
const RESIDENT_PAGES_MIN: usize = PAGES * 9 / 10;
/// One entry of `/proc/self/pagemap`, and the bit that says that its page is in memory (proc_pid_pagemap(5)).
const ENTRY_BYTES: usize = 8;
const PRESENT: u64 = 1 << 63;

/// Sees to it for as long as this lives.
#[derive(Debug)]
pub struct HugePages {
    /// Dropped to end the thread.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HugePages {
    /// Begins. Where the system has no huge pages to give, it says so once and leaves it at that.
    ///
    /// # Errors
    /// The system gave no thread.
    pub fn begin() -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("huge-pages".to_owned()).spawn(move || {
            let mut keeper = Keeper::default();
            let goes_on = |pause| stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout);
            while goes_on(INTERVAL) {
                if let Err(error) = keeper.look(|| goes_on(PAUSE)) {
                    tracing::info!(%error, "no huge pages are to be had");
                    return;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        self.stop = None;
        // It never panics; there would be nobody to tell.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What became of each stretch, by its address.
#[derive(Debug, Default)]
struct Keeper {
    /// A huge page.
    collapsed: BTreeSet<usize>,
    /// Memory of a kind that can be none.
    refused: BTreeSet<usize>,
    looks_left_out: u32,
}

impl Keeper {
    /// Makes a huge page of every stretch that is full by now, while `goes_on` says so after each.
    ///
    /// # Errors
    /// What the system said, where there is no point in asking again.
    fn look(&mut self, goes_on: impl Fn() -> bool) -> io::Result<()> {
        if self.looks_left_out > 0 {
            self.looks_left_out -= 1;
            return Ok(());
        }
        // SAFETY: no pointers.
        if unsafe { libc::sysconf(libc::_SC_PAGESIZE) } != PAGE_BYTES as libc::c_long {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let maps = fs::read_to_string("/proc/self/maps")?;
        let resident = File::open("/proc/self/pagemap")?;
        let all: BTreeSet<usize> = maps.lines().filter_map(anonymous).flat_map(stretches).collect();
        // What was given back may come again, in small pages.
        self.collapsed.retain(|stretch| all.contains(stretch));
        self.refused.retain(|stretch| all.contains(stretch));
        for stretch in all {
            let is_settled = self.collapsed.contains(&stretch) || self.refused.contains(&stretch);
            if is_settled || resident_pages(&resident, stretch)? < RESIDENT_PAGES_MIN {
                continue;
            }
            match collapse(stretch) {
                Ok(()) => {
                    self.collapsed.insert(stretch);
                }
                // The kernel knows no such advice, or gives huge pages to nobody.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput && self.collapsed.is_empty() => {
                    return Err(error);
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    self.refused.insert(stretch);
                }
                // Somebody holds one of its pages for a moment, or it was given back just now: at the next look.
                Err(error) if !is_for_want_of_pages(&error) => {}
                Err(_) => {
                    self.looks_left_out = LOOKS_LEFT_OUT;
                    return Ok(());
                }
            }
            if !goes_on() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Where a line of `/proc/self/maps` says that memory of the process's own stands, to be read and written: the heap, and
/// what has no name (proc_pid_maps(5)).
fn anonymous(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (mode, inode) = (fields.next()?, fields.nth(2)?);
    let is_own = mode == "rw-p" && inode == "0" && fields.next().is_none_or(|name| name == "[heap]");
    let address = |text| usize::from_str_radix(text, 16).ok();
    is_own.then_some(address(start)?..address(end)?)
}

/// The whole stretches in it that can be huge pages.
fn stretches(memory: Range<usize>) -> impl Iterator<Item = usize> {
    let first = memory.start.next_multiple_of(HUGE_BYTES);
    (first..memory.end).step_by(HUGE_BYTES).filter(move |stretch| memory.end - stretch >= HUGE_BYTES)
}

/// How many of its pages are in memory.
fn resident_pages(pagemap: &File, stretch: usize) -> io::Result<usize> {
    let mut entries = [0; PAGES * ENTRY_BYTES];
    pagemap.read_exact_at(&mut entries, (stretch / PAGE_BYTES * ENTRY_BYTES) as u64)?;
    let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
    Ok(entries.iter().filter(|entry| u64::from_ne_bytes(**entry) & PRESENT != 0).count())
}

/// Whether no huge page could be had, or charged to whom it would belong (madvise(2)).
fn is_for_want_of_pages(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory || error.kind() == io::ErrorKind::ResourceBusy
}

fn collapse(stretch: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the advice moves what stands there into another page of memory and changes nothing that a program could
        // see; what is not mapped any more is refused.
        let result = unsafe { libc::madvise(stretch as *mut libc::c_void, HUGE_BYTES, libc::MADV_COLLAPSE) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stretch;
        Err(io::ErrorKind::InvalidInput.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_memory_of_the_own_that_can_be_written_is_looked_at() {
        let heap = "55d0c9a00000-55d0ca400000 rw-p 00000000 00:00 0                          [heap]";
        let arena = "7f5e10000000-7f5e10321000 rw-p 00000000 00:00 0 ";
        assert_eq!(anonymous(heap), Some(0x55d0_c9a0_0000..0x55d0_ca40_0000));
        assert_eq!(anonymous(arena), Some(0x7f5e_1000_0000..0x7f5e_1032_1000));
        for other in [
            "7f5e10321000-7f5e14000000 ---p 00000000 00:00 0 ",
            "7f5e18000000-7f5e18200000 rw-s 00000000 00:01 2050 /dev/zero",
            "7f5e19000000-7f5e19200000 rw-p 00001000 fe:00 2050 /usr/lib/libc.so.6",
            "7ffd5a000000-7ffd5a400000 rw-p 00000000 00:00 0 [stack]",
            "",
            "nonsense",
        ] {
            assert_eq!(anonymous(other), None, "{other}");
        }
    }

    #[test]
    fn only_want_of_pages_stops_the_asking() {
        let of = |code| is_for_want_of_pages(&io::Error::from_raw_os_error(code));
        assert_eq!([libc::ENOMEM, libc::EBUSY, libc::EAGAIN].map(of), [true, true, false]);
    }

    #[test]
    fn a_stretch_is_whole_and_stands_where_a_huge_page_can() {
        let mib = 1 << 20;
        assert_eq!(stretches(3 * mib..9 * mib).collect::<Vec<_>>(), [4 * mib, 6 * mib]);
        assert_eq!(stretches(4 * mib..6 * mib).collect::<Vec<_>>(), [4 * mib]);
        assert_eq!(stretches(5 * mib..7 * mib).count() + stretches(0..0).count(), 0);
    }

    #[test]
    fn full_memory_becomes_a_huge_page_and_keeps_what_stands_in_it() {
        let full: Vec<u8> = (0..4 * HUGE_BYTES).map(|at| (at / 1000) as u8).collect();
        let empty: Vec<u8> = Vec::with_capacity(4 * HUGE_BYTES);
        let start = full.as_ptr() as usize;
        let mut keeper = Keeper::default();
        match keeper.look(|| false).and_then(|()| {
            assert!(keeper.collapsed.len() <= 1, "it was told to end");
            keeper.look(|| true)
        }) {
            Ok(()) => {
                let own = |stretch: &&usize| (start..start + full.len()).contains(*stretch);
                let has_none_free = keeper.looks_left_out > 0;
                assert!(has_none_free || keeper.collapsed.iter().filter(own).count() >= 3);
                // Where one ends, the other may begin, in the middle of a stretch.
                let unused = empty.as_ptr() as usize..empty.as_ptr() as usize + empty.capacity();
                assert!(!stretches(unused).any(|stretch| keeper.collapsed.contains(&stretch)));
            }
            Err(error) => {
                assert!(
                    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported),
                    "{error}"
                );
            }
        }
        assert!(full.iter().enumerate().all(|(at, byte)| *byte == (at / 1000) as u8));
        drop(full);
        keeper.collapsed.insert(HUGE_BYTES);
        keeper.looks_left_out = 0;
        if keeper.look(|| true).is_ok() {
            assert!(!keeper.collapsed.contains(&HUGE_BYTES), "what is gone is forgotten");
        }
    }

    #[test]
    fn it_ends_when_nobody_wants_it_any_more() {
        let begun = std::time::Instant::now();
        drop(HugePages::begin().expect("a thread"));
        assert!(begun.elapsed() < INTERVAL);
    }
}
