//! The `Match` blocks of a configuration in the order in which sshd reads them, through every `Include`.
//!
//! For a connection sshd takes an option from the first block that applies and sets it; what is set globally comes after
//! all of them. So a block decides for sure what it sets if no other block is read before it.

use super::{
    block,
    main_file::{CONFIG_DIR, keyword, words},
};
use crate::sys::glob::glob;
use std::{
    fmt, fs, io,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
};

/// How deep sshd follows `Include` (`SERVCONF_MAX_DEPTH`).
const MAX_DEPTH: usize = 16;
/// Most files that are read: more than any host has, and an end for those that include each other.
const MAX_FILES: usize = 1024;
/// Largest file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// A `Match` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// The file of its `Match` line.
    pub file: PathBuf,
    /// The number of that line, from 1.
    pub line: usize,
    /// Its criteria as they are written.
    pub written: String,
    /// Its criteria: the keyword in lower case, and the list; "all" has none.
    pub criteria: Vec<(String, String)>,
    /// Its options: the keyword in lower case, and the value.
    pub options: Vec<(String, String)>,
}

impl Matching {
    /// Whether it is podspawn's own, for members of `group`, wherever it is.
    #[must_use]
    pub fn is_podspawns(&self, group: &str) -> bool {
        let is_group = matches!(&self.criteria[..], [(name, list)] if name == "group" && list == group);
        is_group && self.options.iter().any(|(name, value)| name == "forcecommand" && value.ends_with(" spawn"))
    }
}

impl fmt::Display for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"Match {}\" in {}:{}", self.written, self.file.display(), self.line)
    }
}

/// A configuration, in sshd's order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Every file that is read, once for each time.
    pub files: Vec<PathBuf>,
    /// Every block.
    pub blocks: Vec<Matching>,
}

impl Reading {
    /// Reads `main` and the files that it includes.
    pub fn of(main: &Path) -> io::Result<Self> {
        let mut reading = Self::default();
        reading.read(main, None, 0)?;
        Ok(reading)
    }

    /// The blocks that are read before podspawn's own and set an option that `own` sets; none without podspawn's.
    #[must_use]
    pub fn before(&self, own: &block::Block) -> Vec<&Matching> {
        let Some(place) = self.blocks.iter().position(|found| found.is_podspawns(&own.group)) else {
            return Vec::new();
        };
        let own_options = block::options(&own.text());
        let sets =
            |found: &Matching| found.options.iter().any(|(name, _)| own_options.iter().any(|(own, _)| own == name));
        self.blocks[..place].iter().filter(|found| sets(found)).collect()
    }

