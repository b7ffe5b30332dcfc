//! Whether the objects fit together: references, duplicates, and what no single option can tell.

use crate::application_ref::DocumentRef;
use crate::draft::{Draft, Placed};
use crate::names::TenantName;
use crate::objects::api_key::{Role, TenantScope};
use crate::objects::application::{Application, Port, Protocol, Transport};
use crate::report::Report;
use crate::setting::suggestion;
use crate::source::Place;
use std::collections::{BTreeMap, BTreeSet};

impl Draft {
    /// Looks at everything that spans several options.
    pub(crate) fn check(&self, report: &mut Report) {
        let start = || Some(Place::new(0, 0..0));
        if self.origins.place("application").is_none() {
            report.error(
                start(),
                "there is no [application]",
                "it names this server and its ports",
            );
        }
        if self.declared.tenants.is_empty() {
            report.error(
                start(),
                "there is no [[tenant]]",
                "at least one is needed: the first is the default tenant",
            );
        }
        self.unique(report, &self.tenants, "name", "tenant", |tenant| {
            tenant.name.to_string()
        });
        self.unique(report, &self.switches, "name", "switch", |switch| {
            switch.name.to_string()
        });
        self.unique(report, &self.api_keys, "id", "API key", |key| key.id.to_string());
        self.unique(report, &self.scripts, "name", "script", |script| {
            format!("{} of {}", script.name, script.tenant)
        });
        self.unique(report, &self.dns, "number", "DN", |dn| {
            format!("{} of switch {}", dn.number, dn.switch)
        });
        if let Some(application) = &self.application {
            self.ports(application, report);
            self.connections(application, report);
            self.numbers_at_ports(application, report);
            self.memory(application, report);
        }
        self.tenants_exist(report);
        self.dns(report);
        self.api_keys(report);
    }

    fn place(&self, path: &str, key: &str) -> Option<Place> {
        self.origins
            .place(&format!("{path}.{key}"))
            .or_else(|| self.origins.place(path))
            .cloned()
    }

    fn unique<T>(
        &self,
        report: &mut Report,
        objects: &[Placed<T>],
        key: &str,
        kind: &str,
        name: impl Fn(&T) -> String,
    ) {
        let mut first: BTreeMap<String, &str> = BTreeMap::new();
        for placed in objects {
            let name = name(&placed.object);
            if let Some(path) = first.get(&name) {
                let help = self.first_at(&format!("{path}.{key}"));
                report.error(
                    self.place(&placed.path, key),
                    format!("there is a second {kind} `{name}`"),
                    help,
                );
            } else {
                first.insert(name, &placed.path);
            }
        }
    }

    fn first_at(&self, path: &str) -> String {
        self.origins
            .of(path)
            .map_or_else(String::new, |at| format!("the first one is at {at}"))
    }

