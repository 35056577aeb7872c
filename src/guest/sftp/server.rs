//! Requests to answers.

use super::{
    attributes::{self, Attributes},
    extensions, files,
    handles::{Handle, Handles},
    listing::{self, Names},
    wire::{self, Answer, Code, Fields, Put, Truncated},
};
use rustix::{
    fs::{AtFlags, Dir, OFlags, Stat},
    io::Errno,
};
use std::{
    ffi::OsString,
    fs::File,
    os::fd::{AsFd, BorrowedFd},
    time::{SystemTime, UNIX_EPOCH},
};

/// The version of the protocol, the only one that OpenSSH speaks.
const VERSION: u32 = 3;
/// Most entries in one answer to a listing, and most bytes: an answer stays well under a packet.
const MAX_NAMES: usize = 128;
const MAX_NAMES_BYTES: usize = 128 * 1024;

/// Why a request fails.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request is no request.
    Malformed,
    /// A handle that is none, or of the wrong kind.
    NoHandle,
    /// Too many handles are open.
    TooManyHandles,
    /// Nothing more to read.
    EndOfFile,
    /// An extension that is not here.
    Unsupported,
    /// The kernel said no.
    System(Errno),
}

impl From<Truncated> for Failure {
    fn from(_: Truncated) -> Self {
        Self::Malformed
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        Self::System(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::System(Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        let (code, text) = match failure {
            Failure::Malformed => (Code::BadMessage, "Bad message".into()),
            Failure::NoHandle => (Code::Failure, "No such handle".into()),
            Failure::TooManyHandles => (Code::Failure, "Too many open files".into()),
            Failure::EndOfFile => (Code::EndOfFile, "End of file".into()),
            Failure::Unsupported => (Code::Unsupported, "Operation unsupported".into()),
            Failure::System(error) => (code_of(error), error.to_string()),
        };
        Self::Status(code, text)
    }
}

/// The same classes as OpenSSH's server.
fn code_of(error: Errno) -> Code {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::BADF | Errno::LOOP => Code::NoSuchFile,
        Errno::PERM | Errno::ACCESS | Errno::FAULT => Code::PermissionDenied,
        Errno::NAMETOOLONG | Errno::INVAL => Code::BadMessage,
        Errno::NOSYS => Code::Unsupported,
        _ => Code::Failure,
    }
}

/// What a request gives.
pub(super) type Result<T = Answer> = std::result::Result<T, Failure>;

/// One client's server.
pub(super) struct Server {
    handles: Handles,
    names: Names,
    home: OsString,
}

impl Server {
    pub(super) fn new(home: OsString) -> Self {
        Self { handles: Handles::default(), names: Names::read(), home }
    }

    /// Appends the answer to the request in `packet`.
    pub(super) fn answer(&mut self, packet: &[u8], answers: &mut Vec<u8>) {
        let mut fields = Fields(packet);
        let Ok(kind) = fields.byte() else { return };
        if kind == wire::INIT {
            return wire::packet(answers, |to| {
                to.push(wire::VERSION);
                to.put_u32(VERSION);
                for (name, data) in extensions::OFFERED {
                    to.put_string(name.as_bytes());
                    to.put_string(data.as_bytes());
                }
            });
        }
        // A packet without an id cannot be answered as the client expects; 0 is as good as any.
        let id = fields.u32().unwrap_or(0);
        let answer = self.perform(kind, &mut fields).unwrap_or_else(Answer::from);
        answer.encode(id, answers);
    }