    fn read(&mut self, file: &Path, within: Option<usize>, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH || self.files.len() >= MAX_FILES {
            return Err(io::Error::other(format!("too many files are included at {}", file.display())));
        }
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
        let about = fs::metadata(file).map_err(named)?;
        // sshd reads nothing from these. A fifo would hold us up for ever.
        if about.is_dir() || about.file_type().is_char_device() {
            return Ok(());
        }
        if !about.is_file() || about.len() > MAX_BYTES {
            return Err(io::Error::other(format!("{} is no file of at most {MAX_BYTES} bytes", file.display())));
        }
        let text = String::from_utf8_lossy(&fs::read(file).map_err(named)?).into_owned();
        self.files.push(file.to_owned());
        let mut current = within;
        for (number, line) in text.lines().enumerate() {
            let (keyword, rest) = keyword(line);
            match keyword.to_ascii_lowercase().as_str() {
                "" => {}
                "match" => {
                    let block = Matching {
                        file: file.to_owned(),
                        line: number + 1,
                        written: rest.to_owned(),
                        criteria: criteria(rest),
                        options: Vec::new(),
                    };
                    self.blocks.push(block);
                    current = Some(self.blocks.len() - 1);
                }
                "include" => {
                    for pattern in words(rest) {
                        let path = Path::new(CONFIG_DIR).join(pattern);
                        for included in glob(&path.to_string_lossy())? {
                            self.read(&included, current, depth + 1)?;
                        }
                    }
                }
                option => {
                    if let Some(block) = current {
                        self.blocks[block].options.push((option.to_owned(), words(rest).join(" ")));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The criteria of a `Match` line. A keyword and its list are separated by blanks, or by "=".
fn criteria(rest: &str) -> Vec<(String, String)> {
    let split = |word: String| match word.split_once('=') {
        Some((name, list)) => vec![name.to_owned(), list.to_owned()],
        None => vec![word],
    };
    let mut words = words(rest).into_iter().flat_map(split).filter(|word| !word.is_empty());
    let mut criteria = Vec::new();
    while let Some(name) = words.next() {
        let name = name.to_ascii_lowercase();
        let has_list = !["all", "invalid-user"].contains(&name.as_str());
        let list = if has_list { words.next().unwrap_or_default() } else { String::new() };
        criteria.push((name, list));
    }
    criteria
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new(files: &[(&str, &str)]) -> Self {
            let made = Self(tempfile::tempdir().unwrap());
            for (name, text) in files {
                let path = made.0.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text.replace('@', made.0.path().to_str().unwrap())).unwrap();
            }
            made
        }

        fn read(&self) -> io::Result<Reading> {
            Reading::of(&self.0.path().join("main"))
        }

        /// Each block's file with its line, and its options.
        fn blocks(&self) -> Vec<String> {
            let blocks = self.read().unwrap().blocks;
            let name = |block: &Matching| {
                let file = block.file.strip_prefix(self.0.path()).unwrap().display().to_string();
                let options: Vec<String> =
                    block.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{file}:{} {}", block.line, options.join(","))
            };
            blocks.iter().map(name).collect()
        }
    }

    #[test]
    fn blocks_are_found_in_sshds_order_through_every_include() {
        let files = Files::new(&[
            (
                "main",
                "Port 22\nInclude @/d/*.conf @/late\nX11Forwarding yes\nmatch all\nPermitTTY no\nInclude @/inner\n",
            ),
            ("d/20.conf", "PermitTunnel yes\nMatch User=alice\n\tForceCommand=/bin/sh -c x # no\n"),
            ("d/10.conf", "Include @/d/deep\n\"Match\" Address 10.0.0.0/8 LocalPort 2222\n=AllowTcpForwarding yes\n"),
            ("d/deep", "Match all\nGatewayPorts yes"),
            ("late", "# Match all\nInclude @/absent*\n"),
            ("inner", "PermitOpen none\nMatch Host *.org\nBanner none\n"),
        ]);
        assert_eq!(
            files.blocks(),
            [
                "d/deep:1 gatewayports=yes",
                "d/10.conf:2 allowtcpforwarding=yes",
                "d/20.conf:2 forcecommand=/bin/sh -c x",
                "main:4 permittty=no,permitopen=none",
                "inner:2 banner=none",
            ]
        );
        let blocks = files.read().unwrap().blocks;
        assert_eq!(blocks[2].criteria, [("user".to_owned(), "alice".to_owned())]);
        assert!(blocks[1].to_string().starts_with("\"Match Address 10.0.0.0/8 LocalPort 2222\" in "), "{}", blocks[1]);
    }

    #[test]
    fn only_a_block_that_sets_what_ours_sets_stands_before_it() {
        let own = block::Block::new("/usr/bin/podspawn".into());
        let count = |before: &str| {
            let files = Files::new(&[("main", &format!("{before}\n{}Match all\nForceCommand /bin/sh\n", own.text()))]);
            files.read().unwrap().before(&own).len()
        };
        for good in ["", "PermitTunnel yes", "Match all\nBanner none\nMatch User x\nMaxSessions 3"] {
            assert_eq!(count(good), 0, "{good}");
        }
        for (number, (option, _)) in block::options(&own.text()).into_iter().enumerate() {
            assert_eq!(count(&format!("Match Address 10.0.0.0/{number}\n{option} no")), 1, "{option}");
        }
        let none = Files::new(&[("main", "Match Group podspawn\nPermitTTY yes\nMatch User x\nForceCommand y\n")]);
        assert_eq!(none.read().unwrap().before(&own).len(), 0);
    }

    #[test]
    fn files_that_include_each_other_and_a_fifo_are_errors() {
        let files = Files::new(&[("main", "Include @/other\n"), ("other", "Include @/main\n")]);
        assert!(files.read().unwrap_err().to_string().contains("too many files"));
        let fifo = Files::new(&[("main", "Include @/fifo\n")]);
        let path = fifo.0.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(fifo.read().is_err());
        let nothing = Files::new(&[("main", "Include @/* /dev/null\nMatch all\n"), ("directory/file", "Match all\n")]);
        fs::rename(nothing.0.path().join("main"), nothing.0.path().join(".main")).unwrap();
        assert_eq!(Reading::of(&nothing.0.path().join(".main")).unwrap().blocks.len(), 1);
    }
}
