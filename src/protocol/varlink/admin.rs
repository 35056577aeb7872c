//! `io.podspawn.Admin`: cleanup, diagnosis and examination of images.

use super::sessions::Step;
use crate::{
    domain::{Removed, Subnet},
    protocol::examination::Facts,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Parameters of `Cleanup`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CleanupParameters {
    /// Report what a pass would remove, and remove nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Parameters of the reply to `Cleanup`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanupReply {
    /// In the order of removal.
    pub removed: Vec<Removed>,
}

/// The container engine, in the reply to `Diagnose`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EngineInfo {
    /// Its version, for instance `28.2.2`.
    pub version: String,
    /// The newest API version that it speaks, for instance `1.50`. Not sent.
    #[serde(skip)]
    pub api_version: String,
    /// As the engine lists them.
    pub security_options: Vec<String>,
    /// Its OCI runtimes.
    pub runtimes: Vec<String>,
    /// The runtime of a container that names none.
    pub default_runtime: String,
    /// The versions of its components, by name.
    pub components: BTreeMap<String, String>,
    /// The directory of its images and containers.
    pub data_root: String,
    /// Whether containers outlive its restart.
    pub live_restore: bool,
    /// Whether the kernel can enforce a memory limit; absent: unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<bool>,
    /// The same for the limit of processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_limit: Option<bool>,
    /// The same for the limit of processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<bool>,
    /// Its own warnings.
    pub warnings: Vec<String>,
}

/// An image that a login would use, in the reply to `Diagnose`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// The image.
    pub image: String,
    /// Whose image: `everybody`, a user or a project.
    pub of: String,
    /// Whether the engine has it; absent: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
}

/// The use of `network.pool`, in the reply to `Diagnose`. `Pool` in the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolUse {
    /// The pool.
    pub network: Subnet,
    /// Number of subnets in it.
    pub subnets: u32,
    /// Subnets that a route of the host covers, which no session can have.
    pub routed: u32,
    /// Subnets of sessions.
    pub used: u32,
}

/// Parameters of the reply to `Diagnose`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiagnoseReply {
    /// The broker's version.
    pub version: String,
    /// Mistakes in the configuration files, a line each; the broker keeps using the last valid configuration.
    pub problems: Vec<String>,
    /// The engine; absent if it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineInfo>,
    /// Why the engine does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_error: Option<String>,
    /// The images that logins would use, at most some hundred.
    pub images: Vec<ImageInfo>,
    /// Containers, networks and directories without a session; absent if the engine does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orphans: Option<Vec<Removed>>,
    /// Containers and networks with podspawn's label that podspawn did not make, a line each.
    #[serde(default)]
    pub foreign: Vec<String>,
    /// The pool of networks; absent if no session can have a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolUse>,
    /// Why no session can have a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_error: Option<String>,
    /// Number of sessions whose container should run.
    pub running: u32,
    /// Those of them whose guest is not connected.
    pub silent: Vec<String>,
    /// Number of users with an id of their own inside containers.
    pub uids: u32,
    /// Whether another id is free.
    pub has_free_uid: bool,
    /// Sessions whose container was made before users had ids of their own, by user and project.
    pub shared_uids: Vec<String>,
    /// Sessions whose user's id is also the id of an account of the host.
    pub uid_conflicts: Vec<UidConflict>,
    /// Why the log file cannot be written, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_error: Option<String>,
    /// Why the audit log cannot be written, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_error: Option<String>,
    /// Why the broker cannot write to `homes_dir`, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub homes_error: Option<String>,
    /// When the newest session was created, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<i64>,
}

/// A user's id inside a container that another account of the host has as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UidConflict {
    /// The session, as `user` or `user@project`.
    pub session: String,
    /// The id.
    pub uid: u32,
    /// The host's use of the id, as words that follow "is".
    pub holder: String,
}

/// Parameters of `VerifyImage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyImageParameters {
    /// The image, as the engine names it.
    pub image: String,
}

/// Parameters of the replies to `VerifyImage`: any number of progress reports, then one with facts or a problem.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyImageReply {
    /// The step that the caller is waiting for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Step>,
    /// The shell that logins prefer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// The facts about the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// Why a container of the image does not start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
