//! The SFTP server with files. It runs in a thread that has a root directory and a user of its own, so that whatever an
//! input asks for happens in a directory that is made anew for each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::{
    fs,
    os::unix::fs::{chown, symlink},
    path::{Path, PathBuf},
    sync::{
        LazyLock, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// An account without rights: 65534 on Debian.
const UNPRIVILEGED: u32 = 65534;
const WORKER: &str = "server";
/// Largest file that an input can make.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

struct Served {
    root: PathBuf,
    inputs: Sender<Vec<u8>>,
    done: Receiver<bool>,
}

static SERVED: LazyLock<Mutex<Served>> = LazyLock::new(|| Mutex::new(start()));

fn start() -> Served {
    assert!(rustix::process::geteuid().is_root(), "this target changes its root directory: run it as root");
    let base = Path::new("/dev/shm");
    let base = if base.is_dir() { base.to_owned() } else { std::env::temp_dir() };
    let root = base.join(format!("podspawn-fuzz-{}", std::process::id()));
    fresh(&root);
    // SAFETY: sets how one signal is taken, before the thread that could get it exists.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let limit = |most| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Nofile, limit(256)).expect("a limit of descriptors");
    // The fuzzer ends at a panic, and its report would go to the server's root: the thread reports instead.
    let fuzzer = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if thread::current().name() == Some(WORKER) { eprintln!("{panic}") } else { fuzzer(panic) }
    }));
    let ((inputs, receiver), (sender, done)) = (channel::<Vec<u8>>(), channel());
    let place = root.clone();
    thread::Builder::new()
        .name(WORKER.into())
        .spawn(move || {
            confine(&place);
            for input in receiver {
                std::env::set_current_dir("/work").expect("the fresh directory");
                let served = std::panic::catch_unwind(|| podspawn::guest::sftp::fuzz(&input));
                std::env::set_current_dir("/").expect("the root");
                if sender.send(served.is_ok()).is_err() {
                    return;
                }
            }
        })
        .expect("a thread");
    Served { root, inputs, done }
}

/// Gives the calling thread a root directory of its own and no rights.
fn confine(root: &Path) {
    use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
    // SAFETY: the thread shares its root and working directory with no other from here on, which is what is wanted.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_FS) }, 0, "a root directory of the thread's own");
    rustix::process::chroot(root).expect("chroot");
    std::env::set_current_dir("/").expect("the new root");
    let (uid, gid) = (Uid::from_raw(UNPRIVILEGED), Gid::from_raw(UNPRIVILEGED));
    set_thread_groups(&[]).expect("no groups");
    set_thread_res_gid(gid, gid, gid).expect("another group");
    set_thread_res_uid(uid, uid, uid).expect("another user");
    assert!(fs::write("/proof", "").is_err() && !Path::new("/proc").exists(), "the thread is not confined");
}

/// The directory as each input finds it. The root itself stays: the thread is in it.
fn fresh(root: &Path) {
    let work = root.join("work");
    // What an input closed or filled is root's to remove.
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(work.join("dir/below")).expect("a directory");
    fs::write(work.join("file"), "0123456789").expect("a file");
    fs::write(work.join("dir/one"), "1").expect("a file");
    symlink("file", work.join("link")).expect("a link");
    symlink("loop", work.join("loop")).expect("a link");
    for path in ["", "dir", "dir/below", "file", "dir/one"] {
        chown(work.join(path), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).expect("another owner");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let served = SERVED.lock().expect("one input at a time");
    fresh(&served.root);
    let limit = |most| Rlimit { current: most, maximum: None };
    // Of the process, so only while the server works: the fuzzer writes files too.
    setrlimit(Resource::Fsize, limit(Some(MAX_FILE_BYTES))).expect("a limit of files");
    served.inputs.send(bytes.to_vec()).expect("the server's thread");
    let fine = served.done.recv().expect("the server's thread");
    setrlimit(Resource::Fsize, limit(None)).expect("no limit of files");
    assert!(fine, "the server panicked");
});
