//! What is asked.

use crate::{
    Script,
    server::{
        Body, CLOSE, EXTENDED, FSETSTAT, FSTAT, LSTAT, MKDIR, OPEN, OPENDIR, READ, READDIR, READLINK, REALPATH, REMOVE,
        RENAME, RMDIR, SETSTAT, STAT, SYMLINK, Talk, WRITE, strings,
    },
};

/// Every name of the tree that means something, and some that mean nothing.
pub(crate) const NAMES: [&[u8]; 36] = [
    b"file",
    b"file/",
    b"file/.",
    b"file/..",
    b"file/x",
    b"dir",
    b"dir/",
    b"dir//below/./two",
    b"./dir/../file",
    b"missing",
    b"missing/",
    b"missing/x",
    b"missing/..",
    b"dir/missing",
    b"to-file",
    b"to-file/",
    b"to-dir",
    b"to-dir/one",
    b"to-slash",
    b"to-slash/one",
    b"dangling",
    b"dangling/",
    b"nowhere",
    b"absolute",
    b"absolute/etc",
    b"loop",
    b"loop/x",
    b"up",
    b"dir/back",
    b"chain-9",
    b"closed/in",
    b"foreign",
    b"\xff\xfe\n",
    b"",
    b"/",
    b"/../..//usr/./",
];

/// Sets of a protocol's open flags that programs use, and some that none does.
const FLAGS: [u32; 16] = [0, 1, 2, 3, 4, 6, 7, 8, 0x0a, 0x1a, 0x1b, 0x12, 0x2a, 0x28, 0x0e, 0x3f];

fn long(length: usize) -> Vec<u8> {
    vec![b'n'; length]
}

/// Long paths: what fits, and what does not.
fn deep(parts: usize) -> Vec<u8> {
    b"dir/../".repeat(parts)
}

pub(crate) fn all() -> Vec<(&'static str, Script)> {
    let mut all: Vec<(&'static str, Script)> = vec![
        ("greetings", Box::new(greetings)),
        ("looks", Box::new(looks)),
        ("opens", Box::new(opens)),
        ("reads", Box::new(reads)),
        ("writes", Box::new(writes)),
        ("handles", Box::new(handles)),
        ("many handles", Box::new(many_handles)),
        ("listings", Box::new(listings)),
        ("directories", Box::new(directories)),
        ("names", Box::new(names)),
        ("links", Box::new(links)),
        ("file systems", Box::new(file_systems)),
        ("expansions", Box::new(expansions)),
        ("copies", Box::new(copies)),
        ("copies that fail", Box::new(failing_copies)),
        ("accounts", Box::new(accounts)),
        ("homes of others", Box::new(|talk| talk.extended("home-directory", &strings(&[b"root"]), "root"))),
        ("unknown requests", Box::new(unknown_requests)),
        ("lengths", Box::new(|talk| talk.raw(&[0, 0, 0, 0, 0]))),
        ("lengths", Box::new(|talk| talk.raw(&[0, 4, 0, 1, 5]))),
        ("lengths", Box::new(|talk| talk.raw(&[0xff, 0xff, 0xff, 0xff, 5]))),
        ("lengths", Box::new(|talk| talk.raw(&[0, 0, 0, 9, 5]))),
    ];
    for name in NAMES {
        all.push(("attributes", Box::new(move |talk| attributes(talk, name))));
    }
    for body in malformed() {
        all.push((
            "malformed",
            Box::new(move |talk| {
                talk.ask(body.0, body.1.clone(), &format!("kind {}, {} bytes", body.0, body.1.0.len()));
            }),
        ));
    }
    all
}

fn greetings(talk: &mut Talk) {
    for version in [6, 2, 3, u32::MAX, 0, 3] {
        talk.init(version);
        talk.stat(b"missing");
    }
}

