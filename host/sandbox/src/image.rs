//! Memory images: modules with one memory and its contents, and no code at all.

use crate::error::LoadError;
use crate::split::{PAGE, memory_type};
use pointsman_contract::Digest;
use wasm_encoder as enc;
use wasmparser::{Parser, Payload};

/// Custom section that names the engine build: 32 bytes.
pub const ENGINE_SECTION: &str = "engine-sha256";

/// Granularity of data segments: what the kernel maps and copies.
const OS_PAGE: usize = 4096;

/// A strategy's memory, ready to run on one engine build.
pub struct Image {
    /// The memory's contents.
    pub memory: Vec<u8>,
    /// The engine build it fits.
    pub engine: Digest,
}

/// The module for a memory.
pub fn write(memory: &[u8], engine: &Digest) -> Vec<u8> {
    let mut m = enc::Module::new();
    let mut memories = enc::MemorySection::new();
    memories.memory(memory_type((memory.len() / PAGE) as u64));
    m.section(&memories);
    let mut exports = enc::ExportSection::new();
    exports.export("memory", enc::ExportKind::Memory, 0);
    m.section(&exports);
    m.section(&data_section(memory));
    m.section(&enc::CustomSection {
        name: ENGINE_SECTION.into(),
        data: engine.0[..].into(),
    });
    m.finish()
}

/// The non-zero parts of a memory.
pub fn data_section(memory: &[u8]) -> enc::DataSection {
    let mut data = enc::DataSection::new();
    let used: Vec<bool> = memory.chunks(OS_PAGE).map(|p| p.iter().any(|b| *b != 0)).collect();
    let mut i = 0;
    while i < used.len() {
        let from = i;
        while i < used.len() && used[i] {
            i += 1;
        }
        if i > from {
            let (start, end) = (from * OS_PAGE, (i * OS_PAGE).min(memory.len()));
            data.active(
                0,
                &enc::ConstExpr::i32_const(start as i32),
                memory[start..end].iter().copied(),
            );
        }
        i += 1;
    }
    data
}

/// Is this an image, and one for this engine? wasmtime itself would link a wrong one without complaint.
pub fn check(module: &[u8], engine: &Digest, max_pages: u64) -> Result<(), LoadError> {
    let damaged = |e: wasmparser::BinaryReaderError| LoadError::Damaged(e.to_string());
    let mut named = false;
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(damaged)? {
            Payload::Version { .. } | Payload::End(_) | Payload::DataSection(_) | Payload::DataCountSection { .. } => {}
            Payload::GlobalSection(_) => {}
            Payload::ExportSection(s) => {
                for x in s {
                    let x = x.map_err(damaged)?;
                    if !matches!(
                        x.kind,
                        wasmparser::ExternalKind::Memory | wasmparser::ExternalKind::Global
                    ) {
                        return Err(LoadError::Image(format!(
                            "an export `{}` that is neither memory nor global",
                            x.name
                        )));
                    }
                }
            }
            Payload::MemorySection(s) => {
                for t in s {
                    let t = t.map_err(damaged)?;
                    if t.memory64 || t.shared || t.initial > max_pages {
                        return Err(LoadError::Image(format!(
                            "a memory of {} pages, at most {max_pages} fit",
                            t.initial
                        )));
                    }
                }
            }
            Payload::CustomSection(c) if c.name() == ENGINE_SECTION => {
                if c.data() != engine.0 {
                    let found =
                        <[u8; 32]>::try_from(c.data()).map_or_else(|_| "unknown".into(), |d| Digest(d).to_string());
                    return Err(LoadError::OtherEngine {
                        found,
                        expected: engine.to_string(),
                    });
                }
                named = true;
            }
            other => return Err(LoadError::Image(section_name(&other))),
        }
    }
    match named {
        true => Ok(()),
        false => Err(LoadError::Image("no name of the engine build it was made with".into())),
    }
}

fn section_name(payload: &Payload<'_>) -> String {
    let text = format!("{payload:?}");
    let name = text.split(['(', ' ', '{']).next().unwrap_or("something");
    format!("a {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> Digest {
        Digest([7; 32])
    }

    /// A module that names its engine, as every image does.
    fn named(text: &str) -> Vec<u8> {
        let mut module = wat::parse_str(text).unwrap();
        let section = enc::CustomSection {
            name: ENGINE_SECTION.into(),
            data: digest().0.to_vec().into(),
        };
        enc::Section::append_to(&section, &mut module);
        module
    }

    #[test]
    fn an_image_with_code_in_it_is_refused() {
        // The rest of these modules is fine.
        check(&named("(module (memory (export \"memory\") 1))"), &digest(), 4).unwrap();
        for (text, found) in [
            ("(module (memory (export \"memory\") 1) (func))", "holds a TypeSection"),
            ("(module (import \"a\" \"b\" (func)))", "holds a TypeSection"),
            ("(module (import \"a\" \"b\" (memory 1)))", "holds a ImportSection"),
            ("(module (table 1 funcref))", "holds a TableSection"),
            (
                "(module (memory (export \"memory\") 1) (table (export \"t\") 1 funcref))",
                "holds a TableSection",
            ),
        ] {
            let error = check(&named(text), &digest(), 4).unwrap_err();
            assert!(matches!(error, LoadError::Image(_)), "{text}: {error}");
            assert!(error.to_string().contains(found), "{text}: {error}");
        }
    }

    #[test]
    fn an_image_of_another_engine_is_refused_with_both_digests() {
        let image = write(&vec![1; PAGE], &digest());
        check(&image, &digest(), 4).unwrap();
        let message = check(&image, &Digest([8; 32]), 4).unwrap_err().to_string();
        assert!(message.contains("0707") && message.contains("0808"), "{message}");
        let nameless = wat::parse_str("(module (memory (export \"memory\") 1))").unwrap();
        let error = check(&nameless, &digest(), 4).unwrap_err().to_string();
        assert!(error.contains("no name of the engine build"), "{error}");
    }

    #[test]
    fn an_image_larger_than_a_slot_is_refused() {
        assert!(check(&write(&vec![0; 5 * PAGE], &digest()), &digest(), 4).is_err());
    }

    #[test]
    fn an_image_holds_exactly_the_memory() {
        let mut memory = vec![0; 2 * PAGE];
        memory[5000] = 1;
        memory[2 * PAGE - 1] = 2;
        let module = write(&memory, &digest());
        let mut back = vec![0; 2 * PAGE];
        for p in Parser::new(0).parse_all(&module) {
            if let Payload::DataSection(s) = p.unwrap() {
                for d in s {
                    let d = d.unwrap();
                    let wasmparser::DataKind::Active { offset_expr, .. } = d.kind else {
                        panic!("passive")
                    };
                    let wasmparser::Operator::I32Const { value } = offset_expr.get_operators_reader().read().unwrap()
                    else {
                        panic!("offset")
                    };
                    back[value as usize..][..d.data.len()].copy_from_slice(d.data);
                }
            }
        }
        assert!(back == memory);
    }
}
