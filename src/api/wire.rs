//! The generated messages and services of `elsewhere.v1`, with their canonical JSON.
//!
//! Reads camelCase and snake_case, prints camelCase. Unknown fields and enum values are refused when read.
//!
//! Worked example: `{"eventId":"e1","typing":{"pressIntervalMicros":[0,150000]}}` reads as a `SessionEvent` with two
//! presses; `"pressIntervalMicros":["150000"]` reads alike, since proto3 lets numbers come as strings.

pub mod codec;
pub mod number;
mod rpc_json;
pub mod well_known;

/// What the generated code refers to by the names of the proto packages.
mod generated {
    // Written by prost, tonic and pbjson, which have their own taste; their docs are the proto's comments.
    #![allow(clippy::all, missing_docs, rustdoc::all, reason = "generated code")]
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "generated code")]

    pub mod elsewhere {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/elsewhere.v1.rs"));
            include!(concat!(env!("OUT_DIR"), "/elsewhere.v1.serde.rs"));
        }
    }

    pub mod google {
        pub mod rpc {
            include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
        }
    }
}

pub use generated::elsewhere::v1::*;
pub use generated::google::rpc;
pub(super) use rpc_json::pack as pack_detail;
pub use well_known::{Any, Duration, Timestamp};

/// Every file of the API, encoded, for the reflection service.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor_set.bin"));

/// The fields of a request, for checking JSON one field at a time.
pub mod request_fields {
    /// What a field holds.
    #[derive(Debug, Clone, Copy)]
    #[expect(missing_docs, reason = "the names are those of proto scalars and messages")]
    pub enum Kind {
        Bool,
        Uint32,
        Sint32,
        Sint64,
        Double,
        Text,
        Bytes,
        Timestamp,
        Duration,
        Enum(&'static Enum),
        Message(&'static Message),
    }

    /// One field.
    #[derive(Debug, Clone, Copy)]
    pub struct Field {
        /// Name in the proto, `dwell_micros`.
        pub proto: &'static str,
        /// Name in JSON, `dwellMicros`.
        pub json: &'static str,
        /// What it holds.
        pub kind: Kind,
        /// Whether it is a list.
        pub repeated: bool,
    }

    /// The fields of one message, in proto order.
    #[derive(Debug)]
    pub struct Message {
        /// The fields.
        pub fields: &'static [Field],
    }

    /// The values of one enum: name and number, in proto order.
    #[derive(Debug)]
    pub struct Enum {
        /// The values.
        pub values: &'static [(&'static str, i32)],
    }

    include!(concat!(env!("OUT_DIR"), "/request_fields.rs"));
}
