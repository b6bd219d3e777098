//! Asking the processor to fetch memory before it is needed.
//!
//! With hundreds of people on a shard, what is known of one of them has left the caches when his next packet comes, 20 ms
//! later; waiting for it a line at a time costs more than sealing a packet. Asked for ahead, lines come side by side.

/// What one line of the caches holds, on every processor that matters here.
pub const LINE_BYTES: usize = 64;

/// Has the processor fetch a value; changes nothing and waits for nothing. Does nothing where it cannot be asked.
#[inline]
pub fn prefetch<T>(value: &T) {
    prefetch_bytes(std::ptr::from_ref(value).cast(), size_of::<T>());
}

/// Has the processor fetch the first bytes of a value: for a `repr(C)` that begins with what is needed.
#[inline]
pub fn prefetch_front<T>(value: &T, bytes: usize) {
    prefetch_bytes(std::ptr::from_ref(value).cast(), bytes.min(size_of::<T>()));
}

/// Has the processor fetch the elements of a slice.
#[inline]
pub fn prefetch_slice<T>(values: &[T]) {
    prefetch_bytes(values.as_ptr().cast(), size_of_val(values));
}

#[inline]
fn prefetch_bytes(start: *const u8, bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // Also the line that only the end reaches into.
        let into_line = start.addr() % LINE_BYTES;
        let first = start.wrapping_sub(into_line);
        for offset in (0..into_line + bytes).step_by(LINE_BYTES) {
            // Into the second level: a whole batch does not fit the first.
            // SAFETY: a hint, whatever the address; nothing is read that a program could see.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(first.wrapping_add(offset).cast()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, bytes, LINE_BYTES);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_changed_by_it() {
        let (value, values) = ([7_u64; 100], vec![1_u16; 1_000]);
        prefetch(&value);
        prefetch_front(&value, 10_000);
        prefetch_slice(&values);
        prefetch_slice::<u64>(&[]);
        assert!(value == [7; 100] && values.iter().all(|v| *v == 1));
    }
}
