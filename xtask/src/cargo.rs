//! What cargo knows of this workspace, and the product it builds.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The workspace, as `cargo metadata` describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// Our packages: `--no-deps` leaves out everyone else's.
    pub packages: Vec<Package>,
    /// Where cargo builds.
    pub target_directory: PathBuf,
}

/// One of our packages.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name.
    pub name: String,
    /// What its manifest names.
    pub dependencies: Vec<Dependency>,
}

/// A dependency in a manifest.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The name of the package.
    pub name: String,
    /// `dev`, `build`, or nothing for an ordinary one.
    pub kind: Option<String>,
    /// Present for packages of this repository only.
    pub path: Option<PathBuf>,
}

impl Workspace {
    /// Asks cargo. Needs no network.
    pub(crate) fn read() -> Result<Self> {
        let output = cargo()
            .args([
                "metadata",
                "--format-version",
                "1",
                "--offline",
                "--no-deps",
            ])
            .output()
            .context("cannot run cargo metadata")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "cargo metadata failed: {complaint}"
        );
        serde_json::from_slice(&output.stdout)
            .context("cargo metadata printed what we do not understand")
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    // The manifest of this package lies one level below it.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// The product: the program that `ASHLAR_BIN` names, else the one that cargo builds here in release.
pub(crate) fn product() -> Result<PathBuf> {
    if let Some(path) = env::var_os("ASHLAR_BIN") {
        let path = PathBuf::from(path);
        return path
            .canonicalize()
            .with_context(|| format!("ASHLAR_BIN names {}", path.display()));
    }
    build("ashlar")
}

/// Builds the program of one of our packages in release.
pub(crate) fn build(package: &str) -> Result<PathBuf> {
    let status = cargo()
        .args(["build", "--release", "--package", package])
        .status()
        .context("cannot run cargo build")?;
    ensure!(status.success(), "{package} does not build");
    let release = Workspace::read()?.target_directory.join("release");
    Ok(release.join(package))
}

fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}
