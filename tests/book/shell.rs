//! A bash that runs one chapter, and the comparison of what it prints with what the page says.

use super::calls;
use super::page::Typed;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The addresses the book uses: of the service, and of its page of metrics.
const ADDRESSES: [&str; 2] = ["127.0.0.1:50061", "127.0.0.1:9464"];
/// Longest that one command may take.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);
/// How long a call in the background is given to reach the service.
const SETTLED: Duration = Duration::from_millis(1_500);

/// Leaves a call as a file for the test, and prints its answer as it comes.
const BUF: &str = r#"buf() {
  local call; call=$(mktemp -u "$BOOK/call.XXXXXXXX")
  mkfifo "$call.out"
  case " $* " in *" @- "*) cat > "$call.in";; esac
  printf '%s\0' "$@" > "$call.part"; mv "$call.part" "$call.args"
  cat "$call.out"
  return "$(cat "$call.rc")"
}"#;

/// Whether a command of bash succeeds.
pub fn present(command: &str) -> bool {
    let mut bash = Command::new("bash");
    let status = bash.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// One bash in a temporary copy of what a newcomer has.
pub struct Shell {
    bash: Child,
    input: ChildStdin,
    directory: TempDir,
    addresses: [String; 2],
    count: u32,
    status: i32,
}

impl Shell {
    pub fn new() -> Shell {
        let directory = tempfile::tempdir().expect("a directory");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["examples", "models"] {
            copy(&root.join(name), &directory.path().join(name));
        }
        let book = directory.path().join(".book");
        std::fs::create_dir(&book).expect("made");
        // Free now; whoever takes it in between makes the service refuse to start, which the test then tells.
        // Both held at once, so that they differ.
        let held = ADDRESSES.map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let addresses = held.each_ref().map(|listener| listener.local_addr().expect("an address").to_string());
        drop(held);
        let program = Path::new(env!("CARGO_BIN_EXE_elsewhere")).parent().expect("a directory");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut bash = Command::new("bash");
        bash.args(["--norc", "--noprofile"]).current_dir(directory.path()).process_group(0);
        for (name, _) in std::env::vars() {
            if name.starts_with("ELSEWHERE_") || name.starts_with("CARGO") {
                bash.env_remove(name);
            }
        }
        bash.env("PATH", format!("{}:{path}", program.display())).env("LC_ALL", "C.UTF-8").env("BOOK", &book);
        bash.env("ELSEWHERE_LISTEN", &addresses[0]);
        let quiet = bash.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut bash = quiet.spawn().expect("bash");
        let mut input = bash.stdin.take().expect("a pipe");
        if !present("command -v buf") {
            println!("buf is not on the path: its calls are made by the test's own client");
            writeln!(input, "{BUF}").expect("bash listens");
        }
        Shell { bash, input, directory, addresses, count: 0, status: 0 }
    }

    /// Writes a file that the page shows.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), self.placed(text)).expect("written");
    }

    fn book(&self, name: &str) -> PathBuf {
        self.directory.path().join(".book").join(name)
    }

    /// Runs one command and compares.
    pub fn run(&mut self, typed: &Typed) -> Result<(), String> {
        self.count += 1;
        let number = self.count;
        let (out, rc) = (self.book(&format!("{number}.out")), self.book(&format!("{number}.rc")));
        let text = self.placed(&typed.text);
        let script = format!(
            "(exit {})\n{{ {text}\n}} > {out} 2>&1 < /dev/null\necho $? > {rc}.part; mv {rc}.part {rc}",
            self.status,
            out = out.display(),
            rc = rc.display()
        );
        writeln!(self.input, "{script}").map_err(|error| format!("bash is gone: {error}"))?;
        let begun = Instant::now();
        while !rc.exists() {
            self.answer_calls();
            if begun.elapsed() > PATIENCE {
                return Err(format!(
                    "still running after {} s; it printed\n{}",
                    PATIENCE.as_secs(),
                    self.printed(&out)
                ));
            }
            std::thread::sleep(POLL);
        }
        self.status = std::fs::read_to_string(&rc).unwrap_or_default().trim().parse().unwrap_or(-1);
        if typed.text.trim_end().ends_with('&') {
            return self.wait_until_up(typed, &out);
        }
        if self.status != 0 && !typed.may_fail {
            return Err(format!("ended with status {} and printed\n{}", self.status, self.printed(&out)));
        }
        compare(&typed.expected, &self.printed(&out))
    }

    /// A command in the background is up when it has printed what the page says, or else when its port answers.
    fn wait_until_up(&self, typed: &Typed, out: &Path) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            self.answer_calls();
            let compared = compare(&typed.expected, &self.printed(out));
            let up = match (typed.expected.is_empty(), typed.text.contains("elsewhere serve")) {
                (true, true) => TcpStream::connect(&self.addresses[0]).is_ok(),
                // A call that goes on, such as a watch, says nothing once it stands: give it time.
                (true, false) => begun.elapsed() > SETTLED,
                (false, _) => compared.is_ok(),
            };
            if up || begun.elapsed() > PATIENCE {
                return if up { Ok(()) } else { compared.and(Err("nothing listens".into())) };
            }
            std::thread::sleep(POLL);
        }
    }

    /// Takes up what the function `buf` has left.
    fn answer_calls(&self) {
        let entries = std::fs::read_dir(self.directory.path().join(".book")).expect("a directory");
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.extension().is_some_and(|extension| extension == "args") {
                let arguments = std::fs::read_to_string(&path).expect("arguments");
                std::fs::remove_file(&path).expect("removed");
                let base = self.directory.path().to_path_buf();
                std::thread::spawn(move || calls::answer(&arguments, &path, &base));
            }
        }
    }

    fn printed(&self, out: &Path) -> String {
        let text = std::fs::read_to_string(out).unwrap_or_default();
        ADDRESSES.iter().zip(&self.addresses).fold(text, |text, (book, real)| text.replace(real, book))
    }

    /// A text of the book with the addresses of this run.
    fn placed(&self, text: &str) -> String {
        ADDRESSES.iter().zip(&self.addresses).fold(text.to_string(), |text, (book, real)| text.replace(book, real))
    }
}

