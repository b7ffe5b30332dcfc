//! Self-contained components: a core module that carries the name of its world, lifted by wit-component.

use crate::Error;
use std::borrow::Cow;
use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::ComponentEncoder;

pub(crate) fn encode(module: &[u8], sections: &[(&str, &[u8])]) -> Result<Vec<u8>, Error> {
    let mut component = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut e| e.encode())
        .map_err(|e| Error::Module(format!("{e:#}")))?;
    for (name, data) in sections {
        CustomSection {
            name: Cow::Borrowed(name),
            data: Cow::Borrowed(data),
        }
        .append_to_component(&mut component);
    }
    Ok(component)
}
