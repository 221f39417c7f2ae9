//! The Ashlar binary: it composes the crates into processes and commands, and holds no logic of
//! its own that another program could want.

mod ask;
mod backup;
mod cli;
mod demo;
mod dispute;
mod doctor;
mod export;
mod files;
mod follow;
mod format;
mod gateway;
mod governance;
mod import;
mod keys;
mod logging;
mod member;
mod network;
mod node;
mod p2p;
mod pause;
mod shown;
mod shutdown;
mod sim;
mod stake;
mod status;
mod supervisor;
mod up;
mod vectors;
mod verify;
mod version;
mod wallet;

use clap::{CommandFactory as _, Parser as _};
use cli::{Cli, Command};
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Measured: a read over JSON-RPC costs a fifth less CPU than with glibc's allocator, a call a third (docs/adr/0022-reads-in-place.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(&cli.command);
    let done = match cli.command {
        Command::Demo(args) => return demo::demo(&args),
        Command::Doctor(args) => return doctor::doctor(&args),
        Command::Verify(args) => return verify::verify(&args),
        Command::Sim(args) => return sim::simulate(&args),
        Command::Vectors(args) => return vectors::run(&args),
        Command::Up(args) => up::up(&args),
        Command::Down(args) => up::down(&args),
        Command::Node(args) => node::node(&args),
        Command::Follow(args) => follow::follow(&args),
        Command::Gateway(args) => gateway::gateway(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Export(args) => export::export(&args),
        Command::Import(args) => import::import(&args),
        Command::Gov(args) => governance::govern(&args),
        Command::Member(args) => member::member(&args),
        Command::Stake(args) => stake::stake(&args),
        Command::Keys(args) => keys::keys(&args),
        Command::Pause(args) => pause::pause(&args),
        Command::Dispute(args) => dispute::dispute(&args),
        Command::Network(args) => network::command(&args),
        Command::Completions(args) => {
            clap_complete::generate(
                args.shell,
                &mut Cli::command(),
                "ashlar",
                &mut std::io::stdout(),
            );
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            version::exit_code(&error)
        }
    }
}
