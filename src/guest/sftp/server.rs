//! Requests to answers.

use super::{
    attributes::{self, Attributes},
    extensions,
    failure::{Failure, Result},
    files,
    handles::Handle,
    listing::{self, Zone},
    realpath,
    state::State,
    wire::{self, Answer, Fields, Put},
};
use rustix::{
    fs::{AtFlags, Dir, OFlags, Stat},
    io::Errno,
};
use std::{
    ffi::OsString,
    time::{SystemTime, UNIX_EPOCH},
};

/// The version of the protocol, the only one that OpenSSH speaks.
const VERSION: u32 = 3;
/// Most entries in one answer to a listing, and most bytes: an answer stays well under a packet.
const MAX_NAMES: usize = 128;
const MAX_NAMES_BYTES: usize = 128 * 1024;

/// One client's server.
pub(super) struct Server {
    state: State,
    zone: Zone,
    /// The client's version: answers to one before 3 have no texts.
    version: u32,
}

impl Server {
    /// A server for the account `user`, whose home is `home`.
    pub(super) fn new(user: OsString, home: OsString) -> Self {
        Self { state: State::new(user, home), zone: Zone::read(), version: VERSION }
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
            wire::CLOSE => match self.state.handles.remove(fields.string()?) {
                Some(_) => Ok(Answer::ok()),
                None => Err(Errno::NOENT.into()),
            },
            wire::READ => self.read(fields),
            wire::WRITE => self.write(fields),
            wire::LSTAT => stat(fields.string()?, AtFlags::SYMLINK_NOFOLLOW),
            wire::STAT => stat(fields.string()?, AtFlags::empty()),
            wire::FSTAT => {
                Ok(Answer::Attributes(attributes::encode(&rustix::fs::fstat(self.state.fd(fields.string()?)?)?)))
            }
            wire::SETSTAT => {
                let path = fields.string()?;
                done(Attributes::read(fields)?.apply_at(path))
            }
            wire::FSETSTAT => {
                let handle = fields.string()?;
                let attributes = Attributes::read(fields)?;
                done(attributes.apply_to(self.state.fd(handle)?))
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
            wire::REALPATH => Ok(attributes::name_only(realpath::real_path(fields.string()?)?)),
            wire::RENAME => done(files::rename(fields.string()?, fields.string()?)),
            wire::READLINK => {
                Ok(attributes::name_only(rustix::fs::readlink(fields.string()?, Vec::new())?.into_bytes()))
            }
            wire::SYMLINK => {
                // The standard has the link first; OpenSSH has sent the target first from the beginning.
                let (target, link) = (fields.string()?, fields.string()?);
                done(rustix::fs::symlink(target, link))
            }
            wire::EXTENDED => {
                let name = fields.string()?;
                extensions::perform(&mut self.state, name, fields)
            }
            _ => Err(Failure::Unsupported),
        }
    }

    fn open(&mut self, fields: &mut Fields<'_>) -> Result {
        let path = fields.string()?;
        let flags = fields.u32()?;
        let mode = Attributes::read(fields)?.mode.unwrap_or(0o666);
        let file = files::open(path, flags, mode)?;
        Ok(Answer::Handle(self.state.handles.insert(Handle::File(file))))
    }

    fn read(&mut self, fields: &mut Fields<'_>) -> Result {
        let handle = fields.string()?;
        let offset = fields.u64()?;
        let length = fields.u32()? as usize;
        let data = files::read(self.state.file(handle)?, offset, length.min(wire::MAX_DATA))?;
        if data.is_empty() && length > 0 { Err(Failure::EndOfFile) } else { Ok(Answer::Data(data)) }
    }

    fn write(&mut self, fields: &mut Fields<'_>) -> Result {
        let handle = fields.string()?;
        let offset = fields.u64()?;
        let data = fields.string()?;
        files::write(self.state.file(handle)?, offset, data)?;
        Ok(Answer::ok())
    }

    fn open_directory(&mut self, path: &[u8]) -> Result {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = Dir::new(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?)?;
        Ok(Answer::Handle(self.state.handles.insert(Handle::Directory(directory))))
    }

    fn read_directory(&mut self, handle: &[u8]) -> Result {
        let Some(Handle::Directory(directory)) = self.state.handles.get(handle) else { return Err(Failure::NoHandle) };
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
            let line = listing::line(&name, &stat, &self.state.names, &self.zone, now);
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
