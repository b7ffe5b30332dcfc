//! Takes the engine module apart.
//!
//! `engine.wasm` owns its memory. Split, it becomes
//!
//! * E: the same code, table and globals, but with the memory imported as `s.memory` and no data, and
//! * S0: a module without code that holds the memory and the engine's own data.
//!
//! An image S is S0 with the memory of an engine that has loaded a strategy. E is compiled to native code once per
//! host; an S is data only.

use crate::image;
use pointsman_contract::{Digest, MAX_READ_ANSWER};
use sha2::{Digest as _, Sha256};
use wasm_encoder as enc;
use wasmparser::{DataKind, Operator, Parser, Payload, TypeRef};

/// Bytes of a WebAssembly page.
pub const PAGE: usize = 64 << 10;

/// Exports that only deploying needs: cut out of stand-alone components.
const DEPLOY_EXPORTS: &[&str] = &[
    "deploy_alloc",
    "deploy_load",
    "deploy_broken",
    "deploy_seal",
    "view",
    "__stack_pointer",
    "RET_AREA",
];

/// The engine, taken apart.
pub struct Split {
    /// E.
    pub engine: Vec<u8>,
    /// S0.
    pub empty: Vec<u8>,
    /// SHA-256 of E: names the engine build.
    pub digest: Digest,
    /// Pages of memory that E declares.
    pub pages: u64,
    /// Value of the stack pointer at rest; the stack lies below it, from address 0.
    pub stack_pointer: i32,
    /// Address of E's buffer for answers of imports.
    pub ret_area: u32,
}

/// Takes the engine apart. Fails when it is not what images, parking and replay rely on: one memory, one mutable
/// global (the stack pointer), no change of tables or segments, no start function.
pub fn split(wasm: &[u8]) -> Result<Split, String> {
    let mut facts = Facts::read(wasm)?;
    let mut out = enc::Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let raw = |out: &mut enc::Module, id: u8, range: std::ops::Range<usize>| {
            out.section(&enc::RawSection { id, data: &wasm[range] });
        };
        match payload.map_err(|e| e.to_string())? {
            Payload::ImportSection(s) => {
                let mut imports = enc::ImportSection::new();
                for i in s.into_imports() {
                    let i = i.map_err(|e| e.to_string())?;
                    let TypeRef::Func(t) = i.ty else {
                        return Err(format!("import {}.{} is no function", i.module, i.name));
                    };
                    imports.import(i.module, i.name, enc::EntityType::Function(t));
                }
                // Last and of another kind: no function index moves, and the memory keeps index 0.
                imports.import("s", "memory", enc::EntityType::Memory(memory_type(facts.pages)));
                out.section(&imports);
            }
            Payload::TypeSection(s) => raw(&mut out, 1, s.range()),
            Payload::FunctionSection(s) => raw(&mut out, 3, s.range()),
            Payload::TableSection(s) => raw(&mut out, 4, s.range()),
            Payload::GlobalSection(s) => raw(&mut out, 6, s.range()),
            Payload::ExportSection(s) => raw(&mut out, 7, s.range()),
            Payload::ElementSection(s) => raw(&mut out, 9, s.range()),
            Payload::CodeSectionStart { range, .. } => raw(&mut out, 10, range),
            Payload::StartSection { .. } => return Err("it has a start function".into()),
            _ => {}
        }
    }
    let engine = out.finish();
    let digest = Digest(Sha256::digest(&engine).into());
    let mut memory = vec![0; facts.pages as usize * PAGE];
    for (at, data) in std::mem::take(&mut facts.data) {
        memory
            .get_mut(at..at + data.len())
            .ok_or("data outside the memory")?
            .copy_from_slice(&data);
    }
    let empty = image::write(&memory, &digest);
    let ret_area = facts.ret_area.ok_or("it does not export RET_AREA")?;
    let stack_pointer = facts.stack_pointer.ok_or("it has no stack pointer")?;
    check_ret_area(ret_area, stack_pointer, &memory)?;
    Ok(Split {
        engine,
        empty,
        digest,
        pages: facts.pages,
        stack_pointer,
        ret_area,
    })
}

