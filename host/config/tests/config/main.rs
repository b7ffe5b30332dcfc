//! The crate as its users see it, one module per subject.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod applications;
mod common;
mod files;
mod mistakes;
mod reading;
mod showing;
