//! `/`: one honest page.

use db::RecordRow;
use maud::{Markup, html};
use operations::shell::ChainView;

use super::{page, short_hash};
use crate::app::{App, rfc3339};

/// Records shown.
pub(super) const RECORDS: u16 = 10;

/// Whose records they are and what is in them is not shown: this page is open to whoever reaches the gateway. The ids
/// and heights are on chain anyway.
pub(super) fn render(app: &App, records: &[RecordRow]) -> Markup {
    let view = app.shell.view();
    let content = html! {
        header {
            h1 { "Ashlar gateway" }
            p.lead { "Record a business fact once. Every organization agrees on it. Keep a small file that proves it." }
        }
        main {
            (tiles(app, &view))
            h2 { "Try it" }
            div.card {
                p { "Your API key is the one that the operator of this gateway gave you." }
                pre { code { (example(app)) } }
                p { a href="/docs" { "All routes" } " \u{b7} " a href="/openapi.json" { "OpenAPI 3.1" } " \u{b7} "
                    a href="/readyz" { "Readiness" } " \u{b7} " a href="/metrics" { "Metrics" } }
            }
            h2 { "Latest records" }
            div.card { (records_table(records)) }
            h2 { "Latest final blocks" }
            div.card { (blocks_table(&view)) }
            h2 { "Network" }
            div.card { (network_table(app, &view)) }
        }
        footer { "Ashlar " (env!("CARGO_PKG_VERSION")) ". This page needs no script and loads itself again every five seconds." }
    };
    page("Ashlar gateway", Some(5), &content)
}

fn tiles(app: &App, view: &ChainView) -> Markup {
    let since = view
        .since_block()
        .map(|since| format!("{:.1} s ago", since.as_secs_f64()));
    let (class, state) = match (&view.node, view.since_block()) {
        (Some(_), Some(since)) if since <= app.limits.stall() => ("good", "following"),
        (Some(_), _) => ("wait", "waiting for a block"),
        (None, _) => ("bad", "no node"),
    };
    html! {
        div.tiles {
            div.tile { b { (view.head.map_or(0, |head| head.height)) } span { "final height, verified here" } }
            div.tile { b { (since.unwrap_or_else(|| "\u{2013}".to_owned())) } span { "last final block came" } }
            div.tile { b { (app.shell.backlog()) } span { "records on their way" } }
            div.tile { b.status.(class) { (state) } span { "the chain" } }
        }
        @if let Some(trouble) = &view.trouble { p.faint { "Last trouble: " (trouble) } }
    }
}

fn example(app: &App) -> String {
    format!(
        "curl -sS 'http://{}/v1/records?wait=final' \\\n  -H 'Authorization: Bearer '\"$ASHLAR_API_KEY\" \\\n  -H \
         'Content-Type: application/json' -H 'Idempotency-Key: shipment-4711' \\\n  -d '{{\"type\": \"shipment\", \
         \"data\": {{\"order\": 4711, \"pallets\": 12}}}}' -o receipt.json\n\nashlar verify receipt.json --identity {}",
        app.address, app.network.identity
    )
}

fn records_table(records: &[RecordRow]) -> Markup {
    if records.is_empty() {
        return html! { p.faint { "None yet. The command above makes the first." } };
    }
    html! {
        table {
            thead { tr { th { "Id" } th { "Status" } th { "Accepted" } th { "Final at height" } } }
            tbody {
                @for row in records {
                    tr {
                        td { (short_hash(&row.id.to_string())) }
                        td.status.(row.state.as_str()) { (row.state.as_str()) @if row.erased_ms.is_some() { " (content erased)" } }
                        td { (rfc3339(row.created_ms)) }
                        td { @if let Some((height, _)) = row.claimed { (height) } @else { "\u{2013}" } }
                    }
                }
            }
        }
    }
}

fn blocks_table(view: &ChainView) -> Markup {
    if view.blocks.is_empty() {
        return html! { p.faint { "None since this gateway started." } };
    }
    html! {
        table {
            thead { tr { th { "Height" } th { "Hash" } th { "Time" } th { "Transactions" } } }
            tbody {
                @for block in &view.blocks {
                    tr {
                        td { (block.head.height) }
                        td { (short_hash(&block.head.hash.to_string())) }
                        td { (block_time(block.timestamp)) }
                        td { (block.transactions) }
                    }
                }
            }
        }
    }
}

/// A block's time: whole seconds, so several blocks may share one.
fn block_time(timestamp: u64) -> String {
    rfc3339(timestamp.saturating_mul(1000)).replace(".000Z", "Z")
}

fn network_table(app: &App, view: &ChainView) -> Markup {
    html! {
        table {
            tbody {
                tr { td { "Chain id" } td { (app.network.chain_id) } }
                tr { td { "Genesis" } td.wrap { code { (app.network.genesis) } } }
                tr { td { "Identity" } td.wrap { code { (app.network.identity) } } }
                tr { td { "Recording account" } td.wrap { code { (app.account) } } }
                tr { td { "Node" } td { (view.node.as_deref().unwrap_or("none")) } }
            }
        }
    }
}