fn looks(talk: &mut Talk) {
    for name in NAMES.iter().chain([&&long(255)[..], &&long(256)[..], &&deep(600)[..]].iter().copied()) {
        talk.stat(name);
        talk.lstat(name);
        talk.real_path(name);
        talk.readlink(name);
        let handle = talk.open_dir(name);
        talk.close(&handle);
    }
    // The kernel's own limit is near these, so nothing but REALPATH, which follows them itself.
    for name in [&b"chain-32"[..], b"chain-33", b"chain-34", b"chain-36"] {
        talk.real_path(name);
    }
    // 4096 bytes with the zero at the end is the most.
    for length in [4094, 4095, 4096, 4097] {
        let mut path = b"/.".repeat(2050);
        path.truncate(length);
        talk.stat(&path);
        talk.real_path(&path);
        talk.real_path(&path[1..]);
    }
}

fn opens(talk: &mut Talk) {
    for flags in FLAGS {
        for (number, name) in
            [&b"file"[..], b"read-only", b"to-file", b"dangling", b"dir", b"foreign"].iter().enumerate()
        {
            let handle = talk.open(name, flags);
            talk.on(FSTAT, "FSTAT", &handle);
            talk.close(&handle);
            let fresh = format!("fresh-{flags:x}-{number}");
            let handle = talk.open(fresh.as_bytes(), flags);
            talk.close(&handle);
        }
    }
    for mode in [0, 0o400, 0o4755, 0o777, 0o100_644, u32::MAX] {
        let name = format!("mode-{mode:o}");
        let body = strings(&[name.as_bytes()]).u32(0x0a).u32(4).u32(mode);
        talk.ask(OPEN, body, &format!("OPEN {name}"));
        talk.stat(name.as_bytes());
    }
    let body = strings(&[b"with-all"]).u32(0x0a).u32(0x8000_000f).u64(9).u32(1).u32(2).u32(0o600).u32(3).u32(4);
    talk.ask(OPEN, body.u32(1).string(b"type").string(b"data"), "OPEN with every attribute");
    for name in NAMES {
        let handle = talk.open(name, 0x0a);
        talk.close(&handle);
    }
}

/// Places in a file, the odd ones too.
const OFFSETS: [u64; 11] = [0, 1, 9, 10, 11, 299_999, 1 << 31, 1 << 43, i64::MAX as u64 - 1, i64::MAX as u64, u64::MAX];

fn reads(talk: &mut Talk) {
    for (name, flags) in [
        (&b"file"[..], 1),
        (b"nothing", 1),
        (b"large", 3),
        (b"file", 2),
        (b"dir", 1),
        (b"/dev/zero", 1),
        (b"/dev/null", 1),
    ] {
        let handle = talk.open(name, flags);
        for offset in OFFSETS {
            for length in [0, 1, 10, 4096, 100_000, 261_119, 261_120, 261_121, u32::MAX] {
                talk.read(&handle, offset, length);
            }
        }
        talk.close(&handle);
        talk.read(&handle, 0, 1);
    }
    // A pipe has no places. Opened for both it does not wait.
    let pipe = talk.open(b"pipe", 3);
    talk.write(&pipe, 0, b"x");
    talk.read(&pipe, 0, 1);
}

fn writes(talk: &mut Talk) {
    for (name, flags) in
        [(&b"file"[..], 2), (b"other", 6), (b"large", 3), (b"read-only", 1), (b"nothing", 0x1a), (b"dir", 1)]
    {
        let handle = talk.open(name, flags);
        for data in [&b""[..], b"x", b"hello"] {
            for offset in OFFSETS.iter().filter(|&&offset| !(1 << 43..i64::MAX as u64).contains(&offset)) {
                talk.write(&handle, *offset, data);
                talk.on(FSTAT, "FSTAT", &handle);
            }
        }
        talk.close(&handle);
        talk.write(&handle, 0, b"x");
    }
    let full = talk.open(b"/dev/full", 2);
    talk.write(&full, 0, b"x");
    let large = talk.open(b"new", 0x0b);
    talk.write(&large, 5, &vec![1; 250_000]);
    talk.read(&large, 249_990, 100);
}

