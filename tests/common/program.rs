//! The program itself, started and stopped as an operator does it.
#![allow(dead_code, reason = "each test file uses its part")]

use elsewhere::api::wire::session_risk_service_client::SessionRiskServiceClient;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tonic::transport::Channel;

/// Longest that anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// `elsewhere serve` on a port the system chose; killed if the test ends before it does.
pub struct Program {
    child: Child,
    pub address: String,
    log: mpsc::Receiver<String>,
}

/// `elsewhere serve` on a port the system chooses, its log in a pipe.
pub fn serving() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elsewhere"));
    command.args(["serve", "--listen", "127.0.0.1:0"]).env_remove("ELSEWHERE_LOG").stderr(Stdio::piped());
    command
}

/// The address that a line of the log ends with.
pub fn address_in(line: &str) -> String {
    line.rsplit("address=").next().expect("an address").trim().to_string()
}

impl Program {
    /// Starts a command of [`serving`] and waits until it is there.
    pub fn start(command: &mut Command) -> Self {
        let mut program = Self::begin(command);
        program.address = address_in(&program.logged(" serving address="));
        program
    }

    /// Starts it; whoever asks waits for the lines of the log.
    pub fn begin(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the program");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, log) = mpsc::channel();
        // Read to the end, or a full pipe would hold the program up.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, address: String::new(), log }
    }

    /// Starts it and stops reading its log when it is there.
    pub fn start_unread(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the program");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains(" serving address=")).expect("an address");
        Self { child, address: address_in(&line), log: mpsc::channel().1 }
    }

    /// The next line of the log that holds `text`.
    pub fn logged(&self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left).unwrap_or_else(|_| panic!("no line with {text:?} in the log"));
            if line.contains(text) {
                return line;
            }
        }
    }

    pub async fn risk(&self) -> SessionRiskServiceClient<Channel> {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).expect("an address");
        SessionRiskServiceClient::new(endpoint.connect().await.expect("a connection"))
    }

    /// Sends a signal by its short name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    pub fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < until, "the program goes on after it was told to stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
