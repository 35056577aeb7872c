//! The streams that a client brings, as a process of the container may have them.

use super::refusal::Refusal;
use crate::{
    protocol::stream::{self, Kind},
    sys::descriptor,
};
use std::os::fd::OwnedFd;

/// Lets pass what is a stream, and puts the container's own null device in the place of the host's.
///
/// Checked here and nowhere before: a process that may call the broker need not be spawn, and may send anything.
pub(super) fn accept(fds: [OwnedFd; 3]) -> Result<[OwnedFd; 3], Refusal> {
    // One that cannot be looked at is no stream.
    let kinds = fds.each_ref().map(|fd| descriptor::kind(fd).unwrap_or(Kind::Other));
    stream::check(kinds)?;
    let mut accepted = fds;
    for (fd, kind) in accepted.iter_mut().zip(kinds) {
        if kind == Kind::Null {
            *fd = descriptor::open_null().map_err(|error| Refusal::Null(error.into()))?;
        }
    }
    Ok(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::{PipeFlags, pipe_with};
    use std::{fs::File, os::fd::AsRawFd as _};

    #[test]
    fn pipes_pass_and_a_null_device_is_opened_anew() {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let null: OwnedFd = File::open("/dev/null").unwrap().into();
        // Only to read: one that were passed on would show it.
        let before = [reader.as_raw_fd(), writer.as_raw_fd()];
        let [input, output, error] = accept([reader, writer, null]).unwrap();
        assert_eq!([input.as_raw_fd(), output.as_raw_fd()], before);
        assert_eq!(rustix::io::write(&error, b"x"), Ok(1));
    }

    #[test]
    fn a_directory_is_refused_whichever_stream_it_is() {
        for place in 0..3 {
            let fds =
                std::array::from_fn(|index| File::open(if index == place { "/" } else { "/dev/null" }).unwrap().into());
            assert!(matches!(accept(fds), Err(Refusal::Stream(_))), "{place}");
        }
    }
}
