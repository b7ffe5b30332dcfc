//! From chart tables to a memory image, in a throw-away sandbox with a budget.

use crate::engine::{Inner, Sandbox, ticks};
use crate::error::Error;
use crate::image::{self, Image};
use crate::{component, on_big_stack, split};
use wasmtime::{Instance, Linker, Memory, Store};

/// What deploying a chart gives.
pub struct Snapshot {
    /// The strategy's memory.
    pub image: Image,
    /// Expressions that are not valid ECMAScript: index into the chart's expressions, and why.
    pub broken: Vec<(usize, String)>,
}

impl Sandbox {
    /// Loads limits and chart tables (as `pointsman-chart` encodes them) into the engine and takes its memory.
    /// Deterministic: the same input gives the same image.
    ///
    /// # Errors
    /// [`Error::Snapshot`] when the engine refuses the tables or runs out of its budget.
    pub fn snapshot(&self, limits: &[u8], chart: &[u8]) -> Result<Snapshot, Error> {
        on_big_stack(|| snapshot(&self.inner, limits, chart))
    }

    /// The component of an image: imports the engine, embeds the image, carries the custom sections given.
    pub fn component(&self, image: &Image, sections: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = self.inner.frame.wrap(&image::write(&image.memory, &image.engine));
        for (name, data) in sections {
            component::push_custom(&mut out, name, data);
        }
        out
    }

    /// The engine with an image in it, as one core module that still carries the names of its world: what a
    /// stand-alone component is made from.
    ///
    /// # Errors
    /// [`Error::Engine`] when the embedded engine is damaged.
    pub fn joined(&self, image: &Image) -> Result<Vec<u8>, Error> {
        split::join(pointsman_guest::ENGINE, &image.memory).map_err(Error::Engine)
    }
}

fn snapshot(inner: &Inner, limits: &[u8], chart: &[u8]) -> Result<Snapshot, Error> {
    let mut store = Store::new(&inner.engine, ());
    store.set_epoch_deadline(ticks(inner.options.deploy_budget));
    let s = Instance::new(&mut store, &inner.empty, &[])?;
    let memory = s
        .get_memory(&mut store, "memory")
        .ok_or_else(|| Error::Engine("S0 has no memory".into()))?;
    let mut linker = Linker::new(&inner.engine);
    linker.define(&store, "s", "memory", memory)?;
    linker.func_wrap(
        "pointsman:strategy/host@0.1.0",
        "read",
        |_: i32, _: i32, _: i32, _: i32, _: i32| -> wasmtime::Result<()> {
            wasmtime::bail!("nothing can be read while a strategy is deployed")
        },
    )?;
    let e = linker.instantiate(&mut store, &inner.e)?;
    let budget = |e: wasmtime::Error| match e.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::Interrupt) => Error::Snapshot(format!(
            "it took longer than {} ms",
            inner.options.deploy_budget.as_millis()
        )),
        Some(trap) => Error::Snapshot(format!(
            "the engine stopped: {trap}; the document may be too large or nested too deeply"
        )),
        None => Error::Wasmtime(e),
    };

    let mut blocks = [(0u32, 0u32); 2];
    for (block, bytes) in blocks.iter_mut().zip([limits, chart]) {
        let len = u32::try_from(bytes.len()).map_err(|_| Error::Snapshot("the document is too large".into()))?;
        let at = e
            .get_typed_func::<u32, u32>(&mut store, "deploy_alloc")?
            .call(&mut store, len)
            .map_err(budget)?;
        memory
            .write(&mut store, at as usize, bytes)
            .map_err(|e| Error::Engine(e.to_string()))?;
        *block = (at, len);
    }
    let [(l, ln), (c, cn)] = blocks;
    let load = e.get_typed_func::<(u32, u32, u32, u32), u32>(&mut store, "deploy_load")?;
    let refused = load.call(&mut store, (l, ln, c, cn)).map_err(budget)?;
    if refused != 0 {
        return Err(Error::Snapshot(text(&store, memory, refused)?));
    }
    let list = e
        .get_typed_func::<(), u32>(&mut store, "deploy_broken")?
        .call(&mut store, ())
        .map_err(budget)?;
    let broken = text(&store, memory, list)?
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(i, why)| Some((i.parse().ok()?, why.to_owned())))
        .collect();
    e.get_typed_func::<(), ()>(&mut store, "deploy_seal")?
        .call(&mut store, ())
        .map_err(budget)?;

    let pointer = e
        .get_global(&mut store, "__stack_pointer")
        .map(|g| g.get(&mut store).unwrap_i32());
    if pointer != Some(inner.split.stack_pointer) {
        return Err(Error::Engine("its stack pointer is not at rest".into()));
    }
    let mut memory = memory.data(&store).to_vec();
    // Leftovers of deploying, below the resting stack pointer.
    memory[..inner.split.stack_pointer as usize].fill(0);
    Ok(Snapshot {
        image: Image {
            memory,
            engine: inner.split.digest,
        },
        broken,
    })
}

/// The text of a (pointer, length) pair.
fn text(store: &Store<()>, memory: Memory, pair: u32) -> Result<String, Error> {
    let bytes = memory.data(store);
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let pair = pair as usize;
    let range = word(pair)
        .zip(word(pair + 4))
        .and_then(|(p, n)| bytes.get(p..p.checked_add(n)?));
    range
        .map(|b| String::from_utf8_lossy(b).into_owned())
        .ok_or_else(|| Error::Engine("a text outside its memory".into()))
}
