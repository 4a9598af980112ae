//! Turns `proto/` into Rust: messages and services, their canonical JSON, a descriptor set for reflection, and a table
//! of the request's fields by which a bad JSON line is told apart field by field. Needs no protoc.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use prost::Message as _;
use protox::prost_reflect::prost_types;
use tonic_prost_build::Config;

/// Types of `google.protobuf` are our own small ones: theirs print `+00:00` where canonical JSON has `Z`.
const WELL_KNOWN: &str = "crate::api::wire::well_known";
/// Message whose fields, and those of all messages within, go into the table.
const TABLE_ROOT: &str = ".elsewhere.v1.AssessSessionRequest";

fn main() -> Result<(), Box<dyn Error>> {
    let proto = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", proto.display());

    let mut files = Vec::new();
    collect_protos(&proto.join("elsewhere/v1"), &mut files)?;
    let set = protox::compile(&files, [&proto])?;

    // Reflection needs names and numbers only; comments would triple the size.
    let mut described = set.clone();
    for file in &mut described.file {
        file.source_code_info = None;
    }
    std::fs::write(out.join("descriptor_set.bin"), described.encode_to_vec())?;

    let mut config = Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        // Buffers that ten thousand waiting streams can afford.
        .codec_path("crate::api::wire::codec::Codec")
        .extern_path(".google.protobuf", WELL_KNOWN)
        // Without this prost would map them to its own.
        .compile_well_known_types(true)
        .emit_rerun_if_changed(false)
        .compile_fds_with_config(set.clone(), config)?;

    write_json(&described.encode_to_vec(), &out)?;
    std::fs::write(out.join("request_fields.rs"), field_table(&set)?)?;
    Ok(())
}

fn collect_protos(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    // Directory order differs between machines; generated code shall not.
    files.sort();
    Ok(())
}

/// Writes the canonical JSON of every message and enum of ours.
///
/// `google.rpc.Status` is left out: its details are `Any` and need decoding, which `wire/rpc_json.rs` does.
fn write_json(descriptors: &[u8], out: &Path) -> Result<(), Box<dyn Error>> {
    let mut builder = pbjson_build::Builder::new();
    builder.register_descriptors(descriptors)?.extern_path(".google.protobuf", WELL_KNOWN);
    let written = builder.generate(&[".elsewhere.v1"], |_| Ok(Vec::new()))?;
    for (package, code) in written {
        // The stock number reader buffers every number before it looks at it, which costs more than all scoring does.
        let stock = "::pbjson::private::NumberDeserialize<";
        let code = String::from_utf8(code)?;
        if !code.contains(stock) {
            return Err("pbjson-build no longer names its number reader: adapt build.rs".into());
        }
        let code = code.replace(stock, "crate::api::wire::number::Number<");
        std::fs::write(out.join(format!("{package}.serde.rs")), code)?;
    }
    Ok(())
}

/// The fields of the request as Rust statics, so that JSON can be checked against them.
fn field_table(set: &prost_types::FileDescriptorSet) -> Result<String, Box<dyn Error>> {
    let mut code = String::new();
    let mut wanted = vec![TABLE_ROOT.to_string()];
    let mut done = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if !done.insert(name.clone()) {
            continue;
        }
        if let Some(message) = find(set, &name, |file| &file.message_type, |message| message.name()) {
            writeln!(
                code,
                "/// Fields of `{}`.\npub static {}: Message = Message {{ fields: &[",
                &name[1..],
                static_name(&name)
            )?;
            for field in &message.field {
                use prost_types::field_descriptor_proto::{Label, Type};
                let kind = match field.r#type() {
                    Type::Bool => "Kind::Bool".to_string(),
                    Type::Uint32 => "Kind::Uint32".to_string(),
                    Type::Sint32 => "Kind::Sint32".to_string(),
                    Type::Sint64 => "Kind::Sint64".to_string(),
                    Type::Double => "Kind::Double".to_string(),
                    Type::String => "Kind::Text".to_string(),
                    Type::Bytes => "Kind::Bytes".to_string(),
                    Type::Message if field.type_name() == ".google.protobuf.Timestamp" => "Kind::Timestamp".to_string(),
                    Type::Message if field.type_name() == ".google.protobuf.Duration" => "Kind::Duration".to_string(),
                    Type::Message | Type::Enum => {
                        wanted.push(field.type_name().to_string());
                        let variant = if field.r#type() == Type::Enum { "Enum" } else { "Message" };
                        format!("Kind::{variant}(&{})", static_name(field.type_name()))
                    }
                    other => {
                        return Err(format!(
                            "{name}.{}: teach build.rs and json_line.rs the kind {other:?}",
                            field.name()
                        )
                        .into());
                    }
                };
                let repeated = field.label() == Label::Repeated;
                writeln!(
                    code,
                    "    Field {{ proto: {:?}, json: {:?}, kind: {kind}, repeated: {repeated} }},",
                    field.name(),
                    field.json_name()
                )?;
            }
            writeln!(code, "] }};")?;
        } else if let Some(listing) = find(set, &name, |file| &file.enum_type, |listing| listing.name()) {
            writeln!(
                code,
                "/// Values of `{}`.\npub static {}: Enum = Enum {{ values: &[",
                &name[1..],
                static_name(&name)
            )?;
            for value in &listing.value {
                writeln!(code, "    ({:?}, {}),", value.name(), value.number())?;
            }
            writeln!(code, "] }};")?;
        } else {
            return Err(format!("no definition of {name} in proto/").into());
        }
    }
    Ok(code)
}

fn find<'a, T>(
    set: &'a prost_types::FileDescriptorSet,
    full_name: &str,
    items: impl Fn(&'a prost_types::FileDescriptorProto) -> &'a Vec<T>,
    name: impl Fn(&T) -> &str,
) -> Option<&'a T> {
    set.file.iter().find_map(|file| {
        let local = full_name.strip_prefix('.')?.strip_prefix(file.package())?.strip_prefix('.')?;
        items(file).iter().find(|item| name(item) == local)
    })
}

/// `.elsewhere.v1.SessionEvent` to `SESSION_EVENT`.
fn static_name(full_name: &str) -> String {
    let mut name = String::new();
    for letter in full_name.rsplit('.').next().unwrap_or_default().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
