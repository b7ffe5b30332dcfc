//! The whole server, as its users meet it: the real binary, real sipp, real sockets on loopback.
//!
//! Every test starts a server of its own on free ports and stops it by its process id.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure")]

mod calls;
mod lifecycle;
mod load;
mod mistakes;
mod node;
mod ors;
mod torture;
mod undecided;
mod walk;
mod web;
