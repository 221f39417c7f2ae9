//! `ashlar verify`: the offline check of a receipt or a state proof. No network, no state, one public key.

use crate::cli::VerifyArgs;
use proof::{Identity, Lineage, Receipt, StateProof, Succession, state::is_state_proof};
use serde_json::{Value, json};
use std::{
    fmt, fs,
    io::{self, Read as _},
    path::Path,
    process::ExitCode,
};

/// Valid.
const VALID: u8 = 0;
/// Readable, but proves nothing.
const INVALID: u8 = 1;
/// Not even readable as a file, or bad arguments.
const UNREADABLE: u8 = 2;

/// Checks a receipt or a state proof and says what it proves, or which step failed and why.
pub fn verify(args: &VerifyArgs) -> ExitCode {
    let pinned = match args
        .identity
        .as_deref()
        .map(str::parse::<Identity>)
        .transpose()
    {
        Ok(pinned) => pinned,
        Err(error) => {
            return unreadable(args, &format!("--identity is not 96 bytes in hex: {error}"));
        }
    };
    let mut lineage = pinned.map(Lineage::new);
    for file in &args.succession {
        let bytes = match read(file) {
            Ok(bytes) => bytes,
            Err(error) => return unreadable(args, &error),
        };
        if let Some(lineage) = &mut lineage
            && let Err(error) = follow(lineage, &bytes)
        {
            let error = format!("{}: {error}", file.display());
            return told(args, Err((SUCCESSION, error)));
        }
    }
    let bytes = match read(&args.file) {
        Ok(bytes) => bytes,
        Err(error) => return unreadable(args, &error),
    };
    let checked = if is_state_proof(&bytes) {
        state_proof(&bytes, lineage.as_ref(), args.json)
    } else {
        receipt(&bytes, lineage.as_ref(), args.json)
    };
    told(args, checked)
}

/// Follows a network to the one that it named in this receipt.
fn follow(lineage: &mut Lineage, bytes: &[u8]) -> Result<(), String> {
    let receipt = Receipt::decode(bytes).map_err(|error| error.to_string())?;
    let followed = lineage.follow(&receipt);
    followed.map(drop).map_err(|error| error.to_string())
}

/// Says what was found. The exit code is the verdict.
fn told(args: &VerifyArgs, checked: Checked) -> ExitCode {
    match checked {
        Ok(verdict) => {
            println!("{verdict}");
            ExitCode::from(VALID)
        }
        Err((step, error)) => {
            if args.json {
                let report = json!({ "valid": false, "step": step, "error": error });
                println!("{report}");
            } else {
                println!("INVALID at step {step}: {error}");
            }
            ExitCode::from(INVALID)
        }
    }
}

/// What was proved, or the step that failed and why.
type Checked = Result<String, (&'static str, String)>;

/// What fails when a file of `--succession` leads nowhere.
const SUCCESSION: &str = "succession";

fn receipt(bytes: &[u8], lineage: Option<&Lineage>, json: bool) -> Checked {
    Receipt::decode(bytes)
        .map_err(proof::Failure::from)
        .and_then(|receipt| {
            let pinned = lineage.map(|lineage| lineage.pin(&receipt.network));
            let verdict = proof::verify(&receipt, pinned.as_ref())?;
            let steps = lineage.map_or(&[][..], |lineage| lineage.path(&receipt.network));
            Ok(shown(&verdict, || verdict.to_json(), steps, json))
        })
        .map_err(|failure| (failure.step().name(), failure.to_string()))
}

fn state_proof(bytes: &[u8], lineage: Option<&Lineage>, json: bool) -> Checked {
    StateProof::from_json(bytes)
        .map_err(proof::StateFailure::from)
        .and_then(|proof| {
            let pinned = lineage.map(|lineage| lineage.pin(&proof.network));
            let verdict = proof::verify_state(&proof, pinned.as_ref())?;
            let steps = lineage.map_or(&[][..], |lineage| lineage.path(&proof.network));
            Ok(shown(&verdict, || verdict.to_json(), steps, json))
        })
        .map_err(|failure| (failure.step().name(), failure.to_string()))
}

/// The verdict with the steps that led to its network, for people or as JSON.
fn shown(
    verdict: &impl fmt::Display,
    to_json: impl FnOnce() -> String,
    steps: &[Succession],
    json: bool,
) -> String {
    if json {
        with_steps(to_json(), steps)
    } else {
        after_steps(verdict, steps)
    }
}

/// The verdict after the steps that led to its network.
fn after_steps(verdict: &impl fmt::Display, steps: &[Succession]) -> String {
    let lines = steps.iter().map(ToString::to_string);
    let lines = lines.chain([verdict.to_string()]);
    lines.collect::<Vec<_>>().join("\n\n")
}

/// The verdict with the steps that led to its network as the member `succession`, if there are any.
fn with_steps(verdict: String, steps: &[Succession]) -> String {
    let step = |step: &Succession| {
        let block = &step.block;
        json!({
            "predecessor": step.predecessor.identity,
            "successor": step.successor.identity,
            "chain_id": step.successor.chain_id,
            "genesis": step.successor.genesis,
            "block": { "height": block.height, "hash": block.hash, "timestamp": block.timestamp },
        })
    };
    match serde_json::from_str(&verdict) {
        Ok(Value::Object(mut verdict)) if !steps.is_empty() => {
            verdict.insert(SUCCESSION.to_owned(), steps.iter().map(step).collect());
            Value::Object(verdict).to_string()
        }
        _ => verdict,
    }
}

/// Reads no more than a receipt can have, plus one byte to tell.
fn read(file: &Path) -> Result<Vec<u8>, String> {
    let limit = u64::try_from(proof::format::FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let read = || {
        let mut bytes = Vec::new();
        let file = fs::File::open(file)?;
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error: io::Error| format!("cannot read {}: {error}", file.display()))
}

fn unreadable(args: &VerifyArgs, error: &str) -> ExitCode {
    if args.json {
        println!(
            "{}",
            json!({ "valid": false, "step": null, "error": error })
        );
    } else {
        eprintln!("error: {error}");
    }
    ExitCode::from(UNREADABLE)
}
