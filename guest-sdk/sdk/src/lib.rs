//! Write a Pointsman strategy in Rust.
//!
//! A strategy is a type that implements [`Strategy`]; [`export!`] makes it the module's contract with the host. One
//! instance of the module serves one session, so the type's fields are the session's data.
//!
//! ```ignore
//! use pointsman_sdk::{export, Context, Event, Start, Strategy};
//!
//! #[derive(Default)]
//! struct AlwaysReception;
//!
//! impl Strategy for AlwaysReception {
//!     fn start(_: &Start, _: &mut Context) -> Self { AlwaysReception }
//!
//!     fn handle(&mut self, event: &Event, cx: &mut Context) {
//!         if let Some(call) = event.route_request() {
//!             cx.redirect(&call.interaction_id, &["2000"]);
//!             cx.finish(None);
//!         }
//!     }
//! }
//!
//! export!(AlwaysReception);
//! ```
//!
//! Build it as a `cdylib` for `wasm32-unknown-unknown`; `pointsman compile the.wasm` makes the component.
//!
//! The host replays journals, so a strategy must be a function of what it is given: take the time from
//! [`Context::now_ms`] and randomness from [`Context::random`]. There is no clock and no other source to misuse.

mod context;
mod events;

#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "strategy",
        pub_export_macro: true,
        default_bindings_module: "pointsman_sdk::bindings",
        generate_all,
    });
}

#[doc(hidden)]
pub mod glue;

pub use bindings::pointsman::strategy::types::{EventKind, Moment};
pub use context::Context;
pub use events::{Event, RouteRequest, Start};

/// A strategy: one value per session.
pub trait Strategy: Sized + 'static {
    /// Makes the session's data. As in [`Strategy::handle`], everything it asks of the host goes through `cx`: timers,
    /// log, commands, the state that operators see (`waiting` unless it names one).
    fn start(start: &Start, cx: &mut Context) -> Self;

    /// Handles one event. Everything it asks of the host goes through `cx` and is performed after it returns.
    fn handle(&mut self, event: &Event, cx: &mut Context);

    /// What operators see of the session: any JSON value; an object shows best.
    fn inspect(&self) -> serde_json::Value {
        serde_json::Value::Object(serde_json::Map::new())
    }
}

/// Exports a [`Strategy`] from this module.
#[macro_export]
macro_rules! export {
    ($strategy:ty) => {
        struct PointsmanExport;

        static SESSION: $crate::glue::Cell<$strategy> = $crate::glue::Cell::new();

        impl $crate::bindings::Guest for PointsmanExport {
            fn start(
                moment: $crate::Moment,
                info: $crate::bindings::StartInfo,
            ) -> Result<$crate::bindings::Step, $crate::bindings::Failure> {
                SESSION.start(moment, info)
            }

            fn handle(
                moment: $crate::Moment,
                event: $crate::bindings::Event,
            ) -> Result<$crate::bindings::Step, $crate::bindings::Failure> {
                SESSION.handle(moment, event)
            }

            fn inspect() -> $crate::bindings::Inspection {
                SESSION.inspect()
            }
        }

        $crate::bindings::export!(PointsmanExport with_types_in $crate::bindings);
    };
}
