//! Builds a value from a node that the walk of [`decode`](super::decode) has gone over, through serde. Keys that no
//! type has and keys given twice have been reported by then; they are passed over.

use crate::config::tree::{Entry, Node, Value, names_variant};
use serde::de::value::{Error, MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::collections::BTreeSet;

/// Name by which a type asks for the text of a node, whatever it holds.
pub(super) const GIVEN: &str = "crossbayes::Given";

/// Reads a value out of `node`.
///
/// # Errors
/// The node is no such value.
pub fn from_node<'de, T: serde::Deserialize<'de>>(node: &'de Node) -> Result<T, Error> {
    T::deserialize(node)
}

impl<'de> IntoDeserializer<'de, Error> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The entries of a struct whose keys are among `known`, each the first time it is given.
fn entries<'de>(
    entries: &'de [Entry],
    known: &'static [&'static str],
) -> MapDeserializer<'de, impl Iterator<Item = (&'de str, &'de Node)>, Error> {
    let mut given = BTreeSet::new();
    let first = entries.iter().filter(move |entry| known.contains(&entry.key.as_str()) && given.insert(&entry.key));
    MapDeserializer::new(first.map(|entry| (entry.key.as_str(), &entry.value)))
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => match u64::try_from(*value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_f64(*value as f64),
            },
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) | Value::Bare(text) => visitor.visit_str(text),
            Value::List(items) | Value::Tuple { items, .. } => visitor.visit_seq(SeqDeserializer::new(items.iter())),
            Value::Struct { .. } | Value::Map(_) | Value::Name(_) | Value::Faulty => {
                Err(Error::invalid_type(Unexpected::Other(&self.describe()), &visitor))
            }
        }
    }

    /// `None`, `Some(x)` or plain `x`.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_none() { visitor.visit_none() } else { visitor.visit_some(self.inner()) }
    }

    /// A struct or map is a list of pairs, where one is asked for.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::Struct { entries, .. } => {
                visitor.visit_seq(MapDeserializer::new(entries.iter().map(|e| (e.key.as_str(), &e.value))))
            }
            Value::Map(pairs) => visitor.visit_seq(MapDeserializer::new(pairs.iter().map(|(k, v)| (k, v)))),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.value {
            Value::Struct { entries: given, .. } => visitor.visit_map(entries(given, fields)),
            Value::Name(_) | Value::Bare(_) => visitor.visit_map(entries(&[], fields)),
            Value::Tuple { items, .. } if items.is_empty() => visitor.visit_map(entries(&[], fields)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let found = self.name().unwrap_or("");
        let variant = variants.iter().find(|variant| names_variant(found, variant));
        let name = variant.ok_or_else(|| Error::unknown_variant(found, variants))?;
        visitor.visit_enum(Variant { name, node: self })
    }

    /// A value of any type is its text.
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name == GIVEN { visitor.visit_str(&self.to_string()) } else { self.deserialize_any(visitor) }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct map identifier ignored_any
    }
}

/// The variant of a node, with the contents of its parentheses.
struct Variant<'de> {
    name: &'static str,
    node: &'de Node,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        Ok((seed.deserialize(StrDeserializer::<Error>::new(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        match &self.node.value {
            Value::Tuple { items, .. } if items.len() == 1 => seed.deserialize(&items[0]),
            // The keys of a struct that it holds stand in its own parentheses.
            _ => seed.deserialize(self.node),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.node.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.node.deserialize_struct(self.name, fields, visitor)
    }
}
