//! Defaults of keys, where they are not their type's own.

/// The number `N`.
pub(super) fn number<const N: u32>() -> u32 {
    N
}

/// `true`.
pub(super) fn yes() -> bool {
    true
}
