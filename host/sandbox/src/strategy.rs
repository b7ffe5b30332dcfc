//! Components, checked and loaded.

use crate::engine::{Inner, Sandbox};
use crate::error::{Error, LoadError};
use crate::instance::{State, bindings};
use crate::prefault::HotPages;
use crate::{component, image};
use pointsman_contract::Digest;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, OnceLock};
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

/// How a strategy brings its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An image for this host's engine: no code of its own.
    Image,
    /// With code of its own: a stand-alone chart, or Rust.
    SelfContained,
}

/// A strategy, ready to be instantiated. Cheap to clone.
#[derive(Clone)]
pub struct Strategy {
    pub(crate) inner: Arc<Loaded>,
}

pub(crate) struct Loaded {
    pub digest: Digest,
    pub form: Form,
    pub pre: InstancePre<State>,
    /// Where its exports are: looked up once, not for every session.
    pub exports: bindings::StrategyIndices,
    /// An image's export beside the contract.
    pub view: Option<ComponentExportIndex>,
    /// What a new session writes at once; found by the first one.
    pub hot: OnceLock<HotPages>,
}

impl Strategy {
    /// SHA-256 of the component.
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// How it brings its code.
    pub fn form(&self) -> Form {
        self.inner.form
    }
}

impl Sandbox {
    /// Checks a component and makes it ready to run.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with it, and what to do.
    pub fn load(&self, wasm: &[u8]) -> Result<Strategy, LoadError> {
        let inner = &self.inner;
        let digest = Digest(Sha256::digest(wasm).into());
        let form = classify(inner, wasm)?;
        let damaged = |e: wasmtime::Error| LoadError::Damaged(format!("{e:#}"));
        let component = match &inner.cache {
            Some(cache) => cache.component(&inner.engine, &digest, wasm),
            None => Component::new(&inner.engine, wasm),
        }
        .map_err(damaged)?;
        let pre = inner
            .linker
            .instantiate_pre(&component)
            .map_err(|e| LoadError::Exports(format!("{e:#}")))?;
        let exports = bindings::StrategyIndices::new(&pre).map_err(|e| LoadError::Exports(format!("{e:#}")))?;
        let view = match form {
            Form::Image => {
                let view = component.get_export_index(None, "view");
                Some(view.ok_or_else(|| LoadError::Exports("an image without the export `view`".into()))?)
            }
            Form::SelfContained => None,
        };
        Ok(Strategy {
            inner: Arc::new(Loaded {
                digest,
                form,
                pre,
                exports,
                view,
                hot: OnceLock::new(),
            }),
        })
    }
}

/// Looks at a component before anything of it is compiled.
fn classify(inner: &Inner, wasm: &[u8]) -> Result<Form, LoadError> {
    if let Some(s) = inner.frame.unwrap(wasm) {
        let max_pages = (crate::engine::SLOT / crate::split::PAGE) as u64;
        image::check(s, &inner.split.digest, max_pages)?;
        return Ok(Form::Image);
    }
    let mut depth = 0usize;
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|e| LoadError::Damaged(e.to_string()))? {
            Payload::Version { encoding, .. } => {
                if depth == 0 && encoding == Encoding::Module {
                    return Err(LoadError::CoreModule);
                }
                depth += 1;
            }
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(s) if depth == 1 => {
                for import in s {
                    let import = import.map_err(|e| LoadError::Damaged(e.to_string()))?;
                    // The contract's types, by name: a type gives nothing to whoever imports it.
                    if !matches!(import.ty, wasmparser::ComponentTypeRef::Type(_)) {
                        imports.push(import.name.name);
                    }
                }
            }
            _ => {}
        }
    }
    // Only now: of a damaged component nothing else is worth saying, least of all what it might have been made for.
    for name in imports {
        check_import(inner, wasm, name)?;
    }
    Ok(Form::SelfContained)
}

fn check_import(inner: &Inner, wasm: &[u8], name: &str) -> Result<(), LoadError> {
    if component::INTERFACES.contains(&name) {
        return Ok(());
    }
    if name.starts_with("pointsman:strategy/") {
        return Err(LoadError::ContractVersion { found: name.into() });
    }
    // An image of ours, but in another frame: made by another host, or cut off behind its image.
    if name == "engine" || name == "ret" {
        return Err(match embedded_engine_digest(wasm) {
            Some(found) if found != inner.split.digest => LoadError::OtherEngine {
                found: found.to_string(),
                expected: inner.split.digest.to_string(),
            },
            _ => LoadError::Damaged("what belongs around its image, or the image itself, is missing".into()),
        });
    }
    Err(LoadError::ForeignImport(name.into()))
}

fn embedded_engine_digest(wasm: &[u8]) -> Option<Digest> {
    Parser::new(0)
        .parse_all(wasm)
        .filter_map(Result::ok)
        .find_map(|p| match p {
            Payload::CustomSection(c) if c.name() == image::ENGINE_SECTION => {
                <[u8; 32]>::try_from(c.data()).ok().map(Digest)
            }
            _ => None,
        })
}

/// The custom sections of a component, outermost level: what the compiler put beside the image.
///
/// # Errors
/// [`LoadError::Damaged`].
pub fn custom_sections(wasm: &[u8]) -> Result<Vec<(String, Vec<u8>)>, LoadError> {
    let mut depth = 0usize;
    let mut out = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|e| LoadError::Damaged(e.to_string()))? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(c) if depth == 1 => out.push((c.name().to_owned(), c.data().to_vec())),
            _ => {}
        }
    }
    Ok(out)
}

/// Why a host error is reported as one of the pool.
pub(crate) fn instantiation_error(options: &crate::Options, e: wasmtime::Error) -> Error {
    if e.is::<wasmtime::PoolConcurrencyLimitError>() {
        Error::Full(options.sessions)
    } else {
        Error::Wasmtime(e)
    }
}
