//! Persistent homes: what is kept, who shares it, and what a tenant can do with it. That it survives the container is in
//! `modes`.

mod alone;

use crate::{
    bench::{self, Bench, Disturbance, User, eventually},
    refusals::assert_refused,
    terminal::Terminal,
};
use std::sync::{Mutex, PoisonError};

const HOMES: &str = "/var/lib/podspawn/homes";

impl User<'_> {
    /// Its home on the bench host.
    fn host_home(&self) -> String {
        format!("{HOMES}/{}", self.name)
    }

    /// Ends its session for a project, or its own, and waits for that.
    fn stop(&self, project: Option<&str>) {
        let suffix = project.map(|project| format!("@{project}")).unwrap_or_default();
        let before = self.sessions().len();
        self.bench.root(&format!("podspawn stop {}{suffix}", self.name));
        eventually("the session is gone", || self.sessions().len() == before - 1);
    }

    /// Another image from the next container on.
    fn change_image(&self, image: &str) {
        let file = format!("/etc/podspawn/users/{}.yaml", self.name);
        self.bench.root(&format!("printf 'mode: named\\nimage: \"{image}\"\\n' >{file}.new; mv {file}.new {file}"));
    }
}

#[test]
fn a_home_is_the_accounts_own_and_filled_from_the_skeleton_once() {
    let bench = bench::shared();
    let user = bench.user_with("mode: named");
    let name = &user.name;
    let look = "echo ~; pwd; stat -c '%U %a' ~; diff /etc/skel/.bashrc ~/.bashrc && rm ~/.bashrc && echo filled";
    assert_eq!(user.run(look).quiet_success(), format!("/home/{name}\n/home/{name}\n{name} 700\nfilled"));
    user.stop(None);
    assert_eq!(user.run("ls -A ~/.bashrc; ls -A ~/.profile").text(), format!("/home/{name}/.profile\n"));
}

#[test]
fn a_home_keeps_its_owner_in_every_image() {
    let bench = bench::shared();
    let user = bench.user_with("mode: named");
    user.run("umask 077; echo kept >~/kept").success();
    user.stop(None);
    for image in ["podspawn-alpine-like:latest", "podspawn-workload:latest"] {
        user.change_image(image);
        assert_eq!(
            user.run("cat ~/kept; test -O ~ && test -O ~/kept && echo own >>~/kept").success(),
            "kept",
            "{image}"
        );
        user.run(format!("echo kept >~/kept; test $(id -un) = {}", user.name)).success();
        user.stop(None);
    }
}

#[test]
fn two_sessions_at_once_share_a_home() {
    let bench = bench::shared();
    let user = bench.user_with("mode: named");
    // Both are the first login of all, at the same moment.
    let [option, value] = ["-o", "SetEnv=PODSPAWN_PROJECT=one"];
    let own = user.ssh(&[]).arg("echo own >~/own; cat").stdin(std::process::Stdio::null()).spawn().unwrap();
    let project = user.ssh_in("one", "echo project >~/project; id -u");
    assert!({ own }.wait().unwrap().success());
    assert_eq!(project.success(), user.run("id -u").success());
    assert_eq!(user.containers().len(), 2);
    // Each goes on beside the other, and the home beyond the end of one.
    let held = user.start(&[option, value], "echo ready; read -r go; cat ~/own ~/project");
    assert_eq!(user.run("cat ~/own ~/project; test -e ~/.bashrc && echo filled").success(), "own\nproject\nfilled");
    user.stop(None);
    let mut held = held;
    held.send(b"go\n".to_vec());
    assert_eq!(held.finish().success(), "own\nproject");
}

/// An image in which another account has the user's id.
fn make_image_with_taken_id(bench: &Bench, uid: u64) {
    bench.root(&format!(
        "docker rm -f taken >/dev/null 2>&1; \
         docker run --name taken podspawn-workload sh -c 'echo other:x:{uid}:{uid}::/:/bin/sh >>/etc/passwd' && \
         docker commit taken podspawn-test-taken:latest && docker rm taken",
    ));
}

#[test]
fn a_home_is_handed_over_where_its_owner_is_taken_and_not_while_another_container_uses_it() {
    let bench = bench::shared();
    let user = bench.user_with("mode: named");
    user.run("mkdir ~/d; echo kept >~/d/kept; ln -s /etc/shadow ~/d/link; ln -s / ~/d/root").success();
    let uid = user.uid();
    make_image_with_taken_id(&bench, uid);
    assert_eq!(user.run("id -u").success(), uid.to_string());
    let in_taken = |command: &str| user.ssh_in("taken", command);
    // In use: it stays as it is, and the terminal shows why it is not the home directory.
    let mut ssh = user.ssh(&["-tt", "-o", "SetEnv=PODSPAWN_PROJECT=taken"]);
    let mut terminal = Terminal::open(ssh.arg("sleep 1; echo; id -u; pwd"), 24, 120);
    terminal.wait_for(&format!("podspawn: your home directory belongs to user id {uid}"));
    let (code, shown) = terminal.finish();
    assert!(code == 0 && shown.contains("2000\r\n/\r\n"), "{shown:?}");
    assert_eq!(user.run("cat ~/d/kept").success(), "kept");
    // Alone with it, at the next login.
    user.stop(None);
    let owned = "cat ~/d/kept; test -O ~ && test -O ~/d && test -O ~/d/kept && id -u";
    assert_eq!(in_taken(owned).quiet_success(), "kept\n2000");
    let container = user.container_in("taken");
    assert_eq!(bench.root(&format!("docker exec {container} stat -c %u /etc/shadow /")), "0\n0");
    // And back, in an image that leaves the user its own.
    user.stop(Some("taken"));
    assert_eq!(user.run(owned).quiet_success(), format!("kept\n{uid}"));
}

