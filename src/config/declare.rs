//! Declares a configuration type once: `record!` and `choice!` turn one list of keys, with documentation, ranges and
//! defaults, into the Rust type, its decoder and its entries in the schema and the key reference.
//!
//! A key reads `name: Type [range] = default`; without a default it must be given. Ranges are of integers, of reals, or
//! of quantities as texts (`["1 ps"..="1 ms"]`); `[1..]` on a text means that it is not empty. `#[check(f)]` names a
//! function `fn(&Type) -> Vec<Problem>` for what one key cannot tell; `#[file(true)]` says that the path of a file may
//! stand for the struct. `settings!` is a `record!` all of whose keys have a default, which makes it `Default`.

/// A struct.
macro_rules! record {
    (
        $(#[doc = $doc:expr])*
        $(#[check($check:path)])?
        $(#[file($file:literal)])?
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:expr])*
                pub $field:ident: $type:ty $([$range:expr])? $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $(
                $(#[doc = $field_doc])*
                $(#[doc = concat!("\n\nAllowed: `", stringify!($range), "`.")])?
                pub $field: $type,
            )*
        }

        impl $crate::config::decode::Decode for $name {
            fn kind() -> $crate::config::shape::Kind {
                $crate::config::shape::Kind::Record($crate::config::shape::Record {
                    name: stringify!($name),
                    doc: $crate::config::shape::join_doc(&[$($doc),*]),
                    from_file: false $(|| $file)?,
                    fields: vec![$(
                        $crate::config::declare::field!([$($field_doc),*] $field: $type $([$range])? $(= $default)?)
                    ),*],
                })
            }

            fn decode(
                node: &$crate::config::tree::Node,
                _range: Option<&$crate::config::shape::Range>,
                cx: &mut $crate::config::decode::Decoder,
            ) -> Option<Self> {
                let mut fields = $crate::config::decode::Fields::open(node, stringify!($name), cx)?;
                $(let $field = $crate::config::declare::take!(fields, cx, $field: $type $([$range])? $(= $default)?);)*
                fields.close(cx);
                let value = Self { $($field: $field?),* };
                $(cx.report_problems(node, $check(&value));)?
                Some(value)
            }
        }
    };
}

/// A struct all of whose keys have a default.
macro_rules! settings {
    (
        $(#[doc = $doc:expr])*
        $(#[check($check:path)])?
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:expr])*
                pub $field:ident: $type:ty $([$range:expr])? = $default:expr
            ),* $(,)?
        }
    ) => {
        $crate::config::declare::record! {
            $(#[doc = $doc])*
            $(#[check($check)])?
            pub struct $name {
                $($(#[doc = $field_doc])* pub $field: $type $([$range])? = $default),*
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }
    };
}

/// An enum: variants alone, with one value, or with keys.
macro_rules! choice {
    (
        $(#[doc = $doc:expr])*
        $(#[derive($($derive:ident),*)])?
        pub enum $name:ident {
            $(
                $(#[doc = $variant_doc:expr])*
                $variant:ident
                $(($value:ty $([$value_range:expr])?))?
                $({
                    $(
                        $(#[doc = $field_doc:expr])*
                        $field:ident: $type:ty $([$range:expr])? $(= $default:expr)?
                    ),* $(,)?
                })?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize $($(, $derive)*)?)]
        pub enum $name {
            $(
                $(#[doc = $variant_doc])*
                $variant $(($value))? $({
                    $(
                        $(#[doc = $field_doc])*
                        $(#[doc = concat!("\n\nAllowed: `", stringify!($range), "`.")])?
                        $field: $type,
                    )*
                })?,
            )*
        }

        impl $crate::config::decode::Decode for $name {
            fn kind() -> $crate::config::shape::Kind {
                $crate::config::shape::Kind::Choice($crate::config::shape::Choice {
                    name: stringify!($name),
                    doc: $crate::config::shape::join_doc(&[$($doc),*]),
                    variants: vec![$(
                        $crate::config::shape::Variant {
                            name: stringify!($variant),
                            doc: $crate::config::shape::join_doc(&[$($variant_doc),*]),
                            body: $crate::config::declare::body!(
                                $(($value $([$value_range])?))?
                                $({$([$($field_doc),*] $field: $type $([$range])? $(= $default)?;)*})?
                            ),
                        }
                    ),*],
                })
            }

            fn decode(
                node: &$crate::config::tree::Node,
                _range: Option<&$crate::config::shape::Range>,
                cx: &mut $crate::config::decode::Decoder,
            ) -> Option<Self> {
                let name = cx.variant(node, stringify!($name), &[$(stringify!($variant)),*])?;
                $(
                    if name == stringify!($variant) {
                        return $crate::config::declare::decode_variant!(
                            node, cx, $variant
                            $(($value $([$value_range])?))?
                            $({$($field: $type $([$range])? $(= $default)?;)*})?
                        );
                    }
                )*
                None
            }
        }
    };
}

/// A field's entry in the schema.
macro_rules! field {
    ([$($doc:expr),*] $field:ident: $type:ty $([$range:expr])? $(= $default:expr)?) => {
        $crate::config::shape::Field {
            key: stringify!($field),
            doc: $crate::config::shape::join_doc(&[$($doc),*]),
            kind: <$type as $crate::config::decode::Decode>::kind(),
            range: $crate::config::declare::optional!($($crate::config::shape::Range::from($range))?),
            default: $crate::config::declare::optional!($({
                let default: $type = $default;
                $crate::config::shape::DefaultValue::of(&default)
            })?),
        }
    };
}

/// A field taken out of a struct's entries.
macro_rules! take {
    ($fields:ident, $cx:ident, $field:ident: $type:ty $([$range:expr])? $(= $default:expr)?) => {
        $fields.take::<$type>(
            stringify!($field),
            $crate::config::declare::optional!($($crate::config::shape::Range::from($range))?),
            $crate::config::declare::optional!($($default)?),
            $cx,
        )
    };
}

/// A variant's body in the schema.
macro_rules! body {
    () => { $crate::config::shape::Body::Unit };
    (($value:ty $([$range:expr])?)) => {
        $crate::config::shape::Body::Value(
            Box::new(<$value as $crate::config::decode::Decode>::kind()),
            $crate::config::declare::optional!($($crate::config::shape::Range::from($range))?),
        )
    };
    ({$([$($doc:expr),*] $field:ident: $type:ty $([$range:expr])? $(= $default:expr)?;)*}) => {
        $crate::config::shape::Body::Fields(vec![$(
            $crate::config::declare::field!([$($doc),*] $field: $type $([$range])? $(= $default)?)
        ),*])
    };
}

/// The body of a variant read from a node.
macro_rules! decode_variant {
    ($node:ident, $cx:ident, $variant:ident) => {
        $cx.unit_variant($node, stringify!($variant)).map(|()| Self::$variant)
    };
    ($node:ident, $cx:ident, $variant:ident ($value:ty $([$range:expr])?)) => {{
        let node = $cx.newtype_variant($node, stringify!($variant))?;
        let range = $crate::config::declare::optional!($($crate::config::shape::Range::from($range))?);
        <$value as $crate::config::decode::Decode>::decode(node, range.as_ref(), $cx).map(Self::$variant)
    }};
    ($node:ident, $cx:ident, $variant:ident {$($field:ident: $type:ty $([$range:expr])? $(= $default:expr)?;)*}) => {{
        let mut fields = $crate::config::decode::Fields::open_variant($node, stringify!($variant), $cx)?;
        $(let $field = $crate::config::declare::take!(fields, $cx, $field: $type $([$range])? $(= $default)?);)*
        fields.close($cx);
        Some(Self::$variant { $($field: $field?),* })
    }};
}

/// `Some(x)` of what is given, else `None`.
macro_rules! optional {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

pub(crate) use {body, choice, decode_variant, field, optional, record, settings, take};
