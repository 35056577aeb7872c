//! A server as a process, and a conversation with it.

use crate::{
    answer::{self, Fields},
    tree::Tree,
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};
use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// OpenSSH's server, as Debian has it.
pub(crate) const OPENSSH: &str = "/usr/lib/openssh/sftp-server";

/// A program to start, and what keeps it where it is.
pub(crate) struct Server {
    program: PathBuf,
    arguments: Vec<String>,
    _place: Option<tempfile::TempDir>,
}

impl Server {
    pub(crate) fn openssh() -> Self {
        let program = PathBuf::from(OPENSSH);
        assert!(program.exists(), "{OPENSSH} is missing; apt-get install openssh-sftp-server");
        Self { program, arguments: Vec::new(), _place: None }
    }

    /// Ours, copied to where every user may run it.
    pub(crate) fn podspawn() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = place.path().join("podspawn");
        fs::copy(env!("CARGO_BIN_EXE_podspawn"), &program).unwrap();
        Self { program, arguments: vec!["guest".into(), "--sftp".into()], _place: Some(place) }
    }

    /// The same with at most so many descriptors.
    pub(crate) fn with_descriptors(mut self, most: u32) -> Self {
        let program = self.program.display().to_string();
        let shell = ["-c".into(), format!("ulimit -n {most}; exec \"$@\""), "sh".into(), program];
        self.arguments.splice(0..0, shell);
        self.program = "/bin/sh".into();
        self
    }
}

/// Kinds of requests.
pub(crate) const OPEN: u8 = 3;
pub(crate) const CLOSE: u8 = 4;
pub(crate) const READ: u8 = 5;
pub(crate) const WRITE: u8 = 6;
pub(crate) const LSTAT: u8 = 7;
pub(crate) const FSTAT: u8 = 8;
pub(crate) const SETSTAT: u8 = 9;
pub(crate) const FSETSTAT: u8 = 10;
pub(crate) const OPENDIR: u8 = 11;
pub(crate) const READDIR: u8 = 12;
pub(crate) const REMOVE: u8 = 13;
pub(crate) const MKDIR: u8 = 14;
pub(crate) const RMDIR: u8 = 15;
pub(crate) const REALPATH: u8 = 16;
pub(crate) const STAT: u8 = 17;
pub(crate) const RENAME: u8 = 18;
pub(crate) const READLINK: u8 = 19;
pub(crate) const SYMLINK: u8 = 20;
pub(crate) const EXTENDED: u8 = 200;

/// A request's fields, in the making.
#[derive(Default, Clone)]
pub(crate) struct Body(pub(crate) Vec<u8>);

impl Body {
    pub(crate) fn string(mut self, string: &[u8]) -> Self {
        self.0.extend_from_slice(&u32::try_from(string.len()).unwrap().to_be_bytes());
        self.0.extend_from_slice(string);
        self
    }

    pub(crate) fn u32(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(crate) fn u64(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }
}

/// The fields `strings`, one after another.
pub(crate) fn strings(strings: &[&[u8]]) -> Body {
    strings.iter().fold(Body::default(), |body, string| body.string(string))
}

pub(crate) struct Talk {
    child: Child,
    user: String,
    id: u32,
    lines: Vec<String>,
    /// The last answer's content.
    last: Vec<u8>,
}

impl Talk {
    /// Starts `server` in the tree, as the tree's owner, and greets it.
    pub(crate) fn start(server: &Server, tree: &Tree) -> Self {
        let mut talk = Self::start_without_greeting(server, tree);
        talk.init(3);
        talk
    }

    fn start_without_greeting(server: &Server, tree: &Tree) -> Self {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let mut account = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let account = account.find(|fields| fields[2] == tree.identity.to_string()).expect("an account of this uid");
        let mut command = Command::new(&server.program);
        command.args(&server.arguments).current_dir(&tree.root).env_clear();
        command.env("USER", account[0]).env("HOME", account[5]).env("TZ", "<-0330>3:30");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if tree.identity != rustix::process::getuid().as_raw() {
            command.uid(tree.identity).gid(tree.identity);
        }
        Self {
            child: command.spawn().unwrap(),
            user: account[0].to_owned(),
            id: 0,
            lines: Vec::new(),
            last: Vec::new(),
        }
    }

