//! Pages that a new session always writes.
//!
//! A page of a copy-on-write image is mapped read-only when it is first read and copied when it is first written;
//! the second step interrupts every core that runs this process. With two workers starting sessions these
//! interrupts cost more than the work itself. So the pages that the first session of a strategy wrote while it started are written
//! to by the kernel, in a few calls, before the next session starts.

use std::ops::Range;
use std::ptr::NonNull;

const PAGE: usize = 4096;

/// Clean pages between two dirty ones that are taken along: one call less is worth them.
const BRIDGE: usize = 4;

/// Most that is populated for a session before it starts, bytes: what a start writes is far less, and a strategy that
/// fills megabytes at once must not make every session of its kind pay for them when it has not even begun.
const MAX_BYTES: usize = 256 << 10;

/// Ranges of pages, as byte offsets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct HotPages(Vec<Range<usize>>);

impl HotPages {
    /// The pages of a memory that its session has written so far. Empty where the kernel does not tell.
    pub fn of(base: NonNull<u8>, len: usize) -> HotPages {
        HotPages(ranges(&dirty_pages(base.as_ptr() as usize, len).unwrap_or_default()))
    }

    /// Makes them the session's own.
    pub fn populate(&self, (base, len): (NonNull<u8>, usize)) {
        for range in self.0.iter().filter(|r| r.end <= len) {
            // SAFETY: `base` and `len` are those of a live instance's memory, whose store the caller holds exclusively;
            // the range lies within, and populating changes no byte of it.
            unsafe {
                libc::madvise(
                    base.as_ptr().add(range.start).cast(),
                    range.len(),
                    libc::MADV_POPULATE_WRITE,
                );
            }
        }
    }
}

/// Page numbers that are present and not the image's own (private anonymous memory): bit 63 and not bit 61 of
/// `/proc/self/pagemap`.
fn dirty_pages(base: usize, len: usize) -> std::io::Result<Vec<usize>> {
    use std::os::unix::fs::FileExt;
    let pagemap = std::fs::File::open("/proc/self/pagemap")?;
    let mut entries = vec![0u8; len / PAGE * 8];
    pagemap.read_exact_at(&mut entries, (base / PAGE * 8) as u64)?;
    Ok(entries
        .chunks_exact(8)
        .enumerate()
        .filter(|(_, e)| {
            let e = u64::from_ne_bytes((*e).try_into().expect("chunks of 8"));
            e >> 63 & 1 == 1 && e >> 61 & 1 == 0
        })
        .map(|(i, _)| i)
        .collect())
}

/// The first pages, [`MAX_BYTES`] of them at most.
fn ranges(pages: &[usize]) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for page in pages {
        match out.last_mut() {
            Some(last) if *page <= last.end / PAGE + BRIDGE => last.end = (page + 1) * PAGE,
            _ => out.push(page * PAGE..(page + 1) * PAGE),
        }
    }
    let mut left = MAX_BYTES;
    for range in &mut out {
        range.end = range.end.min(range.start + left);
        left -= range.len();
    }
    out.retain(|range| !range.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_pages_become_one_range() {
        assert_eq!(ranges(&[]), []);
        assert_eq!(ranges(&[1, 2, 5, 20]), [PAGE..6 * PAGE, 20 * PAGE..21 * PAGE]);
    }

    #[test]
    fn no_more_than_the_bound_is_populated() {
        let most = MAX_BYTES / PAGE;
        let pages: Vec<usize> = (0..10).chain(100..100 + most).chain(1000..1010).collect();
        let ranges = ranges(&pages);
        assert_eq!(ranges, [0..10 * PAGE, 100 * PAGE..(90 + most) * PAGE]);
    }
}
