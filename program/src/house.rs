// SPDX-License-Identifier: Apache-2.0
//! Of which cluster a command speaks: how its resources are named and matched.

use std::path::{Path, PathBuf};

use clap::Args;
use standin::access_control::StoreFiles;
use standin::fault::{Fault, Status};
use standin::policy::{ArnMatch, Namespace, Scope};
use standin::settings::EngineSettings;

use crate::Desk;
use crate::broker::Broker;

/// Options that say which cluster.
#[derive(Args, Clone)]
pub(crate) struct Which {
    /// The broker's server.properties; names its cluster, aliases, tags, audit directory and store.
    #[arg(long)]
    pub(crate) broker: Option<PathBuf>,
    /// ARN of the cluster; may be given again for aliases.
    #[arg(long, conflicts_with = "broker")]
    pub(crate) cluster: Vec<String>,
}

/// What is known of the cluster and its host.
pub(crate) struct House {
    /// How resources are named and matched.
    pub(crate) scope: Scope,
    /// Tags of the cluster.
    pub(crate) tags: Vec<(String, String)>,
    /// Where the host writes its audit, if that is known.
    pub(crate) audit_dir: Option<PathBuf>,
    /// Where the store is, if that is known.
    pub(crate) store: Option<StoreFiles>,
    /// Where all this is from, for people.
    pub(crate) from: String,
}

impl House {
    fn of_broker(path: &Path) -> Result<Self, Fault> {
        let settings = EngineSettings::of(&Broker::read(path)?.given()?)
            .map_err(|f| Fault::new(f.status, format!("{}: {f}", path.display())))?;
        let arn_match = if settings.arn_match_aws { ArnMatch::Aws } else { ArnMatch::Fields };
        Ok(Self {
            scope: Scope { namespaces: settings.namespaces, arn_match },
            tags: settings.cluster_tags,
            audit_dir: Some(settings.audit_dir),
            // The store of an agent of its own is not the host's to know.
            store: settings
                .agent
                .is_none()
                .then_some(StoreFiles { store: settings.store, key_file: settings.key_file }),
            from: path.display().to_string(),
        })
    }

    /// The resource of a question: its type and name. Takes `TYPE/NAME`,
    /// `cluster`, or a whole ARN.
    ///
    /// # Errors
    /// When the cluster has to be known and is not.
    pub(crate) fn resource<'r>(&self, text: &'r str) -> Result<(&'r str, &'r str), Fault> {
        if text.starts_with("arn:") {
            // An ARN of this cluster is asked about by name, as the broker does.
            return Ok(self.scope.split(text).unwrap_or(("", text)));
        }
        if self.scope.namespaces.is_empty() {
            return Err(Fault::new(
                Status::InvalidArgument,
                format!("resource {text:?}: of which cluster? give --broker FILE or --cluster ARN, or a whole ARN"),
            ));
        }
        match text.split_once('/') {
            Some((kind, name)) if !kind.is_empty() => Ok((kind, name)),
            None if text == "cluster" => Ok((text, "")),
            _ => Err(Fault::new(
                Status::InvalidArgument,
                format!("resource {text:?}: TYPE/NAME such as topic/orders, cluster, or an ARN is accepted"),
            )),
        }
    }
}

impl Which {
    /// The cluster that is meant. Without options that of the file which
    /// `standin init` left beside the store.
    ///
    /// # Errors
    /// When a file cannot be read or an ARN is none.
    pub(crate) fn house(&self, desk: &Desk) -> Result<House, Fault> {
        if let Some(path) = &self.broker {
            return House::of_broker(path);
        }
        if !self.cluster.is_empty() {
            let namespaces = self.cluster.iter().map(|arn| Namespace::parse(arn)).collect::<Result<_, _>>();
            let namespaces = namespaces.map_err(|e| Fault::new(Status::InvalidArgument, e))?;
            return Ok(House {
                scope: Scope { namespaces, arn_match: ArnMatch::Fields },
                from: "--cluster".into(),
                ..House::unknown()
            });
        }
        let beside = desk.files().ok().map(|f| f.store.with_file_name("standin.properties"));
        match beside.filter(|path| path.exists()) {
            Some(path) => House::of_broker(&path),
            None => Ok(House::unknown()),
        }
    }
}

impl House {
    fn unknown() -> Self {
        Self {
            scope: Scope { namespaces: Vec::new(), arn_match: ArnMatch::Aws },
            tags: Vec::new(),
            audit_dir: None,
            store: None,
            from: String::new(),
        }
    }
}
