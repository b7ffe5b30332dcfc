//! Every route with every role, in one's own tenant and in another's, without a key and with a wrong one.

use crate::support::{Answered, Api, Asked, Call, NORTH, ROLES, SOUTH, api, api_with, call, id_of, session_of};
use axum::http::Method;
use pointsman_api::security::{KeyText, Role};
use std::collections::BTreeSet;

/// Whom a route is about.
#[derive(Clone, Copy, PartialEq, Debug)]
enum About {
    Nobody,
    Tenant,
    Own,
    Platform,
}

/// What is expected, written down apart from the code: method, path, lowest role, whom it is about.
const EXPECTED: &[(&str, &str, Role, About)] = {
    use About::{Nobody, Own, Platform, Tenant};
    use Role::{Deployer, Operator, Viewer};
    &[
        ("GET", "/livez", Viewer, Nobody),
        ("GET", "/readyz", Viewer, Nobody),
        ("GET", "/startupz", Viewer, Nobody),
        ("GET", "/metrics", Viewer, Platform),
        ("GET", "/v1/openapi.json", Viewer, Own),
        ("POST", "/scxml/session/start", Operator, Tenant),
        ("GET", "/scxml/session/{sid}/event/{name}", Operator, Tenant),
        ("POST", "/scxml/session/{sid}/event/{name}", Operator, Tenant),
        ("POST", "/scxml/session/{sid}/request/{name}", Operator, Tenant),
        ("POST", "/scxml/session/{sid}/basichttp", Operator, Tenant),
        ("GET", "/scxml/session/{sid}/query", Operator, Tenant),
        ("POST", "/scxml/session/{sid}/terminate", Operator, Tenant),
        ("GET", "/v1/tenants", Viewer, Own),
        ("GET", "/v1/tenants/{tenant}/strategies", Viewer, Tenant),
        ("GET", "/v1/tenants/{tenant}/strategies/{name}", Viewer, Tenant),
        ("PUT", "/v1/tenants/{tenant}/strategies/{name}", Deployer, Tenant),
        ("POST", "/v1/tenants/{tenant}/strategies/{name}", Deployer, Tenant),
        ("GET", "/v1/tenants/{tenant}/strategies/{name}/versions", Viewer, Tenant),
        (
            "POST",
            "/v1/tenants/{tenant}/strategies/{name}/versions/{version}/activate",
            Deployer,
            Tenant,
        ),
        (
            "POST",
            "/v1/tenants/{tenant}/strategies/{name}/rollback",
            Deployer,
            Tenant,
        ),
        (
            "GET",
            "/v1/tenants/{tenant}/strategies/{name}/versions/{version}/source",
            Operator,
            Tenant,
        ),
        (
            "GET",
            "/v1/tenants/{tenant}/strategies/{name}/versions/{version}/component",
            Operator,
            Tenant,
        ),
        ("GET", "/v1/sessions", Viewer, Own),
        ("GET", "/v1/sessions/{sid}", Viewer, Tenant),
        ("GET", "/v1/sessions/{sid}/log", Operator, Tenant),
        ("POST", "/v1/sessions/{sid}/events", Operator, Tenant),
        ("POST", "/v1/sessions/{sid}/terminate", Operator, Tenant),
    ]
};

/// A request that succeeds for whoever may.
fn fitting(method: &str, path: &str, tenant: &str) -> Call {
    at(method, path, tenant, session_of(tenant).as_str())
}

