//! Transactions of the type List: tables that strategies look things up in.

use crate::names::{ListName, TenantName};
use crate::setting::{Effect, Field, Read, Reader, Setting, Shown, Value, options};
use std::collections::BTreeMap;

options! {
    /// A Transaction of the type List.
    object List at "[[list]]" {
        /// The list's name, as strategies ask for it: `getListItemValue('NAME', ...)`.
        "name" name: ListName, required, Immediate, Ors("Transaction name");
        /// The tenant that it belongs to; only strategies of that tenant can read it.
        "tenant" tenant: TenantName, required, Immediate, Ors("Transaction, Tenant");
        /// The items: in ORS the sections of the list's annex, with their options.
        "items" items: ListItems, default(ListItems::default()), Immediate, Ors("Transaction annex sections");
    }
    known as |list| format!("{}@{}", list.name, list.tenant)
}

/// The keys of one item, and their values.
pub type ListItem = BTreeMap<String, String>;

/// Items of a list by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListItems(pub BTreeMap<String, ListItem>);

impl Setting for ListItems {
    fn read(value: Value<'_, '_>, reader: &mut Reader<'_>) -> Read<Self> {
        let items = reader.entries(value, "items, each a table of keys and values", |reader, value| {
            reader.entries(value, "keys and values, each a string", |reader, value| {
                reader.string(value, "a string, as in ORS").map(str::to_owned)
            })
        });
        items.map(ListItems)
    }

    fn show(&self) -> Shown {
        let fields = self.0.iter().map(|(name, item)| {
            let keys = item.iter().map(|(key, value)| field(key, Shown::text(value.clone())));
            field(name, Shown::Table(keys.collect()))
        });
        Shown::Table(fields.collect())
    }
}

fn field(key: &str, shown: Shown) -> Field {
    Field {
        key: key.to_owned(),
        shown,
        effect: Effect::Immediate,
    }
}
