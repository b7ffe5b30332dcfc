//! Threads that call into sandboxes, side by side.

use anyhow::{Result, bail};
use pointsman_sandbox::THREAD_STACK;
use std::thread;

/// Runs `work` on so many threads, each with a number from 0, and collects what they answer.
pub fn side_by_side<T: Send>(threads: usize, work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let work = &work;
        let started: Vec<_> = (0..threads)
            .map(|i| {
                thread::Builder::new()
                    .name(format!("measured-{i}"))
                    .stack_size(THREAD_STACK)
                    .spawn_scoped(scope, move || work(i))
            })
            .collect::<Result<_, _>>()?;
        let ended = started.into_iter().map(|t| match t.join() {
            Ok(answer) => answer,
            Err(_) => bail!("a thread panicked; its message is above"),
        });
        ended.collect()
    })
}