#[test]
fn a_home_is_where_the_mode_is_named_and_nowhere_else() {
    let bench = bench::shared();
    let user = bench.user();
    assert_eq!(user.run("grep -c ' /home' /proc/mounts").text(), "0\n");
    assert_eq!(user.ssh_in("kept", "grep -c \" $HOME \" /proc/mounts; echo kept >~/kept").text(), "1\n");
    assert_eq!(user.run("ls ~").success(), "");
}

#[test]
fn a_set_uid_program_in_a_home_is_out_of_reach_on_the_host() {
    let bench = bench::shared();
    let user = bench.user_with("mode: named");
    user.run("true").success();
    let (name, home) = (&user.name, user.host_home());
    user.inside(&format!(
        "cp /bin/bash /home/{name}/sh; chown 0:0 /home/{name}/sh; chmod 4755 /home/{name}/sh; chmod 777 /home/{name}"
    ))
    .success();
    assert_eq!(bench.root(&format!("stat -c '%a %u' {home}/sh")), "4755 0");
    assert_eq!(bench.root(&format!("stat -c '%a %U' {HOMES}")), "700 podspawn");
    // For another account of the host, for the tenant's own, and for one with the uid that owns the home.
    let uid = user.uid();
    for account in ["plain", name, &format!("{uid}:{uid}")] {
        let tried = bench.bash(&["-u", account], &format!("ls {HOMES}; {home}/sh -p -c id; cd {home}"));
        assert_eq!((tried.code, tried.text().as_str()), (Some(1), ""), "{account}: {tried:?}");
        assert_eq!(tried.errors().matches("Permission denied").count(), 3, "{account}: {tried:?}");
    }
}

#[test]
fn a_link_in_a_homes_place_is_refused_and_not_followed() {
    let bench = bench::shared();
    let user = bench.user_with("mode: named");
    let home = user.host_home();
    bench.root(&format!("mkdir -p /run/podspawn-test/target && ln -s /run/podspawn-test/target {home}"));
    assert_refused(&user.run("true"), &["the server cannot make your home directory"]);
    eventually("nothing is left", || user.containers().is_empty() && user.sessions().is_empty());
    assert_eq!(bench.root("ls -A /run/podspawn-test/target"), "");
    let log = bench.root(&format!("journalctl -u podspawn-broker --no-pager -o cat PODSPAWN_USER={}", user.name));
    assert!(log.contains(&format!("{home} is not a directory")), "{log}");
    bench.root(&format!("rm {home}"));
    user.run("echo x >~/x").success();
}

#[test]
fn what_a_tenant_leaves_in_a_home_is_the_next_containers_and_nothing_of_the_hosts() {
    let bench = bench::shared();
    let user = bench.user_with("mode: named");
    let before = bench.accounts();
    // Links to where a host's programs might write, and what would hold one that opened it.
    let trap = "rm -rf ~/.[a-z]*; cd ~; ln -s /etc/shadow .bashrc; ln -s /etc .ssh; ln -s / root; mkfifo .profile; \
                ln -s ../../../../../../etc/passwd .bash_profile";
    user.run(trap).success();
    user.stop(None);
    assert_eq!(user.run("readlink ~/.ssh; test -p ~/.profile && echo fifo").success(), "/etc\nfifo");
    bench.root("podspawn cleanup");
    user.stop(None);
    assert_eq!(bench.accounts(), before);
    // A home without anything, and without rights for its owner, is still a login.
    user.run("chmod -R u+rwX ~; rm -rf ~/.[a-z]* ~/*; chmod 0 ~").success();
    user.stop(None);
    assert_eq!(user.run("pwd; chmod 700 ~").success(), "/");
    assert_eq!(user.run("pwd").success(), format!("/home/{}", user.name));
}

/// An image with a repository of dotfiles.
fn make_image_with_dotfiles(bench: &Bench) {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    bench.root(
        "docker image inspect podspawn-test-dotfiles >/dev/null 2>&1 && exit; docker rm -f dotfiles >/dev/null 2>&1; \
         docker run --name dotfiles podspawn-workload sh -euc '
             git config --system safe.directory \"*\"
             git init -q /srv/dots && cd /srv/dots
             printf \"%s\\n\" \"#!/bin/sh\" \"echo installed by \\$(id -un) in \\$PWD >>~/.installed\" >install
             chmod 0755 install && git add install
             git -c user.name=x -c user.email=x@example.org commit -qm dots' && \
         docker commit dotfiles podspawn-test-dotfiles:latest && docker rm dotfiles",
    );
}

