//! The configuration objects, one module each, as ORS operators know them.

pub mod api_key;
pub mod application;
pub mod dn;
pub mod list;
pub mod script;
pub mod switch;
pub mod tenant;
