//! `ashlar keys`: keys of accounts, in encrypted files.

use crate::cli::{KeysArgs, KeysCommand};
use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use keys::{
    Secret, SecretKey,
    keystore::{Directory, Keystore, Name},
};
use serde_json::{Value, json};
use std::path::Path;

/// `ashlar keys`.
pub fn keys(args: &KeysArgs) -> Result<()> {
    match &args.command {
        KeysCommand::Create {
            name,
            dir,
            password_file,
        } => create(&Directory::new(&dir.dir), name, password_file),
        KeysCommand::Import {
            name,
            dir,
            key_file,
            keystore,
            old_password_file,
            password_file,
        } => {
            let key = match (key_file, keystore, old_password_file) {
                (Some(file), ..) => read_hex(file)?,
                (None, Some(file), Some(password)) => open(file, password)?,
                // The command line asks for one of the two.
                _ => anyhow::bail!(
                    "name what is imported: --key-file, or --keystore with --old-password-file"
                ),
            };
            import(&Directory::new(&dir.dir), name, &key, password_file)
        }
        KeysCommand::List { dir, json } => list(&Directory::new(&dir.dir), &dir.dir, *json),
        KeysCommand::Show {
            name,
            dir,
            password_file,
            json,
        } => show(
            &Directory::new(&dir.dir),
            name,
            password_file.as_deref(),
            *json,
        ),
    }
}

fn create(directory: &Directory, name: &Name, password_file: &Path) -> Result<()> {
    let password = password(password_file)?;
    let key = directory
        .create(name, &password, &mut rand::rng())
        .with_context(|| format!("the key {name} was not made"))?;
    made(directory, name, &key);
    Ok(())
}

fn import(directory: &Directory, name: &Name, key: &SecretKey, password_file: &Path) -> Result<()> {
    let password = password(password_file)?;
    directory
        .import(name, key, &password, &mut rand::rng())
        .with_context(|| format!("the key {name} was not imported"))?;
    made(directory, name, key);
    Ok(())
}

fn made(directory: &Directory, name: &Name, key: &SecretKey) {
    println!("{}", key.address());
    eprintln!(
        "It is in {}. Back up the file and its password, in different places: without both, it is lost",
        directory.path(name).display()
    );
}

fn list(directory: &Directory, folder: &Path, as_json: bool) -> Result<()> {
    let listed = directory.list()?;
    if as_json {
        let keys = listed.iter().map(|key| match &key.address {
            Ok(address) => json!({ "name": key.name.to_string(), "address": address }),
            Err(error) => json!({ "name": key.name.to_string(), "error": error.to_string() }),
        });
        println!("{}", keys.collect::<Value>());
        return Ok(());
    }
    if listed.is_empty() {
        eprintln!(
            "There is no key in {}: make one with ashlar keys create",
            folder.display()
        );
    }
    for key in listed {
        let shown = match key.address {
            Ok(address) => said(address),
            Err(error) => format!("cannot be used: {error}"),
        };
        println!("{:<24}  {shown}", key.name.to_string());
    }
    Ok(())
}

fn show(
    directory: &Directory,
    name: &Name,
    password_file: Option<&Path>,
    as_json: bool,
) -> Result<()> {
    let path = directory.path(name);
    ensure!(
        path.exists(),
        "there is no key {name} in {}: see ashlar keys list",
        path.parent().unwrap_or(&path).display()
    );
    let keystore = read(&path)?;
    let mut address = keystore.address()?;
    let opens = password_file.map(password).transpose()?;
    if let Some(password) = &opens {
        let key = keystore.open(password);
        address = Some(key.with_context(|| path.display().to_string())?.address());
    }
    if as_json {
        println!(
            "{}",
            json!({ "name": name.to_string(), "file": path, "address": address, "opened": opens.is_some() })
        );
        return Ok(());
    }
    println!("{name}  {}", said(address));
    println!("  file      {}", path.display());
    println!(
        "  password  {}",
        if opens.is_some() {
            "opens it, and it is the key of this address"
        } else {
            "not tried: with --password-file it is, and the address checked"
        }
    );
    Ok(())
}

fn said(address: Option<Address>) -> String {
    address.map_or_else(
        || "its file does not say".to_owned(),
        |address| address.to_string(),
    )
}

fn read_hex(path: &Path) -> Result<SecretKey> {
    SecretKey::read_hex(path)
        .with_context(|| format!("cannot take the key from {}", path.display()))
}

fn open(path: &Path, password_file: &Path) -> Result<SecretKey> {
    let key = read(path)?.open(&password(password_file)?);
    key.with_context(|| path.display().to_string())
}

fn read(path: &Path) -> Result<Keystore> {
    Keystore::read(path).with_context(|| format!("cannot read the keystore {}", path.display()))
}

fn password(path: &Path) -> Result<Secret> {
    Secret::read(path).context("the password cannot be taken from its file")
}
