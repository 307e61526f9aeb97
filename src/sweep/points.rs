//! Points to rows of figures, with what points share computed once.

use crate::config::{ConfigErrors, Loaded, Opening, check_config};
use crate::error::{Error, Problem};
use crate::report::{RunFacts, content_hash};
use crate::run::Shared;
use crate::sweep::figures;
use crate::sweep::space::{Point, Space};
use crate::sweep::table::{Cell, Head, Kind};
use crate::trace::ParquetSink;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most pairs of chip and network whose files are kept as read.
const KEPT_OPENINGS: usize = 64;
/// Most networks whose posterior, images and values are kept.
const KEPT_NETWORKS: usize = 4;
/// Points of a value that are tried before the value is called wrong.
const TRIED: usize = 16;
/// Values of an axis that are tried.
const TRIED_VALUES: usize = 200;

/// Names of chip and network.
type Names = (Option<String>, Option<String>);

/// The points of a space, ready to be run on many threads. What is kept between points is bounded.
#[derive(Debug)]
pub struct Points {
    space: Space,
    openings: Mutex<Vec<(Names, Arc<Opening>)>>,
    networks: Mutex<Vec<Arc<Shared>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Points {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(space: Space) -> Self {
        Self { space, openings: Mutex::default(), networks: Mutex::default() }
    }

    /// The space.
    #[must_use]
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Columns of a row: `point`, the keys of the axes, the figures, `problem` and `key`.
    #[must_use]
    pub fn heads(&self) -> Vec<Head> {
        let head = |name: &str, kind| Head { name: name.to_owned(), kind };
        let mut heads = vec![head("point", Kind::Integer)];
        heads.extend(self.space.axes().iter().map(|axis| head(&axis.key, axis.kind)));
        heads.extend(self.space.record().iter().cloned());
        heads.extend([head("problem", Kind::Text), head("key", Kind::Text)]);
        heads
    }

    /// The configuration of a point.
    ///
    /// # Errors
    /// Every problem found.
    pub fn load(&self, point: &Point) -> Result<Loaded, ConfigErrors> {
        let names = (point.arch.clone(), point.workload.clone());
        let kept = lock(&self.openings).iter().find(|(of, _)| *of == names).map(|(_, opening)| opening.clone());
        let opening = kept.unwrap_or_else(|| {
            let opening = Opening::new(names.0.as_deref(), names.1.as_deref()).expanded();
            keep(&self.openings, (names, Arc::new(opening)), KEPT_OPENINGS).1
        });
        opening.load(&point.set)
    }

    /// The row of a point. If its configuration cannot be run, the row says why; so it does if the program fails at it.
    ///
    /// # Errors
    /// Returns errors of files, which are not of the point: [`Error::Io`] and [`Error::Input`].
    pub fn row(&self, point: &Point) -> Result<Vec<Cell>, Error> {
        Ok(self.row_if(point, true)?.expect("it waits"))
    }

    /// The same; none if another thread computes the values of the point.
    ///
    /// # Errors
    /// As [`Self::row`].
    pub fn row_unless_busy(&self, point: &Point) -> Result<Option<Vec<Cell>>, Error> {
        self.row_if(point, false)
    }

    fn row_if(&self, point: &Point, waits: bool) -> Result<Option<Vec<Cell>>, Error> {
        let run = || self.run(point, waits);
        let answer = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
            Err(Error::Internal(text.to_owned()))
        });
        let mut row = vec![Cell::Integer(i64::try_from(point.index).unwrap_or(i64::MAX))];
        row.extend(point.cells.iter().cloned());
        match answer {
            Ok(None) => return Ok(None),
            Ok(Some((figures, key))) => {
                row.extend(figures);
                row.extend([Cell::Absent, Cell::Text(key)]);
            }
            Err(error @ (Error::Io { .. } | Error::Input { .. })) => return Err(error),
            Err(error) => {
                row.extend(self.space.record().iter().map(|_| Cell::Absent));
                let key = key(&(&point.arch, &point.workload, &point.set));
                row.extend([Cell::Text(error.to_string().replace('\n', "; ")), Cell::Text(key)]);
            }
        }
        Ok(Some(row))
    }

    /// The figures that are kept, and the key.
    fn run(&self, point: &Point, waits: bool) -> Result<Option<(Vec<Cell>, String)>, Error> {
        let loaded = self.load(point).map_err(|errors| Error::Config(one_line(&errors)))?;
        let problems = check_config(&loaded.config);
        if !problems.is_empty() {
            return Err(Error::Problems(problems));
        }
        let kept =
            lock(&self.networks).iter().find(|shared| shared.serves(&loaded.config, &loaded.workload_base)).cloned();
        let shared = match kept {
            Some(shared) => shared,
            None => {
                let shared = Arc::new(Shared::new(&loaded.config, &loaded.workload_base)?);
                keep(&self.networks, shared, KEPT_NETWORKS)
            }
        };
        let prepared = shared.prepare_if(loaded.config, 1, &|_, _, _| (), waits)?;
        let Some(prepared) = prepared else { return Ok(None) };
        let (finished, _) = prepared.simulate(None::<ParquetSink>, String::new(), &|_, _, _| ())?;
        let all = figures::heads().zip(figures::figures(&finished.facts, &finished.ledger));
        let mut kept = self.space.record().iter().peekable();
        let figures = all.filter(|(head, _)| kept.next_if(|next| next == head).is_some()).map(|(_, cell)| cell);
        Ok(Some((figures.collect(), key_of_run(&finished.facts))))
    }

    /// Values of axes that every point tried of them refuses, by their path in the sweep file: keys that do not exist, and
    /// values out of range. What only some points refuse is told in their rows.
    #[must_use]
    pub fn refused_values(&self) -> Vec<Problem> {
        let space = &self.space;
        let none_accepted = self.load(&space.alone(None)).is_err();
        let (mut problems, mut accepted, mut first) = (Vec::new(), false, None);
        for (a, axis) in space.axes().iter().enumerate() {
            let values: Vec<usize> = (0..axis.values.len()).step_by(axis.values.len().div_ceil(TRIED_VALUES)).collect();
            let mut refused = Vec::new();
            for &value in &values {
                let message = match self.refusal(a, value as u32) {
                    Err(message) => message,
                    Ok(tried) => {
                        accepted |= tried;
                        continue;
                    }
                };
                first = first.or_else(|| Some(message.clone()));
                // Another axis may be to blame for what this one takes by itself.
                if none_accepted || self.load(&space.alone(Some((a, value)))).is_err() {
                    refused.push((value, message));
                }
            }
            if values.len() > 1 && refused.len() == values.len() {
                // The key, most likely.
                let message = format!("{}: every point of it is refused: {}", axis.key, refused[0].1);
                problems.push(Problem::new(axis.key_place(), message));
                continue;
            }
            problems.extend(refused.into_iter().map(|(value, message)| {
                let value_text = &axis.values[value];
                let message = format!("{}={value_text}: every point of it is refused: {message}", axis.key);
                Problem::new(axis.place(value), message)
            }));
        }
        match first {
            // What is wrong with all points alike is not in the axes.
            Some(message) if !accepted && (none_accepted || problems.is_empty()) => {
                vec![Problem::new("", format!("every point is refused: {message}"))]
            }
            _ => problems,
        }
    }

    /// Reads the configurations of a few points with a value of an axis. Returns whether one was accepted; none is tried if
    /// conditions drop them.
    ///
    /// # Errors
    /// Why they are refused, if all of them are.
    fn refusal(&self, axis: usize, value: u32) -> Result<bool, String> {
        let mut tried = BTreeSet::new();
        let mut first = None;
        for attempt in 0..TRIED as u64 * 8 {
            let Some(index) = self.space.with_value(axis, value, attempt) else { continue };
            if tried.len() == TRIED || self.space.dropped(index).is_some() || !tried.insert(index) {
                continue;
            }
            match self.load(&self.space.point(index)) {
                Ok(_) => return Ok(true),
                Err(errors) => first = first.or_else(|| Some(one_line(&errors))),
            }
        }
        first.map_or(Ok(false), Err)
    }
}

/// Keeps a new item as the last of at most `most`.
fn keep<T: Clone>(kept: &Mutex<Vec<T>>, item: T, most: usize) -> T {
    let mut kept = lock(kept);
    if kept.len() >= most {
        kept.remove(0);
    }
    kept.push(item.clone());
    item
}

/// Problems without the places, which for a point are overrides.
fn one_line(errors: &ConfigErrors) -> String {
    let text = |diagnostic: &crate::config::diagnostic::Diagnostic| match &diagnostic.help {
        Some(help) => format!("{} ({help})", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    errors.diagnostics().iter().map(text).collect::<Vec<_>>().join("; ")
}

/// Hash of what determines a row, and of the program.
fn key<T: serde::Serialize>(of: &T) -> String {
    content_hash(&(env!("CARGO_PKG_VERSION"), of))
}

fn key_of_run(facts: &RunFacts) -> String {
    let config = &facts.config;
    let run = (&config.mapping, &config.schedule, &config.ensemble, &config.values, config.seed);
    key(&(&facts.arch_hash, &facts.workload_hash, run))
}
