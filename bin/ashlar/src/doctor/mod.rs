//! `ashlar doctor`: how a node is, and what to do.
//!
//! A node that runs is asked; of one that does not, its files are looked at. Nothing is changed.

mod files;
mod finding;
mod running;

use crate::{cli::DoctorArgs, files::DirectoryLock};
use anyhow::{Context as _, Result};
use client::rpc::Nodes;
use files::Files;
use finding::{Report, Verdict};
use std::{process::ExitCode, time::Duration};

/// How long a node may take for one answer. It does not get better by waiting.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Examines a node and says what it found. Exit code 0 if there is no problem, 1 if there is one, 2 if it cannot be told.
pub fn doctor(args: &DoctorArgs) -> ExitCode {
    let mut report = Report::default();
    if let Err(error) = examine(args, &mut report) {
        report.add("doctor", Verdict::Unknown, format!("{error:#}"), None);
    }
    if args.json {
        println!("{}", report.json());
    } else {
        println!("{report}");
    }
    ExitCode::from(report.exit_code())
}

fn examine(args: &DoctorArgs, report: &mut Report) -> Result<()> {
    let Some(dir) = &args.dir else {
        return ask(&args.rpc, None, None, report);
    };
    let Some(files) = Files::read(dir, report)? else {
        return Ok(());
    };
    files.examine(report);
    match DirectoryLock::holder(&files.config.data_dir)? {
        Some(process) => {
            let text = format!("process {process} has the data directory");
            report.ok("process", text);
            let url = crate::gateway::url(files.config.rpc.listen);
            ask(&url, files.spec.as_ref(), Some(&process), report)
        }
        None => {
            files.examine_stopped(report);
            Ok(())
        }
    }
}

/// Asks a running node.
fn ask(
    url: &str,
    spec: Option<&types::ChainSpec>,
    process: Option<&str>,
    report: &mut Report,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let nodes = Nodes::new(&[url.to_owned()], TIMEOUT)
        .with_context(|| format!("{url} is no address of a node"))?;
    runtime.block_on(running::examine(&nodes, url, spec, process, report));
    Ok(())
}
