//! The REST API: the ORS session paths (`/scxml/session/...`) and `/v1`.
//!
//! [`router`] makes it from a [`Backend`] (what the server can do), [`security::Keys`] (who may ask) and an
//! [`security::Audit`] log (what was done). The listener and TLS are the server's business; it must serve the router with
//! `into_make_service_with_connect_info::<SocketAddr>()`, because addresses are audited and failures are counted by them.
//!
//! ```text
//!            trace id, panics, security headers, problem documents      layers
//!            key -> rights -> room -> size -> time -> audit             security::guard, per route
//!            parameters, bodies                                         extract
//!            handlers, one table                                        routes
//!            what the server can do                                     backend
//! ```
//!
//! Deny by default is structural: a route exists only as an entry of the one table in `routes`, an entry names the
//! action it is and whom it concerns, and a test walks every route with every role.

mod app;
pub mod backend;
mod extract;
mod layers;
mod openapi;
mod options;
mod problem;
mod routes;
pub mod security;
pub mod types;

pub use backend::Backend;
pub use openapi::{description, description_text};
pub use options::Options;
pub use problem::PROBLEM_JSON;
pub use routes::TENANT_HEADER;

use app::App;
use axum::Router;
use axum::middleware::from_fn_with_state;
use layers::{Tls, finish, method_not_allowed, no_such_path, panicked};
use security::{Audit, Keys};
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// The whole API over a backend.
pub fn router(backend: Arc<dyn Backend>, keys: Arc<dyn Keys>, audit: Arc<dyn Audit>, options: Options) -> Router {
    let tls = Tls(options.tls);
    let app = App::new(backend, keys, audit, options, description_text());
    routes::attach(&app)
        .fallback(async || no_such_path())
        .method_not_allowed_fallback(async || method_not_allowed())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(tls, finish))
        .with_state(app)
}
