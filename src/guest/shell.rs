//! Which program runs a login, and how a request becomes its arguments.

use super::files::{is_executable, under};
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// Shells of images, the preferred first. Busybox is asked by name to be `sh`.
const CANDIDATES: [&str; 4] = ["/bin/bash", "/bin/sh", "/bin/ash", "/bin/busybox"];

/// Where distributions keep OpenSSH's sftp-server: Debian, Fedora, Arch and Alpine, Gentoo, BSD habits, openSUSE.
const SFTP_SERVERS: [&str; 8] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/misc/sftp-server",
    "/usr/lib64/misc/sftp-server",
    "/usr/lib64/ssh/sftp-server",
    "/run/current-system/sw/libexec/sftp-server",
];

/// A shell that the container has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shell {
    /// The program, as the container sees it.
    pub(super) program: PathBuf,
}

impl Shell {
    /// The shell of a login: the account's own if it can run anything, else the preferred one, else what there is.
    pub(super) fn find(root: &Path, account: Option<&Path>, preferred: &Path) -> Option<Self> {
        account
            .into_iter()
            .chain([preferred])
            .chain(CANDIDATES.iter().map(Path::new))
            .find(|path| is_usable(root, path))
            .map(|path| Self { program: path.to_owned() })
    }

    /// A word for the user if the configured shell is not in the image and this one runs instead.
    pub(super) fn substitution(&self, root: &Path, preferred: &Path) -> Option<String> {
        // The default was not chosen, and most images without it have another shell on purpose.
        let is_chosen = preferred != Path::new(CANDIDATES[0]) && preferred != self.program;
        (is_chosen && !is_usable(root, preferred)).then(|| {
            let (missing, program) = (preferred.display(), self.program.display());
            format!("this image has no shell {missing}, which is configured; {program} runs instead")
        })
    }

    /// The name by which the shell is called: busybox goes by it.
    fn name(&self) -> &OsStr {
        match self.program.file_name() {
            Some(name) if name == "busybox" => OsStr::new("sh"),
            Some(name) => name,
            None => OsStr::new("sh"),
        }
    }

    /// Arguments of a login shell: a leading dash makes it one.
    pub(super) fn login(&self) -> Vec<OsString> {
        let mut name = OsString::from("-");
        name.push(self.name());
        vec![name]
    }

    /// Arguments that run `command`, byte for byte.
    pub(super) fn command(&self, command: &[u8]) -> Vec<OsString> {
        vec![self.name().to_owned(), "-c".into(), OsString::from_vec(command.to_vec())]
    }
}

/// Whether the image has a shell at `path` that runs logins.
fn is_usable(root: &Path, path: &Path) -> bool {
    let refuses = matches!(path.file_name().map(OsStr::as_bytes), Some(b"nologin" | b"false" | b"true"));
    path.is_absolute() && !refuses && is_executable(&under(root, path))
}

/// The words of a command in an image without a shell: split at blanks, nothing else means anything.
pub(super) fn words(command: &[u8]) -> Vec<OsString> {
    command
        .split(|b| b" \t\r\n".contains(b))
        .filter(|word| !word.is_empty())
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect()
}

/// Where the program `name` is: itself if it has a slash, else the first of its name along `path`. A relative name is
/// one in the home, which only the user may look at; execve(2) finds out.
pub(super) fn find_program(root: &Path, name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        let program = PathBuf::from(name);
        return (program.is_relative() || is_executable(&under(root, &program))).then_some(program);
    }
    let places = path.as_bytes().split(|&b| b == b':').filter(|place| place.starts_with(b"/"));
    places.map(|place| Path::new(OsStr::from_bytes(place)).join(name)).find(|file| is_executable(&under(root, file)))
}

/// The image's own SFTP server.
pub(super) fn find_sftp_server(root: &Path) -> Option<PathBuf> {
    SFTP_SERVERS.iter().map(PathBuf::from).find(|path| is_executable(&under(root, path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn image(programs: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for program in programs {
            let path = under(root.path(), Path::new(program));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        root
    }

    fn found(root: &tempfile::TempDir, account: &str, preferred: &str) -> Option<PathBuf> {
        Shell::find(root.path(), Some(Path::new(account)), Path::new(preferred)).map(|shell| shell.program)
    }

    #[test]
    fn the_accounts_shell_comes_first_unless_it_refuses_logins() {
        let root = image(&["/bin/zsh", "/bin/bash", "/usr/sbin/nologin"]);
        assert_eq!(found(&root, "/bin/zsh", "/bin/bash"), Some("/bin/zsh".into()));
        assert_eq!(found(&root, "/usr/sbin/nologin", "/bin/bash"), Some("/bin/bash".into()));
        assert_eq!(found(&root, "/bin/fish", "/bin/zsh"), Some("/bin/zsh".into()));
        assert_eq!(found(&root, "bin/zsh", ""), Some("/bin/bash".into()));
    }

    #[test]
    fn a_configured_shell_that_the_image_lacks_is_reported_and_the_default_is_not() {
        let root = image(&["/bin/ash", "/bin/zsh", "/bin/false"]);
        let said = |account: &str, preferred: &str| {
            let shell = Shell::find(root.path(), Some(Path::new(account)), Path::new(preferred)).unwrap();
            shell.substitution(root.path(), Path::new(preferred))
        };
        let remark = said("", "/bin/zhs").unwrap();
        assert_eq!(remark, "this image has no shell /bin/zhs, which is configured; /bin/ash runs instead");
        // The account was made at an earlier login, with what ran instead.
        assert!(said("/bin/ash", "/bin/zhs").is_some() && said("", "/bin/false").is_some());
        assert_eq!(said("", "/bin/bash"), None);
        assert_eq!((said("", "/bin/zsh"), said("/bin/ash", "/bin/zsh")), (None, None));
    }

    #[test]
    fn an_image_has_the_shell_that_it_has() {
        assert_eq!(found(&image(&["/bin/busybox"]), "", "/bin/bash"), Some("/bin/busybox".into()));
        assert_eq!(found(&image(&["/bin/ash"]), "", "/bin/bash"), Some("/bin/ash".into()));
        assert_eq!(found(&image(&[]), "/bin/sh", "/bin/bash"), None);
    }

    #[test]
    fn a_login_shell_has_a_dash_and_a_command_has_none() {
        let bash = Shell { program: "/bin/bash".into() };
        assert_eq!(bash.login(), ["-bash"]);
        assert_eq!(bash.command(b"a  'b\nc'"), ["bash", "-c", "a  'b\nc'"]);
        assert_eq!(Shell { program: "/bin/busybox".into() }.login(), ["-sh"]);
    }

    #[test]
    fn without_a_shell_a_command_is_words() {
        assert_eq!(words(b" /prog  -a $HOME\t'x y'\n"), ["/prog", "-a", "$HOME", "'x", "y'"]);
        let root = image(&["/usr/bin/tool"]);
        let path = OsStr::new("relative:/bin:/usr/bin");
        assert_eq!(find_program(root.path(), OsStr::new("tool"), path), Some("/usr/bin/tool".into()));
        assert_eq!(find_program(root.path(), OsStr::new("other"), path), None);
        assert_eq!(find_program(root.path(), OsStr::new("/x/tool"), path), None);
        assert_eq!(find_program(root.path(), OsStr::new("./tool"), path), Some("./tool".into()));
    }
}
