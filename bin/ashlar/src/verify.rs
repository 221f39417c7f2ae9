//! `ashlar verify`: the offline check of a receipt or a state proof. No network, no state, one public key.

use crate::cli::VerifyArgs;
use proof::{Identity, Receipt, StateProof, state::is_state_proof};
use std::{fs, io::Read as _, process::ExitCode};

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
    let bytes = match read(args) {
        Ok(bytes) => bytes,
        Err(error) => {
            return unreadable(
                args,
                &format!("cannot read {}: {error}", args.file.display()),
            );
        }
    };
    let checked = if is_state_proof(&bytes) {
        state_proof(&bytes, pinned.as_ref(), args.json)
    } else {
        receipt(&bytes, pinned.as_ref(), args.json)
    };
    match checked {
        Ok(verdict) => {
            println!("{verdict}");
            ExitCode::from(VALID)
        }
        Err((step, error)) => {
            if args.json {
                let report = serde_json::json!({ "valid": false, "step": step, "error": error });
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

fn receipt(bytes: &[u8], pinned: Option<&Identity>, json: bool) -> Checked {
    Receipt::decode(bytes)
        .map_err(proof::Failure::from)
        .and_then(|receipt| proof::verify(&receipt, pinned))
        .map(|verdict| match json {
            true => verdict.to_json(),
            false => verdict.to_string(),
        })
        .map_err(|failure| (failure.step().name(), failure.to_string()))
}

fn state_proof(bytes: &[u8], pinned: Option<&Identity>, json: bool) -> Checked {
    StateProof::from_json(bytes)
        .map_err(proof::StateFailure::from)
        .and_then(|proof| proof::verify_state(&proof, pinned))
        .map(|verdict| match json {
            true => verdict.to_json(),
            false => verdict.to_string(),
        })
        .map_err(|failure| (failure.step().name(), failure.to_string()))
}

/// Reads no more than a receipt can have, plus one byte to tell.
fn read(args: &VerifyArgs) -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(proof::format::FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    fs::File::open(&args.file)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(args: &VerifyArgs, error: &str) -> ExitCode {
    if args.json {
        println!(
            "{}",
            serde_json::json!({ "valid": false, "step": null, "error": error })
        );
    } else {
        eprintln!("error: {error}");
    }
    ExitCode::from(UNREADABLE)
}
