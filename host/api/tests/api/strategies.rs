//! The catalog: uploads, versions, downloads.

use crate::support::{Asked, Mood, NORTH, api, api_with, call, document, id_of, tenant};
use pointsman_api::backend::{Artifact, Deployment, Error};
use pointsman_api::security::Role;
use pointsman_api::types::{Deployed, Diagnostic, Severity, StrategyVersion, Version};
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const VIP: &str = "/v1/tenants/north/strategies/vip";
const SCXML: &str = "application/scxml+xml";

fn deployer() -> String {
    id_of(Role::Deployer)
}

fn asked(artifact: Artifact, note: Option<&str>, activate: bool) -> Asked {
    let deployment = Deployment {
        artifact,
        note: note.map(Into::into),
        activate,
        by: deployer(),
    };
    Asked::Deploy(tenant(NORTH), "vip".parse().unwrap(), deployment)
}

#[tokio::test]
async fn a_document_is_deployed_as_the_body_itself() {
    let api = api();
    let upload = call("PUT", &format!("{VIP}?note=first&activate=true"))
        .body("application/scxml+xml; charset=UTF-8", "<scxml/>");
    let answer = api.send(&deployer(), upload).await;
    assert_eq!(answer.status, 201);
    let Deployed {
        version:
            StrategyVersion {
                version,
                active,
                deployed_by,
                ..
            },
        warnings,
    } = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (version, active, deployed_by, warnings),
        (Version(2), true, deployer(), vec![])
    );
    assert_eq!(api.fake.take(), [asked(document("<scxml/>"), Some("first"), true)]);
    assert_eq!(api.audit.take()[0].object, "strategy vip@2 of north");
}

#[tokio::test]
async fn a_document_is_deployed_with_its_includes_as_json() {
    let api = api();
    let body = json!({ "document": "<scxml/>", "path": "src-gen/main.scxml", "files": { "lib/a.js": "1" }, "note": "n", "activate": true });
    assert_eq!(api.send(&deployer(), call("POST", VIP).json(body)).await.status, 201);
    let files = [("lib/a.js".to_owned(), "1".to_owned())].into();
    let artifact = Artifact::Document {
        text: "<scxml/>".into(),
        path: Some("src-gen/main.scxml".into()),
        files,
    };
    assert_eq!(api.fake.take(), [asked(artifact, Some("n"), true)]);
}

#[tokio::test]
async fn a_component_is_deployed_byte_for_byte() {
    let api = api();
    let bytes = b"\0asm\xff\xfe".to_vec();
    assert_eq!(
        api.send(&deployer(), call("PUT", VIP).body("application/wasm", bytes.clone()))
            .await
            .status,
        201
    );
    assert_eq!(api.fake.take(), [asked(Artifact::Component(bytes.into()), None, false)]);
}

#[tokio::test]
async fn a_broken_document_is_answered_with_its_diagnostics() {
    let api = api();
    let finding = |line, severity, message: &str| Diagnostic {
        severity,
        file: "vip.scxml".into(),
        line,
        column: 5,
        message: message.into(),
        text: Some("<transition target=\"nowhere\"/>".into()),
        hint: Some("did you mean `now`?".into()),
    };
    let found = vec![
        finding(3, Severity::Error, "no state `nowhere`"),
        finding(9, Severity::Warning, "never reached"),
    ];
    api.fake.set(Mood::Fail(Error::Document(found.clone())));
    let answer = api.send(&deployer(), call("PUT", VIP).body(SCXML, "<scxml/>")).await;
    let problem = answer.problem();
    assert_eq!(
        answer.says(),
        (
            422,
            "document-errors".into(),
            "The document has 1 error and was not deployed.".into()
        )
    );
    assert_eq!(problem.diagnostics, found);
    assert_eq!(
        problem.to_string(),
        "The document has errors: The document has 1 error and was not deployed.\n\
         vip.scxml:3:5: error: no state `nowhere`\n  <transition target=\"nowhere\"/>\n  hint: did you mean `now`?\n\
         vip.scxml:9:5: warning: never reached\n  <transition target=\"nowhere\"/>\n  hint: did you mean `now`?"
    );
}