/// The buffer for answers must hold the largest one, [`MAX_READ_ANSWER`] bytes: the module `ret` gives it out for as much.
/// A module does not say how large a static is, so what can be seen is checked here (that much room, above the stack,
/// zero, within the memory), and a test compares the engine's own constant.
fn check_ret_area(ret_area: u32, stack_pointer: i32, memory: &[u8]) -> Result<(), String> {
    let from = ret_area as usize;
    match memory.get(from..from + MAX_READ_ANSWER) {
        _ if from < stack_pointer as usize || !from.is_multiple_of(8) => Err("RET_AREA lies in the stack".into()),
        Some(room) if room.iter().all(|b| *b == 0) => Ok(()),
        _ => Err(format!("RET_AREA has no room for {MAX_READ_ANSWER} bytes")),
    }
}

/// Puts a strategy's memory back into the engine: one core module that needs nobody else's engine.
pub fn join(wasm: &[u8], memory: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = enc::Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let raw = |out: &mut enc::Module, id: u8, range: std::ops::Range<usize>| {
            out.section(&enc::RawSection { id, data: &wasm[range] });
        };
        match payload.map_err(|e| e.to_string())? {
            Payload::TypeSection(s) => raw(&mut out, 1, s.range()),
            Payload::ImportSection(s) => raw(&mut out, 2, s.range()),
            Payload::FunctionSection(s) => raw(&mut out, 3, s.range()),
            Payload::TableSection(s) => raw(&mut out, 4, s.range()),
            Payload::MemorySection(_) => {
                let mut memories = enc::MemorySection::new();
                memories.memory(memory_type((memory.len() / PAGE) as u64));
                out.section(&memories);
            }
            Payload::GlobalSection(s) => raw(&mut out, 6, s.range()),
            Payload::ExportSection(s) => {
                let mut exports = enc::ExportSection::new();
                for x in s {
                    let x = x.map_err(|e| e.to_string())?;
                    if !DEPLOY_EXPORTS.contains(&x.name) {
                        exports.export(x.name, x.kind.into(), x.index);
                    }
                }
                out.section(&exports);
            }
            Payload::ElementSection(s) => raw(&mut out, 9, s.range()),
            Payload::CodeSectionStart { range, .. } => {
                raw(&mut out, 10, range);
                out.section(&image::data_section(memory));
            }
            // What tells the tools which world this module was made for.
            Payload::CustomSection(c) if c.name().starts_with("component-type") => {
                out.section(&enc::CustomSection {
                    name: c.name().into(),
                    data: c.data().into(),
                });
            }
            _ => {}
        }
    }
    Ok(out.finish())
}

/// A memory of at least `pages` pages that may grow.
pub fn memory_type(pages: u64) -> enc::MemoryType {
    enc::MemoryType {
        minimum: pages,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    }
}

#[derive(Default)]
struct Facts {
    pages: u64,
    stack_pointer: Option<i32>,
    ret_area: Option<u32>,
    data: Vec<(usize, Vec<u8>)>,
}