    /// The account's name.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// What was answered.
    pub(crate) fn finish(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        let mut rest = Vec::new();
        self.child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
        if !rest.is_empty() {
            self.lines.push(format!("{} bytes that nothing asked for", rest.len()));
        }
        self.child.wait().unwrap();
        self.lines
    }

    /// Sends bytes as they are. What a server that has gone leaves unread is no matter.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.child.stdin.as_mut().unwrap().write_all(bytes);
    }

    fn packet(&mut self, content: &[u8]) {
        let mut packet = u32::try_from(content.len()).unwrap().to_be_bytes().to_vec();
        packet.extend_from_slice(content);
        self.raw(&packet);
    }

    /// The next answer's content; `None` where the server has gone.
    fn next(&mut self) -> Option<Vec<u8>> {
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut length = [0; 4];
        stdout.read_exact(&mut length).ok()?;
        let mut content = vec![0; u32::from_be_bytes(length) as usize];
        stdout.read_exact(&mut content).ok()?;
        Some(content)
    }

    pub(crate) fn init(&mut self, version: u32) {
        self.packet(&[&[1], &version.to_be_bytes()[..]].concat());
        let line = self.next().map_or("gone".into(), |content| answer::line(&content));
        self.lines.push(format!("INIT {version}: {line}"));
    }

    /// Asks, and gives the answer's content. A second request shows whether the first is answered at all.
    pub(crate) fn ask(&mut self, kind: u8, body: Body, what: &str) -> Vec<u8> {
        let Body(fields) = body;
        self.id += 1;
        let id = self.id.to_be_bytes();
        self.packet(&[&[kind], &id[..], &fields].concat());
        let (mut line, mut last) = ("no answer".to_owned(), Vec::new());
        let (mut sent, mut answered) = (0, 0);
        while sent == 0 || answered < sent {
            // OpenSSH's server looks at a packet that has arrived already only when it has something to send or to read.
            if sent == 0 || !self.has_answer() {
                assert!(sent < 100, "{what}: no answer for a minute");
                self.packet(&[&[REALPATH], &[0xff; 4][..], &strings(&[b"/"]).0].concat());
                sent += 1;
                continue;
            }
            match self.next() {
                None => {
                    line = "gone".into();
                    break;
                }
                Some(content) if content[1..5] == id => {
                    line = answer::line(&content);
                    last = content;
                }
                Some(_) => answered += 1,
            }
        }
        self.lines.push(format!("{what}: {line}"));
        self.last.clone_from(&last);
        last
    }

    /// Whether something can be read, now or a little later.
    fn has_answer(&self) -> bool {
        let stdout = self.child.stdout.as_ref().unwrap();
        let mut polled = [PollFd::new(stdout, PollFlags::IN)];
        let timeout = Timespec { tv_sec: 0, tv_nsec: 600_000_000 };
        poll(&mut polled, Some(&timeout)).unwrap() > 0
    }

    /// The text of the last status.
    pub(crate) fn last_text(&self) -> String {
        let mut fields = Fields(&self.last[9..]);
        String::from_utf8(fields.string().to_vec()).unwrap()
    }

    fn path(&mut self, kind: u8, name: &str, path: &[u8]) -> Vec<u8> {
        let shown: String = path.escape_ascii().to_string().chars().take(60).collect();
        self.ask(kind, strings(&[path]), &format!("{name} {shown} ({})", path.len()))
    }

    pub(crate) fn stat(&mut self, path: &[u8]) {
        self.path(STAT, "STAT", path);
    }

    pub(crate) fn lstat(&mut self, path: &[u8]) {
        self.path(LSTAT, "LSTAT", path);
    }