fn handles(talk: &mut Talk) {
    let file = talk.open(b"file", 3);
    let dir = talk.open_dir(b"dir");
    let wrong: [&[u8]; 8] =
        [b"", b"\0", b"\0\0\0\x63", b"\xff\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\0\0", &[0; 300], b"none"];
    for handle in wrong.iter().copied().chain([&file[..], &dir[..]]) {
        for (kind, name) in [(FSTAT, "FSTAT"), (READDIR, "READDIR")] {
            talk.on(kind, name, handle);
        }
        for name in ["fsync@openssh.com", "fstatvfs@openssh.com"] {
            // Free space changes with other programs: only whether there is an answer.
            if !(name.starts_with("fstatvfs") && handle == file) {
                talk.extended(name, &strings(&[handle]), &handle.escape_ascii().to_string());
            }
        }
        talk.ask(FSETSTAT, strings(&[handle]).u32(4).u32(0o600), "FSETSTAT");
        talk.read(handle, 0, 5);
        talk.write(handle, 0, b"y");
        talk.copy(handle, 0, 0, &file, 0);
        talk.copy(&file, 0, 0, handle, 0);
    }
    for handle in wrong {
        talk.close(handle);
    }
    for handle in [&file, &dir, &file, &dir] {
        talk.close(handle);
    }
    // Which place is taken next.
    let opened: Vec<_> = (0..6).map(|_| talk.open(b"file", 1)).collect();
    for place in [1, 4, 0, 5] {
        talk.close(&opened[place]);
    }
    for _ in 0..6 {
        talk.open(b"file", 1);
    }
}

fn many_handles(talk: &mut Talk) {
    for _ in 0..300 {
        talk.open(b"file", 1);
    }
    talk.extended("limits@openssh.com", &Body::default(), "");
    talk.on(FSTAT, "FSTAT", &[0, 0, 1, 0]);
}

fn listings(talk: &mut Talk) {
    for name in [&b"."[..], b"dir", b"empty", b"closed", b"file", b"to-dir", b"missing"] {
        let handle = talk.open_dir(name);
        talk.read_dir(&handle);
        talk.read_dir(&handle);
        talk.close(&handle);
        talk.on(READDIR, "READDIR", &handle);
    }
    for number in 0..250 {
        talk.mkdir(format!("dir/{number:0>100}").as_bytes(), Some(0o1777));
    }
    let now = 0x7fff_ffff;
    for (name, time) in [(&b"file"[..], 0), (b"other", now), (b"large", u32::MAX), (b"nothing", 1_700_000_000)] {
        talk.ask(SETSTAT, strings(&[name]).u32(8).u32(time).u32(time), "SETSTAT");
        talk.stat(name);
    }
    for name in [&b"dir"[..], b"."] {
        let handle = talk.open_dir(name);
        talk.read_dir(&handle);
    }
}