    fn perform(&mut self, kind: u8, fields: &mut Fields<'_>) -> Result {
        let done = |result: std::result::Result<(), Errno>| result.map(|()| Answer::ok()).map_err(Failure::from);
        match kind {
            wire::OPEN => self.open(fields),
            wire::CLOSE => self.handles.remove(fields.string()?).map(|_| Answer::ok()).ok_or(Failure::NoHandle),
            wire::READ => self.read(fields),
            wire::WRITE => self.write(fields),
            wire::LSTAT => stat(fields.string()?, AtFlags::SYMLINK_NOFOLLOW),
            wire::STAT => stat(fields.string()?, AtFlags::empty()),
            wire::FSTAT => Ok(Answer::Attributes(attributes::encode(&rustix::fs::fstat(self.fd(fields.string()?)?)?))),
            wire::SETSTAT => {
                let path = fields.string()?;
                done(Attributes::read(fields)?.apply_at(path, AtFlags::empty()))
            }
            wire::FSETSTAT => {
                let file = self.fd(fields.string()?)?;
                done(Attributes::read(fields)?.apply_to(file))
            }
            wire::OPENDIR => self.open_directory(fields.string()?),
            wire::READDIR => self.read_directory(fields.string()?),
            wire::REMOVE => done(rustix::fs::unlink(fields.string()?)),
            wire::MKDIR => {
                let path = fields.string()?;
                let mode = Attributes::read(fields)?.mode.unwrap_or(0o777);
                done(rustix::fs::mkdir(path, rustix::fs::Mode::from_raw_mode(mode)))
            }
            wire::RMDIR => done(rustix::fs::rmdir(fields.string()?)),
            wire::REALPATH => files::real_path(fields.string()?).map(name_only),
            wire::RENAME => done(files::rename(fields.string()?, fields.string()?)),
            wire::READLINK => Ok(name_only(rustix::fs::readlink(fields.string()?, Vec::new())?.into_bytes())),
            wire::SYMLINK => {
                // The standard has the link first; OpenSSH has sent the target first from the beginning.
                let (target, link) = (fields.string()?, fields.string()?);
                done(rustix::fs::symlink(target, link))
            }
            wire::EXTENDED => {
                let name = fields.string()?;
                extensions::perform(self, name, fields)
            }
            _ => Err(Failure::Unsupported),
        }
    }

    /// The open file or directory behind a handle.
    pub(super) fn fd(&mut self, handle: &[u8]) -> Result<BorrowedFd<'_>> {
        match self.handles.get(handle) {
            Some(Handle::File(file)) => Ok(File::as_fd(file)),
            Some(Handle::Directory(directory)) => Ok(directory.fd()?),
            None => Err(Failure::NoHandle),
        }
    }

    fn file(&mut self, handle: &[u8]) -> Result<&mut File> {
        match self.handles.get(handle) {
            Some(Handle::File(file)) => Ok(file),
            _ => Err(Failure::NoHandle),
        }
    }

    pub(super) fn home(&self) -> &OsString {
        &self.home
    }

    fn insert(&mut self, handle: Handle) -> Result {
        self.handles.insert(handle).map(Answer::Handle).ok_or(Failure::TooManyHandles)
    }

    fn open(&mut self, fields: &mut Fields<'_>) -> Result {
        let path = fields.string()?;
        let flags = fields.u32()?;
        let mode = Attributes::read(fields)?.mode.unwrap_or(0o666);
        let file = files::open(path, flags, mode)?;
        self.insert(Handle::File(file))
    }

    fn read(&mut self, fields: &mut Fields<'_>) -> Result {
        let file = self.file(fields.string()?)?;
        let offset = fields.u64()?;
        let length = fields.u32()? as usize;
        let data = files::read(file, offset, length.min(wire::MAX_DATA))?;
        if data.is_empty() && length > 0 { Err(Failure::EndOfFile) } else { Ok(Answer::Data(data)) }
    }

    fn write(&mut self, fields: &mut Fields<'_>) -> Result {
        let file = self.file(fields.string()?)?;
        let offset = fields.u64()?;
        files::write(file, offset, fields.string()?)?;
        Ok(Answer::ok())
    }

    fn open_directory(&mut self, path: &[u8]) -> Result {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = Dir::new(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?)?;
        self.insert(Handle::Directory(directory))
    }

    fn read_directory(&mut self, handle: &[u8]) -> Result {
        let Some(Handle::Directory(directory)) = self.handles.get(handle) else { return Err(Failure::NoHandle) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let now = i64::try_from(now).unwrap_or(0);
        let (mut found, mut bytes) = (Vec::new(), 0);
        while found.len() < MAX_NAMES && bytes < MAX_NAMES_BYTES {
            let Some(entry) = directory.next() else { break };
            let entry = entry?;
            let name = entry.file_name();
            // What was removed meanwhile is not there.
            let Ok(stat) = rustix::fs::statat(directory.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let name = name.to_bytes().to_vec();
            let line = listing::line(&name, &stat, &self.names, now);
            bytes += name.len() + line.len();
            found.push((name, line, attributes::encode(&stat)));
        }
        if found.is_empty() { Err(Failure::EndOfFile) } else { Ok(Answer::Names(found)) }
    }
}

fn stat(path: &[u8], flags: AtFlags) -> Result {
    let stat: Stat = rustix::fs::statat(rustix::fs::CWD, path, flags)?;
    Ok(Answer::Attributes(attributes::encode(&stat)))
}

/// An answer that consists of one name.
pub(super) fn name_only(name: Vec<u8>) -> Answer {
    Answer::Names(vec![(name.clone(), name, attributes::none())])
}
