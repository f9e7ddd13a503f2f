//! The allocator of the system, told not to give memory back at once.

/// Freed memory up to this size stays with the process, to be used for the next batches.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: libc::c_int = 32 << 20;

/// Batches come and go by the megabyte. By default glibc gives each back to the system and asks for the next, which
/// takes a part of the time of a word count with two workers: `benchmarks/measure.py wordcount` with `PATHWAY_THREADS=2`
/// shows it, with and without `MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=131072`.
///
/// It is for the whole program, from the import on; its own settings, in the environment, hold.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn keep_what_is_freed() {
    for (variable, parameter) in [
        ("MALLOC_TRIM_THRESHOLD_", libc::M_TRIM_THRESHOLD),
        ("MALLOC_MMAP_THRESHOLD_", libc::M_MMAP_THRESHOLD),
    ] {
        if std::env::var_os(variable).is_none() {
            #[expect(unsafe_code, reason = "a function of the C library that has no other form")]
            // SAFETY: it takes two numbers and may be called at any time; if it refuses them, nothing changes.
            unsafe {
                libc::mallopt(parameter, KEPT_BYTES);
            }
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn keep_what_is_freed() {}
