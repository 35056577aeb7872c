//! What a test breaks on the bench host, and how it is mended.

use super::Bench;

/// Something of the bench that a test breaks, mended when it is dropped, whatever happened meanwhile.
pub(crate) struct Disturbance<'a> {
    bench: &'a Bench,
    mend: String,
}

/// Makes a container of a session that the broker does not know, as a restored database leaves it. `docker` may be
/// `create` or `run --detach`.
pub(crate) fn orphan(docker: &str, name: &str, id: &str) -> String {
    let labels = format!("--label managed-by=podspawn --label podspawn.session={id}");
    format!(
        "install -d -o podspawn /run/podspawn/guests/{id} && docker network create {labels} podspawn-{id} &&
         docker {docker} --name {name} {labels} --network podspawn-{id} \
            --mount type=bind,source=/run/podspawn/guests/{id},target=/.podspawn/run,readonly podspawn-workload:latest \
            sleep 600"
    )
}

/// Stopping the broker for good, and having it back.
pub(crate) const STOP_BROKER: &str = "systemctl stop podspawn-broker.socket podspawn-broker.service";
pub(crate) const START_BROKER: &str = "systemctl start podspawn-broker.socket";

impl<'a> Disturbance<'a> {
    pub(crate) fn of(bench: &'a Bench, disturb: &str, mend: impl Into<String>) -> Self {
        let disturbance = Self { bench, mend: mend.into() };
        bench.root(disturb);
        disturbance
    }

    /// What `make` prints in place of the file `name` of `directory`, which may be a link; `then` follows either way.
    pub(crate) fn of_file(bench: &'a Bench, directory: &str, name: &str, make: &str, then: &str) -> Self {
        let disturb = format!(
            "cd {directory} && cp -P --remove-destination {name} /run/podspawn-test/\n\
             {{ {make}\n}} >new && chmod 0644 new && mv new {name}\n{then}"
        );
        let mend = format!("cd {directory} && cp -P /run/podspawn-test/{name} new && mv new {name}\n{then}");
        Self::of(bench, &disturb, mend)
    }

    /// Another server configuration: what the filter `edit` makes of the bench's own.
    pub(crate) fn of_config(bench: &'a Bench, edit: &str) -> Self {
        let own = include_str!("../../bench.d/config.yaml");
        Self::of_file(bench, "/etc/podspawn", "config.yaml", &format!("{edit} <<'END'\n{own}END"), "")
    }
}

impl Drop for Disturbance<'_> {
    fn drop(&mut self) {
        let mended = self.bench.bash(&[], &self.mend);
        // A second panic would end the whole run.
        assert!(mended.code == Some(0) || std::thread::panicking(), "`{}` failed: {mended:?}", self.mend);
    }
}
