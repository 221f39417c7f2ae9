//! `ashlar vectors` without the engine, which takes long to build: `run KIND DIR [ONLY]`.

use anyhow::{Context as _, Result, ensure};
use std::{env, path::Path, time::Instant};
use vectors::Options;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let kind = arguments.first().context("usage: run KIND DIR [ONLY]")?;
    let dir = arguments.get(1).context("usage: run KIND DIR [ONLY]")?;
    let options = Options {
        only: arguments.get(2).map(String::as_str),
        ..Options::default()
    };
    let begin = Instant::now();
    let report = vectors::run(kind.parse()?, Path::new(dir), &options)?;
    for (what, cases) in [("excluded", &report.excluded), ("FAILED", &report.failed)] {
        for case in cases {
            println!("{what} {}: {}", case.case, case.reason);
        }
    }
    let (passed, failed, excluded) = (report.passed, report.failed.len(), report.excluded.len());
    let seconds = begin.elapsed().as_secs_f64();
    println!("{passed} passed, {failed} failed, {excluded} excluded, {seconds:.1} s");
    ensure!(failed == 0, "{failed} failed");
    Ok(())
}
