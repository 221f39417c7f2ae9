//! `/v1/records`: business facts.

mod answer;
mod content;
mod create;
mod erase;
mod list;
mod read;
mod request;

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create::create_record, list::list_records))
        .routes(routes!(read::read_record))
        .routes(routes!(read::read_receipt))
        .routes(routes!(read::read_attachment))
        .routes(routes!(erase::erase_content))
}
