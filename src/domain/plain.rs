//! Errors as a reader wants them: the operating system's text alone, and each cause once.
//!
//! Rust's `io::Error` and `Errno` show "File exists (os error 17)". The number is for programs; whatever is printed,
//! logged or sent goes through here.

use std::{error::Error, fmt::Display};

/// What Rust puts around an error's number.
const BEFORE: &str = " (os error ";

/// The text of `shown` without the numbers that Rust adds to the operating system's errors.
pub fn plain(shown: impl Display) -> String {
    let text = shown.to_string();
    let mut pieces = text.split(BEFORE);
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let after = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        match after.strip_prefix(')').filter(|_| after.len() < piece.len()) {
            Some(rest) => plain.push_str(rest),
            None => plain.extend([BEFORE, piece]),
        }
    }
    plain
}

/// An error and its causes on one line. A cause that the text before it ends with already is left out.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut line = plain(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = plain(error);
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn an_error_of_the_system_is_shown_without_its_number() {
        assert_eq!(plain(io::Error::from_raw_os_error(17)), "File exists");
        assert_eq!(
            plain("a: No such file or directory (os error 2); b (os error 13) c"),
            "a: No such file or directory; b c"
        );
        for whole in ["", "nothing", " (os error )", " (os error 5", "x (os error y)", "(os error 2)"] {
            assert_eq!(plain(whole), whole);
        }
    }

    #[derive(Debug, thiserror::Error)]
    enum Failed {
        #[error("reading x: {0}")]
        Repeats(#[source] io::Error),
        #[error("reading x")]
        Leaves(#[source] io::Error),
        #[error("starting")]
        Outer(#[source] Box<Failed>),
    }

    #[test]
    fn a_cause_is_shown_once() {
        let gone = || io::Error::from_raw_os_error(2);
        for failed in [Failed::Repeats(gone()), Failed::Leaves(gone())] {
            assert_eq!(chain(&failed), "reading x: No such file or directory");
            assert_eq!(chain(&Failed::Outer(Box::new(failed))), "starting: reading x: No such file or directory");
        }
    }
}