/// Attributes as clients send them, and as none does.
fn attribute_sets() -> Vec<(&'static str, Body)> {
    let none = u32::MAX;
    vec![
        ("nothing", Body::default().u32(0)),
        ("size", Body::default().u32(1).u64(4)),
        ("more", Body::default().u32(1).u64(100_000)),
        ("a size below zero", Body::default().u32(1).u64(u64::MAX)),
        ("the largest size", Body::default().u32(1).u64(1 << 63)),
        ("mode", Body::default().u32(4).u32(0o604)),
        ("a whole mode", Body::default().u32(4).u32(0o106_751)),
        ("all bits of a mode", Body::default().u32(4).u32(none)),
        ("times", Body::default().u32(8).u32(1).u32(1_234_567_890)),
        ("late times", Body::default().u32(8).u32(none).u32(0x8000_0000)),
        ("no owner", Body::default().u32(2).u32(none).u32(none)),
        ("owner", Body::default().u32(2).u32(65534).u32(65534)),
        ("user alone", Body::default().u32(2).u32(1).u32(none)),
        ("group alone", Body::default().u32(2).u32(none).u32(4)),
        ("an owner that is none", Body::default().u32(2).u32(none - 1).u32(none - 1)),
        ("size and no owner", Body::default().u32(3).u64(3).u32(none).u32(none)),
        ("mode and root", Body::default().u32(6).u32(0).u32(0).u32(0o611)),
        ("all", Body::default().u32(15).u64(5).u32(65534).u32(65534).u32(0o640).u32(5).u32(6)),
        ("extended", Body::default().u32(0x8000_0004).u32(0o620).u32(1).string(b"a@b").string(b"c")),
        ("unheard of", Body::default().u32(0x10)),
    ]
}

fn attributes(talk: &mut Talk, name: &[u8]) {
    for (what, set) in attribute_sets() {
        // The host's own are not a script's to change.
        let changes = !matches!(name, b"/" | b"absolute" | b"absolute/etc" | b"up" | b"/../..//usr/./");
        if !changes && what != "nothing" {
            continue;
        }
        let body = Body([strings(&[name]).0, set.0.clone()].concat());
        talk.ask(SETSTAT, body.clone(), &format!("SETSTAT {} {what}", name.escape_ascii()));
        talk.stat(name);
        talk.extended("lsetstat@openssh.com", &body, &format!("{} {what}", name.escape_ascii()));
        talk.lstat(name);
        for flags in [1, 2] {
            let handle = talk.open(name, flags);
            let body = Body([strings(&[&handle]).0, set.0.clone()].concat());
            talk.ask(FSETSTAT, body, &format!("FSETSTAT {} {what}", name.escape_ascii()));
            talk.on(FSTAT, "FSTAT", &handle);
            talk.close(&handle);
        }
    }
}

fn directories(talk: &mut Talk) {
    for (number, mode) in
        [None, Some(0), Some(0o755), Some(0o7777), Some(0o40_700), Some(u32::MAX)].into_iter().enumerate()
    {
        talk.mkdir(format!("made-{number}").as_bytes(), mode);
        talk.stat(format!("made-{number}").as_bytes());
    }
    talk.mkdir(&long(256), None);
    talk.mkdir(b"made-2/in", None);
    for name in NAMES.into_iter().filter(|name| !name.starts_with(b"/") && *name != b"absolute" && *name != b"up") {
        talk.mkdir(name, None);
        talk.rmdir(name);
    }
    for name in [&b"made-2"[..], b"made-2/in", b"made-2", b"dir", b"made-1/.", b".", b"foreign"] {
        talk.rmdir(name);
    }
    for name in [
        &b"dir"[..],
        b"missing",
        b"to-dir",
        b"dangling",
        b"loop",
        b"file/x",
        b"foreign",
        b"closed/in",
        b"pipe",
        b"twin",
    ] {
        talk.remove(name);
    }
}

fn names(talk: &mut Talk) {
    let pool: [&[u8]; 14] = [
        b"file",
        b"other",
        b"twin",
        b"dir",
        b"empty",
        b"missing",
        b"to-file",
        b"dangling",
        b"nowhere",
        b"dir/below/new",
        b"missing/x",
        b"file/x",
        b"foreign",
        b"new/",
    ];
    for first in pool {
        for second in pool {
            talk.two(RENAME, "RENAME", first, second);
        }
    }
    for first in pool {
        for second in pool {
            let body = strings(&[first, second]);
            let what = format!("{} {}", first.escape_ascii(), second.escape_ascii());
            talk.extended("posix-rename@openssh.com", &body, &what);
        }
    }
    for (first, second) in
        [(&b"dir"[..], &b"dir/below/in"[..]), (b"large", b""), (b"", b"large"), (b"large", &long(256))]
    {
        talk.two(RENAME, "RENAME", first, second);
        talk.extended("posix-rename@openssh.com", &strings(&[first, second]), "");
        talk.extended("hardlink@openssh.com", &strings(&[first, second]), "");
    }
    for first in pool {
        for second in [&b"hard"[..], b"large", b"missing/x", b"file/x"] {
            let what = format!("{} {}", first.escape_ascii(), second.escape_ascii());
            talk.extended("hardlink@openssh.com", &strings(&[first, second]), &what);
        }
        talk.remove(b"hard");
    }
}

