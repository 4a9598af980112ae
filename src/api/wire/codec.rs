//! Protobuf over gRPC with small first buffers.
//!
//! A stream holds a buffer for what it reads and one for what it writes for as long as it is open. The transport's
//! default gives each 8 KiB at once, which ten thousand live sessions would pay for while they wait. Here a buffer
//! begins with what a chunk or a verdict usually takes and grows when a message is larger.

use prost::Message;
use std::marker::PhantomData;
use tonic::codec::{BufferSettings, Codec as TonicCodec};
use tonic_prost::ProstCodec;

/// First size of a buffer, bytes: most chunks of a live session fit, and most verdicts nearly.
const BUFFER_BYTES: usize = 2 * 1024;
/// Bytes encoded before a stream yields to the transport. The transport's own default.
const YIELD_BYTES: usize = 32 * 1024;

fn settings() -> BufferSettings {
    BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
}

/// The codec of every service; named by `build.rs`.
#[derive(Debug, Clone, Copy)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> TonicCodec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as TonicCodec>::Encoder;
    type Decoder = <ProstCodec<T, U> as TonicCodec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(settings())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(settings())
    }
}
