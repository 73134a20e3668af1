// whole FILE.f32: the gait at each step of a whole sequence, from Rust.
use std::ffi::{c_char, c_void, CStr};

#[link(name = "gait")]
extern "C" {
    fn gait_embedded() -> *const c_void;
    fn gait_error(code: i32) -> *const c_char;
    fn gait_kind_label(number: i64) -> *const c_char;
    fn gait_arena_bytes(n: i64, t: i64) -> usize;
    fn gait_predict(
        model: *const c_void, motion: *const f32, gait: *mut f32, n: i64, t: i64,
        arena: *mut c_void, arena_bytes: usize, threads: i32,
    ) -> i32;
}

/// The scores of three gaits per step, for three numbers per step.
fn predict(motion: &[f32]) -> Result<Vec<f32>, String> {
    let steps = (motion.len() / 3) as i64;
    let mut gait = vec![0.0; motion.len() / 3 * 3];
    // The library reads and writes arrays of these sizes only, and keeps no pointer.
    unsafe {
        let mut arena = vec![0u8; gait_arena_bytes(1, steps)];
        let code = gait_predict(
            gait_embedded(), motion.as_ptr(), gait.as_mut_ptr(), 1, steps,
            arena.as_mut_ptr().cast(), arena.len(), 1,
        );
        if code != 0 {
            return Err(CStr::from_ptr(gait_error(code)).to_string_lossy().into_owned());
        }
    }
    Ok(gait)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: whole FILE.f32")?;
    let bytes = std::fs::read(path)?;
    let motion: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    for scores in predict(&motion)?.chunks_exact(3) {
        let most = (1..3).fold(0, |most, i| if scores[i] > scores[most] { i } else { most });
        println!("{}", unsafe { CStr::from_ptr(gait_kind_label(most as i64)) }.to_string_lossy());
    }
    Ok(())
}
