//! `ashlar vectors`: Ethereum's official test vectors through our executor.

use crate::cli::VectorsArgs;
use ::vectors::{Kind, Options, Report};
use serde::Serialize;
use std::{
    io::{IsTerminal as _, Write as _, stderr},
    process::ExitCode,
    time::Instant,
};

/// The summary of a run.
#[derive(Serialize)]
struct Summary<'a> {
    kind: String,
    seconds: f64,
    passed: usize,
    failed: usize,
    excluded: usize,
    details: &'a Report,
}

/// Runs the vectors of a directory. Exits with 1 if one failed, with 2 if there was none to run.
pub fn run(args: &VectorsArgs) -> ExitCode {
    let begin = Instant::now();
    let progress = |done: usize, all: usize| {
        // Best effort: it is only to look at.
        let _ = write!(stderr(), "\r{done} of {all} files ");
    };
    let terminal = stderr().is_terminal();
    let options = Options {
        only: args.only.as_deref(),
        threads: None,
        progress: terminal.then_some(&progress),
    };
    let done = args.kind.parse::<Kind>().and_then(|kind| {
        let report = ::vectors::run(kind, &args.dir, &options)?;
        Ok((kind, report))
    });
    if terminal {
        eprintln!();
    }
    match done {
        Ok((kind, report)) => {
            print(kind, &report, begin.elapsed().as_secs_f64(), args.json);
            ExitCode::from(u8::from(!report.failed.is_empty()))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn print(kind: Kind, report: &Report, seconds: f64, json: bool) {
    let summary = Summary {
        kind: kind.to_string(),
        seconds,
        passed: report.passed,
        failed: report.failed.len(),
        excluded: report.excluded.len(),
        details: report,
    };
    if json {
        match serde_json::to_string(&summary) {
            Ok(line) => println!("{line}"),
            Err(error) => eprintln!("error: {error}"),
        }
        return;
    }
    for (what, cases) in [("excluded", &report.excluded), ("FAILED", &report.failed)] {
        for case in cases {
            println!("{what} {}: {}", case.case, case.reason);
        }
    }
    println!(
        "{kind}: {} passed, {} failed, {} excluded in {seconds:.1} s",
        summary.passed, summary.failed, summary.excluded
    );
}
