//! Writes tiny address databases: a binary trie of networks over a section of entries, and the metadata at the end, as
//! the MaxMind DB file format 2.0 has them. Records are 32 bits wide; nothing is shared or sorted, since tests are
//! small.

/// A value of the format.
#[derive(Debug, Clone)]
pub enum Value {
    Text(&'static str),
    Double(f64),
    Short(u16),
    Number(u32),
    Long(u64),
    Bool(bool),
    Map(Vec<(&'static str, Value)>),
    List(Vec<Value>),
}

/// A map of facts.
pub fn map(facts: &[(&'static str, Value)]) -> Value {
    Value::Map(facts.to_vec())
}

fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    assert!(size < 29 + 256, "a test's value is small");
    let short = if size < 29 { size as u8 } else { 29 };
    if kind <= 7 {
        out.push(kind << 5 | short);
    } else {
        out.push(short);
        out.push(kind - 7);
    }
    if size >= 29 {
        out.push((size - 29) as u8);
    }
}

/// A whole number without its leading zeros.
fn whole(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    let kept = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    control(kind, kept.len(), out);
    out.extend(kept);
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            control(2, text.len(), out);
            out.extend(text.as_bytes());
        }
        Value::Double(number) => {
            control(3, 8, out);
            out.extend(number.to_be_bytes());
        }
        Value::Short(number) => whole(5, &number.to_be_bytes(), out),
        Value::Number(number) => whole(6, &number.to_be_bytes(), out),
        Value::Long(number) => whole(9, &number.to_be_bytes(), out),
        Value::Map(facts) => {
            control(7, facts.len(), out);
            for (name, value) in facts {
                encode(&Value::Text(name), out);
                encode(value, out);
            }
        }
        Value::List(values) => {
            control(11, values.len(), out);
            values.iter().for_each(|value| encode(value, out));
        }
        Value::Bool(set) => control(14, usize::from(*set), out),
    }
}

/// A child of a node.
#[derive(Debug, Clone, Copy)]
enum Child {
    Nothing,
    Node(usize),
    Entry(usize),
}

/// The bytes of a database of IPv4 networks, each with its entry.
pub fn database(database_type: &'static str, build_seconds: u32, networks: &[([u8; 4], u8, Value)]) -> Vec<u8> {
    let (mut nodes, mut entries) = (vec![[Child::Nothing; 2]], Vec::new());
    for (address, bits, value) in networks {
        let address = u32::from_be_bytes(*address);
        let mut node = 0;
        for bit in 0..*bits {
            let side = usize::from(address & (1 << (31 - bit)) != 0);
            if bit + 1 == *bits {
                nodes[node][side] = Child::Entry(entries.len());
                encode(value, &mut entries);
                break;
            }
            node = match nodes[node][side] {
                Child::Node(next) => next,
                _ => {
                    nodes.push([Child::Nothing; 2]);
                    let next = nodes.len() - 1;
                    nodes[node][side] = Child::Node(next);
                    next
                }
            };
        }
    }
    let count = nodes.len();
    let mut out = Vec::new();
    for child in nodes.iter().flatten() {
        let record = match child {
            Child::Nothing => count,
            Child::Node(node) => *node,
            Child::Entry(at) => count + 16 + at,
        };
        out.extend((record as u32).to_be_bytes());
    }
    out.extend([0; 16]);
    out.extend(entries);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    let short = Value::Short;
    encode(
        &map(&[
            ("binary_format_major_version", short(2)),
            ("binary_format_minor_version", short(0)),
            ("build_epoch", Value::Long(u64::from(build_seconds))),
            ("database_type", Value::Text(database_type)),
            ("description", map(&[])),
            ("ip_version", short(4)),
            ("languages", Value::List(vec![])),
            ("node_count", Value::Number(count as u32)),
            ("record_size", short(32)),
        ]),
        &mut out,
    );
    out
}
