// SPDX-License-Identifier: Apache-2.0
//! IAM policy documents as AWS documents the language ("IAM JSON policy
//! reference"): read and checked, compiled once, evaluated without allocation.

mod action;
mod arn;
mod compile;
mod condition;
mod document;
mod key;
mod operator;
mod pattern;
mod problem;
mod reader;
pub mod simulate;

pub use action::{Action, ActionId, ActionTable};
pub use arn::{ArnMatch, ClusterArn, Scope};
pub use compile::{Compiled, Named, PolicySet, StatementName};
pub use document::Document;
pub use key::Facts;
pub use problem::{Invalid, Problem};
