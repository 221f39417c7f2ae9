//! Finding vector files, and running them on all cores.

use crate::{Options, VectorsError, report::Report};
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// What became of one case of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// Its name in the file, with indices if it has any.
    pub name: String,
    /// The fork or network it is for, if it is for one.
    pub fork: String,
    pub verdict: Verdict,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// And why.
    Failed(String),
    /// There is nothing of ours that the case could test, and why.
    Excluded(&'static str),
}

/// Runs the cases of a file whose names are wanted.
pub(crate) type Runner =
    fn(file: &[u8], wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Case>, serde_json::Error>;

/// The vectors of a file that are wanted, by name.
pub(crate) fn read<T: DeserializeOwned>(
    file: &[u8],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<BTreeMap<String, T>, serde_json::Error> {
    let mut vectors: BTreeMap<String, T> = serde_json::from_slice(file)?;
    vectors.retain(|name, _| wanted(name));
    Ok(vectors)
}

/// Runs the vectors of a file that are wanted, each of which is one case: of a fork, with a verdict.
pub(crate) fn one_each<T: DeserializeOwned>(
    file: &[u8],
    wanted: &dyn Fn(&str) -> bool,
    run: impl Fn(&T) -> (String, Verdict),
) -> Result<Vec<Case>, serde_json::Error> {
    let vectors = read(file, wanted)?.into_iter().map(|(name, vector)| {
        let (fork, verdict) = run(&vector);
        Case {
            name,
            fork,
            verdict,
        }
    });
    Ok(vectors.collect())
}

/// The `.json` files below a directory, in the order of their paths.
pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>, VectorsError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| VectorsError::Unreadable { path, source }
    };
    if dir.is_file() {
        return Ok(vec![dir.to_owned()]);
    }
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(unreadable(&folder))? {
            let path = entry.map_err(unreadable(&folder))?.path();
            // `.meta` holds indices of released suites, not vectors.
            let hidden = path
                .file_name()
                .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
            if hidden {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                files.push(path);
            }
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(VectorsError::Empty(dir.to_owned()));
    }
    Ok(files)
}

/// Runs all files, and gives the results in the order of the files whatever ended first.
pub(crate) fn run(dir: &Path, files: &[PathBuf], runner: Runner, options: &Options<'_>) -> Report {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let threads = options
        .threads
        .or_else(|| thread::available_parallelism().ok().map(Into::into))
        .unwrap_or(1);
    thread::scope(|scope| {
        for _ in 0..threads.clamp(1, files.len().max(1)) {
            scope.spawn(|| {
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = file(dir, path, runner, options);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.push(result);
                    drop(results);
                    let count = done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                    if let Some(progress) = options.progress {
                        progress(count, files.len());
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut report = Report::default();
    for (path, cases) in results {
        for case in cases {
            report.add(&path, case);
        }
    }
    report
}

/// Runs a file. One that cannot be read, or makes us panic, is a failed case.
fn file(dir: &Path, path: &Path, runner: Runner, options: &Options<'_>) -> (String, Vec<Case>) {
    let name = match path.strip_prefix(dir) {
        Ok(relative) if !relative.as_os_str().is_empty() => relative.display().to_string(),
        _ => path.display().to_string(),
    };
    let wanted = |case: &str| {
        options
            .only
            .is_none_or(|only| name.contains(only) || case.contains(only))
    };
    let whole = |reason: String| {
        vec![Case {
            name: "the whole file".to_owned(),
            fork: String::new(),
            verdict: Verdict::Failed(reason),
        }]
    };
    let cases = match fs::read(path) {
        Err(source) => whole(
            VectorsError::Unreadable {
                path: path.to_owned(),
                source,
            }
            .to_string(),
        ),
        Ok(bytes) => match catch_unwind(AssertUnwindSafe(|| runner(&bytes, &wanted))) {
            Ok(Ok(cases)) => cases,
            Ok(Err(source)) => whole(format!("malformed: {source}")),
            Err(_) => whole("panicked; the message is on standard error".to_owned()),
        },
    };
    (name, cases)
}