    pub(crate) fn real_path(&mut self, path: &[u8]) {
        self.path(REALPATH, "REALPATH", path);
    }

    pub(crate) fn readlink(&mut self, path: &[u8]) {
        self.path(READLINK, "READLINK", path);
    }

    pub(crate) fn remove(&mut self, path: &[u8]) {
        self.path(REMOVE, "REMOVE", path);
    }

    pub(crate) fn rmdir(&mut self, path: &[u8]) {
        self.path(RMDIR, "RMDIR", path);
    }

    pub(crate) fn mkdir(&mut self, path: &[u8], mode: Option<u32>) {
        let body = strings(&[path]);
        let body = mode.map_or(body.clone().u32(0), |mode| body.u32(4).u32(mode));
        self.ask(MKDIR, body, &format!("MKDIR {} {mode:?}", path.escape_ascii()));
    }

    pub(crate) fn two(&mut self, kind: u8, name: &str, first: &[u8], second: &[u8]) {
        let what = format!("{name} {} {}", first.escape_ascii(), second.escape_ascii());
        self.ask(kind, strings(&[first, second]), &what);
    }

    pub(crate) fn extended(&mut self, name: &str, body: &Body, what: &str) {
        let body = Body([strings(&[name.as_bytes()]).0, body.0.clone()].concat());
        self.ask(EXTENDED, body, &format!("{name} {what}"));
    }

    /// The handle of an answer; one that no server gives if it is none.
    fn handle(answer: &[u8]) -> Vec<u8> {
        if answer.first() == Some(&102) { Fields(&answer[5..]).string().to_vec() } else { b"none".to_vec() }
    }

    pub(crate) fn open(&mut self, path: &[u8], flags: u32) -> Vec<u8> {
        let what = format!("OPEN {} {flags:x}", path.escape_ascii());
        Self::handle(&self.ask(OPEN, strings(&[path]).u32(flags).u32(0), &what))
    }

    pub(crate) fn open_dir(&mut self, path: &[u8]) -> Vec<u8> {
        Self::handle(&self.path(OPENDIR, "OPENDIR", path))
    }

    /// Reads a directory to its end. How many names an answer has is the server's affair, so all are one line.
    pub(crate) fn read_dir(&mut self, handle: &[u8]) {
        let before = self.lines.len();
        let mut all = Vec::new();
        loop {
            let answer = self.ask(READDIR, strings(&[handle]), "READDIR");
            if answer.first() != Some(&104) {
                break;
            }
        }
        let end = self.lines.pop().unwrap_or_default();
        for line in self.lines.split_off(before) {
            all.extend(line.lines().skip(1).map(ToOwned::to_owned));
        }
        all.sort();
        self.lines.extend(all);
        self.lines.push(end);
    }

    pub(crate) fn on(&mut self, kind: u8, name: &str, handle: &[u8]) {
        self.ask(kind, strings(&[handle]), &format!("{name} {}", handle.escape_ascii()));
    }

    pub(crate) fn close(&mut self, handle: &[u8]) {
        self.on(CLOSE, "CLOSE", handle);
    }

    pub(crate) fn read(&mut self, handle: &[u8], offset: u64, length: u32) {
        let what = format!("READ {} {offset} {length}", handle.escape_ascii());
        self.ask(READ, strings(&[handle]).u64(offset).u32(length), &what);
    }

    pub(crate) fn write(&mut self, handle: &[u8], offset: u64, data: &[u8]) {
        let what = format!("WRITE {} {offset} {}", handle.escape_ascii(), data.len());
        self.ask(WRITE, strings(&[handle]).u64(offset).string(data), &what);
    }

    pub(crate) fn copy(&mut self, from: &[u8], offset: u64, length: u64, to: &[u8], to_offset: u64) {
        let body = strings(&[from]).u64(offset).u64(length).string(to).u64(to_offset);
        let what = format!("{} {offset} {length} {} {to_offset}", from.escape_ascii(), to.escape_ascii());
        self.extended("copy-data", &body, &what);
    }
}