fn links(talk: &mut Talk) {
    let targets: [&[u8]; 6] = [b"file", b"/nowhere/at/all", b"", b"\xff/\xfe", &long(4095), &long(4096)];
    for (number, target) in targets.into_iter().enumerate() {
        let name = format!("link-{number}");
        talk.two(SYMLINK, "SYMLINK", target, name.as_bytes());
        talk.two(SYMLINK, "SYMLINK", target, name.as_bytes());
        talk.readlink(name.as_bytes());
        talk.real_path(name.as_bytes());
        talk.lstat(name.as_bytes());
    }
    for name in [&b"file"[..], b"missing/x", b"", b"dangling"] {
        talk.two(SYMLINK, "SYMLINK", b"file", name);
    }
    // Targets with a slash at the end, and one that grows beyond what a path may be.
    talk.two(SYMLINK, "SYMLINK", b"missing/", b"to-missing-slash");
    talk.two(SYMLINK, "SYMLINK", &b"./".repeat(2000), b"grows");
    for name in [&b"to-missing-slash"[..], b"grows", b"grows/file", b"to-dir/../file", b"to-slash/.."] {
        talk.real_path(name);
    }
    talk.real_path(&[b"grows/".to_vec(), long(100)].concat());
}

/// A file system that does not change under the test.
fn file_systems(talk: &mut Talk) {
    for name in [&b"/proc"[..], b"/proc/self", b"missing", b"", b"/proc/self/nothing", b"file/x"] {
        talk.extended("statvfs@openssh.com", &strings(&[name]), &name.escape_ascii().to_string());
    }
    let handle = talk.open(b"/proc/version", 1);
    talk.extended("fstatvfs@openssh.com", &strings(&[&handle]), "");
    let handle = talk.open(b"file", 3);
    talk.write(&handle, 0, b"new");
    talk.extended("fsync@openssh.com", &strings(&[&handle]), "");
    talk.extended("limits@openssh.com", &Body::default(), "");
    talk.extended("limits@openssh.com", &strings(&[b"more"]), "with more");
}

fn expansions(talk: &mut Talk) {
    let paths: [&[u8]; 20] = [
        b"",
        b".",
        b"~",
        b"~/",
        b"~//file",
        b"~/file",
        b"~/missing",
        b"~/missing/x",
        b"~root",
        b"~root/",
        b"~root/x",
        b"~root//x",
        b"~no-such-user",
        b"~no-such-user/x",
        b"~\xff",
        b"file",
        b"dir/../to-dir",
        b"/~",
        b"a~",
        b"dangling",
    ];
    for path in paths {
        talk.extended("expand-path@openssh.com", &strings(&[path]), &path.escape_ascii().to_string());
    }
}

