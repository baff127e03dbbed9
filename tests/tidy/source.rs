//! A Rust file as the rules see it: its text, and its code without comments and
//! literals. It is no parser: it knows brackets, words and rows, and no more.

use std::path::{Path, PathBuf};
use std::{fs, io};

pub struct Source {
    /// From the root of the project, with `/`: `src/media/frame.rs`.
    pub path: String,
    /// As it stands on the disk.
    pub text: String,
    /// The text with comments and the insides of literals blanked; rows stay where they are.
    pub code: String,
    /// The code without its inline test modules.
    pub shipped: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let code = without_comments_and_literals(text);
        let shipped = without_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped }
    }

    /// The module of the library that the file belongs to: `media`; none for
    /// the map, for programs and for tests.
    pub fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let first = below.split('/').next()?;
        let name = first.strip_suffix(".rs").unwrap_or(first);
        (!matches!(name, "lib" | "bin" | "main")).then_some(name)
    }

    /// The row (from 1) of a byte of any of the texts.
    pub fn row_of(text: &str, at: usize) -> usize {
        text[..at].matches('\n').count() + 1
    }
}

/// All files below `folder` whose name ends in one of `endings`, sorted.
pub fn read_all(root: &Path, folder: &str, endings: &[&str]) -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found.iter().map(|path| read_one(root, path)).collect()
}

fn read_one(root: &Path, path: &PathBuf) -> io::Result<Source> {
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    Ok(Source::new(&name, &fs::read_to_string(path)?))
}

/// Where `word` stands in `code` as a whole word.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(in_word) && !after.is_some_and(in_word)
    })
}

/// The word that begins at the start of `code`, after blanks.
pub fn first_word(code: &str) -> &str {
    let code = code.trim_start();
    &code[..code.find(|c| !in_word(c)).unwrap_or(code.len())]
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// From the bracket at `open` to the one that closes it, both included.
pub fn bracketed(code: &str, open: usize) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, c) in code[open..].char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => continue,
        }
        if depth == 0 {
            return Some(&code[open..open + at + c.len_utf8()]);
        }
    }
    None
}

/// What a bracket holds, cut at the commas that stand in no deeper bracket.
pub fn items(bracket: &str) -> Vec<&str> {
    let inside = &bracket[1..bracket.len() - 1];
    let (mut depth, mut from, mut found) = (0_i32, 0, Vec::new());
    for (at, c) in inside.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(inside[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(inside[from..].trim());
    found.retain(|item| !item.is_empty());
    found
}

fn without_tests(code: &str) -> String {
    let mut rest = code.to_owned();
    while let Some(at) = rest.find("#[cfg(test)]") {
        let after = at + "#[cfg(test)]".len();
        let semicolon = rest[after..].find(';').map(|s| after + s + 1);
        let body = rest[after..].find('{').map(|open| after + open);
        let end = match (body, semicolon) {
            (Some(open), semi) if semi.is_none_or(|s| open < s) => {
                bracketed(&rest, open).map_or(rest.len(), |block| open + block.len())
            }
            (_, semi) => semi.unwrap_or(rest.len()),
        };
        blank(&mut rest, at, end);
    }
    rest
}

/// Blanks what is not a row's end, so that rows keep their numbers.
fn blank(text: &mut String, from: usize, to: usize) {
    let blanked: String = text[from..to].chars().map(blanked).collect();
    text.replace_range(from..to, &blanked);
}

fn blanked(c: char) -> char {
    if c == '\n' { '\n' } else { ' ' }
}

fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = comment_len(rest).or_else(|| literal_len(rest, &code));
        let (taken, shown) = rest.split_at(len.unwrap_or(c.len_utf8()));
        match len {
            Some(_) => code.extend(taken.chars().map(blanked)),
            None => code.push_str(taken),
        }
        rest = shown;
    }
    code
}

fn comment_len(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    rest.starts_with("/*").then(|| rest.find("*/").map_or(rest.len(), |end| end + 2))
}

/// The length of the string, raw string or character that begins here.
fn literal_len(rest: &str, before: &str) -> Option<usize> {
    if rest.starts_with('"') {
        return Some(quoted_len(rest, '"'));
    }
    if rest.starts_with('r') && !before.chars().next_back().is_some_and(|c| in_word(c) && c != 'b') {
        let hashes = rest[1..].chars().take_while(|&c| c == '#').count();
        if rest[1 + hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = 2 + hashes;
            return Some(rest[body..].find(&close).map_or(rest.len(), |end| body + end + close.len()));
        }
    }
    // A character closes after one character or an escape; a lifetime does not close.
    let mut chars = rest.strip_prefix('\'')?.chars();
    match (chars.next()?, chars.next()?) {
        ('\\', _) => Some(quoted_len(rest, '\'')),
        (c, '\'') => Some(2 + c.len_utf8()),
        _ => None,
    }
}

fn quoted_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}
