//! Markdown of the generated pages of the documentation.

/// Longest line of a generated page, in characters; tests/documents.rs has the bound of all documents.
const WIDTH: usize = 118;

/// `text` as lines that fit a screen: the first behind `first`, the others behind `indent`.
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
        let page = wrapped("- ", "  ", &text);
        assert_eq!(page.lines().count(), 2, "{page}");
        assert_eq!(page.split_whitespace().collect::<String>(), format!("-{text}").replace(' ', ""), "{page}");
        assert!(!page.contains("wordword"), "{page}");
        assert!(page.lines().all(|line| line.chars().count() <= WIDTH), "{page}");
        assert!(page.ends_with(&format!("\n  `{} b` c\n", "a".repeat(30))), "{page}");
    }
}