fn copies(talk: &mut Talk) {
    let from = talk.open(b"large", 1);
    let short = talk.open(b"file", 1);
    let to = talk.open(b"copy", 0x0b);
    for (offset, length, at) in [
        (0, 0, 0),
        (5, 10, 1),
        (0, 65_536, 400_000),
        (299_000, 0, 3),
        (299_000, 65_000, 3),
        (299_000, 200_000, 3),
        (0, 300_000, 7),
    ] {
        talk.copy(&from, offset, length, &to, at);
        talk.on(FSTAT, "FSTAT", &to);
    }
    for (offset, length) in [(0, 4), (0, 11), (0, 70_000), (10, 0), (10, 1), (50, 65_537), (u64::MAX, 1), (0, u64::MAX)]
    {
        talk.copy(&short, offset, length, &to, 0);
        talk.read(&to, 0, 20);
    }
    talk.copy(&short, 0, 1, &to, u64::MAX);
    // The same file by another handle, another name, and the same handle.
    let again = talk.open(b"copy", 3);
    talk.copy(&to, 0, 5, &again, 0);
    let other_name = talk.open(b"./copy", 3);
    talk.copy(&to, 0, 5, &other_name, 2);
    talk.copy(&to, 0, 5, &to, 0);
    let append = talk.open(b"other", 6);
    talk.copy(&short, 2, 3, &append, 0);
    talk.copy(&short, 2, 3, &append, u64::MAX);
    let dir = talk.open(b"dir", 1);
    talk.copy(&dir, 0, 70_000, &to, 0);
    let written = talk.open(b"twin", 2);
    talk.copy(&written, 0, 70_000, &to, 0);
}

fn failing_copies(talk: &mut Talk) {
    let from = talk.open(b"large", 1);
    let read_only = talk.open(b"file", 1);
    talk.copy(&from, 0, 5, &read_only, 0);
}

fn accounts(talk: &mut Talk) {
    let ids = |ids: &[u32]| ids.iter().fold(Body::default(), |body, &id| body.u32(id)).0;
    for (users, groups) in [
        (ids(&[]), ids(&[])),
        (ids(&[0, 65534, 1]), ids(&[0, 5])),
        (ids(&[u32::MAX, u32::MAX - 1, 3_999_999_999]), ids(&[u32::MAX])),
        (ids(&vec![0; 1000]), ids(&[])),
    ] {
        talk.extended("users-groups-by-id@openssh.com", &strings(&[&users, &groups]), &format!("{}", users.len()));
    }
    for name in [&b""[..], b"no-such-account", b"\xff"] {
        talk.extended("home-directory", &strings(&[name]), &name.escape_ascii().to_string());
    }
    let own = talk.user().to_owned();
    talk.extended("home-directory", &strings(&[own.as_bytes()]), "its own");
}

fn unknown_requests(talk: &mut Talk) {
    for kind in [0, 21, 99, 101, 105, 201, 255] {
        talk.ask(kind, strings(&[b"x"]), &format!("kind {kind}"));
    }
    for name in ["", "unheard-of@example.org", "vendor-id", "copy-data@openssh.com", "limits@openssh.com "] {
        talk.extended(name, &Body::default(), "");
    }
}

/// Requests that end too early, or whose fields do.
fn malformed() -> Vec<(u8, Body)> {
    let mut all = Vec::new();
    for kind in [
        OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH,
        STAT, RENAME, READLINK, SYMLINK, EXTENDED,
    ] {
        all.push((kind, Body::default()));
        all.push((kind, Body::default().u32(u32::MAX)));
    }
    // A zero in a name, which no name has.
    for kind in [STAT, LSTAT, OPENDIR, REMOVE, RMDIR, REALPATH, READLINK] {
        all.push((kind, strings(&[b"fi\0le"])));
    }
    all.push((SETSTAT, strings(&[b"file"]).u32(0x8000_0000).u32(u32::MAX)));
    all.push((OPEN, strings(&[b"file"]).u32(1)));
    all.push((MKDIR, strings(&[b"new"])));
    all.push((RENAME, strings(&[b"file"])));
    for name in [
        "copy-data",
        "users-groups-by-id@openssh.com",
        "home-directory",
        "statvfs@openssh.com",
        "expand-path@openssh.com",
    ] {
        all.push((EXTENDED, strings(&[name.as_bytes()])));
    }
    all.push((EXTENDED, strings(&[b"users-groups-by-id@openssh.com", b"\0\0\0", b""])));
    all
}
