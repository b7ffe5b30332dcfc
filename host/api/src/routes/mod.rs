//! The one table of routes.
//!
//! A route exists because it has an [`Entry`] here, and an entry cannot be made without saying who may use it
//! ([`Access`]) and how heavy it is ([`Class`]). [`attach`] puts the guard before every handler of the table; nothing
//! else adds routes to the router.

mod basic_http;
mod ors;
mod probes;
mod sessions;
mod strategies;
mod tenants;

use crate::app::{App, Class};
use crate::security::{Action, Gate, guard, not_get_or_post};
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

/// Header that names the tenant where the path does not (ORS session start).
pub const TENANT_HEADER: &str = "x-tenant";

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody: health probes, and nothing else.
    Open,
    /// Whoever knows the session's location, of which `{token}` in the path is the secret.
    Location,
    /// Whoever has a key that [`crate::security::authorize`] allows this for.
    Key(Action, Scope),
}

/// What a route's action is done to, and where that is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The tenant in `{tenant}` of the path.
    Tenant,
    /// The session in `{sid}` of the path, and so its tenant.
    Session,
    /// The tenant named in [`TENANT_HEADER`], else the key's only one, else the default.
    ChosenTenant,
    /// The tenants of the key; the handler filters.
    OwnTenants,
    /// All tenants at once.
    Platform,
}

/// A route.
pub(crate) struct Entry {
    pub(crate) access: Access,
    pub(crate) class: Class,
    pub(crate) routes: UtoipaMethodRouter<App>,
}

fn key(action: Action, scope: Scope, class: Class, routes: UtoipaMethodRouter<App>) -> Entry {
    Entry {
        access: Access::Key(action, scope),
        class,
        routes,
    }
}

fn open(routes: UtoipaMethodRouter<App>) -> Entry {
    Entry {
        access: Access::Open,
        class: Class::Ordinary,
        routes,
    }
}

fn location(routes: UtoipaMethodRouter<App>) -> Entry {
    Entry {
        access: Access::Location,
        class: Class::Ordinary,
        routes,
    }
}

/// A route whose GET has an effect: [`guard`] refuses HEAD, so it is not named among what the path takes.
fn without_head(routes: UtoipaMethodRouter<App>) -> UtoipaMethodRouter<App> {
    routes.map(|m| m.fallback(async || not_get_or_post()))
}

/// Every route there is.
pub(crate) fn table() -> Vec<Entry> {
    use Action::*;
    use Class::{Ordinary, Upload, Waiting};
    use Scope::{ChosenTenant, OwnTenants, Platform, Session, Tenant};
    vec![
        open(routes!(probes::livez)),
        open(routes!(probes::readyz)),
        open(routes!(probes::startupz)),
        key(ReadMetrics, Platform, Ordinary, routes!(probes::metrics)),
        key(ReadApiDescription, OwnTenants, Ordinary, routes!(probes::openapi)),
        key(StartSession, ChosenTenant, Ordinary, routes!(ors::start)),
        key(SendEvent, Session, Ordinary, without_head(routes!(ors::event))),
        key(RequestSession, Session, Waiting, routes!(ors::request)),
        key(SendEvent, Session, Ordinary, routes!(basic_http::post)),
        location(routes!(basic_http::post_to_location)),
        key(QuerySession, Session, Ordinary, routes!(ors::query)),
        key(TerminateSession, Session, Ordinary, routes!(ors::terminate)),
        key(ListTenants, OwnTenants, Ordinary, routes!(tenants::list)),
        key(ListStrategies, Tenant, Ordinary, routes!(strategies::list)),
        key(ListStrategies, Tenant, Ordinary, routes!(strategies::show)),
        key(DeployStrategy, Tenant, Upload, routes!(strategies::deploy)),
        key(ListStrategies, Tenant, Ordinary, routes!(strategies::versions)),
        key(ActivateStrategy, Tenant, Ordinary, routes!(strategies::activate)),
        key(RollBackStrategy, Tenant, Ordinary, routes!(strategies::roll_back)),
        key(DownloadStrategy, Tenant, Ordinary, routes!(strategies::source)),
        key(DownloadStrategy, Tenant, Ordinary, routes!(strategies::component)),
        key(ListSessions, OwnTenants, Ordinary, routes!(sessions::list)),
        key(ListSessions, Session, Ordinary, routes!(sessions::show)),
        key(ReadSessionLog, Session, Ordinary, routes!(sessions::log)),
        key(SendEvent, Session, Ordinary, routes!(sessions::event)),
        key(TerminateSession, Session, Ordinary, routes!(sessions::terminate)),
    ]
}

/// Registers the table, every handler behind its guard.
pub(crate) fn attach(app: &App) -> axum::Router<App> {
    let router = table().into_iter().fold(OpenApiRouter::default(), |router, entry| {
        let gate = Gate {
            app: app.clone(),
            access: entry.access,
            class: entry.class,
        };
        let limit = DefaultBodyLimit::max(app.max_body(entry.class));
        router.routes(
            entry
                .routes
                .map(|m| m.route_layer(limit).route_layer(from_fn_with_state(gate, guard))),
        )
    });
    router.into()
}