impl Drop for Shell {
    /// Ends bash and what still runs in the background: they are one process group, and nothing in it is to be kept.
    fn drop(&mut self) {
        let group = format!("-{}", self.bash.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.bash.wait();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("copied");
        }
    }
}

/// Whether a line is as told, `…` standing for any text.
fn alike(told: &str, printed: &str) -> bool {
    let parts: Vec<&str> = told.split('…').collect();
    let [first, middle @ .., last] = &parts[..] else { return told == printed };
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Holds what was printed against what the page says.
fn compare(told: &[String], printed: &str) -> Result<(), String> {
    let told: Vec<&str> = told.iter().map(|line| line.trim_end()).collect();
    let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
    let mut at = 0;
    let mut skip = false;
    for line in told.iter().copied() {
        if line.trim() == "…" {
            skip = true;
            continue;
        }
        let reach = if skip { lines.len() } else { lines.len().min(at + 1) };
        let Some(found) = (at..reach).find(|index| alike(line, lines[*index])) else {
            return Err(format!("the page says\n{line}\nand it printed\n{printed}"));
        };
        (at, skip) = (found + 1, false);
    }
    if skip || at == lines.len() {
        Ok(())
    } else {
        Err(format!("the page ends before this\n{}", lines[at..].join("\n")))
    }
}

#[test]
fn a_comparison_can_fail() {
    let told = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
    assert!(compare(&told("a\n…\nc 1 … s"), "a\nb\nc 1 in 2 s").is_ok());
    for (page, printed) in [("a", "b"), ("a", "a\nb"), ("a\nb", "a"), ("a\nc", "a\nb\nc"), ("", "a"), ("x … z", "x y")]
    {
        assert!(compare(&told(page), printed).is_err(), "{page:?} against {printed:?}");
    }
}