#[tokio::test]
async fn a_component_that_cannot_run_here_is_refused_with_the_reason() {
    let api = api();
    let reason =
        "the component imports `wasi:io/streams`, which strategies do not have; build it for wasm32-unknown-unknown";
    api.fake.set(Mood::Fail(Error::Component(reason.into())));
    let answer = api
        .send(&deployer(), call("PUT", VIP).body("application/wasm", "x"))
        .await;
    assert_eq!(answer.says().0, 422);
    assert_eq!(
        answer.says().2,
        "The component imports `wasi:io/streams`, which strategies do not have; build it for wasm32-unknown-unknown."
    );
}

#[tokio::test]
async fn an_upload_says_what_is_wrong_with_it() {
    let api = api();
    let put = || call("PUT", VIP);
    let files: serde_json::Map<_, _> = (0..257).map(|i| (i.to_string(), json!(""))).collect();
    let many = json!({ "document": "<scxml/>", "files": files });
    let cases = [
        (
            put(),
            400,
            "bad-request",
            "The body is empty; send the document or component.",
        ),
        (
            put().body("text/plain", "x"),
            415,
            "media-type",
            "`text/plain` is not taken here; send application/scxml+xml, application/json or application/wasm.",
        ),
        (
            put().body(SCXML, b"<scxml \xc3/>".to_vec()),
            400,
            "bad-request",
            "The body is not UTF-8: the byte at offset 7 is wrong.",
        ),
        (
            put().json(r#"{"documnet": ""}"#),
            400,
            "bad-request",
            "The JSON body does not fit: unknown field `documnet`, expected one of `document`, `path`, `files`, `note`, `activate` at line 1 column 11.",
        ),
        (
            put().json(many),
            413,
            "too-large",
            "The upload brings 257 files along; at most 256 are taken.",
        ),
        (
            put().json(json!({ "document": "x", "note": "x".repeat(501) })),
            400,
            "bad-request",
            "The note is longer than 500 characters; shorten it.",
        ),
        (
            call("PUT", "/v1/tenants/north/strategies/a%40b").body(SCXML, "<scxml/>"),
            400,
            "bad-name",
            "`a@b` cannot be the name of a strategy: use 1 to 64 of the characters a-z 0-9 . _ -, lower case only, and begin with a letter or digit.",
        ),
        (
            call("PUT", &format!("{VIP}?activate=yes")).body(SCXML, "x"),
            400,
            "bad-request",
            "The query cannot be understood: activate: provided string was not `true` or `false`.",
        ),
    ];
    for (call, status, code, detail) in cases {
        let answer = api.send(&deployer(), call).await;
        assert_eq!(answer.says(), (status, code.into(), detail.into()));
    }
    assert!(api.fake.take().is_empty(), "nothing was deployed");
}

#[tokio::test]
async fn an_upload_larger_than_allowed_is_refused_announced_or_not() {
    let api = api_with(|options| options.upload_bytes = 1000);
    let detail = "The body is larger than the 1000 bytes that this path takes.";
    for announced in [true, false] {
        let upload = call("PUT", VIP).body(SCXML, vec![b' '; 1001]);
        let upload = if announced {
            upload.header("content-length", "1001")
        } else {
            upload
        };
        let answer = api.send(&deployer(), upload).await;
        assert_eq!(answer.says(), (413, "too-large".into(), detail.into()));
    }
    assert!(api.fake.take().is_empty());
    assert_eq!(
        api.send(&deployer(), call("PUT", VIP).body(SCXML, vec![b' '; 1000]))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn an_upload_that_ends_before_its_announced_length_deploys_nothing() {
    let api = api();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = api.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(axum::serve(listener, service).into_future());
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT {VIP} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Type: {SCXML}\r\nContent-Length: 100\r\n\r\n<scxml>",
        api.text(&deployer())
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(
        answer.contains("The body ended before its announced length; send it again."),
        "{answer}"
    );
    assert!(api.fake.take().is_empty());
    server.abort();
}

#[tokio::test]
async fn a_version_is_activated_and_the_one_before_comes_back() {
    let api = api();
    let answer = api
        .send(&deployer(), call("POST", &format!("{VIP}/versions/7/activate")))
        .await;
    assert_eq!((answer.status, answer.json()["version"].as_u64()), (200, Some(7)));
    let answer = api.send(&deployer(), call("POST", &format!("{VIP}/rollback"))).await;
    assert_eq!((answer.status, answer.json()["version"].as_u64()), (200, Some(1)));
    let name = || "vip".parse().unwrap();
    assert_eq!(
        api.fake.take(),
        [
            Asked::Activate(tenant(NORTH), name(), Version(7), deployer()),
            Asked::RollBack(tenant(NORTH), name(), deployer())
        ]
    );
    let objects: Vec<_> = api.audit.take().into_iter().map(|l| l.object).collect();
    assert_eq!(
        objects,
        [
            format!("POST {VIP}/versions/7/activate"),
            "strategy vip back to 1".into()
        ]
    );

    api.fake.set(Mood::Fail(Error::Conflict(
        "`vip` has had no other active version; activate one by its number".into(),
    )));
    let answer = api.send(&deployer(), call("POST", &format!("{VIP}/rollback"))).await;
    assert_eq!(
        answer.says(),
        (
            409,
            "conflict".into(),
            "`vip` has had no other active version; activate one by its number.".into()
        )
    );
}

#[tokio::test]
async fn source_and_component_are_downloaded_as_files_and_the_source_also_as_json() {
    let api = api();
    let operator = id_of(Role::Operator);
    let answer = api
        .send(&operator, call("GET", &format!("{VIP}/versions/1/source")))
        .await;
    assert_eq!(
        (answer.body.as_slice(), &answer.headers["content-type"]),
        (b"<scxml/>".as_slice(), &"application/scxml+xml".parse().unwrap())
    );
    assert_eq!(
        answer.headers["content-disposition"],
        "attachment; filename=\"vip-1.scxml\""
    );
    let answer = api
        .send(
            &operator,
            call("GET", &format!("{VIP}/versions/1/source")).header("accept", "application/json"),
        )
        .await;
    assert_eq!(
        answer.json(),
        json!({ "document": "<scxml/>", "files": { "lib.js": "1" } })
    );
    let answer = api
        .send(&operator, call("GET", &format!("{VIP}/versions/1/component")))
        .await;
    assert_eq!(
        (answer.body.as_slice(), &answer.headers["content-type"]),
        (b"\0asm".as_slice(), &"application/wasm".parse().unwrap())
    );
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let api = api();
    let name = || "vip".parse().unwrap();
    let cases = [
        (
            Error::NoSuchStrategy(name()),
            "no-such-strategy",
            "There is no strategy `vip`; list the tenant's strategies to see which there are.",
        ),
        (
            Error::NoSuchVersion(name(), Version(9)),
            "no-such-version",
            "Strategy `vip` has no version 9; list its versions to see which there are.",
        ),
        (
            Error::NoSource(name(), Version(9)),
            "no-source",
            "Version 9 of `vip` was uploaded as a component and carries no source; download the component instead.",
        ),
    ];
    for (error, code, detail) in cases {
        api.fake.set(Mood::Fail(error));
        let answer = api
            .send(&deployer(), call("GET", &format!("{VIP}/versions/9/source")))
            .await;
        assert_eq!(answer.says(), (404, code.into(), detail.into()));
    }
    let answer = api
        .send(&deployer(), call("GET", &format!("{VIP}/versions/last/source")))
        .await;
    assert_eq!(
        answer.says().2,
        "Strategy `vip` has no version `last`: versions are numbers from 1."
    );
    let answer = api
        .send(&deployer(), call("GET", "/v1/tenants/north/strategies/..%2f.."))
        .await;
    assert_eq!(
        answer.says(),
        (404, "no-such-strategy".into(), "There is no strategy `../..`.".into())
    );
}
