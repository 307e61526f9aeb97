//! Signals that end the program: what it has not finished goes away first.

use crate::error::Error;
use crate::whole;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::thread;

/// From here on SIGINT (Ctrl-C) and SIGTERM remove what is unfinished, and then end the process as they do without this:
/// a shell tells 130 and 143, and a loop around the program ends with it. SIGHUP stays as it is, for `nohup`.
pub(super) fn discard_on_signals() -> Result<(), Error> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Error::io("signals"))?;
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
