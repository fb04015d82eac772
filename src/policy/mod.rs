// SPDX-License-Identifier: Apache-2.0
//! IAM policy documents as AWS documents the language ("IAM JSON policy
//! reference"): read and checked, compiled once, evaluated without allocation.

mod action;
mod any;
mod arn;
mod block;
pub mod catalogue;
pub mod check;
mod compile;
mod condition;
mod document;
pub mod explain;
mod far;
mod index;
mod key;
mod language;
mod number;
mod operand;
mod operator;
mod party;
mod pattern;
mod problem;
mod reader;
pub mod simulate;
mod statement;
mod text;
mod trust;

pub use action::{Action, ActionId, ActionTable};
pub use arn::{ArnMatch, Namespace, Scope};
pub use compile::{Compiled, Evaluation, Named, PolicySet, StatementName};
pub use document::Document;
pub use key::Facts;
pub use problem::{Invalid, Problem};
pub(crate) use text::Instant;
pub use trust::{Trust, TrustPolicy};
