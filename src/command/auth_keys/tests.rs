use super::*;
use crate::command::auth_keys::line::Line;
use std::{os::unix::fs::MetadataExt as _, time::Instant};

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJOSGGkfO3V80cT5W5peRpPDR+lv\
    3o9E5ctg/72a9gjfgfnkCD5iCFYKeGsFuJ/xdoQy9vnZrZ+t2rnYDvX46g4=";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDgwT1LUnzOFb8DXGgktEap9x/wdTEJgEy2YMhJZul6d+/kNLhTzo1AEs0Pyxl9\
    3NpUKLqGAwC6exM3rsPm+pC7vILtARiFD/mrttitDajcgi0sRxZc3GLRm3SlD7ulbu44NVcfcze3CSHaNxX7TkXTby79RsV1weIV\
    SyiBMYx3rx5iWbCyKuASgDelNH1JTVXH5m+f3UiKqkAIX2v4n0puARcOZ9Lv3yVRt3km4rcv7KVq96naj4+2pPPaHmcxBFBi7ftn\
    8pPgXCGTOByrioXJL9vHEUNRw8armhCgMQmCsWNi0pS+lVQAQplNWPKt5UzYflI6+aRb5NOtTtPzjW9UAyTrlKMigDCjkU46vOlX\
    wdjv15ynjwDY1j6h9xrF0KS6axgvUox/x02juysD81Rro4DIUPQTRwhl477aGze4Rf7o3dvTun8lo+EeYZiRl4O/DXsFKd1Y6X7i\
    JXWo6x9BRVqKgD4g7pKYB5Ja8Qn8M2RwlqHZnLuLtFoxYDj6D/0=";
const DSA: &str = "ssh-dss AAAAB3NzaC1kc3MAAACBAP26rYTIByKzfyoPkyOSl6JNdI1sGZFB1Lv+yak3uxHJAukuJBnuJwDZvuJjOTFf0AmOVLGL\
    8zlo6cZ4rlbSy87jpy++e9+ITrRwykN+q+rj+uQHlYzqLlKTvbe24z0VRdqbLG/uEfs7zfxDrfO/j27YyXaiJkcilBWwFdHKsAqR\
    AAAAFQDpeo/SXEHRlflAqZMGabkgccyEcwAAAIEAyqEIp/v7TLZCjRs+69AAYTDZ1E7lRJcvzBUsc8cmN2A82QRhb0iPu/K/jeye\
    CtVYTOzyNvyNGHE8UHl4YxMUJYYZ5XIWF3ml78x3jegCI+HpNh/0DeaWT2RgCVp8Vw+jVTasZPkkGfZ/5zGg9PGBelRl/rbPY1Jt\
    h5UqYAYATGMAAACAJdFXtqqNzLfbZvTlutobXFpC8Vy7Pk4qgz3j6EVFkZaOJkUb9VUWhQc0j+rv2kB0AAi9npKS3wx7O0TrB2y4\
    ljBDU2zfIe86jf5nIht7oHTq7FNss96+NKEO/JbyH5uI5sdW5yIhtg7zGI429bh7pom2/KO/VnyZTY0zNDHtHBs=";
const CERTIFICATE: &str = "ecdsa-sha2-nistp256-cert-v01@openssh.com AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20\
    AAAAg+lmxGSY8JAyWUvYyKM3v1v8kKZtIdmOMT6+O7YHr+RQAAAAIbmlzdHAyNTYAAABBBJOSGGkfO3V80cT5W5peRpPDR+lv3o9\
    E5ctg/72a9gjfgfnkCD5iCFYKeGsFuJ/xdoQy9vnZrZ+t2rnYDvX46g4AAAAAAAAAAAAAAAEAAAACaWQAAAAJAAAABWFsaWNlAAA\
    AAAAAAAD//////////wAAAAAAAACCAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50LWZvcndhcmR\
    pbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAACnBlcm1pdC1wdHkAAAAAAAAADnBlcm1pdC11c2VyLXJjAAA\
    AAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKXAAAAUwAAAAtzc2gtZWQ\
    yNTUxOQAAAEBDqMRGZGCOOgRofBbY0BBc0i/+p54yz3YmqeT8prD+ZKF26baitGuPKgdBFecyrROEo8i33cVNyH0df8TA3hUI";
const SK_ED25519: &str = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIICYEJEsICZWd82SRX/4mYTmC4HpP\
    Zeof62zppP7djKXAAAABHNzaDo=";
