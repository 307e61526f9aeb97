//! Size of a pixel in buffers and on links.

/// Bits of a logit on its way to the global buffer.
pub const LOGIT_BITS: u32 = 32;

/// Bytes of one pixel (all channels of one position) of a map.
#[must_use]
pub fn pixel_bytes(channels: u32, bits: u32) -> u64 {
    (u64::from(channels) * u64::from(bits)).div_ceil(8)
}
