//! The configuration in force, written as TOML: `pointsman config show --effective`.

use crate::config::Config;
use crate::setting::{Field, Setting, Shown, written_key};
use std::fmt::Write as _;

/// What stands in place of a secret.
pub(crate) const REDACTED: &str = "<redacted>";

/// The configuration with every default filled in and every value's origin behind it: `file:line`, or `default`.
///
/// Secrets are redacted. Without secrets in it, the text reads back as the same configuration.
pub fn effective_toml(config: &Config) -> String {
    let mut page = Page {
        config,
        out: String::new(),
    };
    page.table("application", "application", &config.application.show());
    page.list("tenant", "tenant", &config.tenants.show());
    page.list("switch", "switch", &config.switches.show());
    page.list("dn", "dn", &config.dns.show());
    page.list("script", "script", &config.scripts.show());
    page.list("list", "list", &config.lists.show());
    page.list("api-key", "api-key", &config.api_keys.show());
    page.out
}

struct Page<'c> {
    config: &'c Config,
    out: String,
}

impl Page<'_> {
    /// `header` is what stands in brackets; `path` the same with the positions in lists, as origins know it.
    fn table(&mut self, header: &str, path: &str, shown: &Shown) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.line(&format!("[{header}]"));
        self.body(header, path, shown);
    }

    fn list(&mut self, header: &str, path: &str, shown: &Shown) {
        let Shown::List(items) = shown else { return };
        for (index, (_, item)) in items.iter().enumerate() {
            if !self.out.is_empty() {
                self.out.push('\n');
            }
            self.line(&format!("[[{header}]]"));
            self.body(header, &format!("{path}[{index}]"), item);
        }
    }

    fn body(&mut self, header: &str, path: &str, shown: &Shown) {
        let Shown::Table(fields) = shown else { return };
        for field in fields {
            self.value(&format!("{path}.{}", written_key(&field.key)), field);
        }
        // Tables follow all values: in TOML, what comes after a table's header belongs to that table.
        for field in fields {
            let key = written_key(&field.key);
            match &field.shown {
                Shown::Table(_) => self.table(&format!("{header}.{key}"), &format!("{path}.{key}"), &field.shown),
                Shown::List(_) => self.list(&format!("{header}.{key}"), &format!("{path}.{key}"), &field.shown),
                _ => {}
            }
        }
    }

    fn value(&mut self, path: &str, field: &Field) {
        let key = written_key(&field.key);
        let origin = self.config.origins.of(path).unwrap_or_else(|| "default".into());
        // A file's name goes into a comment, which ends with the line.
        let origin: String = origin
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        match &field.shown {
            Shown::Value(value) => self.line(&format!("{key} = {value}  # {origin}")),
            Shown::Secret => self.line(&format!("{key} = \"{REDACTED}\"  # {origin}")),
            Shown::Absent => self.line(&format!("# {key} is not set")),
            Shown::Table(_) | Shown::List(_) => {}
        }
    }

    fn line(&mut self, line: &str) {
        writeln!(self.out, "{line}").expect("a string takes whatever is written to it");
    }
}