    fn dangling(&self, report: &mut Report, path: &str, key: &str, what: &str, name: &str, known: &BTreeSet<String>) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let help = if known.is_empty() {
            format!("there is no {what} at all")
        } else {
            suggestion(name, &known)
        };
        report.error(self.place(path, key), format!("there is no {what} `{name}`"), help);
    }

    fn ports(&self, application: &Application, report: &mut Report) {
        let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
        let mut addresses = BTreeMap::new();
        for (index, port) in application.ports.iter().enumerate() {
            let path = format!("application.port[{index}]");
            if let Some(first) = ids.insert(port.id.as_str(), index) {
                let help = self.first_at(&format!("application.port[{first}].id"));
                report.error(
                    self.place(&path, "id"),
                    format!("there is a second port `{}`", port.id),
                    help,
                );
            }
            let datagram = port.transport == Transport::Udp;
            if port.address.port() != 0
                && let Some(first) = addresses.insert((port.address, datagram), index)
            {
                let help = self.first_at(&format!("application.port[{first}].address"));
                report.error(
                    self.place(&path, "address"),
                    format!("{} is taken twice", port.address),
                    help,
                );
            }
            self.port(&path, port, report);
        }
    }

    fn port(&self, path: &str, port: &Port, report: &mut Report) {
        if port.protocol == Protocol::Http && port.transport == Transport::Udp {
            report.error(
                self.place(path, "transport"),
                "HTTP does not run over udp",
                "write \"tls\", or \"tcp\"",
            );
        }
        if port.protocol == Protocol::Http && port.transport == Transport::Tcp && !port.address.ip().is_loopback() {
            let message = format!("port `{}` offers the REST API unencrypted to the network", port.id);
            let help = "API keys can be read on the way: use transport = \"tls\", or a loopback address";
            report.warning(self.place(path, "transport"), message, help);
        }
        if port.certificate.is_some() != port.key.is_some() {
            let there = if port.certificate.is_some() {
                "certificate"
            } else {
                "key"
            };
            let message = "a certificate and its key go together, but only one of them is given";
            report.error(
                self.place(path, there),
                message,
                "give both, or none for the server's own certificate",
            );
        } else if port.certificate.is_some() && port.transport != Transport::Tls {
            let message = format!("a {} port has no use for a certificate", port.transport);
            report.error(
                self.place(path, "certificate"),
                message,
                "write transport = \"tls\", or remove it and the key",
            );
        }
    }

    fn connections(&self, application: &Application, report: &mut Report) {
        let sip: BTreeSet<String> = application
            .ports
            .iter()
            .filter(|port| port.protocol == Protocol::Sip)
            .map(|port| port.id.to_string())
            .collect();
        // Ports with a mistake in them have been left out; nothing can be said about references to them.
        let ports_known = !application.ports.is_empty() || self.origins.place("application.port").is_none();
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, connection) in application.connections.iter().enumerate() {
            let path = format!("application.connection[{index}]");
            let switch = connection.switch.as_str();
            if !self.declared.switches.contains(switch) {
                self.dangling(report, &path, "switch", "switch", switch, &self.declared.switches);
            }
            if let Some(first) = first.insert(switch, index) {
                let help = self.first_at(&format!("application.connection[{first}].switch"));
                report.error(
                    self.place(&path, "switch"),
                    format!("there is a second connection to `{switch}`"),
                    help,
                );
            }
            for (at, port) in connection.ports.iter().flatten().enumerate() {
                if ports_known && !sip.contains(port.as_str()) {
                    self.dangling(
                        report,
                        &format!("{path}.ports[{at}]"),
                        "",
                        "SIP port",
                        port.as_str(),
                        &sip,
                    );
                }
            }
        }
        for placed in &self.switches {
            let switch = &placed.object.name;
            if ports_known && !application.ports.iter().any(|port| application.serves(port, switch)) {
                let message = format!("no call reaches switch `{switch}`: no port serves it");
                let help = format!(
                    "add [[application.connection]] with switch = \"{switch}\", and a port with protocol = \"sip\""
                );
                report.warning(self.place(&placed.path, "name"), message, help);
            }
        }
    }

    /// A SIP message names a number and no switch, so within one port a number can mean one DN only.
    fn numbers_at_ports(&self, application: &Application, report: &mut Report) {
        let mut known = BTreeMap::new();
        let mut reported = BTreeSet::new();
        for port in application.ports.iter().filter(|port| port.protocol == Protocol::Sip) {
            for placed in self
                .dns
                .iter()
                .filter(|placed| application.serves(port, &placed.object.switch))
            {
                let dn = &placed.object;
                let Some(first) = known.insert((&port.id, &dn.number), placed) else {
                    continue;
                };
                // The same number twice on one switch has been reported already, as has this pair at another port.
                if first.object.switch != dn.switch && reported.insert(&placed.path) {
                    let message = format!(
                        "number {} is a DN of switch `{}` and of switch `{}`, which share the port `{}`",
                        dn.number, first.object.switch, dn.switch, port.id
                    );
                    let help = "a call names the number only: change one, or give the switches ports of their own";
                    let first = self.first_at(&format!("{}.number", first.path));
                    report.error(self.place(&placed.path, "number"), message, format!("{help}; {first}"));
                }
            }
        }
    }

    fn memory(&self, application: &Application, report: &mut Report) {
        let most = application.sandbox.memory_per_session;
        for placed in &self.tenants {
            if placed.object.memory_per_session.is_some_and(|memory| memory > most) {
                let key = "memory-per-session-bytes";
                let message =
                    format!("a tenant's session cannot have more memory than the sandbox reserves: {most} bytes");
                let help = format!("raise `{key}` in [application.sandbox], or lower it here");
                report.error(self.place(&placed.path, key), message, help);
            }
        }
    }

    fn tenants_exist(&self, report: &mut Report) {
        let of = |tenant: &TenantName, path: &str, report: &mut Report| {
            if !self.declared.tenants.contains(tenant.as_str()) {
                self.dangling(
                    report,
                    path,
                    "tenant",
                    "tenant",
                    tenant.as_str(),
                    &self.declared.tenants,
                );
            }
        };
        self.switches
            .iter()
            .for_each(|placed| of(&placed.object.tenant, &placed.path, report));
        self.scripts
            .iter()
            .for_each(|placed| of(&placed.object.tenant, &placed.path, report));
        for placed in &self.api_keys {
            if let TenantScope::One(tenant) = &placed.object.tenant {
                of(tenant, &placed.path, report);
            }
        }
    }

    fn dns(&self, report: &mut Report) {
        for placed in &self.dns {
            let dn = &placed.object;
            if !self.declared.switches.contains(dn.switch.as_str()) {
                self.dangling(
                    report,
                    &placed.path,
                    "switch",
                    "switch",
                    dn.switch.as_str(),
                    &self.declared.switches,
                );
            }
            if dn.default_dn.contains(&dn.number) {
                let message = format!(
                    "DN {} is its own default DN: a call would come back for ever",
                    dn.number
                );
                report.error(self.place(&placed.path, "default-dn"), message, "name another number");
            }
            let DocumentRef::Script(script) = &dn.orchestration.application.primary else {
                continue;
            };
            // A switch with a mistake in it has no tenant to look in; its own mistake is enough.
            let Some(switch) = self.switches.iter().find(|switch| switch.object.name == dn.switch) else {
                continue;
            };
            let tenant = switch.object.tenant.as_str();
            let known = self.declared.tenants.contains(tenant);
            if !known || self.declared.scripts.contains(&(tenant.to_owned(), script.to_string())) {
                continue;
            }
            // Only the tenant's own scripts are suggested: another tenant's names are none of its business.
            let of_tenant = self.declared.scripts.iter().filter(|(owner, _)| owner == tenant);
            let names: Vec<&str> = of_tenant.map(|(_, name)| name.as_str()).collect();
            let help = match names.as_slice() {
                [] => format!("tenant `{tenant}` has no script at all"),
                names => suggestion(script.as_str(), names),
            };
            let place = self.place(&placed.path, "Orchestration.application");
            report.error(
                place,
                format!("there is no script `{script}` of tenant `{tenant}`"),
                help,
            );
        }
    }

    fn api_keys(&self, report: &mut Report) {
        for placed in &self.api_keys {
            let key = &placed.object;
            if key.role == Role::PlatformAdmin && key.tenant != TenantScope::All {
                let message = "a platform-admin is not bound to one tenant";
                report.error(
                    self.place(&placed.path, "tenant"),
                    message,
                    "write tenant = \"*\", or role = \"tenant-admin\"",
                );
            }
        }
    }
}
