//! Open files and directories of a client.

use rustix::{fs::Dir, io::Errno};
use std::fs::File;

/// What a handle stands for.
pub(super) enum Handle {
    File(Opened),
    Directory(Dir),
}

/// An open file.
pub(super) struct Opened {
    pub(super) file: File,
    /// The name that it was opened by.
    pub(super) path: Vec<u8>,
    /// Whether every write goes to the file's end.
    pub(super) appends: bool,
}

impl Opened {
    /// The same with a descriptor of its own.
    pub(super) fn try_clone(&self) -> Result<Self, Errno> {
        let file = File::from(rustix::io::fcntl_dupfd_cloexec(&self.file, 0)?);
        Ok(Self { file, path: self.path.clone(), appends: self.appends })
    }
}

/// The handles; one is named by its place. Each holds a descriptor, so the process's limit bounds them.
#[derive(Default)]
pub(super) struct Handles {
    slots: Vec<Option<Handle>>,
    /// Free places; the last that became free is taken first.
    free: Vec<usize>,
}

impl Handles {
    /// A name for `handle`.
    pub(super) fn insert(&mut self, handle: Handle) -> [u8; 4] {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Some(handle);
        }
        // No process has 2^32 descriptors.
        u32::try_from(place).unwrap_or(u32::MAX).to_be_bytes()
    }

    /// Where the handle `name` is.
    fn place(name: &[u8]) -> Option<usize> {
        let place = u32::from_be_bytes(name.try_into().ok()?);
        usize::try_from(place).ok()
    }

    pub(super) fn get(&mut self, name: &[u8]) -> Option<&mut Handle> {
        self.slots.get_mut(Self::place(name)?)?.as_mut()
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Handle> {
        let place = Self::place(name)?;
        let handle = self.slots.get_mut(place)?.take()?;
        self.free.push(place);
        Some(handle)
    }
}
