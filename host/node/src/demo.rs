//! What `make run` needs to be useful at once: sample strategies, an API key, and a file that tells the command line
//! where the server is.

use crate::Error;
use crate::backend::Backend;
use crate::certs;
use crate::data::Data;
use pointsman_api::security::{Grant, KeyRing, KeyText, Role, Tenancy};
use pointsman_scxml::MapResolver;
use pointsman_store::catalog::{self, NewVersion};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A sample: tenant, name, document, includes.
type Sample = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const SAMPLES: &[Sample] = &[
    (
        "acme",
        "business-hours",
        include_str!("../../../strategies/business-hours/business-hours.scxml"),
        &[],
    ),
    (
        "acme",
        "vip",
        include_str!("../../../strategies/vip/vip.scxml"),
        &[("vip.json", include_str!("../../../strategies/vip/vip.json"))],
    ),
    (
        "acme",
        "queue-overflow",
        include_str!("../../../strategies/queue-overflow/queue-overflow.scxml"),
        &[],
    ),
    (
        "globex",
        "split",
        include_str!("../../../strategies/split/split.scxml"),
        &[],
    ),
];

/// Deploys what is not there yet and gives the text that greets the user.
pub(crate) fn set_up(
    backend: &Arc<Backend>,
    keys: &Arc<KeyRing>,
    data: &Data,
    listeners: &[(TcpListener, SocketAddr)],
) -> Result<String, Error> {
    for (tenant, name, document, files) in SAMPLES {
        let included = MapResolver::new(files.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())));
        let compiled = backend.programs.compile(&format!("{name}.scxml"), document, &included);
        let component = compiled
            .map_err(|e| Error::Demo {
                name,
                why: e.to_string(),
            })?
            .component;
        deploy(backend, tenant, name, &component, true)?;
    }
    let component = pointsman_compiler::component_of_module(pointsman_guest::LEAST_COST);
    let component = component.map_err(|e| Error::Demo {
        name: "least-cost",
        why: e.to_string(),
    })?;
    deploy(backend, "globex", "least-cost", &component, false)?;

    let key = demo_key(data)?;
    keys.replace(
        crate::reload::keys(&backend.config.load())
            .into_iter()
            .chain([key.to_key(vec![Grant {
                tenant: Tenancy::All,
                role: Role::PlatformAdmin,
            }])]),
    );
    let server = listeners
        .first()
        .map_or_else(String::new, |(_, a)| format!("https://{a}"));
    let ca = data.path.join("certs").join(certs::CA);
    let ca = std::path::absolute(&ca).unwrap_or(ca);
    let client = format!(
        "# Written by `pointsman serve --demo`: how the command line reaches it.\nserver = {server:?}\nkey = {:?}\nca = {:?}\n",
        key.reveal(),
        ca.display().to_string()
    );
    write_private(data, "client.toml", &client)?;
    Ok(greeting(&server, data))
}

fn deploy(
    backend: &Arc<Backend>,
    tenant: &str,
    name: &'static str,
    component: &[u8],
    source: bool,
) -> Result<(), Error> {
    let catalog = backend.programs.catalog();
    let why = |e: &dyn std::fmt::Display| Error::Demo {
        name,
        why: e.to_string(),
    };
    let (t, n) = (tenant.parse().map_err(|e| why(&e))?, name.parse().map_err(|e| why(&e))?);
    match catalog.show(&t, &n) {
        Ok(_) => return Ok(()),
        Err(catalog::Error::NoSuchStrategy { .. }) => {}
        // A sample that cannot be used must not keep the rest from being used: the error says what to do about it.
        Err(error) => {
            tracing::error!(tenant, strategy = name, %error, "the sample is not deployed");
            return Ok(());
        }
    }
    let digest = catalog.put(component)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as u64);
    let new = NewVersion {
        component: digest,
        source: source.then_some(digest),
        created_ms: now,
        by: "demo".into(),
        note: "sample".into(),
    };
    let version = catalog.add(&t, &n, new)?;
    catalog.activate(&t, &n, version, now, "demo")?;
    tracing::info!(tenant, strategy = name, "deployed the sample");
    Ok(())
}

/// The same key at every start, so that a shell that has it goes on working.
fn demo_key(data: &Data) -> Result<KeyText, Error> {
    let failed = |source| Error::Path {
        what: "the demo's key",
        path: data.path.join("demo.key"),
        source,
    };
    match data.dir.read_to_string("demo.key") {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|e| failed(std::io::Error::other(format!("{e}; remove the file and start again")))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let key = KeyText::generate("demo").map_err(|e| failed(std::io::Error::other(e.to_string())))?;
            write_private(data, "demo.key", &key.reveal())?;
            Ok(key)
        }
        Err(e) => Err(failed(e)),
    }
}

fn write_private(data: &Data, name: &str, text: &str) -> Result<(), Error> {
    use cap_std::fs::OpenOptionsExt;
    let failed = |source| Error::Path {
        what: "a file for the command line",
        path: data.path.join(name),
        source,
    };
    let mut options = cap_std::fs::OpenOptions::new();
    let mut file = data
        .dir
        .open_with(name, options.write(true).create(true).truncate(true).mode(0o600))
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

fn greeting(server: &str, data: &Data) -> String {
    format!(
        "\n\
         Pointsman runs. Leave it here and open another terminal in the same folder.\n\
         \n\
         place a call:        make call DN=7001 FROM=5551001     (7001-7003 of tenant acme, 8001-8002 of globex)\n\
         what is deployed:    target/release/pointsman strategies list --tenant acme\n\
         what happened:       target/release/pointsman sessions list\n\
         change a strategy:   edit strategies/vip/vip.scxml, then\n\
         \u{20}                    target/release/pointsman check strategies/vip/vip.scxml\n\
         \u{20}                    target/release/pointsman simulate strategies/vip/vip.test.toml\n\
         \u{20}                    target/release/pointsman deploy strategies/vip/vip.scxml --tenant acme\n\
         undo that:           target/release/pointsman strategies rollback vip --tenant acme\n\
         \n\
         REST: {server}/v1/openapi.json (the key and the development CA are named in {})\n\
         Stop with Ctrl-C.\n",
        data.path.join("client.toml").display()
    )
}

/// To the terminal, not to the log: it is for the person who has just typed the command.
#[expect(clippy::print_stdout, reason = "the greeting is for the terminal")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
