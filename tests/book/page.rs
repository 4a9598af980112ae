//! A page of Markdown: its fenced blocks, the words it sets in code type, its links.

use std::path::Path;

/// A page as read.
pub struct Page {
    pub path: String,
    pub text: String,
    pub blocks: Vec<Block>,
}

/// A fenced block.
pub struct Block {
    /// What stands after the fence.
    pub info: String,
    /// Line of the fence, from 1.
    pub line: usize,
    pub lines: Vec<String>,
}

/// A command of a `console` block.
pub struct Typed {
    pub text: String,
    /// Line in the page, from 1.
    pub line: usize,
    /// What it prints.
    pub expected: Vec<String>,
    /// Whether the next command asks for its exit status, so that it may fail.
    pub may_fail: bool,
}

impl Page {
    pub fn read(path: &str) -> Page {
        let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let text = std::fs::read_to_string(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()));
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = false;
        for (index, line) in text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), open) {
                (Some(info), false) => blocks.push(Block { info: info.trim().into(), line: index + 1, lines: vec![] }),
                (None, true) => blocks.last_mut().expect("an open block").lines.push(line.trim_end().into()),
                _ => {}
            }
            open ^= line.trim_start().starts_with("```");
        }
        assert!(!open, "{path}: a block is not closed");
        Page { path: path.into(), text, blocks }
    }

    /// Lines outside blocks, with their numbers from 1.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut open = false;
        self.text.lines().enumerate().filter_map(move |(index, line)| {
            let fence = line.trim_start().starts_with("```");
            open ^= fence;
            (!open && !fence).then_some((index + 1, line))
        })
    }

    /// Whole words in code type outside blocks, with their lines.
    pub fn code_words(&self) -> Vec<(usize, String)> {
        let word = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !text.is_empty();
        let of_line = |(number, line): (usize, &str)| {
            let words: Vec<_> = line.split('`').skip(1).step_by(2).filter(word).map(|w| (number, w.into())).collect();
            words
        };
        self.prose().flat_map(of_line).collect()
    }

    /// Links to files and headings that are not there.
    pub fn broken_links(&self) -> Vec<String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join(&self.path);
        let mut broken = Vec::new();
        for (number, line) in self.prose() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if target.starts_with("http") {
                    continue;
                }
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let path = if file.is_empty() { here.clone() } else { here.with_file_name("").join(file) };
                let whole = path.exists() && (anchor.is_empty() || headings(&path).iter().any(|one| one == anchor));
                if !whole {
                    broken.push(format!("{}:{number}: {target} leads nowhere", self.path));
                }
            }
        }
        broken
    }
}

/// The anchors of a page's headings, as forges make them.
fn headings(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let kept = |c: char| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_';
    let anchor = |line: &str| -> String {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title.chars().filter(|c| kept(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    text.lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

impl Block {
    pub fn language(&self) -> &str {
        self.info.split_whitespace().next().unwrap_or_default()
    }

    fn mark(&self, name: &str) -> Option<&str> {
        self.info.split_whitespace().skip(1).find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// The file it is to be written to.
    pub fn file(&self) -> Option<&str> {
        self.mark("file")
    }

    /// The tool without which it is skipped.
    pub fn need(&self) -> Option<&str> {
        self.mark("needs")
    }

    pub fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }

    /// The methods its calls name, `package.Service/Method`.
    pub fn methods(&self) -> Vec<String> {
        let text = self.text();
        let words = text.split(|c: char| c.is_whitespace() || c == '\'' || c == '"');
        let after_address = |word: &str| word.split_once("127.0.0.1:50061/").map(|(_, path)| path.to_string());
        words.filter_map(after_address).collect()
    }

    /// Its commands with what each prints. A line that ends in `\` goes on in the next.
    pub fn commands(&self) -> Vec<Typed> {
        let mut commands: Vec<Typed> = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            let goes_on = commands.last().is_some_and(|last| last.text.ends_with('\\') && last.expected.is_empty());
            if let Some(text) = line.strip_prefix("$ ") {
                if let (Some(last), true) = (commands.last_mut(), text.trim() == "echo $?") {
                    last.may_fail = true;
                }
                let line = self.line + 1 + index;
                commands.push(Typed { text: text.into(), line, expected: vec![], may_fail: false });
            } else if goes_on {
                let last = commands.last_mut().expect("a command");
                last.text = format!("{}\n{line}", last.text);
            } else {
                let last = commands.last_mut().unwrap_or_else(|| panic!("line {}: output before any `$ `", self.line));
                last.expected.push(line.clone());
            }
        }
        commands
    }
}
