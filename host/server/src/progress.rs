//! Says that something is under way, when it takes long enough for somebody to wonder.

use indicatif::{ProgressBar, ProgressDrawTarget};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// What is over sooner needs no sign of life.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does some work; after a second a spinner with `what` shows up on the standard error, if that is a terminal.
pub(crate) fn during<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (working, over) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let bar =
                    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_message(what.to_owned());
                bar.enable_steady_tick(Duration::from_millis(120));
                // Ends when the sender is dropped: nothing is ever sent.
                let _ = over.recv();
                bar.finish_and_clear();
            }
        });
        // Moved in here so that a panic drops it as well, and the spinner's thread ends.
        let _working = working;
        work()
    })
}
