//! `ashlar sim`: the whole network under the faults of a seed.

use crate::cli::SimArgs;
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

/// Runs seeds and says what happened. Fails if any promise was broken.
pub fn simulate(args: &SimArgs) -> ExitCode {
    let begin = Instant::now();
    let limit = args.time_limit.map(Duration::from_secs);
    let (mut runs, mut faults, mut broken) = (0_u64, 0_u64, 0_u64);
    for seed in (0..args.count).map(|run| args.seed.wrapping_add(run)) {
        if limit.is_some_and(|limit| begin.elapsed() > limit) {
            break;
        }
        let report = sim::run(seed);
        runs += 1;
        faults += report.faults.values().sum::<u64>();
        broken += u64::from(!report.violations.is_empty());
        if args.json {
            match serde_json::to_string(&report) {
                Ok(line) => println!("{line}"),
                Err(error) => eprintln!("error: {error}"),
            }
        } else {
            println!(
                "seed {seed}: height {}, {} records, {} transfers, {} certificates, faults {:?}, digest {}",
                report.height,
                report.records,
                report.transfers,
                report.certificates,
                report.faults,
                report.digest
            );
            for violation in &report.violations {
                println!("  VIOLATION: {violation}");
            }
        }
    }
    if args.count > 1 {
        eprintln!(
            "{runs} runs, {faults} faults, {broken} with violations, in {:.1?}",
            begin.elapsed()
        );
    }
    ExitCode::from(u8::from(broken > 0))
}
