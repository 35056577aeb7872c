//! Markdown of the generated pages of the documentation.

/// Longest line of a generated page, in characters; tests/documents.rs has the bound of all documents.
const WIDTH: usize = 118;

/// The page with its paragraphs and list items broken into lines that fit a screen. Each must stand on one line;
/// headings, tables and code blocks stay as they are.
#[must_use]
pub fn fit(page: &str) -> String {
    let mut is_code = false;
    let mut fitted = String::new();
    for line in page.lines() {
        let start = line.trim_start();
        is_code ^= start.starts_with("```");
        if is_code || start.starts_with(['|', '#']) || line.chars().count() <= WIDTH {
            fitted.push_str(line);
            fitted.push('\n');
            continue;
        }
        let (mark, text) = start.strip_prefix("- ").map_or(("", start), |text| ("- ", text));
        let first = format!("{}{mark}", &line[..line.len() - start.len()]);
        fitted.push_str(&wrapped(&first, &" ".repeat(first.len()), text));
    }
    fitted
}

/// `text` as lines: the first behind `first`, the others behind `indent`.
#[must_use]
pub fn wrapped(first: &str, indent: &str, text: &str) -> String {
    let mut lines = vec![first.to_owned()];
    let mut is_start = true;
    for word in words(text) {
        let line = lines.last().map_or("", String::as_str);
        if !is_start && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(indent.to_owned());
            is_start = true;
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(if is_start { "" } else { " " });
            line.push_str(word);
        }
        is_start = false;
    }
    lines.join("\n") + "\n"
}

/// The parts of `text` between spaces; a code span is one part, since a break in it would be read as a space.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut is_code) = (0, false);
    for (place, c) in text.char_indices() {
        match c {
            '`' => is_code = !is_code,
            ' ' if !is_code => {
                words.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    words.push(&text[start..]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_breaks_between_words_and_never_in_code() {
        let text = format!("{} `{} b` c", "word ".repeat(20).trim(), "a".repeat(30));
        let page = fit(&format!("## Title\n\n  - {text}\n"));
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines.len(), 4, "{page}");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{page}");
        assert!(lines[2].starts_with("  - word word") && lines[2].ends_with(" word"), "{page}");
        assert_eq!(lines[3], format!("    `{} b` c", "a".repeat(30)));
    }

    #[test]
    fn tables_code_and_headings_keep_their_lines() {
        let long = "word ".repeat(40);
        let page = format!("# {long}\n| {long} |\n\n```text\n{long}\n```\n");
        assert_eq!(fit(&page), page);
    }
}
