// SPDX-License-Identifier: Apache-2.0
//! Prints a token of the signer for Rust and when it ends, in milliseconds since
//! the epoch: for the region in `AWS_REGION`, with the keys of the environment.

use std::error::Error;

use aws_msk_iam_sasl_signer::generate_auth_token;
use aws_types::region::Region;

fn main() -> Result<(), Box<dyn Error>> {
    let region = Region::new(std::env::var("AWS_REGION")?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (token, ends) = runtime.block_on(generate_auth_token(region))?;
    println!("{token} {ends}");
    Ok(())
}
