// SPDX-License-Identifier: Apache-2.0
//! The table of all settings: what a host passes, what a file holds and what
//! the reference documents all come from here.

/// Where a setting applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The engine: shared by everything in the process that opens it.
    Engine,
    /// One listener.
    Profile,
    /// The binding that loads the library; the library only knows the name.
    Binding,
}

/// One row of the table of settings.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The full name, beginning with `standin.`.
    pub name: &'static str,
    /// Where it applies.
    pub scope: Scope,
    /// The value when it is not given; empty when there is none.
    pub default: &'static str,
    /// What it does and which values are accepted.
    pub meaning: &'static str,
}

const fn row(name: &'static str, scope: Scope, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, scope, default, meaning }
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    row(
        "standin.store",
        Scope::Engine,
        "",
        "Path of the store: one SQLite file, shared by the processes of this machine. This or standin.service.url is required, except by hosts with `standin.agent.placement=process`.",
    ),
    row(
        "standin.service.url",
        Scope::Engine,
        "",
        "Address of the security service, `https://HOST:PORT`, instead of a store on this machine. Several, comma-separated: replicas, of which one that answers is used.",
    ),
    row(
        "standin.service.ca",
        Scope::Engine,
        "",
        "Path of a PEM file with the certificates of the authorities that the service's certificate may come from. Required with standin.service.url.",
    ),
    row(
        "standin.host.credential",
        Scope::Engine,
        "",
        "Path of this host's credential, as `standin host enroll` made it. Required with standin.service.url.",
    ),
    row(
        "standin.key.file",
        Scope::Engine,
        "<store>.key",
        "Path of the key file under which secrets in the store are sealed.",
    ),
    row(
        "standin.agent.placement",
        Scope::Engine,
        "thread",
        "`thread`: the agent runs in the host. `process`: it is a process of its own (`standin agent`) and holds everything secret.",
    ),
    row(
        "standin.agent.socket",
        Scope::Engine,
        "",
        "Path of the Unix socket between host and agent. Required by both with `standin.agent.placement=process`. Its directory is open to nobody else (mode 0750 or tighter).",
    ),
    row(
        "standin.agent.user",
        Scope::Engine,
        "",
        "User the agent's process runs as, by name or number. Hosts talk to nobody else. Required with `standin.agent.placement=process`.",
    ),
    row(
        "standin.agent.host.users",
        Scope::Engine,
        "",
        "For `standin agent`: users whose processes may connect, comma-separated, by name or number. Required there.",
    ),
    row(
        "standin.agent.cache.file",
        Scope::Engine,
        "",
        "For `standin agent`: file in which it keeps what it holds, sealed, for the time after a restart. Without it nothing is kept.",
    ),
    row(
        "standin.agent.cache.key.file",
        Scope::Engine,
        "<cache file>.key",
        "For `standin agent`: path of the key file under which that file is sealed; made when missing.",
    ),
    row(
        "standin.engine",
        Scope::Engine,
        "default",
        "Name of the engine. Everything in one process that opens the same name shares it.",
    ),
    row(
        "standin.host",
        Scope::Engine,
        "host/local",
        "Name of this host in audit records (`via`): `host/<cluster>/<node>`, letters, digits and +=,.@-_/. With standin.service.url it is the name in standin.host.credential.",
    ),
    row(
        "standin.cluster.arn",
        Scope::Engine,
        "",
        "ARN of the cluster: `arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID`. Required for Kafka.",
    ),
    row(
        "standin.cluster.aliases",
        Scope::Engine,
        "",
        "Further cluster ARNs, comma-separated, under which policies match too: the ARNs of a cluster that was moved here.",
    ),
    row(
        "standin.namespace",
        Scope::Engine,
        "",
        "What the ARNs of this host's resources begin with, for hosts other than Kafka: `arn:PARTITION:SERVICE:REGION:ACCOUNT`. Instead of standin.cluster.arn.",
    ),
    row(
        "standin.cluster.tags",
        Scope::Engine,
        "",
        "Tags of the cluster (`aws:ResourceTag/KEY`), comma-separated `KEY=VALUE`.",
    ),
    row(
        "standin.arn.match",
        Scope::Engine,
        "fields",
        "`fields`: an allow matches field by field, a deny by whole string, so that names holding `/` or `*` only narrow. `aws`: both by whole string, exactly as AWS.",
    ),
    row(
        "standin.audit.dir",
        Scope::Engine,
        "<directory of the store>/audit",
        "Directory of the audit files (JSON lines, one per boot and rotation). Without a store: beside standin.host.credential.",
    ),
    row(
        "standin.audit.flush.ms",
        Scope::Engine,
        "1000",
        "How often audit records are written and synced, in milliseconds (100 to 60000). What SIGKILL may lose.",
    ),
    row(
        "standin.audit.window.ms",
        Scope::Engine,
        "60000",
        "Window over which allowed operations and repeated denials are counted, in milliseconds (1000 to 3600000).",
    ),
    row(
        "standin.audit.file.max.bytes",
        Scope::Engine,
        "104857600",
        "Size at which an audit file is closed and the next one begun (1 MiB or more).",
    ),
    row(
        "standin.audit.deliver",
        Scope::Engine,
        "false",
        "`true`: audit records are delivered to the service as well, which collects them with `--collect-audit`. They stay in their files. Needs standin.service.url, in the agent's process where it is one of its own.",
    ),
    row(
        "standin.decide",
        Scope::Engine,
        "local",
        "`local`: operations are decided from the client's entitlements. `remote`: the service decides each one that is not cached, proven by the impersonation credential.",
    ),
    row(
        "standin.decide.ttl.ms",
        Scope::Engine,
        "2000",
        "How long an answer of `standin.decide=remote` may be repeated from the cache, in milliseconds (0 to 60000).",
    ),
    row(
        "standin.feed.interval.ms",
        Scope::Engine,
        "50",
        "How often the change feed of the embedded store is read, in milliseconds (10 to 10000).",
    ),
    row(
        "standin.stale.after.ms",
        Scope::Engine,
        "30000",
        "Silence of the change feed after which local logins, renewals and administrative operations stop, in milliseconds (1000 or more).",
    ),
    row(
        "standin.stale.grace.ms",
        Scope::Engine,
        "300000",
        "Silence of the change feed after which nothing is decided any more, in milliseconds (at least standin.stale.after.ms).",
    ),
    row(
        "standin.credential.lifetime.ms",
        Scope::Engine,
        "3600000",
        "Lifetime of impersonation credentials, in milliseconds (4000 to 43200000). Bounds every session.",
    ),
    row("standin.cache.entries", Scope::Engine, "16384", "Most decisions one context keeps (64 to 1048576)."),
    row(
        "standin.delegation.tokens",
        Scope::Engine,
        "refuse",
        "`refuse`: start fails when Kafka delegation tokens are configured beside a Standin listener. `ignore`: it does not; such tokens never carry a Standin principal's rights.",
    ),
    row(
        "standin.idempotent",
        Scope::Engine,
        "kafka",
        "`kafka`: WriteData on any topic permits an idempotent producer, as Kafka does. `strict`: only WriteDataIdempotently does, as MSK does.",
    ),
    row(
        "standin.denied.slow",
        Scope::Engine,
        "true",
        "`true`: a client of Kafka that goes on asking for what it is denied, ten times a second or more, gets its denials a fifth of a second late. No thread waits for it, and what it is allowed is answered at once. `false`: it is only counted.",
    ),
    row(
        "standin.mode",
        Scope::Engine,
        "enforce",
        "`enforce`: policies decide for clients of Standin. `shadow`: Kafka's ACLs decide for everybody, policies are decided beside them, and differences are reported; for Kafka only.",
    ),
    row(
        "standin.shadow.principals",
        Scope::Engine,
        "User:* -> user/*",
        "With `standin.mode=shadow`: which principal of ACLs is which identity, both ways; rules separated by `;`, the first that fits counts, `-` on the right is nobody.",
    ),
    row(
        "standin.hosts",
        Scope::Profile,
        "",
        "Names clients dial for this listener, comma-separated, without port: advertised names and bootstrap aliases. Required with `msk-iam` in standin.evidence.",
    ),
    row(
        "standin.regions",
        Scope::Profile,
        "",
        "Regions a signature may name, comma-separated. Default: the region of standin.cluster.arn or standin.namespace.",
    ),
    row(
        "standin.evidence",
        Scope::Profile,
        "msk-iam,token",
        "What clients may show to log in, comma-separated: `msk-iam` (the SASL mechanism AWS_MSK_IAM), `token` (a presigned URL, raw or in base64url: what the MSK signers make), `certificate` (one the host's TLS has verified).",
    ),
    row(
        "standin.token.hosts",
        Scope::Profile,
        "kafka.<region>.amazonaws.com",
        "Names tokens may be signed for, comma-separated.",
    ),
    row(
        "standin.token.services",
        Scope::Profile,
        "kafka-cluster",
        "Services tokens may be signed for, comma-separated, such as `iotdevicegateway`.",
    ),
    row("standin.token.actions", Scope::Profile, "kafka-cluster:Connect", "Actions tokens may name, comma-separated."),
    row(
        "standin.certificate.identity",
        Scope::Profile,
        "",
        "Who a certificate stands for: `user/` and a name with one of `${cn}`, `${san.dns}`, `${san.uri}`, `${san.email}` in it. Required with `certificate` in standin.evidence.",
    ),
    row(
        "standin.session.max.ms",
        Scope::Profile,
        "43200000",
        "Longest session before the client must authenticate again, in milliseconds (2000 or more).",
    ),
    row(
        "standin.login.max.age.ms",
        Scope::Profile,
        "60000",
        "Greatest age of a signed login, in milliseconds (1000 to 900000); the clock skew is added.",
    ),
    row(
        "standin.login.clock.skew.ms",
        Scope::Profile,
        "300000",
        "Tolerated difference between the client's clock and this one, in milliseconds (0 to 900000).",
    ),
    row(
        "standin.login.wait.ms",
        Scope::Profile,
        "1000",
        "Longest wait of one login for the service, in milliseconds (10 to 30000).",
    ),
    row(
        "standin.login.waiting",
        Scope::Profile,
        "2",
        "Most logins that wait for the service at once (1 to 1024); further ones are told to retry. At most half the listener's network threads is right.",
    ),
    row(
        "standin.login.budget",
        Scope::Profile,
        "50",
        "Failed logins per second and client address before further ones are put off (1 to 100000).",
    ),
    row(
        "standin.session.limit",
        Scope::Profile,
        "0",
        "Most sessions on this listener; further logins are told to retry (0 for no limit, to 16000000). Listeners with equal settings count together.",
    ),
    row(
        "standin.session.limit.identity",
        Scope::Profile,
        "0",
        "Most sessions of one identity on this listener; further logins are told to retry (0 for no limit, to 16000000).",
    ),
    row(
        "standin.login.limit.identity",
        Scope::Profile,
        "0",
        "Logins per second of one identity on this listener; further ones are told to retry (0 for no limit, to 100000).",
    ),
    row(
        "standin.replay",
        Scope::Profile,
        "audit",
        "`audit`: a repeated signature is counted and recorded. `refuse`: it is refused too (breaks clients that start together with one key).",
    ),
    row(
        "standin.allow.plaintext",
        Scope::Profile,
        "false",
        "`true`: logins over unencrypted channels are accepted. For tests on one machine only.",
    ),
    row(
        "standin.retire.grace.ms",
        Scope::Profile,
        "60000",
        "How long a closed connection's session still serves requests in flight, in milliseconds (0 to 600000).",
    ),
    row(
        "standin.config",
        Scope::Binding,
        "",
        "Path of a TOML file with settings; what the host sets itself wins. The environment variable STANDIN_CONFIG names it too.",
    ),
    row("standin.native.path", Scope::Binding, "", "Path of libstandin.so. When given, nothing else is tried."),
];
