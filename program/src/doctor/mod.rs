// SPDX-License-Identifier: Apache-2.0
//! `standin doctor`: what is wrong with a broker's configuration, and which
//! line to change.

mod clock;
mod files;
mod logins;
mod node;
mod principals;
mod rules;
mod settings;
mod together;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use standin::fault::Fault;

use crate::Desk;
use crate::broker::Broker;
use crate::output::{self, Output};

use node::Node;
use rules::{Findings, RULES};

/// Which brokers.
#[derive(Args)]
pub(crate) struct Doctor {
    /// A broker's or controller's server.properties; several may be given.
    #[arg(long, required_unless_present = "rules")]
    broker: Vec<PathBuf>,
    /// The directory that the broker's jars are in.
    #[arg(long)]
    libs: Option<PathBuf>,
    /// List everything that is looked for.
    #[arg(long)]
    rules: bool,
}

/// Edit distance, to find what was probably meant.
fn distance(a: &str, b: &str) -> usize {
    standin::fault::distance(a, b)
}

impl Doctor {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        if self.rules {
            let rows: Vec<Value> = RULES.iter().map(|(name, text)| json!({"rule": name, "about": text})).collect();
            desk.output.list(&["rule", "about"], &rows);
            return Ok(ExitCode::SUCCESS);
        }
        let brokers: Vec<Broker> = self.broker.iter().map(|path| Broker::read(path)).collect::<Result<_, _>>()?;
        let mut found = Vec::new();
        let mut engines = Vec::new();
        for broker in &brokers {
            let mut out = Findings::new(&broker.path);
            let node = Node::of(broker);
            principals::check(&node, &mut out);
            let engine = settings::check(&node, &mut out);
            logins::check(&node, &mut out);
            files::native(&node, &mut out);
            if let Some(engine) = &engine {
                let store = match &engine.agent {
                    Some(agent) => {
                        files::agent(&node, agent, &mut out);
                        None
                    }
                    None => files::store(&node, engine, &mut out),
                };
                files::audit_dir(&node, engine, &mut out);
                clock::check(engine, store.as_ref(), &mut out);
            }
            engines.push(engine.map(|engine| (broker, engine)));
            // In the order of the file; what stands nowhere comes last.
            out.list.sort_by_key(|f| f.line.unwrap_or(usize::MAX));
            found.append(&mut out.list);
        }
        found.append(&mut together::check(&engines.into_iter().flatten().collect::<Vec<_>>()));
        if let Some(libs) = &self.libs {
            let mut out = Findings::new(libs);
            files::jars(libs, &mut out);
            found.append(&mut out.list);
        }
        if desk.output == Output::Json {
            output::line(&Value::from(found.iter().map(rules::Finding::json).collect::<Vec<_>>()).to_string());
        } else {
            found.iter().flat_map(rules::Finding::lines).for_each(|l| output::line(&l));
            if found.is_empty() {
                output::line("nothing wrong was found");
            }
        }
        Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
