//! What a process that runs strategies asks of the kernel, once, before it starts threads.
//!
//! # Turns
//! Linux lets a thread run for a slice before another may have its core, some milliseconds as a rule, and a thread that wakes up
//! meanwhile waits. From 6.12 on a thread can ask for shorter slices: it gets no more of the processor than before, but
//! sooner, for one that asks for less goes first. Threads of links, of REST and of timers run for moments, so they ask for
//! [`SHORT_TURN`]; steps run with the ordinary slice. Else an event would wait for a core behind a bad session's step,
//! and so would the watcher that takes the lane away from it. Older kernels do not know the wish, and ignore it.

use std::time::Duration;

/// Slice of threads that run for moments. The kernel takes 0.1 ms at least.
const SHORT_TURN: Duration = Duration::from_micros(100);

/// Slice of a thread whose job is overdue, the longest there is. Whoever wakes up waits for the end of a slice as long as
/// its own or shorter, however low the priority of the thread that has it; a longer one is broken off.
const LONG_TURN: Duration = Duration::from_millis(100);

/// Nice value of a thread whose job is overdue.
const LOWEST: i32 = 19;

/// Short turns for the calling thread and those that it starts from now on.
pub fn short_turns() {
    ask_for_slice(0, SHORT_TURN, nice());
}

/// Ordinary turns for the calling thread: it is going to run strategies.
pub(crate) fn ordinary_turns() {
    ask_for_slice(0, Duration::ZERO, nice());
}

/// Lets every other thread go before this one of this process. It cannot be undone: raising a priority needs a privilege.
pub(crate) fn give_way(thread: libc::pid_t) {
    // SAFETY: setpriority has no memory effects. `who` is a thread id on Linux.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, thread as libc::id_t, LOWEST);
    }
    ask_for_slice(thread, LONG_TURN, LOWEST);
}

/// What is left to do on a thread that gives way takes locks that others wait for: it is to get its turn soon, although it
/// stays last in line.
pub(crate) fn hurry() {
    ask_for_slice(0, SHORT_TURN, LOWEST);
}

/// This thread's nice value.
fn nice() -> i32 {
    // SAFETY: getpriority has no memory effects; 0 is this thread.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}

/// Has the scheduler give a thread such slices, and this nice value. Zero: this thread, the system's own slice.
fn ask_for_slice(thread: libc::pid_t, slice: Duration, nice: i32) {
    // SAFETY: sched_getscheduler has no memory effects.
    if unsafe { libc::sched_getscheduler(thread) } != libc::SCHED_OTHER {
        // Somebody wants it otherwise, and has said so.
        return;
    }
    // SAFETY: all zeros is a sched_attr; it has more fields in some versions of libc than in others.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    attributes.size = size_of::<libc::sched_attr>() as u32;
    attributes.sched_policy = libc::SCHED_OTHER as u32;
    attributes.sched_nice = nice;
    attributes.sched_runtime = slice.as_nanos() as u64;
    // SAFETY: the kernel reads `size` bytes of what is handed over. Where it refuses, the thread keeps the turns that it has.
    let _refused = unsafe { libc::syscall(libc::SYS_sched_setattr, thread, &raw const attributes, 0) };
}

/// A set of processors.
#[derive(Clone, Copy)]
pub(crate) struct Processors(libc::cpu_set_t);

impl Processors {
    /// Those that this thread may run on; `None` when the kernel does not say.
    pub fn allowed() -> Option<Processors> {
        // SAFETY: all zeros is a cpu_set_t, the empty one.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes at most so many bytes there; 0 is this thread.
        let done = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
        (done == 0).then_some(Processors(set))
    }

    /// One of each.
    pub fn singles(&self) -> Vec<Processors> {
        let all = 0..libc::CPU_SETSIZE as usize;
        // SAFETY: every number is below CPU_SETSIZE.
        let these = all.filter(|&i| unsafe { libc::CPU_ISSET(i, &self.0) });
        let single = |i| {
            // SAFETY: as above.
            unsafe {
                let mut set: libc::cpu_set_t = std::mem::zeroed();
                libc::CPU_SET(i, &mut set);
                Processors(set)
            }
        };
        these.map(single).collect()
    }

    /// Has a thread of this process run there only; 0 is the calling one. Where the kernel refuses, it stays where it was.
    pub fn keep(&self, thread: libc::pid_t) {
        // SAFETY: the kernel reads the set.
        let _refused = unsafe { libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), &raw const self.0) };
    }
}

/// Raises the limit on open files to what the system allows: every connection takes one, and every loaded strategy.
/// Gives the limit that holds now.
///
/// # Errors
/// When the limit cannot be read or raised.
pub fn raise_descriptor_limit() -> std::io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls only use this rlimit.
    let done = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) == 0
        }
    };
    if done {
        Ok(limit.rlim_cur)
    } else {
        Err(std::io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::thread;

    /// This thread's slice as the scheduler has it, of /proc: only kernels with scheduler debugging show it.
    fn slice() -> Option<u64> {
        let text = std::fs::read_to_string("/proc/thread-self/sched").ok()?;
        let line = text.lines().find(|l| l.starts_with("se.slice"))?;
        line.rsplit_once(':')?.1.trim().parse().ok()
    }

    /// On the real standard error: what a test prints is captured, and nobody would see it.
    fn skipped(why: &str) {
        let line = format!("SKIPPED: {why}\n");
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("standard error takes a line");
    }

    #[test]
    fn threads_inherit_short_turns_until_they_ask_for_ordinary_ones() {
        thread::spawn(|| {
            let Some(ordinary) = slice() else {
                skipped("this kernel does not show a thread's slice");
                return;
            };
            short_turns();
            let short = slice();
            if short == Some(ordinary) {
                skipped("this kernel has no slices of a thread's own");
                return;
            }
            assert_eq!(short, Some(100_000));
            let inherited = thread::spawn(|| {
                let inherited = slice();
                ordinary_turns();
                (inherited, slice())
            });
            assert_eq!(inherited.join().unwrap(), (short, Some(ordinary)));
            assert_eq!(slice(), short);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn asking_for_turns_changes_no_priority() {
        thread::spawn(|| {
            // SAFETY: setpriority has no memory effects; 0 is this thread.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 3) };
            short_turns();
            assert_eq!(nice(), 3);
            ordinary_turns();
            assert_eq!(nice(), 3);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn the_limit_on_open_files_is_as_high_as_it_may_be() {
        let raised = raise_descriptor_limit().unwrap();
        assert_eq!(raise_descriptor_limit().unwrap(), raised);
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits.lines().find(|l| l.starts_with("Max open files")).unwrap();
        let mut numbers = line.split_whitespace().skip(3);
        assert_eq!(numbers.next(), numbers.next(), "{line}");
    }
}
