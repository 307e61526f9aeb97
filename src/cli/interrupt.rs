//! Signals that end the program: what it has not finished goes away first.

use crate::error::Error;
use crate::whole;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

/// From here on SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal is gone) remove what is unfinished, and then end the
/// process as they do without this: a shell reports 130, 143 and 129, and a loop around the program ends with it. A SIGHUP
/// that was ignored before, as `nohup` does, stays ignored.
pub(super) fn discard_on_signals() -> Result<(), Error> {
    let mut signals = Signals::new(numbers()).map_err(Error::io("signals"))?;
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            whole::discard_all();
            // It does not come back from a signal that ends the process.
            let _ = emulate_default_handler(signal);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map_err(Error::io("signals"))?;
    Ok(())
}

fn numbers() -> Vec<i32> {
    let mut numbers = vec![SIGINT, SIGTERM];
    numbers.extend((!ignored(SIGHUP)).then_some(SIGHUP));
    numbers
}

/// The first signal that asked this process to stop; 0: none.
static ASKED: AtomicI32 = AtomicI32::new(0);

/// From here on the first such signal only makes `stop` true, so that work at hand is ended; [`end_if_asked`] then ends the
/// process. The second signal ends it at once, as [`discard_on_signals`].
pub(super) fn stop_on_signals(stop: &'static AtomicBool) -> Result<(), Error> {
    let mut signals = Signals::new(numbers()).map_err(Error::io("signals"))?;
    let wait = move || {
        for signal in signals.forever() {
            if stop.swap(true, Ordering::SeqCst) {
                whole::discard_all();
                let _ = emulate_default_handler(signal);
            }
            ASKED.store(signal, Ordering::SeqCst);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map_err(Error::io("signals"))?;
    Ok(())
}

/// Ends the process as the signal does that asked it to stop, if there was one.
pub(super) fn end_if_asked() {
    let signal = ASKED.load(Ordering::SeqCst);
    if signal != 0 {
        whole::discard_all();
        let _ = emulate_default_handler(signal);
    }
}

/// Whether this process ignores a signal; taken to be so where the system does not report it.
fn ignored(signal: i32) -> bool {
    // Asking the system itself takes unsafe code; Linux has it in a file too, as a mask of hexadecimal digits.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}
