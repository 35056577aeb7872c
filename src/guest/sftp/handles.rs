//! Open files and directories of a client, a bounded number.

use rustix::fs::Dir;
use std::fs::File;

/// Most handles at a time; OpenSSH's clients use one or two.
pub(super) const MAX_HANDLES: usize = 256;

/// What a handle stands for.
pub(super) enum Handle {
    File(File),
    Directory(Dir),
}

/// The handles; one is named by its place.
#[derive(Default)]
pub(super) struct Handles(Vec<Option<Handle>>);

impl Handles {
    /// A name for `handle`; `None` if there are too many.
    pub(super) fn insert(&mut self, handle: Handle) -> Option<[u8; 4]> {
        let place = match self.0.iter().position(Option::is_none) {
            Some(free) => free,
            None if self.0.len() < MAX_HANDLES => {
                self.0.push(None);
                self.0.len() - 1
            }
            None => return None,
        };
        *self.0.get_mut(place)? = Some(handle);
        u32::try_from(place).ok().map(u32::to_be_bytes)
    }

    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<Handle>> {
        let place = u32::from_be_bytes(name.try_into().ok()?);
        self.0.get_mut(usize::try_from(place).ok()?)
    }

    pub(super) fn get(&mut self, name: &[u8]) -> Option<&mut Handle> {
        self.slot(name)?.as_mut()
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Handle> {
        self.slot(name)?.take()
    }
}
