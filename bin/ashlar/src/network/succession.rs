//! `ashlar network succession`: the proof of which network goes on.

use crate::{ask::ask, cli::SuccessionArgs, files::write_public};
use anyhow::{Context as _, Result};
use client::succession::receipt;
use proof::Lineage;

/// `ashlar network succession`.
pub(super) fn succession(args: &SuccessionArgs) -> Result<()> {
    ask(&args.node, async |nodes| {
        let receipt = receipt(nodes).await?;
        let trusted = args.identity.unwrap_or(receipt.network.identity);
        let mut lineage = Lineage::new(trusted);
        let succession = lineage.follow(&receipt).context("the node's receipt")?;
        write_public(&args.out, receipt.to_json_pretty().as_bytes())?;
        println!("{}", succession.successor.identity);
        eprintln!("{succession}");
        if args.identity.is_none() {
            eprintln!(
                "Compare the old identity with the one you trust, or give it with --identity."
            );
        }
        eprintln!(
            "Check receipts of the successor with\n  ashlar verify FILE --identity {trusted} --succession {}\nand trust the line above from now on: whoever comes to have enough retired shares of the old key can sign for it.",
            args.out.display()
        );
        Ok(())
    })
}
