//! The tables that the compiler writes and the engine runs.
//!
//! A document becomes one [`Chart`]: states and transitions numbered in document order, sets of states as bit rows,
//! and for every transition what W3C SCXML 1.0 appendix D would otherwise work out at run time: its domain
//! (what it can exit are the states below it), and, where no history is involved, the states it enters in entry order. Expressions are kept as text and
//! compiled once by the engine when a strategy is deployed.
//!
//! Both sides are built from this crate, but not always at the same time: [`decode`] refuses tables of another
//! [`VERSION`], because an image of one version must never run on an engine of another.
#![no_std]

extern crate alloc;

mod bits;
mod tables;

pub use bits::{Bits, Rows};
pub use tables::{
    Assignment, Attribute, BlockId, Chart, Content, Data, DataId, Datamodel, Domain, DoneData, Element, Enter, ExprId,
    Expression, ExpressionKind, Instruction, Invoke, Limits, MAX_NESTING, Named, Op, Param, Position, Request, Send,
    Source, State, StateId, StateKind, Transition, TransitionId, duration_ms, matches_descriptor,
};

/// Version of the tables. Raised with every change of their shape or meaning.
pub const VERSION: u32 = 4;

/// Tables that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They were written by a compiler of another version.
    Version(u32),
    /// They are damaged.
    Damaged,
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            DecodeError::Version(v) => write!(f, "chart tables of version {v}, this engine runs version {VERSION}"),
            DecodeError::Damaged => f.write_str("chart tables are damaged"),
        }
    }
}

/// The tables as bytes: version, then the chart.
pub fn encode(chart: &Chart) -> alloc::vec::Vec<u8> {
    let head = VERSION.to_le_bytes().to_vec();
    postcard::to_extend(chart, head).expect("a chart has only shapes that postcard can write")
}

/// The chart out of [`encode`]'s bytes.
pub fn decode(bytes: &[u8]) -> Result<Chart, DecodeError> {
    let (head, body) = bytes.split_first_chunk::<4>().ok_or(DecodeError::Damaged)?;
    match u32::from_le_bytes(*head) {
        VERSION => postcard::from_bytes(body).map_err(|_| DecodeError::Damaged),
        other => Err(DecodeError::Version(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_another_version_are_refused() {
        let mut bytes = encode(&Chart::default());
        assert!(decode(&bytes).is_ok());
        bytes[0] ^= 0xff;
        assert!(matches!(decode(&bytes), Err(DecodeError::Version(_))));
        assert_eq!(decode(&bytes[..3]).unwrap_err(), DecodeError::Damaged);
    }
}
