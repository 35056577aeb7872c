//! Replacing podspawn under the sessions of the one before.

use crate::bench::{self, Bench, Disturbance, User, eventually};
use serde_json::Value;

/// Another program by all appearances, that does the same: its content, and so its name among the copies.
const REPLACE: &str = "cp -p /usr/bin/podspawn /run/podspawn-test/podspawn.before
cp -p /usr/bin/podspawn /usr/bin/podspawn.new && date +%s%N >>/usr/bin/podspawn.new
mv /usr/bin/podspawn.new /usr/bin/podspawn && systemctl restart podspawn-broker.service";
const RESTORE: &str = "test ! -e /run/podspawn-test/podspawn.before || {
    mv /run/podspawn-test/podspawn.before /usr/bin/podspawn.new && mv /usr/bin/podspawn.new /usr/bin/podspawn
}; systemctl restart podspawn-broker.service";

const COPIES: &str = "/var/lib/podspawn/guest";

impl Bench {
    fn copies(&self) -> Vec<String> {
        self.root(&format!("ls {COPIES} 2>/dev/null || true")).split_whitespace().map(str::to_owned).collect()
    }

    /// The name that a copy of what is installed has.
    fn installed(&self) -> String {
        self.root("sha256sum /usr/bin/podspawn").split_whitespace().next().unwrap().to_owned()
    }

    /// Removes every session, and what is kept until there is none.
    fn end_all_sessions(&self) {
        for session in self.sessions() {
            let name = |key: &str| session[key].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
            let (user, project) = (name("user").unwrap(), name("project"));
            let key = project.map_or(user.clone(), |project| format!("{user}@{project}"));
            // One that ends by itself meanwhile is not there to be stopped.
            self.bash(&[], &format!("podspawn stop {key}"));
        }
        eventually("no session is left", || self.sessions().is_empty());
        self.root("systemctl restart podspawn-broker.service");
        eventually("the broker is back", || self.sessions().is_empty());
    }
}

impl User<'_> {
    /// The copy that its only container runs.
    fn copy(&self) -> String {
        let mounts = self.bench.root(&format!("docker inspect --format '{{{{json .Mounts}}}}' {}", self.container()));
        let mounts: Vec<Value> = serde_json::from_str(&mounts).unwrap();
        let guest = mounts.iter().find(|mount| mount["Destination"] == "/.podspawn/podspawn").unwrap();
        guest["Source"].as_str().and_then(|source| source.strip_prefix(&format!("{COPIES}/"))).unwrap().to_owned()
    }
}

#[test]
fn an_upgrade_leaves_sessions_as_they_are_and_new_ones_are_of_the_new_version() {
    let bench = bench::alone();
    let (stays, comes) = (bench.user(), bench.user());
    let mut shell = stays.shell();
    let mut command = stays.start(&[], "echo ready; read -r code; exit $code");
    let (container, before) = (stays.container(), stays.copy());
    assert_eq!(before, bench.installed());
    let upgrade = Disturbance::of(&bench, REPLACE, RESTORE);
    let after = bench.installed();
    assert_ne!(before, after);

    shell.send("echo still:$((40 + 2)):\n");
    shell.wait_for("still:42:");
    eventually("who is connected is counted", || stays.connections() == 2);
    assert_eq!(stays.run("echo $$; exit 7").code, Some(7));
    assert_eq!(stays.run_with(&[], "cat", b"through").success(), "through");
    assert_eq!((stays.container(), stays.copy()), (container.clone(), before.clone()));
    command.send(b"9\n".to_vec());
    assert_eq!(command.finish().code, Some(9));
    shell.kill();
    eventually("the end of a connection is noticed", || stays.connections() == 0);
    assert_eq!(stays.sessions()[0]["status"], "grace");
    assert_eq!(stays.run("echo back").success(), "back");
    assert_eq!(stays.container(), container);

    assert_eq!(comes.run("echo new").success(), "new");
    assert_eq!(comes.copy(), after);
    let copies = bench.copies();
    assert!(copies.contains(&before) && copies.contains(&after), "{copies:?}");

    // A copy is kept while there is any session, and gone with the next start of a broker that has none.
    bench.end_all_sessions();
    assert_eq!(bench.copies(), Vec::<String>::new());
    assert_eq!(comes.run("echo again").success(), "again");
    assert_eq!(bench.copies(), [after]);
    drop(upgrade);
    assert_eq!(bench.installed(), before);
    assert_eq!(stays.run("echo as before").success(), "as before");
    assert_eq!(stays.copy(), before);
}
