//! Kills at random moments.

use std::process::{Child, Command};
use std::time::Duration;

/// A number of 0..1 for each index, the same in every run.
fn fraction(index: u32) -> f64 {
    f64::from(index.wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b)) / 2.0_f64.powi(32)
}

/// Kills a process at a moment within `longest`, by a signal that it may answer or by one that it may not.
pub fn at_random(child: &mut Child, attempt: u32, longest: Duration) {
    std::thread::sleep(longest.mul_f64(fraction(attempt)).max(Duration::from_millis(1)));
    if attempt.is_multiple_of(3) {
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    } else {
        child.kill().unwrap();
    }
}