fn at(method: &str, path: &str, tenant: &str, session: &str) -> Call {
    let filled = path
        .replace("{tenant}", tenant)
        .replace("{sid}", session)
        .replace("{name}", "vip")
        .replace("{version}", "1");
    let request = call(method, &filled);
    match path {
        "/scxml/session/start" => request.header("x-tenant", tenant).form("src=vip"),
        "/v1/sessions/{sid}/events" => request.json(r#"{"name": "go"}"#),
        "/v1/tenants/{tenant}/strategies/{name}" if method != "GET" => {
            request.body("application/scxml+xml", "<scxml/>")
        }
        _ => request,
    }
}

fn patient() -> Api {
    api_with(|options| options.wrong_keys_per_minute = 10_000)
}

/// What tells two answers apart, without what always differs.
fn told(answer: &Answered) -> String {
    let mut problem = answer.problem();
    problem.trace_id.clear();
    serde_json::to_string(&problem).unwrap()
}

#[test]
fn every_registered_route_is_in_the_list_above_and_the_other_way_round() {
    let mut registered = BTreeSet::new();
    for (path, item) in pointsman_api::description().paths.paths {
        let methods = [
            ("GET", item.get),
            ("PUT", item.put),
            ("POST", item.post),
            ("DELETE", item.delete),
            ("PATCH", item.patch),
        ];
        registered.extend(
            methods
                .into_iter()
                .filter(|(_, o)| o.is_some())
                .map(|(m, _)| (m.to_owned(), path.clone())),
        );
    }
    let expected: BTreeSet<_> = EXPECTED
        .iter()
        .map(|(m, p, ..)| ((*m).to_owned(), (*p).to_owned()))
        .collect();
    // Its own file says who may use it: whoever knows the token.
    let location = ("POST".to_owned(), "/scxml/session/{sid}/basichttp/{token}".to_owned());
    assert!(registered.remove(&location));
    assert_eq!(registered, expected);
}

#[tokio::test]
async fn without_a_valid_key_only_the_health_probes_answer() {
    let api = patient();
    for (method, path, _, about) in EXPECTED {
        let wrong = KeyText::generate(&id_of(Role::PlatformAdmin)).unwrap().reveal();
        let without = api.send("", fitting(method, path, NORTH)).await;
        let with = api
            .send("", fitting(method, path, NORTH).header("x-api-key", &wrong))
            .await;
        if *about == About::Nobody {
            assert_eq!((without.status, with.status), (200, 200), "{method} {path}");
            continue;
        }
        assert_eq!(without.says().1, "no-key", "{method} {path}");
        assert_eq!(with.says().1, "wrong-key", "{method} {path}");
        assert_eq!((without.status, with.status), (401, 401), "{method} {path}");
        assert!(
            without.headers["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Bearer")
        );
    }
    assert!(api.fake.take().is_empty(), "the backend was not even asked");
}

#[tokio::test]
async fn a_role_may_do_what_its_rank_says_in_its_own_tenant() {
    let api = patient();
    for (method, path, lowest, about) in EXPECTED {
        for role in ROLES {
            let answer = api.send(&id_of(role), fitting(method, path, NORTH)).await;
            let allowed = role >= *lowest && *about != About::Platform || *about == About::Nobody;
            let right = if allowed {
                (200..300).contains(&answer.status)
            } else {
                answer.says().1 == "role-too-low"
            };
            assert!(right, "{role}: {method} {path} -> {}", answer.status);
        }
    }
}

#[tokio::test]
async fn what_belongs_to_another_tenant_looks_as_if_it_did_not_exist() {
    let api = patient();
    let nobodys = pointsman_contract::SessionId::from_random([9; 20]);
    for (method, path, ..) in EXPECTED.iter().filter(|e| e.3 == About::Tenant) {
        for role in ROLES {
            api.fake.take();
            let others = api.send(&id_of(role), fitting(method, path, SOUTH)).await;
            assert_eq!(others.status, 404, "{role}: {method} {path}");
            assert!(api.fake.take().is_empty(), "{role}: {method} {path}");
            let missing = api
                .send(&id_of(role), at(method, path, "nowhere", nobodys.as_str()))
                .await;
            let missing = told(&missing)
                .replace("nowhere", SOUTH)
                .replace(nobodys.as_str(), session_of(SOUTH).as_str());
            assert_eq!(told(&others), missing, "{role}: {method} {path}");
        }
    }
}

#[tokio::test]
async fn a_key_for_all_tenants_may_do_everything_its_role_says_everywhere() {
    let api = patient();
    for (method, path, lowest, _) in EXPECTED {
        for tenant in [NORTH, SOUTH] {
            let answer = api.send("everywhere", fitting(method, path, tenant)).await;
            assert!(
                (200..300).contains(&answer.status),
                "{method} {path} in {tenant} -> {}",
                answer.status
            );
            let answer = api.send("scraper", fitting(method, path, tenant)).await;
            assert_eq!(
                (200..300).contains(&answer.status),
                *lowest == Role::Viewer,
                "scraper: {method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_key_without_grants_may_do_nothing() {
    let api = patient();
    for (method, path, _, about) in EXPECTED.iter().filter(|e| e.3 != About::Nobody) {
        let answer = api.send("nothing", fitting(method, path, NORTH)).await;
        let expected = if *about == About::Tenant { 404 } else { 403 };
        assert_eq!(answer.status, expected, "{method} {path}");
    }
    assert!(api.fake.take().is_empty());
}

#[tokio::test]
async fn a_head_has_no_effect_even_where_a_get_has_one() {
    let api = patient();
    let event = "/scxml/session/{sid}/event/{name}";
    for (_, path, ..) in EXPECTED {
        let readable = EXPECTED.iter().any(|e| e.0 == "GET" && e.1 == *path && e.1 != event);
        for key in ["everywhere", "nothing", ""] {
            api.fake.take();
            let answer = api.send(key, fitting("HEAD", path, NORTH)).await;
            let asked = api.fake.take();
            if !readable {
                assert_eq!(answer.status, 405, "HEAD {path} with `{key}`");
                assert!(!answer.headers["allow"].to_str().unwrap().is_empty());
                assert!(asked.is_empty(), "HEAD {path}: {asked:?}");
            } else if key == "everywhere" {
                assert_eq!(answer.status, 200, "HEAD {path}, as GET (RFC 9110, section 9.1)");
                let reads = |a: &Asked| matches!(a, Asked::List(..) | Asked::Other(_));
                assert!(asked.iter().all(reads), "HEAD {path}: {asked:?}");
            }
        }
    }
    let answer = api.send("everywhere", fitting("HEAD", event, NORTH)).await;
    assert_eq!(
        (answer.status, &answer.headers["allow"]),
        (405, &"GET,POST".parse().unwrap())
    );
}

#[tokio::test]
async fn methods_that_are_not_in_the_table_do_nothing() {
    let api = patient();
    let get = |path: &str| EXPECTED.iter().any(|e| e.0 == "GET" && e.1 == path);
    for method in [Method::HEAD, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        for (_, path, ..) in EXPECTED {
            if method == Method::HEAD {
                // A HEAD is in the table where a GET is, but for the GET that has an effect; its answers have no body.
                if !get(path) || path.contains("/event/") {
                    let answer = api.send("everywhere", fitting("HEAD", path, NORTH)).await;
                    assert_eq!(answer.status, 405, "HEAD {path}");
                }
                continue;
            }
            let answer = api.send("everywhere", fitting(method.as_str(), path, NORTH)).await;
            assert_eq!(answer.says().1, "method-not-allowed", "{method} {path}");
        }
    }
    assert!(api.fake.take().is_empty());
}

#[tokio::test]
async fn a_role_too_low_is_told_which_it_needs() {
    let answer = api()
        .send(
            &id_of(Role::Viewer),
            fitting("POST", "/v1/tenants/{tenant}/strategies/{name}/rollback", NORTH),
        )
        .await;
    let detail = "The action `roll-back-strategy` needs the role `deployer`; ask for a key that has it.";
    assert_eq!(answer.says(), (403, "role-too-low".into(), detail.into()));
}
