use std::{io, net::SocketAddr, path::PathBuf};

use operations::shell;

/// Why a gateway does not start, or stopped. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration is not one.
    #[error("the configuration is not valid: {0}")]
    ConfigSyntax(#[from] toml::de::Error),
    /// A value in the configuration makes no sense.
    #[error("the configuration is not valid: {key}: {reason}")]
    ConfigValue {
        /// Which.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Another program listens there.
    #[error(
        "port {} is in use by another program; stop that one, or choose another port with `listen = \"{}\"` in the \
         gateway's configuration",
        address.port(),
        SocketAddr::new(address.ip(), address.port().saturating_add(1))
    )]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}; choose another address with `listen` in the gateway's configuration"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The nodes cannot be asked.
    #[error(transparent)]
    Nodes(#[from] client::rpc::RpcError),
    /// The data directory cannot be made.
    #[error("cannot use the data directory {}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key file cannot be used.
    #[error(transparent)]
    Secret(#[from] vault::Error),
    /// A key file is missing, and must not be made anew.
    #[error("{} is missing; {next}", path.display())]
    SecretMissing {
        /// The file.
        path: PathBuf,
        /// What to do.
        next: &'static str,
    },
    /// The key in the file is not one.
    #[error("{} does not hold a secp256k1 key; restore it from a backup", path.display())]
    RelayerKey {
        /// The file.
        path: PathBuf,
    },
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] db::Error),
    /// The shell stopped.
    #[error(transparent)]
    Shell(#[from] shell::Error),
    /// A task of ours died.
    #[error(
        "a part of the gateway ended unexpectedly; start it again, and report this with its log"
    )]
    Died,
}