fn with_dotfiles(more: &str) -> String {
    format!("image: \"podspawn-test-dotfiles:latest\"\n{more}")
}

#[test]
fn dotfiles_are_in_a_fresh_home_before_anything_runs_there_and_once() {
    let bench = bench::shared();
    make_image_with_dotfiles(&bench);
    for mode in ["ttl", "named"] {
        let user = bench.user_with(&with_dotfiles(&format!(
            "mode: {mode}\ndotfiles: {{repo: \"file:///srv/dots\", install: ./install}}"
        )));
        let installed = format!("installed by {0} in /home/{0}/.dotfiles\n", user.name);
        // Whatever comes first, even a transfer: not a word on its streams, and its own exit code.
        let first = user.run_with(&[], "cat ~/.installed -; exit 3", b"in\n");
        assert_eq!((first.code, first.text(), first.errors()), (Some(3), format!("{installed}in\n"), String::new()));
        assert_eq!(
            user.run("cat ~/.installed; test -O ~/.dotfiles/install; echo $?").text(),
            format!("{installed}0\n")
        );
        // In a new container: the throw-away home is a fresh one, the other is not.
        user.run("echo mine >>~/.installed").success();
        user.stop(None);
        let kept = if mode == "named" { "mine\n" } else { "" };
        assert_eq!(user.run("cat ~/.installed").text(), format!("{installed}{kept}"));
        user.stop(None);
    }
}

#[test]
fn dotfiles_that_fail_are_reported_at_a_terminal_and_the_login_goes_on() {
    let bench = bench::shared();
    make_image_with_dotfiles(&bench);
    let absent = bench.user_with(&with_dotfiles("dotfiles: {repo: \"file:///nowhere\"}"));
    let mut terminal = absent.terminal(None);
    terminal.wait_for("podspawn: setting up your dotfiles from file:///nowhere");
    terminal.wait_for("podspawn: your dotfiles are not set up: git clone failed");
    terminal.send("cat ~/.dotfiles.log; exit 5\n");
    let (code, shown) = terminal.finish();
    assert!(code == 5 && shown.contains("fatal:") && shown.contains("nowhere"), "{shown:?}");
    // A program hears nothing of it.
    let quiet = bench.user_with(&with_dotfiles("dotfiles: {repo: \"file:///srv/dots\", install: \"exit 4\"}"));
    assert_eq!(quiet.run("echo out").quiet_success(), "out");
    // One that hangs can be interrupted at the terminal that waits for it.
    let slow = bench.user_with(&with_dotfiles("dotfiles: {repo: \"file:///srv/dots\", install: \"sleep 1000\"}"));
    let mut terminal = slow.terminal(None);
    terminal.wait_for("podspawn: setting up your dotfiles");
    eventually("the install command runs", || slow.run("grep -l -a '^sleep' /proc/[0-9]*/cmdline").code == Some(0));
    terminal.send("\x03");
    terminal.wait_for("podspawn: your dotfiles are not set up: the install command failed");
    terminal.send("echo al''ive; exit 6\n");
    terminal.wait_for("alive");
    assert_eq!(terminal.finish().0, 6);
}

#[test]
fn dotfiles_whose_first_login_could_not_have_them_are_set_up_by_a_later_one() {
    let bench = bench::shared();
    make_image_with_dotfiles(&bench);
    let repo = "dotfiles: {repo: \"file:///srv/later\", install: ./install}";
    let user = bench.user_with(&with_dotfiles(repo));
    assert_eq!(user.run("ls -d ~/.dotfiles; echo $?").text().lines().last(), Some("2"));
    let mut terminal = user.terminal(None);
    terminal.wait_for("podspawn: your dotfiles are not set up: git clone failed");
    terminal.wait_for("the next login tries again");
    terminal.send("exit\n");
    terminal.finish();
    // As when an agent is there at last.
    user.inside("cp -a /srv/dots /srv/later").success();
    assert_eq!(user.run("cat ~/.installed").text(), format!("installed by {0} in /home/{0}/.dotfiles\n", user.name));
    assert_eq!(user.run("wc -l <~/.installed; ls -A ~ | grep dotfiles").text(), "1\n.dotfiles\n.dotfiles.log\n");
    user.stop(None);
    // And not for ever.
    let never = bench.user_with(&with_dotfiles("dotfiles: {repo: \"file:///nowhere\"}"));
    for attempt in 1..=6 {
        let attempts = never.run("cat ~/.dotfiles.pending 2>/dev/null; true").quiet_success();
        let expected = if attempt < 5 { attempt.to_string() } else { String::new() };
        assert_eq!(attempts, expected, "{attempt}");
    }
}
