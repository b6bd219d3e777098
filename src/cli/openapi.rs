//! `consilium openapi`

use clap::Args;

/// Prints the OpenAPI 3.1 document of the control API, as it is served at `/v1/openapi.json`.
#[derive(Debug, Args)]
pub struct OpenApi {}

impl OpenApi {
    pub fn run(self) {
        print!("{}", control_api::openapi());
    }
}
