//! Requests to answers.

use super::{
    attributes::{self, Attributes},
    extensions, files,
    handles::{Handle, Handles, Opened},
    listing::{self, Names, Zone},
    realpath,
    wire::{self, Answer, Code, Fields, Put, Truncated},
};
use crate::domain::plain;
use rustix::{
    fs::{AtFlags, Dir, OFlags, Stat},
    io::Errno,
};
use std::{
    ffi::OsString,
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
    /// A handle that does not exist, or of the wrong kind.
    NoHandle,
    /// What is asked for makes no sense.
    Refused,
    /// Nothing more to read.
    EndOfFile,
    /// A request or an extension that this server does not have.
    Unsupported,
    /// The kernel refused.
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

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        let (code, text) = match failure {
            Failure::Malformed => (Code::BadMessage, "Bad message".into()),
            Failure::NoHandle => (Code::Failure, "No such handle".into()),
            Failure::Refused => (Code::Failure, "Failure".into()),
            Failure::EndOfFile => (Code::EndOfFile, "End of file".into()),
            Failure::Unsupported => (Code::Unsupported, "Operation unsupported".into()),
            Failure::System(error) => (code_of(error), plain(error)),
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
    zone: Zone,
    home: OsString,
    user: OsString,
    /// The client's version: answers to one before 3 have no texts.
    version: u32,
}

impl Server {
    /// A server for the account `user`, whose home is `home`.
    pub(super) fn new(user: OsString, home: OsString) -> Self {
        let (names, zone) = (Names::read(), Zone::read());
        Self { handles: Handles::default(), names, zone, home, user, version: VERSION }
    }

    /// Appends the answer to the request in `packet`.
    pub(super) fn answer(&mut self, packet: &[u8], answers: &mut Vec<u8>) {
        let mut fields = Fields(packet);
        let Ok(kind) = fields.byte() else { return };
        if kind == wire::INIT {
            self.version = fields.u32().unwrap_or(VERSION);
            return wire::packet(answers, |to| {
                to.push(wire::VERSION);
                to.put_u32(VERSION);
                for name in extensions::OFFERED {
                    to.put_string(name.0.as_bytes());
                    to.put_string(name.1.as_bytes());
                }
            });
        }
        // A packet without an id cannot be answered as the client expects; 0 is as good as any.
        let id = fields.u32().unwrap_or(0);
        let answer = self.perform(kind, &mut fields).unwrap_or_else(Answer::from);
        answer.encode(id, self.version >= VERSION, answers);
    }

    fn perform(&mut self, kind: u8, fields: &mut Fields<'_>) -> Result {
        let done = |result: std::result::Result<(), Errno>| result.map(|()| Answer::ok()).map_err(Failure::from);
        match kind {
            wire::OPEN => self.open(fields),
            wire::CLOSE => match self.handles.remove(fields.string()?) {
                Some(_) => Ok(Answer::ok()),
                None => Err(Errno::NOENT.into()),
            },
            wire::READ => self.read(fields),
            wire::WRITE => self.write(fields),
            wire::LSTAT => stat(fields.string()?, AtFlags::SYMLINK_NOFOLLOW),
            wire::STAT => stat(fields.string()?, AtFlags::empty()),
            wire::FSTAT => Ok(Answer::Attributes(attributes::encode(&rustix::fs::fstat(self.fd(fields.string()?)?)?))),
            wire::SETSTAT => {
                let path = fields.string()?;
                done(Attributes::read(fields)?.apply_at(path))
            }
            wire::FSETSTAT => {
                let handle = fields.string()?;
                let attributes = Attributes::read(fields)?;
                done(attributes.apply_to(self.fd(handle)?))
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
            wire::REALPATH => Ok(name_only(realpath::real_path(fields.string()?)?)),
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

    /// The open file behind a handle.
    pub(super) fn file(&mut self, handle: &[u8]) -> Result<&Opened> {
        match self.handles.get(handle) {
            Some(Handle::File(file)) => Ok(file),
            _ => Err(Failure::NoHandle),
        }
    }

    /// Its descriptor.
    pub(super) fn fd(&mut self, handle: &[u8]) -> Result<BorrowedFd<'_>> {
        Ok(self.file(handle)?.file.as_fd())
    }

    pub(super) fn home(&self) -> &OsString {
        &self.home
    }

    pub(super) fn user(&self) -> &OsString {
        &self.user
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    fn open(&mut self, fields: &mut Fields<'_>) -> Result {
        let path = fields.string()?;
        let flags = fields.u32()?;
        let mode = Attributes::read(fields)?.mode.unwrap_or(0o666);
        let file = files::open(path, flags, mode)?;
        Ok(Answer::Handle(self.handles.insert(Handle::File(file))))
    }

    fn read(&mut self, fields: &mut Fields<'_>) -> Result {
        let handle = fields.string()?;
        let offset = fields.u64()?;
        let length = fields.u32()? as usize;
        let data = files::read(self.file(handle)?, offset, length.min(wire::MAX_DATA))?;
        if data.is_empty() && length > 0 { Err(Failure::EndOfFile) } else { Ok(Answer::Data(data)) }
    }

    fn write(&mut self, fields: &mut Fields<'_>) -> Result {
        let handle = fields.string()?;
        let offset = fields.u64()?;
        let data = fields.string()?;
        files::write(self.file(handle)?, offset, data)?;
        Ok(Answer::ok())
    }

    fn open_directory(&mut self, path: &[u8]) -> Result {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = Dir::new(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?)?;
        Ok(Answer::Handle(self.handles.insert(Handle::Directory(directory))))
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
            let line = listing::line(&name, &stat, &self.names, &self.zone, now);
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
