//! The progress bar of a long run, on stderr when that is a terminal.

use super::Global;
use crate::run::RunPhase;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Mutex;

/// A bar that counts points, with their rate.
pub(super) fn points(global: &Global, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    bar.set_draw_target(if global.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() });
    let style = ProgressStyle::with_template("points [{bar:40}] {pos}/{len} {per_sec}, {elapsed}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}

/// A bar for the stage that runs.
pub(super) struct Bar {
    bar: ProgressBar,
    stage: Mutex<Option<RunPhase>>,
}

impl Bar {
    pub(super) fn new(global: &Global) -> Self {
        let bar = ProgressBar::no_length();
        // indicatif hides itself when stderr is no terminal.
        bar.set_draw_target(if global.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() });
        let style = ProgressStyle::with_template("{msg:12} [{bar:40}] {pos}/{len} {elapsed}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Self { bar, stage: Mutex::new(None) }
    }

    /// Shows how far a stage is.
    pub(super) fn tell(&self, stage: RunPhase, done: u64, total: u64) {
        if let Ok(mut shown) = self.stage.lock()
            && *shown != Some(stage)
        {
            *shown = Some(stage);
            self.bar.reset();
            self.bar.set_message(match stage {
                RunPhase::Choosing => "choosing",
                RunPhase::Calibrating => "calibrating",
                RunPhase::Values => "answering",
                RunPhase::Cycles => "simulating",
            });
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
