//! Manual pages out of Markdown: the few marks that the pages beside this file and the generated reference use.

use std::fmt::Write as _;

/// Text that roff prints as it is: to be copied from the page into a shell.
pub(super) fn literal(text: &str) -> String {
    // A locale without UTF-8 has no character for these.
    let text = text.replace('…', "...").replace('–', "-").replace('→', "->").replace('×', "times");
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('"', "\\(dq").replace('`', "\\(ga")
}

/// The body of a page. `#` is a section, `##` and `###` a part of it; `####` and the paragraphs below it are an entry
/// with a tag. Lists, code blocks, `code` and **bold** are as in Markdown; a link is its text.
pub(super) fn body(markdown: &str) -> String {
    let mut page = String::new();
    let mut is_code = false;
    let mut is_entry = false;
    let mut is_fresh = false;
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            is_code = !is_code;
            page += if is_code { ".PP\n.RS 4\n.nf\n" } else { ".fi\n.RE\n" };
        } else if is_code {
            let _ = writeln!(page, "{}", guarded(&literal(line)));
        } else if let Some(title) = line.strip_prefix("#### ") {
            let _ = writeln!(page, ".TP\n\\fB{}\\fR", literal(title.trim_matches('`')));
            (is_entry, is_fresh) = (true, true);
        } else if let Some(title) = line.strip_prefix("### ").or_else(|| line.strip_prefix("## ")) {
            let _ = writeln!(page, ".SS {}", literal(title));
            is_entry = false;
        } else if let Some(title) = line.strip_prefix("# ") {
            let _ = writeln!(page, ".SH {}", literal(title));
            is_entry = false;
        } else if !line.is_empty() {
            let (is_item, text) = line.trim_start().strip_prefix("- ").map_or((false, line), |item| (true, item));
            let mut paragraph = text.trim().to_owned();
            let continues = |next: &&str| {
                let start = next.trim_start();
                !start.is_empty() && !start.starts_with(['#']) && !start.starts_with("- ") && !start.starts_with("```")
            };
            while let Some(next) = lines.next_if(continues) {
                paragraph = format!("{paragraph} {}", next.trim());
            }
            page += match (is_item, is_entry) {
                (true, true) => ".br\n",
                (true, false) => ".IP \\(bu 2\n",
                (false, true) if is_fresh => "",
                (false, true) => ".IP\n",
                (false, false) => ".PP\n",
            };
            let _ = writeln!(page, "{}", guarded(&inline(&paragraph)));
            is_fresh = false;
        }
    }
    page
}

/// A line that roff does not take for a request.
fn guarded(line: &str) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() }
}

/// A paragraph: code and bold text in bold, a link as its text.
fn inline(text: &str) -> String {
    let mut page = String::new();
    for (place, part) in text.split('`').enumerate() {
        if place % 2 == 1 {
            let _ = write!(page, "\\fB{}\\fR", literal(part));
            continue;
        }
        for (place, part) in unlinked(part).split("**").enumerate() {
            let part = literal(part);
            if place % 2 == 1 {
                let _ = write!(page, "\\fB{part}\\fR");
            } else {
                page.push_str(&part);
            }
        }
    }
    page
}

/// `[text](target)` as `text`.
fn unlinked(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        let parts = link.split_once("](").and_then(|(name, target)| Some((name, target.split_once(')')?.1)));
        plain.push_str(before);
        if let Some((name, after)) = parts {
            plain.push_str(name);
            rest = after;
        } else {
            plain.push('[');
            rest = link;
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_markdown_become_those_of_roff() {
        let page = body(
            "# FILES\n\nOne `--json` of\n[two](x.md#y), **bold**.\n\n#### `a.b`\n\nMeaning\nof it.\n\n- Default: `x`\n\n\
             ## Part\n\n- item\n  goes on\n\n```sh\n.dot 'quoted'\n```\n",
        );
        assert_eq!(
            page,
            ".SH FILES\n.PP\nOne \\fB\\-\\-json\\fR of two, \\fBbold\\fR.\n.TP\n\\fBa.b\\fR\nMeaning of it.\n.br\n\
             Default: \\fBx\\fR\n.SS Part\n.IP \\(bu 2\nitem goes on\n.PP\n.RS 4\n.nf\n\\&.dot \\(aqquoted\\(aq\n.fi\n.RE\n"
        );
    }
}
