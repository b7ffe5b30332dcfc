//! Whether the objects fit together: references, duplicates, and what no single option can tell.

use crate::application_ref::DocumentRef;
use crate::draft::{Draft, Placed};
use crate::names::{DnNumber, SwitchName, TenantName};
use crate::objects::api_key::{Role, TenantScope};
use crate::objects::application::{Application, Port, Protocol, Transport};
use crate::objects::dn::Dn;
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
        self.unique(report, &self.lists, "name", "list", |list| {
            format!("{} of {}", list.name, list.tenant)
        });
        self.unique(report, &self.dns, "number", "DN", |dn| {
            format!("{} of switch {}", dn.number, dn.switch)
        });
        if let Some(application) = &self.application {
            self.ports(application, report);
            self.certificates(application, report);
            self.connections(application, report);
            self.numbers(application, report);
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
        if port.protocol == Protocol::Http && port.transport != Transport::Tls {
            report.error(
                self.place(path, "transport"),
                format!("the REST API is offered over tls only, not over {}", port.transport),
                "write transport = \"tls\": API keys could be read on the way otherwise",
            );
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

    /// Connections use one certificate for each protocol: another one must not be accepted and then not be shown.
    fn certificates(&self, application: &Application, report: &mut Report) {
        for protocol in [Protocol::Http, Protocol::Sip] {
            let is_tls = |port: &Port| port.protocol == protocol && port.transport == Transport::Tls;
            let mut ports = application.ports.iter().enumerate().filter(|(_, port)| is_tls(port));
            let Some((_, first)) = ports.next() else { continue };
            for (index, port) in ports {
                if (&port.certificate, &port.key) != (&first.certificate, &first.key) {
                    let path = format!("application.port[{index}]");
                    let message = format!(
                        "port `{}` has another certificate than port `{}`: the {protocol} ports share one",
                        port.id, first.id
                    );
                    let help = "name the same certificate and key at both, or at none";
                    report.error(self.place(&path, "certificate"), message, help);
                }
            }
        }
    }

    fn connections(&self, application: &Application, report: &mut Report) {
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
        }
        // Ports and connections with a mistake in them have been left out; nothing can be said about what lacks them.
        let left_out = |list: usize, path: &str| list == 0 && self.origins.place(path).is_some();
        if left_out(application.ports.len(), "application.port")
            || left_out(application.connections.len(), "application.connection")
        {
            return;
        }
        let sip = application.ports.iter().any(|port| port.protocol == Protocol::Sip);
        for placed in &self.switches {
            let switch = &placed.object.name;
            if !sip || !application.serves(switch) {
                let message = format!("no call reaches switch `{switch}`: no port serves it");
                let help = format!(
                    "add [[application.connection]] with switch = \"{switch}\", and a port with protocol = \"sip\""
                );
                report.warning(self.place(&placed.path, "name"), message, help);
            }
        }
    }

    /// A SIP message names a number and a host, but no switch: a number may mean DNs of several switches only where the
    /// host tells them apart.
    fn numbers(&self, application: &Application, report: &mut Report) {
        let domains: BTreeMap<&SwitchName, String> = self
            .switches
            .iter()
            .filter_map(|placed| {
                let domain = placed.object.sip.domain.as_ref()?;
                Some((&placed.object.name, domain.as_str().to_ascii_lowercase()))
            })
            .collect();
        let mut known: BTreeMap<&DnNumber, Vec<&Placed<Dn>>> = BTreeMap::new();
        for placed in self
            .dns
            .iter()
            .filter(|placed| application.serves(&placed.object.switch))
        {
            let dn = &placed.object;
            let others = known.entry(&dn.number).or_default();
            // The same number twice on one switch has been reported already.
            let first = others.iter().find(|other| {
                let (here, there) = (domains.get(&dn.switch), domains.get(&other.object.switch));
                other.object.switch != dn.switch && (here.is_none() || here == there || there.is_none())
            });
            if let Some(first) = first {
                let message = format!(
                    "number {} is a DN of switch `{}` and of switch `{}`, which share the SIP ports",
                    dn.number, first.object.switch, dn.switch
                );
                let help = "change one, or tell the switches apart by `domain` in the [switch.sip] of each";
                let first = self.first_at(&format!("{}.number", first.path));
                report.error(self.place(&placed.path, "number"), message, format!("{help}; {first}"));
            }
            others.push(placed);
        }
    }

    fn memory(&self, application: &Application, report: &mut Report) {
        let most = application.sandbox.memory_per_session;
        for placed in &self.tenants {
            if placed.object.memory_per_session.is_some_and(|memory| memory > most) {
                let key = "memory-per-session-bytes";
                let message =
                    format!("a tenant's session cannot have more memory than the sandbox allows: {most} bytes");
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
        self.lists
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
