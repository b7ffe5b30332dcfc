//! The engine's deploy-time exports: not part of the contract, and cut out of stand-alone components.
//!
//! `load` takes what the compiler made; afterwards the memory, with the leftovers wiped, is the strategy's image.

use crate::{event, heap, js, realm, session};
use pointsman_chart::{decode, Limits};

static mut TEXT: String = String::new();
static mut PAIR: [usize; 2] = [0; 2];

/// Memory for the host to write into.
#[no_mangle]
pub extern "C" fn deploy_alloc(n: usize) -> *mut u8 {
    Vec::leak(vec![0; n]).as_mut_ptr()
}

/// Builds realm and session skeleton from limits and chart tables. Null, or a (pointer, length) pair of a message.
///
/// # Safety
/// `limits` and `chart` are blocks from `deploy_alloc`, given back here.
#[no_mangle]
pub unsafe extern "C" fn deploy_load(limits: *mut u8, limits_len: usize, chart: *mut u8, chart_len: usize) -> *const [usize; 2] {
    let limits_bytes = Vec::from_raw_parts(limits, limits_len, limits_len);
    let chart_bytes = Vec::from_raw_parts(chart, chart_len, chart_len);
    match load(&limits_bytes, &chart_bytes) {
        Ok(()) => core::ptr::null(),
        Err(message) => tell(message),
    }
}

/// Keeps a text until the next call, and says where it lies.
fn tell(text: String) -> *const [usize; 2] {
    unsafe {
        let kept = &mut *&raw mut TEXT;
        *kept = text;
        PAIR = [kept.as_ptr() as usize, kept.len()];
        &raw const PAIR
    }
}

fn load(limits: &[u8], chart: &[u8]) -> Result<(), String> {
    let limits: Limits = postcard::from_bytes(limits).map_err(|_| "the limits are damaged")?;
    let chart = decode(chart).map_err(|e| e.to_string())?;
    realm::build(&limits).and_then(|()| session::install(chart, limits)).map_err(|t| t.text)?;
    if heap::take_refused() {
        return Err(format!("the strategy does not fit into its {} bytes of memory", limits.memory));
    }
    Ok(())
}

/// Tells, after `deploy_load`, which of the chart's sources are not valid ECMAScript: `index message` lines.
#[no_mangle]
pub extern "C" fn deploy_broken() -> *const [usize; 2] {
    let mut text = String::new();
    if let Some(s) = session::session() {
        for (i, c) in s.compiled.iter().enumerate() {
            if let realm::Compiled::Broken(why) = c {
                text.push_str(&format!("{i} {}\n", why.replace('\n', " ")));
            }
        }
    }
    tell(text)
}

/// Last call before the image is made: no garbage, no current event, no message.
#[no_mangle]
pub extern "C" fn deploy_seal() {
    event::clear_current();
    tell(String::new());
    unsafe { PAIR = [0; 2] };
    if !js::ctx().is_null() {
        realm::collect();
    }
}
