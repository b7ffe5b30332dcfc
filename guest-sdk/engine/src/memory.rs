//! The instance's memory as the host sees it: a component cannot export its memory, so the split component lifts
//! `view` beside the contract's functions (for populating hot pages, and later for parking).

static mut VIEW: [usize; 2] = [0; 2];

/// The whole linear memory as a list: (address 0, its size in bytes).
#[no_mangle]
pub extern "C" fn view() -> *const [usize; 2] {
    unsafe {
        VIEW = [0, core::arch::wasm32::memory_size(0) << 16];
        &raw const VIEW
    }
}
