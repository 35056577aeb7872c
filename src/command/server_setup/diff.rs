//! A change as a unified diff.

use super::sshd_files::Change;
use std::fmt::Write as _;

/// Lines shown on either side.
const CONTEXT: usize = 3;

/// One file's change. The block is in one place, so there is one hunk.
pub(super) fn of(change: &Change) -> String {
    let (old, new) = (change.old.as_deref().unwrap_or_default(), change.new.as_deref().unwrap_or_default());
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same_before = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - same_before;
    let same_after = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let begin = same_before.saturating_sub(CONTEXT);
    let path = change.path.display();
    let name = |content: &Option<String>| content.as_ref().map_or("/dev/null".to_owned(), |_| path.to_string());
    let mut text = format!("--- {}\n+++ {}\n", name(&change.old), name(&change.new));
    let end = |lines: &[&str]| (lines.len() - same_after + CONTEXT).min(lines.len());
    let range = |lines: &[&str]| format!("{},{}", (begin + 1).min(lines.len()), end(lines) - begin);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "@@ -{} +{} @@", range(&old), range(&new));
    let mut lines = |sign: char, lines: &[&str]| {
        for line in lines {
            let _ = writeln!(text, "{sign}{line}");
        }
    };
    lines(' ', &old[begin..same_before]);
    lines('-', &old[same_before..old.len() - same_after]);
    lines('+', &new[same_before..new.len() - same_after]);
    lines(' ', &old[old.len() - same_after..end(&old)]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(old: Option<&str>, new: Option<&str>) -> String {
        of(&Change { path: "/f".into(), old: old.map(Into::into), new: new.map(Into::into) })
    }

    #[test]
    fn a_diff_is_what_patch_takes() {
        assert_eq!(diff(None, Some("a\nb\n")), "--- /dev/null\n+++ /f\n@@ -0,0 +1,2 @@\n+a\n+b\n");
        assert_eq!(diff(Some("a\n"), None), "--- /f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n");
        assert_eq!(
            diff(Some("1\n2\n3\n4\nx\n5\n6\n7\n8\n"), Some("1\n2\n3\n4\ny\nz\n5\n6\n7\n8\n")),
            "--- /f\n+++ /f\n@@ -2,7 +2,8 @@\n 2\n 3\n 4\n-x\n+y\n+z\n 5\n 6\n 7\n"
        );
        assert_eq!(diff(Some("a\na\n"), Some("a\na\na\n")), "--- /f\n+++ /f\n@@ -1,2 +1,3 @@\n a\n a\n+a\n");
    }
}