const SK_ECDSA: &str = "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyN\
    TYAAABBBJOSGGkfO3V80cT5W5peRpPDR+lv3o9E5ctg/72a9gjfgfnkCD5iCFYKeGsFuJ/xdoQy9vnZrZ+t2rnYDvX46g4AAAAEc\
    3NoOg==";

const FORCED: &str = "command=\"/usr/bin/podspawn spawn\",restrict,pty,agent-forwarding";

fn printed(text: &[u8]) -> (Vec<String>, Vec<String>) {
    let answer = lines(FORCED, Path::new("/k/alice"), text);
    let remarks = answer.remarks.iter().map(|remark| remark.replace("/k/alice:", "")).collect();
    (answer.lines.unwrap().lines().map(str::to_owned).collect(), remarks)
}

#[test]
fn every_key_type_of_openssh_but_dsa_is_printed_behind_our_command() {
    for key in [ED25519, ECDSA, RSA, SK_ED25519, SK_ECDSA] {
        let (lines, remarks) = printed(format!("{key} alice@laptop\n").as_bytes());
        assert_eq!(lines, [format!("{FORCED} {key}")]);
        assert!(remarks.is_empty(), "{remarks:?}");
    }
    for key in [DSA, CERTIFICATE] {
        let (lines, remarks) = printed(key.as_bytes());
        assert!(lines.is_empty() && remarks.len() == 1, "{lines:?} {remarks:?}");
    }
}

#[test]
fn restrictions_are_kept_and_liberties_dropped() {
    for (options, kept, dropped) in [
        ("from=\"10.0.0.0/8,*.example.org\"", ",from=\"10.0.0.0/8,*.example.org\"", ""),
        ("FROM=\"x\",No-Pty", ",from=\"x\",no-pty", ""),
        ("expiry-time=\"20300101Z\",verify-required", ",expiry-time=\"20300101Z\",verify-required", ""),
        ("restrict,pty,agent-forwarding", "", ""),
        ("no-X11-forwarding,no-user-rc,no-port-forwarding", ",no-x11-forwarding,no-user-rc,no-port-forwarding", ""),
        ("command=\"x\",from=\"y\"", ",from=\"y\"", "command"),
        ("command=\"echo \\\"a b\\\", c\",no-pty", ",no-pty", "command"),
        ("environment=\"LD_PRELOAD=/x\",permitopen=\"*:*\",tunnel=\"0\"", "", "environment, permitopen, tunnel"),
        ("no-touch-required,port-forwarding,user-rc", "", "no-touch-required, port-forwarding, user-rc"),
        ("COMMAND=\"a\",command=\"b\"", "", "command"),
    ] {
        let (lines, remarks) = printed(format!("{options} {ED25519} comment").as_bytes());
        assert_eq!(lines, [format!("{FORCED}{kept} {ED25519}")], "{options}");
        let expected = if dropped.is_empty() { vec![] } else { vec![format!("1: the key is used without {dropped}")] };
        assert_eq!(remarks, expected, "{options}");
    }
}

#[test]
fn a_line_that_may_restrict_in_a_way_we_do_not_understand_yields_no_key() {
    for options in [
        "cert-authority",
        "CERT-authority,from=\"x\"",
        "cert-authority=\"yes\"",
        "from=x",
        "from",
        "from=\"x",
        "from=\"x\"y",
        "from=\"x\"\"y\"",
        "no-pty=\"x\"",
        "some-future-restriction",
        "no-pty,",
        ",no-pty",
        "no-pty,,no-user-rc",
        "command=x",
        "command=\"x\"y\",from=\"z\"\"",
        "from=\"\u{e4}\"",
        "from=\"a\u{7f}\"",
        "from=\"a\rb\"",
        "no-pty\0",
        "\\\"",
        "\"",
    ] {
        let (lines, remarks) = printed(format!("{options} {ED25519} comment").as_bytes());
        assert!(lines.is_empty(), "{options:?}: {lines:?}");
        assert_eq!(remarks.len(), 1, "{options:?}: {remarks:?}");
    }
}

#[test]
fn a_bad_line_is_named_and_the_others_still_count() {
    let text = format!(
        "# comment\r\n\r\n   {ED25519} a # b\r\nssh-ed25519 AAAA\n{RSA}\n \t\nnonsense\n{}\ncommand=\"\n{ECDSA}",
        "x".repeat(20_000)
    );
    let (lines, remarks) = printed(text.as_bytes());
    assert_eq!(lines, [ED25519, RSA, ECDSA].map(|key| format!("{FORCED} {key}")));
    assert_eq!(
        remarks,
        [
            "4: skipped: there is no public key that is understood",
            "7: skipped: there is no public key that is understood",
            "8: skipped: the line is too long",
            "9: skipped: a quote is not closed",
        ]
    );
}

