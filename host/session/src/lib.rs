//! Sessions: what happens between an event that arrives and the commands that leave.
//!
//! ```text
//!            events, timers, answers                       commands
//!   links, REST ------------------> runtime  ---------------------------> links, modules
//!                                   |  ^  one worker at a time per session
//!                           inputs  v  |  outputs
//!                                   core  (pure: no clock, no threads, no I/O)
//!                                   |  ^
//!                           records v  | acknowledgements
//!                                   journal (pointsman-store)
//! ```
//!
//! [`core`] holds the rules and nothing else, so that they can be tested in any order of inputs, replayed from a
//! journal, and run by a simulator. [`runtime`] gives it threads, time, a journal and a strategy to run. Neither knows
//! how a strategy is executed or where events come from: both are traits ([`runtime::Strategy`],
//! [`runtime::Commands`]).

pub mod core;
pub mod runtime;
