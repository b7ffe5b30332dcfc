//! The API over an in-memory backend, one module per subject.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod authentication;
mod authorization;
mod basic_http;
mod errors;
mod openapi;
mod ors;
mod sessions;
mod strategies;
mod support;