#[test]
fn a_comment_may_be_anything_and_is_never_printed() {
    let mut text = format!("{ED25519} ").into_bytes();
    text.extend(b"caf\xe9 \x1b[31m \0 \"unbalanced, command=\"evil\"\n");
    let (lines, remarks) = printed(&text);
    assert_eq!((lines, remarks.len()), (vec![format!("{FORCED} {ED25519}")], 0));
}

#[test]
fn no_more_than_a_thousand_keys_are_printed() {
    let (lines, remarks) = printed(format!("{ED25519}\n").repeat(1200).as_bytes());
    assert_eq!((lines.len(), remarks.len()), (1000, 1));
    assert!(remarks[0].starts_with("1001: "), "{remarks:?}");
}

/// Whatever the pieces of a line, what is printed is a line of ours: our command first, known restrictions, one key.
#[test]
fn whatever_a_file_says_our_command_comes_first() {
    let pieces = [
        "command=\"evil\"",
        "from=\"a\"",
        "from=\"",
        "\"",
        "\\\"",
        ",",
        " ",
        "\t",
        "\r",
        "\n",
        "\0",
        "cert-authority",
        "no-pty",
        "restrict",
        "environment=\"A=B\"",
        "ssh-ed25519",
        "AAAA",
        "#",
        "=",
        "\u{2028}",
        "\\",
        ED25519,
        ED25519,
        RSA,
        SK_ED25519,
        " ",
        ",",
    ];
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut count = 0;
    for _ in 0..20_000 {
        let mut text = String::new();
        loop {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            text.push_str(pieces[usize::try_from(random >> 33).unwrap() % pieces.len()]);
            if random.is_multiple_of(8) {
                break;
            }
        }
        let (lines, _) = printed(text.as_bytes());
        count += lines.len();
        for line in lines {
            let rest = line.strip_prefix(FORCED).unwrap_or_else(|| panic!("{text:?} gave {line:?}"));
            assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
            // Read back, our own options are all dropped or implied, and the restrictions and the key are the same.
            let again = Line::parse(line.as_bytes()).unwrap().unwrap();
            assert_eq!(again.dropped, ["command"], "{line:?}");
            let options = [&[String::new()], again.kept.as_slice()].concat().join(",");
            assert_eq!(rest, format!("{options} {}", again.key), "{line:?}");
            assert_eq!(line.matches("command=").count(), 1, "{line:?}");
        }
    }
    assert!(count > 1000, "only {count} lines were tried");
}

#[test]
fn a_binary_whose_path_a_shell_would_read_is_not_printed() {
    let plain = forced_command(Path::new("/nix/store/0abc-podspawn-0.1.0+x/bin/podspawn")).unwrap();
    assert!(plain.starts_with("command=\"/nix/store/"), "{plain}");
    for bad in ["podspawn", "/a b/podspawn", "/a\"b", "/a\nb", "/a;b", "/$HOME/b", "/usr/bin/podspawn (deleted)"] {
        forced_command(Path::new(bad)).unwrap_err();
    }
}

#[test]
fn an_unknown_account_and_one_without_a_trusted_file_get_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for user in ["nobody", "../alice", "", "-x", "a\nb"] {
        let answer = answer(OsStr::new(user), directory.path());
        assert!(answer.lines.is_none() && answer.remarks.len() == 1, "{user:?}: {answer:?}");
        assert!(!answer.remarks[0].contains('\n'));
    }
}

#[test]
fn ten_thousand_key_files_make_no_difference() {
    let directory = tempfile::tempdir().unwrap();
    for n in 0..10_000 {
        std::fs::write(directory.path().join(format!("user{n}")), "").unwrap();
    }
    let path = directory.path().join("user7");
    std::fs::write(&path, format!("{ED25519} a\n")).unwrap();
    let owner = std::fs::metadata(&path).unwrap().uid();
    let start = Instant::now();
    let bytes = file::read(&path, owner).unwrap();
    let (lines, _) = printed(&bytes);
    let took = start.elapsed();
    assert_eq!(lines.len(), 1);
    println!("one of 10,000 in {took:?}");
    assert!(took.as_millis() < 100, "{took:?}");
}
