//! Tags of events: an enum for each kind of part, stored as a number in [`crate::kernel::Event`].

/// Declares the enum of a part's tags and its conversion to the number that events carry, and back.
macro_rules! tags {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident $(= $value:expr)?),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u32)]
        $vis enum $name { $($(#[$doc])* $variant $(= $value)?),+ }

        impl From<$name> for u32 {
            #[inline]
            fn from(tag: $name) -> u32 {
                tag as u32
            }
        }

        impl From<u32> for $name {
            #[inline]
            fn from(number: u32) -> Self {
                // Constants, so that this is one comparison instead of a chain.
                #[expect(non_upper_case_globals, reason = "the names of the variants")]
                mod number {
                    $(pub const $variant: u32 = super::$name::$variant as u32;)+
                }
                match number {
                    $(number::$variant => $name::$variant,)+
                    _ => unreachable!("{number} is no tag of this part"),
                }
            }
        }
    };
}

pub(super) use tags;
