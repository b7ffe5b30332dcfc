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
        let table = reader.table(value, "items, each a table of keys and values")?;
        let mut items = BTreeMap::new();
        for (name, node) in table.entries {
            let value = Value {
                node,
                source: value.source,
            };
            let path = reader.path_of(name.get_ref());
            reader.origins.insert(path.clone(), value.place());
            let item = reader.within(path, |reader| read_item(value, reader));
            items.extend(item.map(|item| (name.get_ref().to_string(), item)));
        }
        Some(ListItems(items))
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

fn read_item(value: Value<'_, '_>, reader: &mut Reader<'_>) -> Read<ListItem> {
    let table = reader.table(value, "keys and values, each a string")?;
    let mut item = BTreeMap::new();
    for (key, node) in table.entries {
        let value = Value {
            node,
            source: value.source,
        };
        let path = reader.path_of(key.get_ref());
        reader.origins.insert(path.clone(), value.place());
        let text = reader.within(path, |reader| reader.string(value, "a string, as in ORS"));
        item.extend(text.map(|text| (key.get_ref().to_string(), text.to_owned())));
    }
    Some(item)
}
