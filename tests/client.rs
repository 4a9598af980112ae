//! `elsewhere explain --address` against a service with TLS and tokens: who gets in, and what is said to who does not.
//!
//! `tests/tls` holds an authority, two certificates of it (one for this machine, one for another name), and an authority
//! that signed neither. They are for these tests alone and are valid until 2126.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use sha2::{Digest, Sha256};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn pem(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// `elsewhere serve` with a tenant, killed at the end of the test.
struct Program {
    child: Child,
    port: String,
    _directory: tempfile::TempDir,
}

impl Program {
    /// Serves with the certificate of a name, or without TLS.
    fn start(certificate: Option<&str>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let hash: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
        let tls = certificate.map_or(String::new(), |name| {
            let [chain, key] = ["pem", "key"].map(|ending| pem(&format!("{name}.{ending}")));
            format!("tls_certificate = {chain:?}\ntls_key = {key:?}\n")
        });
        let config = directory.path().join("elsewhere.toml");
        std::fs::write(&config, format!("{tls}[[tenants]]\nid = \"acme\"\ntoken_sha256 = \"{hash}\"\n"))
            .expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_elsewhere"))
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .env_remove("ELSEWHERE_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        while !line.contains(" serving address=") {
            line.clear();
            assert!(log.read_line(&mut line).expect("a log") > 0, "the service ended before it served");
        }
        // Read to the end, or a full pipe would hold the program up.
        std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(drop));
        let port = line.trim().rsplit(':').next().expect("a port").to_string();
        Self { child, port, _directory: directory }
    }

    /// Asks for a worker nobody knows. Who is let in is told so; anything else is why one is not.
    fn ask(&self, scheme: &str, host: &str, more: &[&str], token: Option<&str>) -> String {
        let address = format!("{scheme}://{host}:{}", self.port);
        let mut command = Command::new(env!("CARGO_BIN_EXE_elsewhere"));
        command.args(["explain", "w-unknown", "--address", &address]).args(more).env_remove("ELSEWHERE_TOKEN");
        if let Some(token) = token {
            command.env("ELSEWHERE_TOKEN", token);
        }
        let output = command.output().expect("an end");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
        assert_eq!(said.lines().count(), 1, "one clear line: {said}");
        assert!(!said.contains(TOKEN), "a token is never shown: {said}");
        said
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn let_in(said: &str) -> bool {
    said.contains("nothing is known of \"w-unknown\"")
}

#[test]
fn the_right_authority_and_token_are_let_in() {
    let service = Program::start(Some("here"));
    let authority = pem("authority.pem");
    let trust = ["--ca", authority.to_str().expect("a path")];
    for host in ["127.0.0.1", "localhost"] {
        assert!(let_in(&service.ask("https", host, &trust, Some(TOKEN))), "{host}");
    }
    let by_flag = [&trust[..], &["--token", TOKEN]].concat();
    assert!(let_in(&service.ask("https", "localhost", &by_flag, None)));
    // The flag wins over the environment.
    assert!(let_in(&service.ask("https", "localhost", &by_flag, Some("another"))));
}

#[test]
fn a_wrong_token_or_none_is_refused() {
    let service = Program::start(Some("here"));
    let authority = pem("authority.pem");
    let trust = ["--ca", authority.to_str().expect("a path")];
    for token in [None, Some("another"), Some(&TOKEN[1..])] {
        let said = service.ask("https", "localhost", &trust, token);
        assert!(said.contains("Unauthenticated") && said.contains("token"), "{said}");
    }
    let said = service.ask("https", "localhost", &trust, Some("two\nlines"));
    assert!(said.contains("characters that no header may hold"), "{said}");
}

#[test]
fn a_stranger_another_name_or_no_tls_is_no_service() {
    let service = Program::start(Some("here"));
    let (authority, stranger) = (pem("authority.pem"), pem("stranger.pem"));
    let trust = |path: &Path| ["--ca".to_string(), path.to_str().expect("a path").to_string()];
    let refused = |service: &Program, scheme: &str, ca: Option<&Path>| {
        let more = ca.map_or(Vec::new(), |path| trust(path).to_vec());
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let said = service.ask(scheme, "localhost", &more, Some(TOKEN));
        assert!(!let_in(&said) && said.contains("cannot reach"), "{said}");
        said
    };
    let said = refused(&service, "https", Some(&stranger));
    assert!(said.contains("certificate"), "{said}");
    let said = refused(&service, "https", None);
    assert!(said.contains("--ca"), "{said}");
    assert!(refused(&service, "https", Some(Path::new("/nowhere.pem"))).contains("/nowhere.pem"));
    // A file without a certificate is named, and is not taken for a service that does not answer.
    let said = refused(&service, "https", Some(&pem("here.key")));
    assert!(said.contains("here.key") && said.contains("certificate"), "{said}");
    let said = service.ask("http", "localhost", &[], Some(TOKEN));
    assert!(!let_in(&said) && said.contains("https"), "{said}");
    let elsewhere = Program::start(Some("elsewhere"));
    let said = refused(&elsewhere, "https", Some(&authority));
    assert!(said.contains("certificate"), "{said}");
    // The other way round: https to a service that has none.
    let plain = Program::start(None);
    assert!(let_in(&plain.ask("http", "127.0.0.1", &[], Some(TOKEN))));
    let said = refused(&plain, "https", Some(&authority));
    assert!(said.contains("http"), "{said}");
}