impl Facts {
    fn read(wasm: &[u8]) -> Result<Facts, String> {
        let mut facts = Facts::default();
        let mut globals = Vec::new();
        let mut mutable = 0;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(|e| e.to_string())? {
                Payload::MemorySection(s) => {
                    let memories: Vec<_> = s.into_iter().collect::<Result<_, _>>().map_err(|e| e.to_string())?;
                    let [memory] = memories[..] else {
                        return Err("it has not exactly one memory".into());
                    };
                    facts.pages = memory.initial;
                }
                Payload::GlobalSection(s) => {
                    for g in s {
                        let g = g.map_err(|e| e.to_string())?;
                        let init = g.init_expr.get_operators_reader().read().map_err(|e| e.to_string())?;
                        let Operator::I32Const { value } = init else {
                            return Err("a global is no i32 constant".into());
                        };
                        globals.push(value);
                        if g.ty.mutable {
                            mutable += 1;
                            facts.stack_pointer = Some(value);
                        }
                    }
                }
                Payload::ExportSection(s) => {
                    for x in s {
                        let x = x.map_err(|e| e.to_string())?;
                        if x.name == "RET_AREA" {
                            facts.ret_area = globals.get(x.index as usize).map(|v| *v as u32);
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => check_code(&body)?,
                Payload::DataSection(s) => {
                    for d in s {
                        let d = d.map_err(|e| e.to_string())?;
                        let DataKind::Active {
                            memory_index: 0,
                            offset_expr,
                        } = d.kind
                        else {
                            return Err("it has passive data".into());
                        };
                        let at = offset_expr.get_operators_reader().read().map_err(|e| e.to_string())?;
                        let Operator::I32Const { value } = at else {
                            return Err("a data offset is no constant".into());
                        };
                        facts.data.push((value as u32 as usize, d.data.to_vec()));
                    }
                }
                _ => {}
            }
        }
        if mutable != 1 {
            return Err(format!(
                "it has {mutable} mutable globals; only the stack pointer may change"
            ));
        }
        Ok(facts)
    }
}

/// The state of a session is its memory and nothing else.
fn check_code(body: &wasmparser::FunctionBody<'_>) -> Result<(), String> {
    use Operator::{DataDrop, ElemDrop, GlobalSet, MemoryInit, TableCopy, TableFill, TableGrow, TableInit, TableSet};
    for op in body.get_operators_reader().map_err(|e| e.to_string())? {
        match op.map_err(|e| e.to_string())? {
            TableSet { .. } | TableGrow { .. } | TableFill { .. } | TableCopy { .. } | TableInit { .. } => {
                return Err("it changes a table".into());
            }
            ElemDrop { .. } | MemoryInit { .. } | DataDrop { .. } => return Err("it changes segments".into()),
            GlobalSet { global_index } if global_index != 0 => {
                return Err("it sets another global than the stack pointer".into());
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_engine_has_the_shape_that_images_rely_on() {
        let s = split(pointsman_guest::ENGINE).unwrap();
        assert!(s.pages > 0 && s.stack_pointer == 262_144 && s.ret_area > 0);
        // Compiled with E, an image must be accepted as E's own.
        image::check(&s.empty, &s.digest, 256).unwrap();
    }

    #[test]
    fn the_engines_buffer_for_answers_is_as_large_as_the_largest_answer() {
        let source = include_str!("../../../guest-sdk/engine/src/host_data.rs");
        assert_eq!(MAX_READ_ANSWER, 32 << 10);
        assert!(source.contains("const CAPACITY: usize = 32 << 10;"));
        assert!(source.contains("static mut RET_AREA: [u64; CAPACITY / 8]"));
        let mut memory = vec![0; 3 * MAX_READ_ANSWER];
        let check = |at: usize, memory: &[u8]| check_ret_area(at as u32, 1024, memory).is_ok();
        assert!(check(2 * MAX_READ_ANSWER, &memory));
        assert!(!check(2 * MAX_READ_ANSWER + 8, &memory), "beyond the end");
        assert!(!check(512, &memory), "in the stack");
        memory[MAX_READ_ANSWER] = 1;
        assert!(!check(1024, &memory), "the engine's data begin within");
    }

    #[test]
    fn the_code_of_a_joined_module_is_the_engines_own() {
        let s = split(pointsman_guest::ENGINE).unwrap();
        let joined = join(pointsman_guest::ENGINE, &vec![0; s.pages as usize * PAGE]).unwrap();
        let code = |wasm: &[u8]| {
            Parser::new(0).parse_all(wasm).find_map(|p| match p.unwrap() {
                Payload::CodeSectionStart { range, .. } => Some(wasm[range].to_vec()),
                _ => None,
            })
        };
        assert_eq!(code(&joined), code(pointsman_guest::ENGINE));
        assert_eq!(code(&s.engine), code(pointsman_guest::ENGINE));
    }
}
