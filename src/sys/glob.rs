//! `glob(3)`: the files that a pattern names, in the order of their names.

use std::{
    ffi::{CStr, CString, OsString},
    io, mem,
    os::unix::ffi::OsStringExt as _,
    path::PathBuf,
};

/// The files that `pattern` names; none if there are none. The program's locale is "C", so their order is that of bytes.
pub fn glob(pattern: &str) -> io::Result<Vec<PathBuf>> {
    let pattern = CString::new(pattern)?;
    // SAFETY: a `glob_t` is counts, flags and pointers, all of which may be zero.
    let mut found: libc::glob_t = unsafe { mem::zeroed() };
    // SAFETY: the pattern ends with a zero byte, the result is ours, and without a callback none is called.
    let code = unsafe { libc::glob(pattern.as_ptr(), 0, None, &raw mut found) };
    let mut paths = Vec::new();
    if code == 0 {
        for number in 0..found.gl_pathc {
            // SAFETY: glob made `gl_pathc` pointers to texts, which live until `globfree`.
            let text = unsafe { CStr::from_ptr(*found.gl_pathv.add(number)) };
            paths.push(PathBuf::from(OsString::from_vec(text.to_bytes().to_vec())));
        }
    }
    // SAFETY: it was given to `glob`, which has set it up whatever it returned, and nothing of it is kept.
    unsafe { libc::globfree(&raw mut found) };
    match code {
        0 | libc::GLOB_NOMATCH => Ok(paths),
        libc::GLOB_NOSPACE => Err(io::ErrorKind::OutOfMemory.into()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_are_found_by_a_pattern_and_in_the_order_of_their_names() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.conf", "a.conf", "B.conf", ".c.conf", "a.txt", "9.conf"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let names = |pattern: &str| -> Vec<String> {
            let found = glob(&format!("{}/{pattern}", directory.path().display())).unwrap();
            found.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names("*.conf"), ["9.conf", "B.conf", "a.conf", "b.conf"]);
        assert_eq!(names("[ab].conf"), ["a.conf", "b.conf"]);
        assert_eq!(names("a.txt"), ["a.txt"]);
        assert_eq!(names("nothing"), Vec::<String>::new());
        assert!(glob("a\0b").is_err());
    }
}
